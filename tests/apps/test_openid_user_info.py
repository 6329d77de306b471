# SPDX-License-Identifier: Apache-2.0
"""The OpenID provider: /userInfo, discovery and keys."""

from __future__ import annotations

from typing import Any

import jwt
import pytest
from authlib.oidc.discovery import OpenIDProviderMetadata

from apps.openid import app as openid_app
from tests.apps.openid_client import claims_of
from tests.support.in_memory_room import EVENT, START, one_jwk
from tests.support.openid_room import (
    PROVIDER,
    OpenId,
    invoke,
)
from waiting_room.domain.signing_keys import KeySet, SigningKey, new_jwk


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_user_info_tells_who_and_which_place(openid: OpenId, method: str) -> None:
    request_id = openid.admitted()
    access = openid.in_memory_room.token(request_id)["access_token"]
    headers = {"authorization": f"Bearer {access}"}
    reply = invoke(openid_app.app, method, "/userInfo", None, headers)
    assert reply.status == 200
    assert reply.json == {"sub": request_id, "queue_position": 1}
    assert reply.headers["Cache-Control"] == "no-store"


def test_user_info_refuses_a_forged_signature(openid: OpenId) -> None:
    access = openid.redeem(openid.code()).json["access_token"]
    head, body, signature = access.split(".")
    other = signature[:-8] + ("A" * 8 if not signature.endswith("A" * 8) else "B" * 8)
    for forged in (f"{head}.{body}.{other}", f"{head}.{body}.", f"{head}.{body}"):
        reply = openid.get("/userInfo", authorization=f"Bearer {forged}")
        assert reply.status == 401
        assert reply.json["error"] == "invalid_token"
        assert 'error="invalid_token"' in reply.headers["WWW-Authenticate"]
        assert reply.headers["WWW-Authenticate"].startswith("Bearer ")
        assert forged not in str(reply)


def room_token(openid: OpenId, jwk: dict[str, str] | None = None, **claims: Any) -> str:
    """A token like the room's, with other claims or another key; None leaves a claim out."""
    jwk = jwk or one_jwk()
    real = openid.in_memory_room.token(openid.admitted())["access_token"]
    content = {**jwt.decode(real, options={"verify_signature": False}), **claims}
    kept = {name: value for name, value in content.items() if value is not None}
    private = jwt.PyJWK(jwk, algorithm="RS256").key
    return jwt.encode(kept, private, algorithm="RS256", headers={"kid": jwk["kid"]})


def test_user_info_takes_the_token_that_the_tests_make(openid: OpenId) -> None:
    reply = openid.get("/userInfo", authorization=f"Bearer {room_token(openid)}")
    assert reply.status == 200


@pytest.mark.parametrize(
    "claims",
    [{"aud": "Other"}, {"aud": [EVENT]}, {"iss": "https://other.example"}, {"exp": None},
     {"sub": None}, {"queue_position": None}, {"token_use": None}, {"token_use": "id"},
     {"token_use": "refresh"}, {"exp": START}, {"nbf": START + 100}],
)  # fmt: skip
def test_user_info_refuses_a_token_with_a_wrong_claim(
    openid: OpenId, claims: dict[str, Any]
) -> None:
    reply = openid.get("/userInfo", authorization=f"Bearer {room_token(openid, **claims)}")
    assert (reply.status, reply.json["error"]) == (401, "invalid_token")


def test_user_info_refuses_a_token_of_another_key(openid: OpenId) -> None:
    for jwk in (new_jwk(), {**new_jwk(), "kid": one_jwk()["kid"]}):
        reply = openid.get("/userInfo", authorization=f"Bearer {room_token(openid, jwk)}")
        assert reply.status == 401


def test_a_room_whose_tokens_are_not_good_here_gives_no_code(openid: OpenId) -> None:
    strange = room_token(openid, iss="https://other.example")
    openid.provider._room = type("Room", (), {"access_token": lambda *_: strange})()
    reply = openid.resume(openid.authorize().sent["transaction"], openid.admitted())
    assert reply.sent["error"] == "server_error"
    assert "code" not in reply.sent


@pytest.mark.parametrize("authorization", ["", "Bearer", "Bearer ", "Basic eDp5", "é"])
def test_user_info_without_a_token_asks_for_one(openid: OpenId, authorization: str) -> None:
    reply = openid.get("/userInfo", authorization=authorization)
    assert reply.status == 401
    assert reply.headers["WWW-Authenticate"] == 'Bearer realm="openid"'


def test_user_info_refuses_a_token_whose_time_is_over(openid: OpenId) -> None:
    access = openid.redeem(openid.code()).json["access_token"]
    openid.in_memory_room.clock.now += 3600
    assert openid.get("/userInfo", authorization=f"Bearer {access}").status == 401


def test_discovery_is_by_the_specification(openid: OpenId) -> None:
    reply = openid.get("/.well-known/openid-configuration")
    document = OpenIDProviderMetadata(reply.json)
    document.validate()
    assert reply.headers["Cache-Control"].startswith("public")
    for name in ("authorization", "token", "userinfo"):
        assert document[f"{name}_endpoint"].startswith(PROVIDER + "/")


def test_discovery_names_routes_that_exist_and_no_others(openid: OpenId) -> None:
    document = openid.get("/.well-known/openid-configuration").json
    paths = {
        value.removeprefix(PROVIDER)
        for name, value in document.items()
        if name.endswith(("_endpoint", "_uri"))
    }
    routes = set(openid_app.app.routes)
    assert paths <= routes
    assert routes - paths == {"/authorize/continue", "/.well-known/openid-configuration"}


def test_discovery_states_only_what_works(openid: OpenId) -> None:
    document = openid.get("/.well-known/openid-configuration").json
    assert document["token_endpoint_auth_methods_supported"] == [
        "client_secret_basic",
        "client_secret_post",
    ]
    assert document["grant_types_supported"] == ["authorization_code"]
    assert document["response_types_supported"] == ["code"]
    assert document["code_challenge_methods_supported"] == ["S256"]
    given = claims_of(openid, openid.redeem(openid.code()).json["id_token"], PROVIDER)
    assert set(given) - {"token_use"} == set(document["claims_supported"])


def test_the_key_set_shows_no_private_part(openid: OpenId) -> None:
    for key in openid.get("/.well-known/jwks.json").json["keys"]:
        assert set(key) == {"kty", "alg", "kid", "n", "e", "use"}


def test_a_key_that_the_room_made_just_now_is_known(openid: OpenId) -> None:
    """The function's cached keys are older than the token: it reads them again."""

    class Cached:
        def __init__(self) -> None:
            self.stale = True

        def load(self) -> KeySet:
            old = KeySet((SigningKey(new_jwk()),))
            return old if self.stale else openid.in_memory_room.keys.load()

        def refresh(self) -> KeySet:
            self.stale = False
            return self.load()

    keys = Cached()
    openid.provider._keys = openid.provider._verifier.keys._keys = keys  # type: ignore[attr-defined]
    assert openid.redeem(openid.code()).status == 200
