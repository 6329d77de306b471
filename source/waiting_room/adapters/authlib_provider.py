# SPDX-License-Identifier: Apache-2.0
"""The OpenID provider: Authlib keeps the protocol, the room decides who is let in.

Authlib checks clients, requests, PKCE and redirects, and shapes answers and errors. Here stands
what it leaves open, and what it must not be trusted with: values are checked before it puts them
into error descriptions, a code is redeemed when it is read, and its debug log, which would show
tokens, stays off.
"""

from __future__ import annotations

import hmac
import json
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import jwt
from authlib.oauth2 import OAuth2Error, OAuth2Request
from authlib.oauth2.rfc6749 import AuthorizationServer, ClientMixin
from authlib.oauth2.rfc6749.errors import InvalidRequestError
from authlib.oauth2.rfc6749.grants import AuthorizationCodeGrant
from authlib.oauth2.rfc6749.requests import BasicOAuth2Payload
from authlib.oauth2.rfc6749.util import extract_basic_authorization
from authlib.oauth2.rfc7636 import CodeChallenge
from authlib.oidc.core import OpenIDCode

from waiting_room import oidc, queue
from waiting_room.authorizer import Accepted, Expected, Verifier
from waiting_room.errors import InvalidInput, NotServedYet, RoomError, Unavailable
from waiting_room.oidc_settings import ClientSecrets, OpenIdSettings
from waiting_room.signing import KeySet

logger = logging.getLogger("waiting_room")
AUTHORIZE = (
    "client_id", "redirect_uri", "response_type", "response_mode", "scope", "state", "nonce",
    "prompt", "code_challenge", "code_challenge_method", "request", "request_uri",
)  # fmt: skip
CONTINUE = ("transaction", "request_id", "client_secret")
TOKEN = ("grant_type", "code", "redirect_uri", "client_id", "client_secret", "code_verifier")
NO_STORE = {
    "Cache-Control": "no-store",
    "Pragma": "no-cache",
    "X-Content-Type-Options": "nosniff",  # an error may repeat what was asked
}
KEYS_CACHE = 300  # s; a new key is published that long before it signs
CONFIGURATION_CACHE = 3600  # s; changes with a deployment only
Pairs = Iterable[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer."""

    status: int
    body: str
    headers: Mapping[str, str]


class Room(Protocol):
    """The room, as far as it is asked here."""

    def access_token(self, request_id: str, client_secret: str | None) -> str:
        """The access token of an admitted visitor; raises a RoomError."""


class Keys(Protocol):
    """The room's signing keys."""

    def load(self) -> KeySet:
        """The keys, from a cache or fresh."""

    def refresh(self) -> KeySet:
        """The keys as they stand now."""


def json_answer(
    body: Mapping[str, Any], status: int = 200, headers: Mapping[str, str] = NO_STORE
) -> Answer:
    """A JSON answer, not to be stored unless the headers say so."""
    return Answer(status, json.dumps(body), {"Content-Type": "application/json", **headers})


def error_answer(error: str, description: str, status: int = 400, **headers: str) -> Answer:
    """An error as RFC 6749 5.2 shapes it."""
    body = {"error": error, "error_description": description}
    return json_answer(body, status, {**NO_STORE, **headers})


def redirect(location: str, status: int = 302) -> Answer:
    """Send the browser on; the address may carry a code, so no Referer follows it."""
    kept = {"Referrer-Policy": "no-referrer", "Content-Type": "text/plain"}
    return Answer(status, "", {"Location": location, **NO_STORE, **kept})


class Provider:
    """The endpoints, one method each. One instance serves a warm function for its whole life."""

    def __init__(
        self,
        settings: OpenIdSettings,
        *,
        secrets: Callable[[], ClientSecrets],
        keys: Keys,
        codes: oidc.Codes,
        room: Room,
        clock: Callable[[], float],
        new_code: Callable[[], str],
    ) -> None:
        self.settings, self.secrets, self.codes = settings, secrets, codes
        self._keys, self._room, self._clock = keys, room, clock
        self.new_code = new_code
        self._server = _Server(self)
        self._verifier = Verifier(
            Expected(settings.event_id, settings.token_issuer), _RoomKeys(keys), clock
        )
        for name in ("authlib", "botocore", "urllib3"):
            logging.getLogger(name).setLevel(logging.INFO)  # their debug logs show secrets

    # --- the browser's endpoints ---------------------------------------------------------------

    def authorize(self, pairs: Pairs) -> Answer:
        """Send a good authorization request to the waiting page.

        Errors go back to the client once its address is known to be registered, else a plain 400.
        """
        try:
            asked = oidc.single_values(pairs, AUTHORIZE)
        except InvalidInput as error:
            return error_answer("invalid_request", str(error))
        if "response_type" not in asked:  # Authlib would call it unsupported
            return self._refuse(asked, "invalid_request", "response_type is missing")
        if refusal := oidc.unsupported(asked):
            return self._refuse(asked, *refusal)
        try:
            self._server.get_consent_grant(_Request("GET", asked, {}))
        except OAuth2Error as error:
            return self._refused(error)
        return redirect(self._waiting_page(oidc.AuthorizationRequest.of(asked)))

    def resume(self, pairs: Pairs) -> Answer:
        """The visitor's turn: send them back to the client with a code, if the room agrees.

        Not admitted yet, or a room that is too busy: back to the waiting page, place kept.
        """
        try:
            sent = oidc.single_values(pairs, CONTINUE)
            request = self._transaction(sent.get("transaction", ""))
            request_id = queue.check_request_id(sent.get("request_id"))
        except InvalidInput as error:
            return error_answer("invalid_request", str(error))
        asked = request.parameters()
        asking = _Request("GET", asked, {})
        try:
            token = self._room.access_token(request_id, sent.get("client_secret"))
            asking.user = _Visitor(request, token, self._said(token))
            consent = self._server.get_consent_grant(asking, end_user=asking.user)
            answer = self._server.create_authorization_response(
                asking, grant_user=asking.user, grant=consent
            )
        except (NotServedYet, Unavailable) as reason:
            logger.info("openid: not let in yet: %s", type(reason).__name__)
            return redirect(self._waiting_page(request), 303)
        except RoomError as reason:
            logger.info("openid: the room refused: %s", type(reason).__name__)
            return self._refuse(asked, "access_denied", "the waiting room did not let them in", 303)
        except oidc.InvalidToken as reason:
            logger.error("openid: the room's own token is not good here: %s", reason)
            return self._refuse(asked, "server_error", "the waiting room's token is not good", 303)
        except OAuth2Error as error:  # the address was registered when they started to wait
            return self._refused(error, 303)
        return redirect(answer.headers["Location"], 303)

    # --- the client's endpoints ----------------------------------------------------------------

    def token(self, pairs: Pairs, authorization: str) -> Answer:
        """Redeem a code: access token of the room, id token of this provider."""
        try:
            form = oidc.single_values(pairs, TOKEN)
        except InvalidInput as error:
            return error_answer("invalid_request", str(error))
        if "grant_type" not in form:
            return error_answer("invalid_request", "grant_type is missing")
        if authorization and "client_secret" in form:
            return error_answer("invalid_request", "one way of client authentication is enough")
        headers = {"Authorization": authorization} if _readable(authorization) else {}
        answer: Answer = self._server.create_token_response(_Request("POST", form, headers))
        if answer.status == 401:  # RFC 7617: a realm is required
            return Answer(401, answer.body, {**answer.headers, "WWW-Authenticate": _basic()})
        return answer

    def user_info(self, authorization: str) -> Answer:
        """The claims about the visitor whose access token this is (RFC 6750)."""
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            challenge = {"WWW-Authenticate": 'Bearer realm="openid"'}
            return error_answer("invalid_token", "an access token is needed", 401, **challenge)
        try:
            said = self.verify(token.strip())
        except oidc.InvalidToken as error:
            logger.info("openid: an access token was refused: %s", error)
            challenge = {"WWW-Authenticate": 'Bearer realm="openid", error="invalid_token"'}
            return error_answer("invalid_token", "the access token is not good", 401, **challenge)
        return json_answer(oidc.user_claims(said))

    def configuration(self) -> Answer:
        """The discovery document."""
        return json_answer(
            oidc.configuration(self.settings.issuer), headers=_cached(CONFIGURATION_CACHE)
        )

    def jwks(self) -> Answer:
        """The public keys that verify id tokens: the room's."""
        return json_answer(self._keys.load().jwks(), headers=_cached(KEYS_CACHE))

    # --- what the parts below need -------------------------------------------------------------

    @property
    def now(self) -> int:
        """The time in epoch s."""
        return int(self._clock())

    @property
    def signing_key(self) -> Mapping[str, str]:
        """The private JWK that signs now."""
        return self._keys.load().current(self.now).jwk

    def verify(self, token: str) -> oidc.AccessToken:
        """What an access token says; raises InvalidToken."""
        decision = self._verifier.check(token)
        if not isinstance(decision, Accepted):
            raise oidc.InvalidToken(decision.reason)
        return oidc.said_by(decision.claims)

    def _transaction(self, text: str) -> oidc.AuthorizationRequest:
        key = self.secrets().transaction_key
        return oidc.open_transaction(text, key, self.settings.issuer, self.now)

    def _waiting_page(self, request: oidc.AuthorizationRequest) -> str:
        key = self.secrets().transaction_key
        transaction = oidc.seal_transaction(request, key, self.settings.issuer, self.now)
        return oidc.waiting_address(self.settings.waiting_room_url, transaction)

    def _said(self, token: str) -> oidc.AccessToken:
        """What the room's own token says; its key may be younger than the keys kept here."""
        try:
            return self.verify(token)
        except oidc.InvalidToken:
            self._keys.refresh()
            return self.verify(token)

    def _refuse(
        self, asked: Mapping[str, str], error: str, description: str, status: int = 302
    ) -> Answer:
        """An error, sent to the client's address when that is registered."""
        client = self._server.query_client(asked.get("client_id"))
        address = asked.get("redirect_uri")
        if not (client and client.check_redirect_uri(address)):
            return error_answer("invalid_request", "client_id or redirect_uri is not registered")
        refusal = OAuth2Error(
            error=error, description=description, redirect_uri=address, state=asked.get("state")
        )
        return self._refused(refusal, status)

    def _refused(self, error: OAuth2Error, status: int = 302) -> Answer:
        code, body, headers = error()
        location = dict(headers).get("Location")
        if location:
            return redirect(location, status)
        return error_answer(body["error"], body.get("error_description", ""), code)


@dataclass(frozen=True, slots=True)
class _Visitor:
    """An admitted visitor, on the way from the room's token to the code."""

    request: oidc.AuthorizationRequest
    token: str
    said: oidc.AccessToken


class _RoomKeys:
    """The room's keys as the verifier looks for them."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys

    def find(self, key_id: str | None) -> jwt.PyJWK | None:
        key = self._keys.load().by_id(key_id or "")
        return jwt.PyJWK(key.public, algorithm=oidc.ALGORITHM) if key else None

    def reachable(self) -> bool:
        return True  # keys that cannot be read are raised as Unavailable


class _Request(OAuth2Request):  # type: ignore[misc]
    """A request as Authlib reads it. TLS ends in front of the function, so https is given."""

    def __init__(self, method: str, parameters: dict[str, str], headers: dict[str, str]) -> None:
        super().__init__(method, "https://openid.invalid/", headers=headers)
        self.payload = BasicOAuth2Payload(parameters)

    @property
    def form(self) -> Any:
        return self.payload.data


class _Client(ClientMixin):  # type: ignore[misc]
    """The one client of an event."""

    def __init__(self, settings: OpenIdSettings, secrets: Callable[[], ClientSecrets]) -> None:
        self._settings, self._secrets = settings, secrets

    def get_client_id(self) -> str:
        return self._settings.event_id

    def get_default_redirect_uri(self) -> None:
        return None  # OIDC Core 3.1.2.1: the request must name it

    def get_allowed_scope(self, scope: str | None) -> str | None:
        return oidc.narrowed_scope(scope)

    def check_redirect_uri(self, redirect_uri: str | None) -> bool:
        return redirect_uri in self._settings.redirect_uris

    def check_client_secret(self, client_secret: str) -> bool:
        known = self._secrets().client_secret
        return hmac.compare_digest(known.encode(), client_secret.encode())

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        return endpoint == "token" and method in oidc.CLIENT_AUTHENTICATION

    def check_response_type(self, response_type: str) -> bool:
        return response_type == "code"

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type == "authorization_code"


class _StoredCode:
    """A redeemed code as Authlib reads it, with the access token that it gives."""

    def __init__(self, code: oidc.Code, access_token: str) -> None:
        self.code, self.access_token = code, access_token
        self.code_challenge = code.code_challenge
        self.code_challenge_method = oidc.CHALLENGE_METHOD

    def get_redirect_uri(self) -> str:
        return self.code.redirect_uri

    def get_scope(self) -> str:
        return oidc.SCOPE


class _CodeGrant(AuthorizationCodeGrant):  # type: ignore[misc]
    """The authorization code flow; the server carries the provider."""

    TOKEN_ENDPOINT_AUTH_METHODS = oidc.CLIENT_AUTHENTICATION

    def generate_authorization_code(self) -> str:
        return str(self.server.provider.new_code())

    def save_authorization_code(self, code: str, request: Any) -> None:
        provider: Provider = self.server.provider
        visitor: _Visitor = request.user
        provider.codes.save(
            oidc.make_code(code, visitor.request, visitor.token, visitor.said, provider.now)
        )

    def query_authorization_code(self, code: str, client: Any) -> _StoredCode | None:
        """Redeem the code at once: whatever is wrong with the rest, it never works again."""
        provider: Provider = self.server.provider
        found = provider.codes.redeem(oidc.hash_of(code), client.get_client_id(), provider.now)
        if found is None:
            logger.warning("openid: a code was refused: unknown, expired or used before")
            return None
        return _StoredCode(found, oidc.unseal(code, found.sealed))

    def delete_authorization_code(self, authorization_code: Any) -> None:
        """Nothing: it was redeemed when it was read."""

    def authenticate_user(self, authorization_code: Any) -> Any:
        return authorization_code


class _Challenge(CodeChallenge):  # type: ignore[misc]
    """PKCE with S256 only: a challenge without a method means ``plain`` (RFC 7636 4.3)."""

    SUPPORTED_CODE_CHALLENGE_METHOD = (oidc.CHALLENGE_METHOD,)

    def validate_code_challenge(self, grant: Any, redirect_uri: str) -> None:
        super().validate_code_challenge(grant, redirect_uri)
        asked = grant.request.payload.data
        if "code_challenge" in asked and "code_challenge_method" not in asked:
            raise InvalidRequestError("code_challenge_method must be S256")


class _IdToken(OpenIDCode):  # type: ignore[misc]
    """The id token: claims from the rules, ``at_hash`` and the signature from Authlib."""

    def __init__(self, provider: Provider) -> None:
        super().__init__(require_nonce=False)
        self._provider = provider

    def exists_nonce(self, *_: Any) -> bool:
        return False  # the client checks it; nothing is kept here while visitors wait

    def resolve_client_private_key(self, *_: Any) -> Any:
        from joserfc.jwk import RSAKey

        return RSAKey.import_key(dict(self._provider.signing_key))

    def get_encode_header(self, *_: Any) -> dict[str, str]:
        return {"alg": oidc.ALGORITHM, "kid": self._provider.signing_key["kid"], "typ": "JWT"}

    def get_compatible_claims(self, request: Any) -> dict[str, Any]:
        provider = self._provider
        stored: _StoredCode = request.authorization_code
        return oidc.id_token_claims(stored.code, provider.settings.issuer, provider.now)

    def get_authorization_code_claims(self, *_: Any) -> dict[str, Any]:
        return {}  # get_compatible_claims gave them

    def generate_user_info(self, *_: Any) -> dict[str, Any]:
        return {}


class _Server(AuthorizationServer):  # type: ignore[misc]
    """Authlib's server without a web framework."""

    def __init__(self, provider: Provider) -> None:
        super().__init__()
        self.provider = provider
        self._client = _Client(provider.settings, provider.secrets)
        self.register_token_generator("default", self._tokens)
        self.register_grant(_CodeGrant, [_Challenge(required=False), _IdToken(provider)])

    def query_client(self, client_id: str | None) -> _Client | None:
        return self._client if client_id == self.provider.settings.event_id else None

    def create_oauth2_request(self, request: _Request) -> _Request:
        return request

    def handle_response(self, status: int, body: Any, headers: Iterable[tuple[str, str]]) -> Answer:
        return Answer(status, json.dumps(body) if body else "", {**NO_STORE, **dict(headers)})

    def send_signal(self, name: str, *args: Any, **kwargs: Any) -> None:
        """Nobody listens."""

    def save_token(self, token: Any, request: Any) -> None:
        """The room keeps its tokens."""

    def _tokens(self, *, user: _StoredCode, scope: str, **_: Any) -> dict[str, Any]:
        return {
            "access_token": user.access_token,
            "token_type": "Bearer",
            "expires_in": max(0, user.code.token_expires_at - self.provider.now),
            "scope": scope,
        }


def _readable(authorization: str) -> bool:
    """Whether Authlib can decode this header; it lets invalid UTF-8 escape as an error."""
    try:
        extract_basic_authorization({"Authorization": authorization})
    except ValueError:
        return False
    return bool(authorization)


def _basic() -> str:
    return 'Basic realm="openid", error="invalid_client"'


def _cached(seconds: int) -> dict[str, str]:
    return {"Cache-Control": f"public, max-age={seconds}"}
