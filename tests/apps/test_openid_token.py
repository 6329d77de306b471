# SPDX-License-Identifier: Apache-2.0
"""The OpenID provider: /token."""

from __future__ import annotations

import base64
import hashlib

import pytest

from apps.openid import app as openid_app
from tests.apps.openid_client import CHALLENGE, VERIFIER, basic, claims_of
from tests.support.in_memory_room import EVENT, ISSUER
from tests.support.openid_room import (
    CALLBACK,
    CLIENT_SECRET,
    PROVIDER,
    OpenId,
    invoke,
)


def test_a_code_gives_the_rooms_token_and_an_id_token_with_the_nonce(openid: OpenId) -> None:
    request_id = openid.admitted()
    sent = openid.resume(openid.authorize().sent["transaction"], request_id).sent
    reply = openid.redeem(sent["code"])
    assert reply.status == 200
    assert reply.headers["Cache-Control"] == "no-store"
    assert reply.headers["Pragma"] == "no-cache"
    answer = reply.json
    assert set(answer) == {"access_token", "token_type", "expires_in", "id_token", "scope"}
    assert answer["token_type"] == "Bearer"
    assert 3590 <= answer["expires_in"] <= 3600
    assert answer["access_token"] == openid.in_memory_room.token(request_id)["access_token"]
    access = claims_of(openid, answer["access_token"], ISSUER)
    identity = claims_of(openid, answer["id_token"], PROVIDER)
    assert access["sub"] == identity["sub"] == request_id
    assert identity["nonce"] == "nonce-1"
    assert identity["exp"] == access["exp"]
    assert identity["queue_position"] == 1
    digest = hashlib.sha256(answer["access_token"].encode()).digest()[:16]
    assert identity["at_hash"] == base64.urlsafe_b64encode(digest).decode().rstrip("=")


def test_the_id_token_opens_nothing_in_the_room(openid: OpenId) -> None:
    identity = openid.redeem(openid.code()).json["id_token"]
    reply = openid.get("/userInfo", authorization=f"Bearer {identity}")
    assert reply.status == 401
    assert claims_of(openid, identity, PROVIDER)["token_use"] == "id"


def test_more_scopes_than_openid_are_taken_and_narrowed(openid: OpenId) -> None:
    assert openid.redeem(openid.code(scope="openid email profile")).json["scope"] == "openid"


def test_client_secret_basic_works(openid: OpenId) -> None:
    reply = openid.redeem(openid.code(), client_id=None, client_secret=None)
    assert reply.status == 401
    form = {"grant_type": "authorization_code", "code": openid.code(), "redirect_uri": CALLBACK}
    reply = openid.post("/token", form, authorization=basic(EVENT, CLIENT_SECRET))
    assert reply.status == 200


def test_client_secret_post_works(openid: OpenId) -> None:
    assert openid.redeem(openid.code()).status == 200


@pytest.mark.parametrize(
    "authorization",
    [basic(EVENT, "wrong"), basic("Other", CLIENT_SECRET), basic(EVENT, ""), "Basic", "Basic !!",
     "Basic /w==", "Bearer x", basic(EVENT, "é"), "x"],
)  # fmt: skip
def test_a_wrong_client_is_refused_with_a_challenge(openid: OpenId, authorization: str) -> None:
    code = openid.code()
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK}
    reply = openid.post("/token", form, authorization=authorization)
    assert reply.status == 401
    assert reply.json["error"] == "invalid_client"
    assert reply.headers["WWW-Authenticate"].startswith("Basic realm=")
    assert openid.redeem(code).status == 200  # a stranger cannot spend the code


@pytest.mark.parametrize("secret", ["wrong", "", None, "é"])
def test_a_wrong_secret_in_the_form_is_refused(openid: OpenId, secret: str | None) -> None:
    reply = openid.redeem(openid.code(), client_secret=secret)
    assert reply.status in (400, 401)
    assert reply.json["error"] in ("invalid_client", "invalid_request")


def test_two_ways_of_authentication_at_once_are_refused(openid: OpenId) -> None:
    form = {"grant_type": "authorization_code", "code": openid.code(), "redirect_uri": CALLBACK,
            "client_secret": CLIENT_SECRET}  # fmt: skip
    reply = openid.post("/token", form, authorization=basic(EVENT, CLIENT_SECRET))
    assert (reply.status, reply.json["error"]) == (400, "invalid_request")


def test_a_rotated_client_secret_is_taken_up(openid: OpenId) -> None:
    code = openid.code()
    object.__setattr__(openid.secrets, "client_secret", "another-secret-0123456789")
    assert openid.redeem(code).json["error"] == "invalid_client"
    assert openid.redeem(code, client_secret="another-secret-0123456789").status == 200


def test_a_code_works_once(openid: OpenId) -> None:
    code = openid.code()
    assert openid.redeem(code).status == 200
    again = openid.redeem(code)
    assert (again.status, again.json["error"]) == (400, "invalid_grant")


def test_a_code_expires_after_a_minute(openid: OpenId) -> None:
    code = openid.code()
    openid.in_memory_room.clock.now += 60
    assert openid.redeem(code).json["error"] == "invalid_grant"


def test_a_code_is_bound_to_its_redirect_address(openid: OpenId) -> None:
    object.__setattr__(openid.settings, "redirect_uris", (CALLBACK, "https://shop.example/two"))
    for wrong in ("https://shop.example/two", None):
        code = openid.code()
        assert openid.redeem(code, redirect_uri=wrong).json["error"] == "invalid_grant"
        assert openid.redeem(code).json["error"] == "invalid_grant"  # one try only


@pytest.mark.parametrize("code", ["x", "", "00000000-0000-4000-8000-000000000000"])
def test_a_code_that_was_never_given_is_refused(openid: OpenId, code: str) -> None:
    openid.code()
    assert openid.redeem(code).json["error"] in ("invalid_grant", "invalid_request")


def test_the_request_id_is_no_code(openid: OpenId) -> None:
    request_id = openid.admitted()
    openid.resume(openid.authorize().sent["transaction"], request_id)
    assert openid.redeem(request_id).json["error"] == "invalid_grant"


def test_pkce_lets_only_its_own_verifier_through(openid: OpenId) -> None:
    def code() -> str:
        return openid.code(code_challenge=CHALLENGE, code_challenge_method="S256")

    assert openid.redeem(code(), code_verifier=VERIFIER).status == 200
    for wrong in ("w" * 64, CHALLENGE, None, "short"):
        reply = openid.redeem(code(), code_verifier=wrong)
        assert reply.status == 400
        assert reply.json["error"] in ("invalid_grant", "invalid_request")


def test_a_verifier_without_a_challenge_is_refused(openid: OpenId) -> None:
    """RFC 9700 4.8: else an attacker could strip the challenge from the request."""
    assert openid.redeem(openid.code(), code_verifier=VERIFIER).status == 400


@pytest.mark.parametrize(
    ("grant", "error"),
    [(None, "invalid_request"), ("refresh_token", "unsupported_grant_type"),
     ("client_credentials", "unsupported_grant_type"), ('a"b', "invalid_request")],
)  # fmt: skip
def test_other_grants_are_refused(openid: OpenId, grant: str | None, error: str) -> None:
    reply = openid.redeem(openid.code(), grant_type=grant)
    assert (reply.status, reply.json["error"]) == (400, error)


@pytest.mark.parametrize("path", ["/token", "/authorize", "/authorize/continue"])
@pytest.mark.parametrize("kind", ["application/json", "text/plain", "", "multipart/form-data"])
def test_another_content_type_gets_an_oauth_error(openid: OpenId, path: str, kind: str) -> None:
    reply = invoke(openid_app.app, "POST", path, None, {"content-type": kind}, "{}")
    assert (reply.status, reply.json["error"]) == (400, "invalid_request")


def test_a_secret_in_the_query_is_not_looked_at(openid: OpenId) -> None:
    query = [("client_id", EVENT), ("client_secret", CLIENT_SECRET)]
    headers = {"content-type": "application/x-www-form-urlencoded"}
    reply = invoke(openid_app.app, "POST", "/token", query, headers,
                   f"grant_type=authorization_code&code={openid.code()}")  # fmt: skip
    assert reply.json["error"] == "invalid_client"
