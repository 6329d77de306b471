# SPDX-License-Identifier: Apache-2.0
"""The OpenID provider as its callers see it, on a room in memory."""

from __future__ import annotations

import base64
import hashlib
import logging
from collections.abc import Iterator
from typing import Any

import jwt
import pytest
from authlib.oidc.discovery import OpenIDProviderMetadata

from apps.openid import app as openid_app
from tests.support.in_memory_room import EVENT, ISSUER, START, one_jwk
from tests.support.openid_room import (
    CALLBACK,
    CLIENT_SECRET,
    PROVIDER,
    WAITING_PAGE,
    OpenId,
    install,
    invoke,
)
from waiting_room.domain import joins
from waiting_room.domain.signing_keys import KeySet, SigningKey, new_jwk

VERIFIER = "v" * 64
CHALLENGE = (
    base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).decode().rstrip("=")
)
JSON = "application/json"


@pytest.fixture
def openid(monkeypatch: pytest.MonkeyPatch) -> OpenId:
    return install(monkeypatch, OpenId())


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def public_key(openid: OpenId, token: str) -> Any:
    kid = jwt.get_unverified_header(token)["kid"]
    keys = openid.get("/.well-known/jwks.json").json["keys"]
    return jwt.PyJWK(next(key for key in keys if key["kid"] == kid)).key


def claims_of(openid: OpenId, token: str, issuer: str) -> dict[str, Any]:
    """The claims of a token whose signature holds; times are the room's."""
    return jwt.decode(
        token,
        public_key(openid, token),
        algorithms=["RS256"],
        audience=EVENT,
        issuer=issuer,
        options={"verify_exp": False, "verify_iat": False, "verify_nbf": False},
    )


# --- /authorize


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
def test_nobody_is_sent_to_an_address_that_is_not_registered(
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


# --- /authorize/continue


def test_at_their_turn_a_visitor_goes_back_with_a_code_and_the_state(openid: OpenId) -> None:
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


def test_who_is_not_let_in_yet_goes_on_waiting_with_their_place(openid: OpenId) -> None:
    waiting = openid.world.visitors(1)[0]
    reply = openid.resume(openid.authorize().sent["transaction"], waiting)
    assert reply.status == 303
    assert reply.location.startswith(WAITING_PAGE)
    openid.world.serve(1)
    assert "code" in openid.resume(reply.sent["transaction"], waiting).sent


def test_a_room_that_does_not_answer_sends_nobody_away(openid: OpenId) -> None:
    request_id = openid.admitted()
    openid.room.down = True
    reply = openid.resume(openid.authorize().sent["transaction"], request_id)
    assert reply.status == 303
    assert reply.location.startswith(WAITING_PAGE)


def test_an_expired_position_is_denied(openid: OpenId) -> None:
    request_id = openid.admitted()
    transaction = openid.authorize().sent["transaction"]
    openid.world.clock.now += 901
    reply = openid.resume(transaction, request_id)
    assert reply.location.startswith(CALLBACK)
    assert reply.sent == {
        "error": "access_denied",
        "error_description": "the waiting room did not let them in",
        "state": "state-1",
    }


def test_a_request_that_nobody_made_is_denied(openid: OpenId) -> None:
    transaction = openid.authorize().sent["transaction"]
    unknown = "00000000-0000-4000-8000-000000000000"
    assert openid.resume(transaction, unknown).sent["error"] == "access_denied"


def test_a_stolen_request_id_without_its_secret_is_denied(openid: OpenId) -> None:
    join = openid.world.join(secret_hash=hashlib.sha256(b"mine").hexdigest())
    openid.world.room.assign(EVENT, [join])
    openid.world.serve(1)
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
    openid.world.clock.now += 86_400
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
    request_id = openid.world.visitors(1)[0]
    transaction = openid.authorize().sent["transaction"]
    openid.world.clock.now += 150
    still = openid.resume(transaction, request_id)
    assert still.location.startswith(WAITING_PAGE)  # a long wait alone sends nobody away
    openid.world.serve(1)
    forgotten = openid.resume(still.sent["transaction"], request_id)
    assert (forgotten.status, forgotten.location) == (303, "https://shop.example/")
    assert not openid.issued
    again = openid.resume(openid.authorize().sent["transaction"], request_id)
    assert openid.redeem(again.sent["code"]).status == 200


def test_without_a_restart_address_a_long_wait_ends_with_a_code(openid: OpenId) -> None:
    request_id = openid.world.visitors(1)[0]
    transaction = openid.authorize().sent["transaction"]
    openid.world.clock.now += 80_000
    openid.world.serve(1)
    assert "code" in openid.resume(transaction, request_id).sent


# --- /token


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
    assert answer["access_token"] == openid.world.token(request_id)["access_token"]
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


def test_a_code_is_dead_after_a_minute(openid: OpenId) -> None:
    code = openid.code()
    openid.world.clock.now += 60
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


# --- /userInfo


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_user_info_tells_who_and_which_place(openid: OpenId, method: str) -> None:
    request_id = openid.admitted()
    access = openid.world.token(request_id)["access_token"]
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
    real = openid.world.token(openid.admitted())["access_token"]
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
    openid.world.clock.now += 3600
    assert openid.get("/userInfo", authorization=f"Bearer {access}").status == 401


# --- discovery and keys


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
            return old if self.stale else openid.world.keys.load()

        def refresh(self) -> KeySet:
            self.stale = False
            return self.load()

    keys = Cached()
    openid.provider._keys = openid.provider._verifier.keys._keys = keys  # type: ignore[attr-defined]
    assert openid.redeem(openid.code()).status == 200


# --- failures and secrecy


def test_a_store_that_does_not_answer_is_a_503(openid: OpenId) -> None:
    openid.world.keys.fail("load", "before")
    reply = openid.get("/.well-known/jwks.json")
    assert (reply.status, reply.json["error"]) == (503, "temporarily_unavailable")
    assert reply.headers["Retry-After"] == "1"


def test_an_unexpected_error_shows_nothing(openid: OpenId, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("inner detail")

    monkeypatch.setattr(openid.provider, "token", fail)
    reply = openid.redeem("x")
    assert (reply.status, reply.json["error"]) == (500, "server_error")
    assert "inner detail" not in reply.body
    assert "Traceback" not in reply.body


def test_every_error_of_the_token_endpoint_is_json_and_not_stored(openid: OpenId) -> None:
    for reply in (openid.redeem("x"), openid.post("/token"), openid.redeem("x", grant_type="y"),
                  openid.redeem("x", client_secret="y")):  # fmt: skip
        assert reply.headers["Content-Type"] == JSON
        assert reply.headers["Cache-Control"] == "no-store"
        assert "error" in reply.json


@pytest.fixture
def everything_logged(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    with caplog.at_level(logging.DEBUG):
        yield caplog


def test_no_secret_is_in_a_log_even_at_debug(
    openid: OpenId, everything_logged: pytest.LogCaptureFixture
) -> None:
    visitor_secret = "visitor-secret-0123456789"
    join = openid.world.join(secret_hash=hashlib.sha256(visitor_secret.encode()).hexdigest())
    openid.world.room.assign(EVENT, [join])
    openid.world.serve(1)
    transaction = openid.authorize().sent["transaction"]
    openid.resume(transaction, join.request_id, client_secret="guess-0123456789")
    code = openid.resume(transaction, join.request_id, client_secret=visitor_secret).sent["code"]
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK}
    openid.post("/token", form, authorization=basic(EVENT, "wrong-secret-0123456789"))
    answer = openid.redeem(code).json
    openid.redeem(code)
    openid.get("/userInfo", authorization=f"Bearer {answer['access_token']}")
    openid.get("/userInfo", authorization=f"Bearer {answer['access_token']}x")
    written = everything_logged.text + "".join(
        str(vars(record)) for record in everything_logged.records
    )
    assert "openid: a code was refused" in written  # logs were looked at
    for secret in (CLIENT_SECRET, visitor_secret, "guess-0123456789", "wrong-secret-0123456789",
                   code, answer["access_token"], answer["id_token"], transaction,
                   openid.secrets.transaction_key):  # fmt: skip
        assert secret not in written


def test_no_redirect_carries_a_secret(openid: OpenId) -> None:
    reply = openid.authorize()
    done = openid.resume(reply.sent["transaction"], openid.admitted())
    for place in (reply.location, done.location):
        assert CLIENT_SECRET not in place
        assert openid.secrets.transaction_key not in place


def test_the_longest_request_still_fits_into_an_address_and_a_form(openid: OpenId) -> None:
    reply = openid.authorize(state="s" * 2048, nonce="n" * 512)
    assert len(reply.location) < 8192  # CloudFront's limit on an address
    sent = openid.resume(reply.sent["transaction"], openid.admitted())
    assert "code" in sent.sent


def test_the_visitors_secret_may_be_as_long_as_the_room_takes(openid: OpenId) -> None:
    secret = "s" * joins.MAX_CLIENT_SECRET
    join = openid.world.join(secret_hash=hashlib.sha256(secret.encode()).hexdigest())
    openid.world.room.assign(EVENT, [join])
    openid.world.serve(1)
    transaction = openid.authorize().sent["transaction"]
    assert "code" in openid.resume(transaction, join.request_id, client_secret=secret).sent
