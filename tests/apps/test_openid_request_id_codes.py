# SPDX-License-Identifier: Apache-2.0
"""The waiting page of the AWS solution: it goes back to the client with the request id as code."""

from __future__ import annotations

import logging
from urllib.parse import parse_qs, unquote, urlsplit

import jwt
import pytest

from apps.openid import app as openid_app
from tests.support.fakes.openid_codes import MemoryCodes
from tests.support.in_memory_room import EVENT, ISSUER
from tests.support.openid_room import CALLBACK, CLIENT_SECRET, ENV, PROVIDER, OpenId, install
from waiting_room.openid.settings import REQUEST_ID_CODES_WARNING

ON = {"OPENID_REQUEST_ID_CODES": "true", "WAITING_ROOM_URL": "https://wait.example/login.html"}
CHALLENGE = {
    "code_challenge": "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
    "code_challenge_method": "S256",
}
VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"


@pytest.fixture
def openid(monkeypatch: pytest.MonkeyPatch) -> OpenId:
    return install(monkeypatch, OpenId(env=ON))


def read_by_the_page(address: str) -> dict[str, str]:
    """The query as that page takes it apart: at & and =, %-decoded, but for ``state``."""
    found = {}
    for pair in address.partition("?")[2].split("&"):
        name, text = pair.split("=")[:2]
        found[name] = text if name == "state" else unquote(text)
    return found


def back(openid: OpenId, request_id: str, **changes: str | None) -> str:
    """The address that the page opens at the visitor's turn."""
    seen = read_by_the_page(openid.authorize(**changes).location)
    assert (seen["client_id"], seen["response_type"]) == (EVENT, "code")
    return f"{seen['redirect_uri']}?state={seen['state']}&code={request_id}"


@pytest.mark.parametrize("state", ["state-1", "a b+c&d=e%2F?#\u007e", "x" * 2048])
def test_the_pages_visitor_gets_in(openid: OpenId, state: str) -> None:
    visitor = openid.admitted()
    address = back(openid, visitor, state=state)
    assert address.startswith(f"{CALLBACK}?")
    sent = parse_qs(urlsplit(address).query, strict_parsing=True)
    assert sent["state"] == [state]
    reply = openid.redeem(sent["code"][0])
    assert reply.status == 200
    assert set(reply.json) == {"access_token", "token_type", "expires_in", "id_token", "scope"}
    keys = openid.get("/.well-known/jwks.json").json["keys"]
    for name, issuer in (("access_token", ISSUER), ("id_token", PROVIDER)):
        claims = jwt.decode(
            reply.json[name], jwt.PyJWK(keys[0]), algorithms=["RS256"], audience=EVENT,
            issuer=issuer, options={"verify_exp": False, "verify_nbf": False, "verify_iat": False},
        )  # fmt: skip
        assert claims["sub"] == visitor
    who = openid.get("/userInfo", authorization=f"Bearer {reply.json['access_token']}")
    assert who.json["sub"] == visitor


def test_the_shipped_page_works_beside_it(openid: OpenId) -> None:
    code = openid.code()
    assert openid.redeem(code).status == 200
    assert openid.redeem(code).json["error"] == "invalid_grant", "once, as ever"


def test_the_weakness_is_what_the_page_says_it_is(openid: OpenId) -> None:
    """Docs: it works again and again, and for whoever has it, until the token's end."""
    visitor = openid.admitted()
    assert [openid.redeem(visitor).status for _ in range(3)] == [200, 200, 200]
    openid.in_memory_room.clock.now += 3600
    assert openid.redeem(visitor).json["error"] == "invalid_grant"


def test_nobody_gets_in_before_their_turn(openid: OpenId) -> None:
    visitor = openid.in_memory_room.visitors(1)[0]
    assert openid.redeem(visitor).json["error"] == "invalid_grant"
    openid.in_memory_room.serve(1)
    assert openid.redeem(visitor).status == 200, "asking early lost nothing"


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"client_id": "Other"}, "invalid_client"), ({"client_secret": "wrong"}, "invalid_client"),
        ({"client_secret": None}, "invalid_client"),
        ({"redirect_uri": "https://evil.example/"}, "invalid_grant"),
        ({"redirect_uri": None}, "invalid_grant"), ({"code_verifier": VERIFIER}, "invalid_grant"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
    ],
)  # fmt: skip
def test_every_other_check_stays_and_takes_no_token(
    openid: OpenId, changes: dict[str, str | None], error: str
) -> None:
    visitor = openid.admitted()
    assert openid.redeem(visitor, **changes).json["error"] == error
    assert openid.in_memory_room.room.metrics.counts(EVENT).tokens == 0
    assert openid.redeem(visitor).status == 200


def test_a_request_with_pkce_shows_the_page_nothing(openid: OpenId) -> None:
    reply = openid.authorize(**CHALLENGE)
    assert set(read_by_the_page(reply.location)) == {"transaction"}
    still = openid.resume(reply.sent["transaction"], openid.in_memory_room.visitors(1)[0])
    assert set(still.sent) == {"transaction"}, "nor who is sent back to wait"


def test_who_is_sent_back_to_wait_comes_to_the_page_as_before(openid: OpenId) -> None:
    first = openid.authorize()
    again = openid.resume(first.sent["transaction"], openid.in_memory_room.visitors(1)[0])
    assert read_by_the_page(again.location) == read_by_the_page(first.location)


def test_an_address_that_is_not_registered_reaches_no_page(openid: OpenId) -> None:
    reply = openid.authorize(redirect_uri="https://evil.example/")
    assert (reply.status, reply.json["error"]) == (400, "invalid_request")


def test_a_place_bound_to_a_secret_is_not_had_by_its_id(openid: OpenId) -> None:
    joined = openid.in_memory_room.join(secret_hash="0" * 64)
    openid.in_memory_room.room.workers.assignment.assign(EVENT, [joined])
    openid.in_memory_room.serve(1)
    assert openid.redeem(joined.request_id).json["error"] == "invalid_grant"


@pytest.mark.parametrize(
    "code", ["00000000-0000-4000-8000-000000000000", "x", "A" * 36, "\u0661" * 36]
)
def test_what_is_no_request_of_the_room_is_no_code(openid: OpenId, code: str) -> None:
    openid.admitted()
    assert openid.redeem(code).json["error"] in ("invalid_grant", "invalid_request")


def test_a_room_that_is_away_costs_a_retry(openid: OpenId) -> None:
    visitor = openid.admitted()
    openid.room.down = True
    reply = openid.redeem(visitor)
    assert (reply.status, reply.json["error"]) == (503, "temporarily_unavailable")
    openid.room.down = False
    assert openid.redeem(visitor).status == 200


def test_without_the_switch_the_page_is_told_nothing_and_the_id_opens_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    openid = install(monkeypatch, OpenId(codes=MemoryCodes()))
    assert set(openid.authorize().sent) == {"transaction"}
    visitor = openid.admitted()
    assert openid.redeem(visitor).json["error"] == "invalid_grant"
    assert openid.in_memory_room.room.metrics.counts(EVENT).tokens == 0


@pytest.mark.parametrize("switch", ["true", "false"])
def test_the_weakness_is_in_the_log_when_the_function_starts(
    switch: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for name, text in {**ENV, "OPENID_REQUEST_ID_CODES": switch}.items():
        monkeypatch.setenv(name, text)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    openid_app.provider.cache_clear()
    with caplog.at_level(logging.WARNING):
        openid_app.provider()
    openid_app.provider.cache_clear()
    assert (f"openid: {REQUEST_ID_CODES_WARNING}" in caplog.messages) is (switch == "true")
    assert CLIENT_SECRET not in caplog.text
