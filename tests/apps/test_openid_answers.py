# SPDX-License-Identifier: Apache-2.0
"""The provider's answers in detail: statuses, caching, refusals, what Authlib is told."""

from __future__ import annotations

import base64
import dataclasses

import jwt
import pytest

from tests.support.in_memory_room import EVENT
from tests.support.openid_room import CALLBACK, CLIENT_SECRET, OpenId, install
from waiting_room.domain import joins
from waiting_room.domain.errors import Gone, InvalidInput, NotServedYet, Unavailable
from waiting_room.openid import protocol, provider
from waiting_room.openid.authlib_server import _Client, _StoredCode
from waiting_room.openid.provider import error_response, json_response, redirect
from waiting_room.openid.settings import ClientSecrets

NO_STORE = {"Cache-Control": "no-store", "Pragma": "no-cache", "X-Content-Type-Options": "nosniff"}


def test_default_statuses_are_200_for_responses_400_for_errors_302_for_redirects() -> None:
    assert json_response({}).status == 200
    assert error_response("e", "d").status == 400
    assert redirect("https://x/").status == 302
    assert error_response("e", "d", 503, **{"Retry-After": "1"}).headers == {
        "Content-Type": "application/json", **NO_STORE, "Retry-After": "1",
    }  # fmt: skip
    assert redirect("https://x/").headers == {
        "Location": "https://x/", **NO_STORE, "Referrer-Policy": "no-referrer",
        "Content-Type": "text/plain",
    }  # fmt: skip


def test_what_changes_seldom_is_kept_for_its_time(openid: OpenId) -> None:
    document = openid.get("/.well-known/openid-configuration")
    assert document.headers["Cache-Control"] == "public, max-age=3600"
    keys = openid.get("/.well-known/jwks.json")
    assert keys.headers["Cache-Control"] == "public, max-age=120"
    assert keys.status == document.status == 200


@pytest.mark.parametrize(
    ("reason", "error"),
    [(Gone("x"), "access_denied"), (InvalidInput("x"), "access_denied")],
)
def test_a_visitor_whom_the_room_refuses_goes_back_by_303(
    openid: OpenId, reason: Exception, error: str
) -> None:
    class Room:
        def access_token(self, *_: object) -> str:
            raise reason

    openid.provider._room = Room()
    reply = openid.resume(openid.authorize().sent["transaction"], openid.admitted())
    assert (reply.status, reply.sent["error"], reply.sent["state"]) == (303, error, "state-1")
    assert reply.location.startswith(CALLBACK)


@pytest.mark.parametrize("reason", [NotServedYet("x"), Unavailable("x")])
def test_a_visitor_who_must_wait_goes_back_to_the_same_wait(
    openid: OpenId, reason: Exception
) -> None:
    class Room:
        def access_token(self, *_: object) -> str:
            raise reason

    openid.provider._room = Room()
    transaction = openid.authorize().sent["transaction"]
    reply = openid.resume(transaction, openid.admitted())
    assert (reply.status, reply.sent["transaction"]) == (303, transaction)


def test_a_token_that_is_not_good_here_is_a_fault_of_the_server_by_303(openid: OpenId) -> None:
    openid.provider._room = type("Room", (), {"access_token": lambda *_: "no token"})()
    reply = openid.resume(openid.authorize().sent["transaction"], openid.admitted())
    assert (reply.status, reply.sent["error"]) == (303, "server_error")


def test_a_visitors_secret_has_its_longest_length(openid: OpenId) -> None:
    transaction, visitor = openid.authorize().sent["transaction"], openid.admitted()
    longest = joins.MAX_CLIENT_SECRET
    assert longest < 512
    refused = openid.resume(transaction, visitor, client_secret="x" * (longest + 1))
    assert (refused.status, refused.json["error"]) == (400, "invalid_request")
    assert openid.resume(transaction, visitor, client_secret="x" * longest).status == 303


@pytest.mark.parametrize(("later", "restarts"), [(-1, False), (0, True)])
def test_a_login_starts_again_once_the_client_has_forgotten_it(
    monkeypatch: pytest.MonkeyPatch, later: int, restarts: bool
) -> None:
    env = {"OPENID_RESTART_URL": "https://shop.example/login", "OPENID_RESTART_AFTER": "150"}
    openid = install(monkeypatch, OpenId(env))
    asked_at = openid.provider.now
    transaction, visitor = openid.authorize().sent["transaction"], openid.admitted()
    openid.in_memory_room.clock.now = asked_at + 150 + later
    reply = openid.resume(transaction, visitor)
    assert reply.status == 303
    assert (reply.location == "https://shop.example/login") is restarts


def test_a_login_needs_no_nonce_and_may_use_one_twice(openid: OpenId) -> None:
    for nonce in (None, "same", "same"):
        reply = openid.redeem(openid.code(nonce=nonce))
        assert reply.status == 200
        said = jwt.decode(reply.json["id_token"], options={"verify_signature": False})
        assert said.get("nonce") == nonce
        assert said["at_hash"]


def test_a_token_answer_counts_down_and_never_below_zero(openid: OpenId) -> None:
    answer = openid.redeem(openid.code()).json
    access = jwt.decode(answer["access_token"], options={"verify_signature": False})
    assert answer["expires_in"] == access["exp"] - int(openid.in_memory_room.clock.now)
    assert (answer["token_type"], answer["scope"]) == ("Bearer", "openid")
    request = protocol.AuthorizationRequest(EVENT, CALLBACK)
    over = protocol.AccessToken("r", 7, 0, openid.provider.now - 5)
    stored = _StoredCode(protocol.make_code("c", request, "t", over, 0), "t")
    assert openid.provider._server._tokens(user=stored, scope="openid")["expires_in"] == 0


def test_the_client_is_the_event_with_two_ways_to_authenticate(openid: OpenId) -> None:
    client = openid.provider._server.query_client(EVENT)
    assert isinstance(client, _Client)
    for other in (None, "", EVENT.lower(), "A", "z"):
        assert openid.provider._server.query_client(other) is None
    for method in ("client_secret_basic", "client_secret_post"):
        assert client.check_endpoint_auth_method(method, "token")
        assert not client.check_endpoint_auth_method(method, "revocation")
    assert not client.check_endpoint_auth_method("none", "token")
    for kind in ("code token", "token", "", "a", "z"):
        assert not client.check_response_type(kind)
    for grant in ("password", "", "zzz", "client_credentials"):
        assert not client.check_grant_type(grant)
    assert client.check_response_type("code")
    assert client.check_grant_type("authorization_code")
    assert client.check_redirect_uri(CALLBACK)
    assert not client.check_redirect_uri(None)
    assert client.get_default_redirect_uri() is None


def test_a_client_secret_of_any_signs_is_compared(openid: OpenId) -> None:
    odd = "\ud800é" * 16
    openid.secrets = ClientSecrets(odd, "transaction-key-0123456789")
    client = openid.provider._server.query_client(EVENT)
    assert client is not None
    assert client.check_client_secret(odd)
    assert not client.check_client_secret("\ud801é" * 16)


@pytest.mark.parametrize("scheme", ["Bearer ", "bearer  ", "BEARER   "])
def test_user_info_takes_the_scheme_in_any_case(openid: OpenId, scheme: str) -> None:
    access = openid.redeem(openid.code()).json["access_token"]
    reply = openid.get("/userInfo", authorization=f"{scheme}{access} ")
    assert reply.status == 200
    assert reply.json["queue_position"] == 1


def test_an_invalid_token_has_the_error_invalid_token(openid: OpenId) -> None:
    reply = openid.get("/userInfo", authorization="Bearer junk")
    assert (reply.status, reply.json["error"]) == (401, "invalid_token")
    assert reply.headers["WWW-Authenticate"] == 'Bearer realm="openid", error="invalid_token"'


@pytest.mark.parametrize(
    ("header", "readable"),
    [
        ("", False), ("Basic /w==", False), ("Bearer x", True),
        ("Basic " + base64.b64encode(f"{EVENT}:{CLIENT_SECRET}".encode()).decode(), True),
    ],
)  # fmt: skip
def test_a_header_that_cannot_be_decoded_is_none(header: str, readable: bool) -> None:
    assert provider._is_decodable(header) is readable


def test_the_rooms_keys_are_found_by_their_name_alone(openid: OpenId) -> None:
    found = provider.SigningKeyVerifier(openid.in_memory_room.keys)
    known = openid.in_memory_room.keys.load().keys[0].key_id
    key = found.find(known)
    assert key is not None
    assert key.key_id == known
    assert found.find(None) is None
    assert found.find("x") is None
    assert found.reachable() is True


def test_a_code_whose_row_is_damaged_gives_nothing(
    openid: OpenId, caplog: pytest.LogCaptureFixture
) -> None:
    code = openid.code()
    kept = openid.codes
    redeem = kept.redeem

    def damaged(*args: object) -> object:
        return dataclasses.replace(redeem(*args), sealed="AAAA")

    kept.redeem = damaged
    reply = openid.redeem(code)
    assert (reply.status, reply.json["error"]) == (400, "invalid_grant")
    assert "damaged" in caplog.text
    assert code not in caplog.text
