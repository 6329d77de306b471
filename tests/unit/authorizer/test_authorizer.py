# SPDX-License-Identifier: Apache-2.0
"""Tokens that the authorizer accepts; the lessons under *Authorizer* that concern the token."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import string

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from hypothesis import given
from hypothesis import strategies as st

from tests.support import tokens
from tests.support.in_memory_room import EVENT, ISSUER, START, Clock
from tests.support.tokens import VISITOR, signed, token
from waiting_room.adapters.http.room_keys import read_keys
from waiting_room.authorizer.verifier import (
    MAX_TOKEN,
    Accepted,
    NoToken,
    Rejected,
    check_claims,
    token_from_header,
)

FRESH = START + 5


def decide(header: object, now: float = FRESH) -> Accepted | Rejected | NoToken:
    return tokens.verifier(clock=Clock(now)).check(header)


def segment(content: object) -> str:
    text = content if isinstance(content, bytes) else json.dumps(content).encode()
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode()


def test_a_fresh_access_token_is_accepted_with_its_claims() -> None:
    decision = decide(token())
    assert isinstance(decision, Accepted)
    assert decision.request_id == VISITOR
    assert decision.claims == {
        "aud": EVENT, "sub": VISITOR, "queue_position": 7, "token_use": "access",
        "iat": START, "nbf": START, "exp": START + 3600, "iss": ISSUER,
    }  # fmt: skip


@pytest.mark.parametrize("written", ["{}", "Bearer {}", "bearer {}", "BEARER   {}", "  {} "])
def test_a_token_is_taken_raw_and_with_bearer(written: str) -> None:  # 17
    assert isinstance(decide(written.format(token())), Accepted)


@pytest.mark.parametrize(
    "header",
    [
        None, "", " ", "Bearer", "Bearer ", "Basic dXNlcjpwYXNz", 7, b"token", "a.b", "a.b.c.d",
        "Bearer a b", "..", "....", "null", "{}", "é.é.é", "a.b.c\n", "x" * MAX_TOKEN, "\ud800",
    ],
)  # fmt: skip
def test_what_is_no_token_is_malformed(header: object) -> None:  # 17
    assert isinstance(decide(header), NoToken)


def test_a_token_of_100_kb_is_malformed_before_it_is_parsed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(jwt, "get_unverified_header", lambda _token: pytest.fail("parsed"))
    for long in ("x" * 100_000, f"{'a' * 50_000}.{'b' * 50_000}.c", token() + "A" * MAX_TOKEN):
        assert decide(long) == NoToken("the token is too long")


def test_a_forged_token_is_refused() -> None:
    stranger = tokens.jwks_of_the_run()[1]
    private = jwt.PyJWK(stranger, algorithm="RS256").key
    claims = jwt.decode(token(), options={"verify_signature": False})
    known = tokens.jwks_of_the_run()[0]["kid"]
    forged = jwt.encode(claims, private, algorithm="RS256", headers={"kid": known})
    assert decide(forged) == Rejected("the signature is wrong")


def test_a_token_whose_claims_were_changed_is_refused() -> None:
    header, body, signature = token().split(".")
    claims = json.loads(base64.urlsafe_b64decode(body + "=="))
    claims["queue_position"] = 1
    assert decide(f"{header}.{segment(claims)}.{signature}") == Rejected("the signature is wrong")


def test_a_token_of_an_unknown_key_is_refused() -> None:
    assert decide(token(tokens.keys(2).keys[1])) == Rejected(
        "the token is signed with an unknown key"
    )


def test_a_token_is_good_until_the_second_it_expires() -> None:
    assert isinstance(decide(token(), START + 3599.9), Accepted)
    assert decide(token(), START + 3600) == Rejected("the token is expired")


def test_a_token_from_the_future_is_refused_but_for_two_seconds_of_clock() -> None:
    assert isinstance(decide(token(at=START + 2), START), Accepted)
    assert decide(token(at=START + 3), START) == Rejected("the token is not valid yet")


def test_a_token_of_another_event_is_refused() -> None:
    assert decide(signed({"aud": "Other"})) == Rejected("the token is for another event")
    assert isinstance(decide(signed({"aud": [EVENT]})), Rejected)
    assert isinstance(decide(signed({"aud": [EVENT, "Other"]})), Rejected)


def test_a_token_of_another_issuer_is_refused() -> None:
    for issuer in ("https://evil.example", ISSUER + "/", ISSUER.upper(), [ISSUER], 1):
        assert decide(signed({"iss": issuer})) == Rejected("the token is from another issuer")


@pytest.mark.parametrize("use", ["refresh", "id"])
def test_a_refresh_or_id_token_is_refused(use: str) -> None:
    assert decide(token(use=use)) == Rejected("the token is not an access token")


@pytest.mark.parametrize("claim", ["exp", "nbf", "aud", "iss", "sub", "token_use"])
def test_a_token_that_lacks_a_claim_is_refused(claim: str) -> None:
    assert decide(signed({}, without=claim)) == Rejected(f"the token lacks {claim}")
    assert decide(signed({claim: None})) == Rejected(f"the token lacks {claim}")


@pytest.mark.parametrize(
    "changes",
    [
        {"exp": "9999999999"}, {"exp": 9e9}, {"exp": True}, {"exp": [1]}, {"nbf": "0"},
        {"nbf": False}, {"iat": "x"}, {"iat": {}}, {"sub": 7}, {"sub": ""}, {"sub": ["a"]},
        {"token_use": ["access"]}, {"token_use": True}, {"exp": float("inf")},
    ],
)  # fmt: skip
def test_a_claim_of_the_wrong_kind_is_refused(changes: dict[str, object]) -> None:
    assert isinstance(decide(signed(changes)), Rejected)


@pytest.mark.parametrize("body", [b"[]", b"7", b"junk", b"[" * 3000, b"\xff", b""])
def test_a_signed_body_that_is_no_object_is_refused(body: bytes) -> None:
    jwk = tokens.jwks_of_the_run()[0]
    key = jwt.PyJWK(jwk, algorithm="RS256").key
    made = jwt.PyJWS().encode(body, key, algorithm="RS256", headers={"kid": jwk["kid"]})
    assert not isinstance(decide(made), Accepted)


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", "", None, "RS512", "ES256", 7])
def test_another_algorithm_is_refused_and_so_is_none(algorithm: object) -> None:
    _, body, signature = token().split(".")
    kid = tokens.jwks_of_the_run()[0]["kid"]
    changed = segment({"alg": algorithm, "typ": "JWT", "kid": kid})
    for end in ("", signature):
        assert decide(f"{changed}.{body}.{end}") == Rejected("the token is not signed with RS256")


def test_hs256_with_the_public_key_as_its_secret_is_refused() -> None:
    kid, public = next(iter(read_keys(tokens.keys().jwks()).items()))
    pem = public.key.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    _, body, _ = token().split(".")
    for secret in (pem, pem.strip(), json.dumps(tokens.keys().jwks()).encode()):
        start = f"{segment({'alg': 'HS256', 'typ': 'JWT', 'kid': kid})}.{body}"
        mark = hmac.new(secret, start.encode(), hashlib.sha256).digest()
        assert decide(f"{start}.{segment(mark)}") == Rejected("the token is not signed with RS256")


@pytest.mark.parametrize("headers", [{"crit": ["exp"]}, {"crit": []}, {"b64": False}])
def test_a_header_that_asks_for_more_than_we_do_is_refused(headers: dict[str, object]) -> None:
    _, body, signature = token().split(".")
    kid = tokens.jwks_of_the_run()[0]["kid"]
    header = segment({"alg": "RS256", "kid": kid, **headers})
    assert not isinstance(decide(f"{header}.{body}.{signature}"), Accepted)


def test_one_token_has_one_spelling() -> None:
    good = token()
    for other in (good + "=", good + "==", good + ".", good.replace(".", "..", 1)):
        assert not isinstance(decide(other), Accepted)


def test_an_ended_session_is_rejected_where_the_authorizer_checks_it() -> None:  # 16
    ended = tokens.FakeEnded({VISITOR})
    assert tokens.verifier(ended).check(token()) == Rejected("the session was ended")
    assert isinstance(tokens.verifier(tokens.FakeEnded()).check(token()), Accepted)
    assert isinstance(tokens.verifier().check(token()), Accepted)


def test_a_reason_never_holds_what_the_caller_sent() -> None:
    bad = signed({"iss": "LEAK", "aud": "LEAK", "sub": "LEAK", "token_use": "LEAK"})
    for sent in (bad, token() + "LEAK", "Bearer LEAK", signed({}, headers={"kid": "LEAK"})):
        decision = decide(sent)
        assert not isinstance(decision, Accepted)
        assert "LEAK" not in decision.reason


def test_claims_alone_are_judged_by_the_same_rules() -> None:
    good = {"aud": EVENT, "iss": ISSUER, "sub": "a", "token_use": "access", "nbf": 0, "exp": 10}
    assert isinstance(check_claims(good, tokens.EXPECTED, 5), Accepted)
    assert check_claims({**good, "aud": "b"}, tokens.EXPECTED, 5) == Rejected(
        "the token is for another event"
    )
    assert check_claims({**good, "iss": "b"}, tokens.EXPECTED, 5) == Rejected(
        "the token is from another issuer"
    )
    assert isinstance(check_claims({}, tokens.EXPECTED, 5), Rejected)


def test_only_flat_claims_that_we_know_are_passed_on() -> None:
    decision = decide(signed({"queue_position": {"deep": 1}, "role": "admin"}))
    assert isinstance(decision, Accepted)
    assert set(decision.claims) == {"aud", "sub", "token_use", "iat", "nbf", "exp", "iss"}


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=6,
)
SEGMENTS = st.binary(max_size=40).map(segment) | ANY_JSON.map(segment) | st.text(max_size=20)
HEADERS = st.fixed_dictionaries(
    {},
    optional={
        "alg": st.sampled_from(["RS256", "none", "HS256"]) | ANY_JSON,
        "kid": st.builds(lambda: tokens.jwks_of_the_run()[0]["kid"]) | ANY_JSON,
        "crit": ANY_JSON,
        "b64": ANY_JSON,
        "typ": ANY_JSON,
    },
).map(segment)


@given(st.text() | st.binary() | ANY_JSON | st.lists(SEGMENTS | HEADERS, max_size=4).map(".".join))
def test_invalid_input_is_never_accepted_and_never_raises(header: object) -> None:
    assert isinstance(decide(header), Rejected | NoToken)


@given(HEADERS | SEGMENTS, SEGMENTS)
def test_a_signature_is_good_for_nothing_else(header: str, body: str) -> None:
    mine, claims, signature = token().split(".")
    for made in (f"{header}.{claims}.{signature}", f"{mine}.{body}.{signature}"):
        if made != token():
            assert isinstance(decide(made), Rejected | NoToken)


@given(st.integers(0, 500), st.sampled_from(string.printable))
def test_a_token_with_one_sign_changed_is_refused(at: int, sign: str) -> None:
    good = token()
    changed = good[:at] + sign + good[at + 1 :]
    if changed.strip() != good:
        assert isinstance(decide(changed), Rejected | NoToken)


@given(st.text())
def test_reading_a_header_never_raises(header: str) -> None:
    found = token_from_header(header)
    assert found is None or " " not in found
