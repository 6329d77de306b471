# SPDX-License-Identifier: Apache-2.0
"""The OpenID provider: /authorize and /authorize/continue."""

from __future__ import annotations

import hashlib

import pytest

from apps.openid import app as openid_app
from tests.apps.openid_client import CHALLENGE, JSON
from tests.support.in_memory_room import EVENT
from tests.support.openid_room import (
    CALLBACK,
    WAITING_PAGE,
    OpenId,
    install,
)


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_good_request_is_sent_to_the_waiting_page(openid: OpenId, method: str) -> None:
    asked = {"client_id": EVENT, "redirect_uri": CALLBACK, "response_type": "code",
             "scope": "openid email", "state": "s"}  # fmt: skip
    reply = openid.get("/authorize", asked) if method == "GET" else openid.post("/authorize", asked)
    assert reply.status == 302
    assert reply.location.startswith(f"{WAITING_PAGE}?transaction=")
    assert reply.headers["Cache-Control"] == "no-store"


def test_nothing_is_stored_while_a_visitor_waits(openid: OpenId) -> None:
    openid.codes = None
    openid.provider.codes = None  # type: ignore[assignment]
    assert openid.authorize().status == 302


@pytest.mark.parametrize(
    "changes",
    [
        {"client_id": "Other"}, {"client_id": None}, {"redirect_uri": None},
        {"redirect_uri": CALLBACK + "/"}, {"redirect_uri": CALLBACK + "?a=b"},
        {"redirect_uri": "https://evil.example/callback"}, {"redirect_uri": "https://evil/\"'"},
        {"redirect_uri": CALLBACK.upper()}, {"client_id": 'a"b'}, {"client_id": "a\\b"},
        {"redirect_uri": "https://evil.example/", "response_type": None},
        {"redirect_uri": "https://evil.example/", "request": "x"},
        {"redirect_uri": "https://evil.example/", "scope": None},
        {"redirect_uri": "https://evil.example/", "prompt": "none"},
        {"redirect_uri": "https://evil.example/", "code_challenge_method": "plain"},
        {"state": "a\nb"}, {"state": "x" * 3000},
    ],
)  # fmt: skip
def test_no_redirect_goes_to_an_address_that_is_not_registered(
    openid: OpenId, changes: dict[str, str | None]
) -> None:
    reply = openid.authorize(**changes)
    assert reply.status == 400
    assert "Location" not in reply.headers
    assert reply.headers["Content-Type"] == JSON
    assert set(reply.json) <= {"error", "error_description", "state"}
    assert reply.json["error"] in ("invalid_request", "invalid_client")


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"response_type": None}, "invalid_request"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_type": "code id_token"}, "unsupported_response_type"),
        ({"scope": None}, "invalid_scope"),
        ({"scope": "email"}, "invalid_scope"),
        ({"prompt": "none"}, "login_required"),
        ({"prompt": "none login"}, "invalid_request"),
        ({"request": "x"}, "request_not_supported"),
        ({"request_uri": "https://x"}, "request_uri_not_supported"),
        ({"response_mode": "fragment"}, "invalid_request"),
        ({"code_challenge": CHALLENGE, "code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge": CHALLENGE}, "invalid_request"),
        ({"code_challenge": "short", "code_challenge_method": "S256"}, "invalid_request"),
        ({"code_challenge_method": "S256"}, "invalid_request"),
    ],
)
def test_an_error_goes_back_to_the_client_with_its_state(
    openid: OpenId, changes: dict[str, str | None], error: str
) -> None:
    reply = openid.authorize(**changes)
    assert reply.status == 302
    assert reply.location.startswith(CALLBACK + "?")
    assert reply.sent["error"] == error
    assert reply.sent["state"] == "state-1"


def test_the_state_comes_back_escaped_and_unchanged(openid: OpenId) -> None:
    state = 'a&code=forged#x=%26 "\\+/<é>'.replace("é", "e")
    reply = openid.resume(openid.authorize(state=state).sent["transaction"], openid.admitted())
    assert reply.sent["state"] == state
    assert reply.sent["code"] == openid.issued[-1]
    assert "#" not in reply.location
    refused = openid.authorize(state=state, scope="email")
    assert refused.sent["state"] == state


def test_a_repeated_parameter_is_refused(openid: OpenId) -> None:
    asked = [("client_id", EVENT), ("redirect_uri", CALLBACK), ("response_type", "code"),
             ("scope", "openid"), ("state", "a"), ("state", "b")]  # fmt: skip
    assert openid.get("/authorize", asked).status == 400


def test_a_redirect_address_keeps_its_own_query(openid: OpenId) -> None:
    """WordPress registers one with a query."""
    own = "https://blog.example/admin-ajax.php?action=openid-connect-authorize"
    object.__setattr__(openid.settings, "redirect_uris", (own,))
    reply = openid.resume(openid.authorize(redirect_uri=own).sent["transaction"], openid.admitted())
    assert reply.location.startswith(own + "&")
    assert set(reply.sent) == {"action", "code", "state"}


def test_a_served_visitor_returns_to_the_client_with_a_code_and_the_state(openid: OpenId) -> None:
    request_id = openid.admitted()
    reply = openid.resume(openid.authorize().sent["transaction"], request_id)
    assert reply.status == 303
    assert reply.location.startswith(CALLBACK + "?")
    assert set(reply.sent) == {"code", "state"}
    assert request_id not in reply.location
    assert reply.headers["Referrer-Policy"] == "no-referrer"


def test_a_code_has_at_least_128_random_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    monkeypatch.setattr(openid_app.secrets, "token_urlsafe", lambda size: asked.append(size) or "x")
    for name, value in {
        "EVENT_ID": "E", "PUBLIC_API_ENDPOINT": "https://a", "OPENID_ISSUER": "https://b",
        "WAITING_ROOM_URL": "https://c", "OPENID_CLIENT_SECRET_ID": "d",
        "OPENID_REDIRECT_URIS": "https://e/", "OPENID_CODES_TABLE": "f", "SIGNING_KEYS_SECRET": "g",
        "TOKEN_ISSUER": "https://h",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    openid_app.provider.cache_clear()
    openid_app.provider().new_code()
    openid_app.provider.cache_clear()
    assert asked[0] * 8 >= 128


def test_a_visitor_who_is_not_served_yet_waits_on_with_their_position(openid: OpenId) -> None:
    waiting = openid.in_memory_room.visitors(1)[0]
    reply = openid.resume(openid.authorize().sent["transaction"], waiting)
    assert reply.status == 303
    assert reply.location.startswith(WAITING_PAGE)
    openid.in_memory_room.serve(1)
    assert "code" in openid.resume(reply.sent["transaction"], waiting).sent


def test_an_unavailable_room_rejects_no_visitor(openid: OpenId) -> None:
    request_id = openid.admitted()
    openid.room.down = True
    reply = openid.resume(openid.authorize().sent["transaction"], request_id)
    assert reply.status == 303
    assert reply.location.startswith(WAITING_PAGE)


def test_an_expired_position_is_denied(openid: OpenId) -> None:
    request_id = openid.admitted()
    transaction = openid.authorize().sent["transaction"]
    openid.in_memory_room.clock.now += 901
    reply = openid.resume(transaction, request_id)
    assert reply.location.startswith(CALLBACK)
    assert reply.sent == {
        "error": "access_denied",
        "error_description": "the waiting room did not admit the visitor",
        "state": "state-1",
    }


def test_a_request_that_nobody_made_is_denied(openid: OpenId) -> None:
    transaction = openid.authorize().sent["transaction"]
    unknown = "00000000-0000-4000-8000-000000000000"
    assert openid.resume(transaction, unknown).sent["error"] == "access_denied"


def test_a_stolen_request_id_without_its_secret_is_denied(openid: OpenId) -> None:
    join = openid.in_memory_room.join(secret_hash=hashlib.sha256(b"mine").hexdigest())
    openid.in_memory_room.room.workers.assignment.assign(EVENT, [join])
    openid.in_memory_room.serve(1)
    transaction = openid.authorize().sent["transaction"]
    assert openid.resume(transaction, join.request_id).sent["error"] == "access_denied"
    stolen = openid.resume(transaction, join.request_id, client_secret="guess")
    assert stolen.sent["error"] == "access_denied"
    assert "code" in openid.resume(transaction, join.request_id, client_secret="mine").sent


@pytest.mark.parametrize("transaction", ["", "x", "a.b.c", "x" * 9000])
def test_a_transaction_that_is_none_gets_a_plain_error(openid: OpenId, transaction: str) -> None:
    reply = openid.resume(transaction, openid.admitted())
    assert reply.status == 400
    assert reply.json["error"] == "invalid_request"


def test_a_transaction_is_too_old_after_a_day(openid: OpenId) -> None:
    transaction = openid.authorize().sent["transaction"]
    openid.in_memory_room.clock.now += 86_400
    assert openid.resume(transaction, openid.admitted()).status == 400


@pytest.mark.parametrize(
    "request_id", ["", "x", "../token", "00000000-0000-4000-8000-00000000000G"]
)
def test_a_malformed_request_id_gets_a_plain_error(openid: OpenId, request_id: str) -> None:
    assert openid.resume(openid.authorize().sent["transaction"], request_id).status == 400


def test_an_address_taken_off_the_list_meanwhile_gets_no_code(openid: OpenId) -> None:
    transaction = openid.authorize().sent["transaction"]
    object.__setattr__(openid.settings, "redirect_uris", ("https://other.example/",))
    reply = openid.resume(transaction, openid.admitted())
    assert reply.status == 400
    assert "Location" not in reply.headers


def test_who_waited_longer_than_the_client_remembers_starts_the_login_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """WordPress forgets after 3 minutes, Cognito after 5, an Application Load Balancer after 15."""
    openid = install(monkeypatch, OpenId(env={"OPENID_RESTART_URL": "https://shop.example/"}))
    request_id = openid.in_memory_room.visitors(1)[0]
    transaction = openid.authorize().sent["transaction"]
    openid.in_memory_room.clock.now += 150
    still = openid.resume(transaction, request_id)
    assert still.location.startswith(WAITING_PAGE)  # a long wait alone sends nobody away
    openid.in_memory_room.serve(1)
    forgotten = openid.resume(still.sent["transaction"], request_id)
    assert (forgotten.status, forgotten.location) == (303, "https://shop.example/")
    assert not openid.issued
    again = openid.resume(openid.authorize().sent["transaction"], request_id)
    assert openid.redeem(again.sent["code"]).status == 200


def test_without_a_restart_address_a_long_wait_ends_with_a_code(openid: OpenId) -> None:
    request_id = openid.in_memory_room.visitors(1)[0]
    transaction = openid.authorize().sent["transaction"]
    openid.in_memory_room.clock.now += 80_000
    openid.in_memory_room.serve(1)
    assert "code" in openid.resume(transaction, request_id).sent
