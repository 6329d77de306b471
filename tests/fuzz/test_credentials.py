# SPDX-License-Identifier: Apache-2.0
"""Tokens, cookies, signatures, transactions, page marks: nothing forged gets in, nothing raises."""

from __future__ import annotations

import base64
import json
import time
from typing import Any

import jwt
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import apps.token_authorizer.app as authorizer
from deployment.local.gateway.sigv4 import Signatures
from tests.fuzz.apis import KEY_ID, REGION, SECRET, SignV4
from tests.fuzz.inputs import JSON, TEXT, fuzzed
from tests.support import tokens
from tests.support.in_memory_room import EVENT, ISSUER, START
from tests.support.openid_room import CALLBACK, PROVIDER
from tests.support.tokens import EXPECTED, VISITOR, signed, token
from waiting_room.authorizer.verifier import Accepted, NoToken, Rejected
from waiting_room.domain.errors import InvalidInput
from waiting_room.gate import cookie
from waiting_room.openid import protocol
from waiting_room.runtime import http_api

ARN = "arn:aws:execute-api:eu-central-1:111122223333:a1b2c3d4e5/prod/GET/checkout"
COOKIE_SECRET = "0123456789abcdef0123456789abcdef"
decide = tokens.verifier().check


def part(content: object) -> str:
    """A segment of a token."""
    raw = content if isinstance(content, str) else json.dumps(content)
    return base64.urlsafe_b64encode(raw.encode("utf-8", "surrogatepass")).decode().rstrip("=")


CLAIMS = st.fixed_dictionaries(
    {"aud": JSON | st.just(EVENT), "iss": JSON | st.just(ISSUER), "sub": JSON | st.just(VISITOR)},
    optional={
        "exp": JSON | st.integers(START - 5, START + 5),
        "nbf": JSON | st.integers(START - 5, START + 5), "iat": JSON,
        "token_use": JSON | st.sampled_from(["access", "id", "refresh"]),
        "queue_position": JSON,
    },
)  # fmt: skip
HEADERS = st.fixed_dictionaries(
    {"alg": JSON | st.sampled_from(["RS256", "none", "HS256", "RS512", "rs256", "PS256", "ES256"])},
    optional={
        "kid": JSON | st.just(tokens.keys().keys[0].key_id), "typ": JSON, "crit": JSON, "b64": JSON,
        "jku": st.just("https://evil.example/jwks.json"), "jwk": JSON, "x5u": TEXT, "zip": TEXT,
    },
)  # fmt: skip
DEPTHS = ["[" * 5000, '{"a":' * 1200 + "1" + "}" * 1200, "[" * 2000 + "]" * 2000, "9" * 5000]


@fuzzed
@given(HEADERS, CLAIMS | JSON | st.sampled_from(DEPTHS), st.binary(max_size=300))
def test_no_token_is_accepted_that_the_room_did_not_sign(
    header: dict[str, Any], claims: object, signature: bytes
) -> None:
    good = token().split(".")
    unsigned = f"{part(header)}.{part(claims)}"
    for end in (base64.urlsafe_b64encode(signature).decode().rstrip("="), good[2], ""):
        assert isinstance(decide(f"Bearer {unsigned}.{end}"), Rejected | NoToken)


@fuzzed
@given(JSON | st.sampled_from(DEPTHS), st.sampled_from(["", "Bearer ", "bearer  ", "Basic "]))
@example("[" * 5000, "Bearer ")
def test_no_header_of_a_token_breaks_the_authorizer(header: object, scheme: str) -> None:
    for sent in (f"{part(header)}.{part({})}.x", f"{part(header)}..", part(header)):
        assert isinstance(decide(scheme + sent), Rejected | NoToken)


@fuzzed
@given(CLAIMS)
def test_of_tokens_with_a_good_signature_only_those_that_fit_are_accepted(
    claims: dict[str, Any],
) -> None:
    try:
        made = signed(claims)
    except (ValueError, UnicodeEncodeError):
        return
    decision = decide(made)
    assert isinstance(decision, Accepted | Rejected | NoToken)
    said = {"token_use": "access", "nbf": START, "exp": START + 3600, **claims}
    fits = (
        said["aud"] == EVENT and said["iss"] == ISSUER and said["token_use"] == "access"
        and isinstance(said["sub"], str) and said["sub"] != ""
        and type(said["nbf"]) is int and said["nbf"] <= START + EXPECTED.clock_skew
        and type(said["exp"]) is int and said["exp"] > START and type(said.get("iat", 0)) is int
        and len(made) <= 8192
    )  # fmt: skip
    assert isinstance(decision, Accepted) == fits
    if isinstance(decision, Accepted):
        assert all(type(value) in (str, int) for value in decision.claims.values())


def test_a_public_key_is_no_secret_to_sign_with() -> None:
    public = jwt.PyJWK(tokens.keys().keys[0].public, algorithm="RS256").key
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    good = jwt.decode(token(), options={"verify_signature": False})
    import hashlib
    import hmac

    kid = tokens.keys().keys[0].key_id
    for header in ({"alg": "HS256", "kid": kid}, {"alg": "HS256"}):
        unsigned = f"{part(header)}.{part(good)}"
        mac = hmac.new(pem, unsigned.encode(), hashlib.sha256).digest()
        forged = f"{unsigned}.{base64.urlsafe_b64encode(mac).decode().rstrip('=')}"
        assert isinstance(decide(forged), Rejected)


@pytest.fixture
def door(monkeypatch: pytest.MonkeyPatch) -> None:
    made = tokens.verifier()
    monkeypatch.setattr(authorizer, "verifier", lambda: made)


@pytest.mark.usefixtures("door")
@fuzzed
@given(JSON, st.sampled_from(["TOKEN", None, 5]))
def test_the_authorizer_answers_unauthorized_or_a_policy_to_any_header(
    header: object, kind: object
) -> None:
    event = {"type": kind, "methodArn": ARN, "authorizationToken": header}
    try:
        policy = authorizer.token_authorizer(event, None)
    except authorizer.Unauthorized:
        return
    assert policy["policyDocument"]["Statement"][0]["Effect"] == "Deny"


# --- the gate's cookie ---------------------------------------------------------------------------

SEALED = cookie.seal(
    {"sub": VISITOR, "exp": START + 60, "queue_position": 7}, EXPECTED, COOKIE_SECRET
)


@fuzzed
@given(TEXT | st.builds(lambda h, c, s: f"{part(h)}.{part(c)}.{s}", HEADERS, CLAIMS | JSON, TEXT)
       | st.sampled_from([f"{part(deep)}.{part(deep)}.x" for deep in DEPTHS]))  # fmt: skip
def test_no_cookie_is_accepted_that_the_gate_did_not_seal(value: str) -> None:
    assert cookie.unseal(value, EXPECTED, [COOKIE_SECRET], START) is None


@fuzzed
@given(st.integers(0, len(SEALED) - 1), st.sampled_from('AZaz09-_.= "\x00é\ud800'))
def test_a_cookie_changed_anywhere_is_refused(at: int, sign: str) -> None:
    changed = SEALED[:at] + sign + SEALED[at + 1 :]
    found = cookie.unseal(changed, EXPECTED, [COOKIE_SECRET], START)
    # the last sign of a signature has bits that mean nothing
    assert found is None or changed[:-1] == SEALED[:-1]


@fuzzed
@given(TEXT, TEXT)
def test_any_cookie_header_is_read(header: str, name: str) -> None:
    found = list(cookie.values(header + f"; {name}=" + header, name))
    assert len(found) <= cookie.MAX_COOKIES


# --- the provider in front -----------------------------------------------------------------------

KEY = "transaction-key-0123456789"
ASKED = protocol.AuthorizationRequest("Sample", CALLBACK)


@fuzzed
@given(TEXT | st.builds(lambda h, c, s: f"{part(h)}.{part(c)}.{s}", HEADERS, CLAIMS | JSON, TEXT)
       | st.sampled_from([f"{part(deep)}.{part(deep)}.x" for deep in DEPTHS]))  # fmt: skip
def test_no_transaction_is_opened_that_was_not_sealed(text: str) -> None:
    with pytest.raises(InvalidInput):
        protocol.open_transaction(text, KEY, PROVIDER, START)


@fuzzed
@given(st.lists(st.tuples(st.sampled_from(["state", "nonce", "scope", "code"]) | TEXT, TEXT)))
def test_values_of_a_form_are_read_once_each_or_refused(pairs: list[tuple[str, str]]) -> None:
    names = ("state", "nonce", "scope", "code")
    try:
        found = protocol.single_values(pairs, names)
    except InvalidInput:
        return
    assert set(found) <= set(names)
    for name, value in found.items():
        assert pairs.count((name, value)) == 1
        assert value.isascii()
        assert value.isprintable()


# --- small things --------------------------------------------------------------------------------


@fuzzed
@given(TEXT | st.binary(max_size=20).map(lambda raw: base64.urlsafe_b64encode(raw).decode()))
def test_any_page_mark_is_read_or_refused(mark: str) -> None:
    try:
        minute, position = http_api.decode_page_token(mark) or (0, 0)
    except InvalidInput:
        return
    assert 0 <= minute < 10_000
    assert 0 <= position < 10**15


@fuzzed
@given(TEXT | st.binary(max_size=40).map(lambda raw: base64.urlsafe_b64encode(raw).decode()))
def test_any_mark_of_ended_sessions_is_read_or_refused(mark: str) -> None:
    try:
        found = http_api.decode_ended_page_token(mark)
    except InvalidInput:
        return
    assert found is not None
    assert http_api.encode_page_token(found) == mark


@fuzzed
@given(st.integers(0, 10**9 - 1), st.integers(0, 10**12 - 1), st.integers(0, 10**15 - 1))
def test_a_mark_of_ended_sessions_comes_back(generation: int, ends: int, position: int) -> None:
    mark = (generation, ends, position)
    assert http_api.decode_ended_page_token(http_api.encode_page_token(mark)) == mark
    with pytest.raises(InvalidInput, match="next_token"):
        http_api.decode_page_token(http_api.encode_page_token(mark))


@fuzzed
@given(st.integers(0, 9999), st.integers(0, 10**15 - 1))
def test_a_page_mark_comes_back(minute: int, position: int) -> None:
    assert http_api.decode_page_token(http_api.encode_page_token((minute, position))) == (
        minute,
        position,
    )


SIGNATURES = Signatures(KEY_ID, SECRET, REGION)
SCOPE = f"Credential={KEY_ID}/20261124/{REGION}/execute-api/aws4_request"
SIGNED = st.builds(
    lambda names, end: f"AWS4-HMAC-SHA256 {SCOPE}, SignedHeaders={names}, Signature={end}",
    st.sampled_from(["host", "host;x-amz-date", "host;host", ";host;", "x"]) | TEXT,
    st.sampled_from(["0" * 64, "f" * 64, ""]) | TEXT,
)


@fuzzed
@given(
    SIGNED | TEXT,
    st.dictionaries(st.sampled_from(["host", "x-amz-date", "x-amz-content-sha256"]),
                    TEXT | st.just("20261124T100000Z") | st.just("[::1")),
    TEXT, TEXT, st.binary(max_size=20),
)  # fmt: skip
def test_no_signature_is_accepted_that_the_key_did_not_make(
    said: str, headers: dict[str, str], path: str, query: str, body: bytes
) -> None:
    from datetime import UTC, datetime

    sent = {**headers, "authorization": said}
    now = datetime(2026, 11, 24, 10, tzinfo=UTC)
    assert SIGNATURES.refusal("GET", "/api/" + path, query, sent, body, now)


@fuzzed
@given(st.sampled_from(["path", "query", "body", "method"]), st.text("abc&=%+/ é", max_size=12))
def test_a_signed_call_changed_anywhere_is_refused(what: str, change: str) -> None:
    import requests

    asked = requests.Request(
        "POST", "http://room/api/inlet?event_id=Sample", json={"event_id": "x"}
    )
    call = SignV4()(asked.prepare())
    headers = {name.lower(): value for name, value in call.headers.items()} | {"host": "room"}
    sent = {"method": "POST", "path": "/api/inlet", "query": "event_id=Sample", "body": call.body}
    assert not SIGNATURES.refusal(
        *[sent[n] for n in ("method", "path", "query")], headers, sent["body"]
    )
    changed = change.encode() if what == "body" else change
    if sent[what] != changed:
        sent[what] = changed
        assert SIGNATURES.refusal(
            *[sent[n] for n in ("method", "path", "query")], headers, sent["body"]
        )


def test_the_clock_of_these_tests_is_not_the_machines() -> None:
    assert abs(time.time() - START) > 60
