# SPDX-License-Identifier: Apache-2.0
"""Endpoints of the OpenID provider: Authlib implements the protocol, the room admits visitors.

The provider checks values before Authlib puts them into error descriptions, in which not every
character is allowed. The app keeps Authlib's debug log off: it contains tokens.

The module has more than 300 lines because the class has all endpoints, which share its parts.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

import jwt
from authlib.oauth2 import OAuth2Error
from authlib.oauth2.rfc6749.util import extract_basic_authorization

from waiting_room.authorizer.verifier import Accepted, Expected, Verifier
from waiting_room.domain import joins
from waiting_room.domain.errors import InvalidInput, NotServedYet, RoomError, Unavailable
from waiting_room.domain.parsing import UNREADABLE
from waiting_room.domain.signing_keys import KeySet
from waiting_room.openid import protocol
from waiting_room.openid.authlib_server import NO_STORE, OpenIdResponse, Request, Server, Visitor
from waiting_room.openid.settings import ClientSecrets, OpenIdSettings

logger = logging.getLogger("waiting_room")
AUTHORIZE_PARAMETERS = (
    "client_id", "redirect_uri", "response_type", "response_mode", "scope", "state", "nonce",
    "prompt", "code_challenge", "code_challenge_method", "request", "request_uri",
)  # fmt: skip
CONTINUE_PARAMETERS = ("transaction", "request_id", "client_secret")
TOKEN_PARAMETERS = (
    "grant_type",
    "code",
    "redirect_uri",
    "client_id",
    "client_secret",
    "code_verifier",
)
JWKS_CACHE_SECONDS = 120  # with KEY_CACHE shorter than the activation delay of a new key
CONFIGURATION_CACHE_SECONDS = 3600  # s; changes with a deployment only
Pairs = Iterable[tuple[str, str]]


class Room(Protocol):
    """The room's public API."""

    def access_token(self, request_id: str, client_secret: str | None) -> str:
        """Return the access token of an admitted visitor; raises a RoomError."""


class Keys(Protocol):
    """The room's signing keys."""

    def load(self) -> KeySet:
        """Return the keys, from a cache or fresh."""

    def refresh(self) -> KeySet:
        """Read and return the current keys."""


def json_response(
    body: Mapping[str, Any], status: int = 200, headers: Mapping[str, str] = NO_STORE
) -> OpenIdResponse:
    """Return a JSON response; not cached unless ``headers`` allow it."""
    return OpenIdResponse(status, json.dumps(body), {"Content-Type": "application/json", **headers})


def error_response(
    error: str, description: str, status: int = 400, **headers: str
) -> OpenIdResponse:
    """Return an error in the form of RFC 6749 5.2."""
    body = {"error": error, "error_description": description}
    return json_response(body, status, {**NO_STORE, **headers})


def redirect(location: str, status: int = 302) -> OpenIdResponse:
    """Redirect the browser; the address may have a code, so no Referer is sent."""
    kept = {"Referrer-Policy": "no-referrer", "Content-Type": "text/plain"}
    return OpenIdResponse(status, "", {"Location": location, **NO_STORE, **kept})


class Provider:
    """The endpoints, one method each. A warm function uses one instance."""

    def __init__(
        self,
        settings: OpenIdSettings,
        *,
        secrets: Callable[[], ClientSecrets],
        keys: Keys,
        codes: protocol.CodeStore,
        room: Room,
        clock: Callable[[], float],
        new_code: Callable[[], str],
    ) -> None:
        self.settings, self.secrets, self.codes = settings, secrets, codes
        self._keys, self._room, self._clock = keys, room, clock
        self.new_code = new_code
        self._server = Server(self)
        self._verifier = Verifier(
            Expected(settings.event_id, settings.token_issuer), SigningKeyVerifier(keys), clock
        )

    # --- the browser's endpoints ---------------------------------------------------------------

    def authorize(self, pairs: Pairs) -> OpenIdResponse:
        """Redirect a valid authorization request to the waiting page.

        Errors are sent to the client's address if it is registered, else returned as 400.
        """
        try:
            asked = protocol.single_values(pairs, AUTHORIZE_PARAMETERS)
        except InvalidInput as error:
            return error_response("invalid_request", str(error))
        if "response_type" not in asked:  # Authlib would report it as unsupported
            return self._reject(asked, "invalid_request", "response_type is missing")
        if refusal := protocol.unsupported_feature(asked):
            return self._reject(asked, *refusal)
        try:
            self._server.get_consent_grant(Request("GET", asked, {}))
        except OAuth2Error as error:
            return self._error_response(error)
        request, key = protocol.AuthorizationRequest.of(asked), self.secrets().transaction_key
        transaction = protocol.seal_transaction(request, key, self.settings.issuer, self.now)
        return redirect(self._waiting_page(transaction, request))

    def resume(self, pairs: Pairs) -> OpenIdResponse:
        """Return an admitted visitor to the client with a code.

        A visitor who is not admitted yet, or whose room is unavailable, returns to the waiting
        page with the same position. A visitor whom the client has forgotten restarts the login.
        """
        try:
            sent = protocol.single_values(pairs, CONTINUE_PARAMETERS)
            transaction = self._transaction(sent.get("transaction", ""))
            request_id = joins.check_request_id(sent.get("request_id"))
            if len(sent.get("client_secret", "")) > joins.MAX_CLIENT_SECRET:
                raise InvalidInput("client_secret is too long")
        except InvalidInput as error:
            return error_response("invalid_request", str(error))
        request = transaction.request
        asked = request.parameters()
        asking = Request("GET", asked, {})
        try:
            token = self._room.access_token(request_id, sent.get("client_secret"))
            asking.user = Visitor(request, token, self._verify_own_token(token))
            if self._is_forgotten(transaction):
                return redirect(self.settings.restart_url, 303)
            consent = self._server.get_consent_grant(asking, end_user=asking.user)
            answer = self._server.create_authorization_response(
                asking, grant_user=asking.user, grant=consent
            )
        except (NotServedYet, Unavailable) as reason:
            logger.info("openid: not admitted yet: %s", type(reason).__name__)
            return redirect(self._waiting_page(sent["transaction"], request), 303)
        except RoomError as reason:
            logger.info("openid: the room refused: %s", type(reason).__name__)
            return self._reject(
                asked, "access_denied", "the waiting room did not admit the visitor", 303
            )
        except protocol.InvalidToken as reason:
            logger.error("openid: rejected the room's own token: %s", reason)
            return self._reject(
                asked, "server_error", "the waiting room returned an invalid token", 303
            )
        except OAuth2Error as error:  # the address was registered when the visitor joined
            return self._error_response(error, 303)
        return redirect(answer.headers["Location"], 303)

    # --- the client's endpoints ----------------------------------------------------------------

    def token(self, pairs: Pairs, authorization: str) -> OpenIdResponse:
        """Redeem a code: access token of the room, id token of this provider."""
        try:
            form = protocol.single_values(pairs, TOKEN_PARAMETERS)
        except InvalidInput as error:
            return error_response("invalid_request", str(error))
        if "grant_type" not in form:
            return error_response("invalid_request", "grant_type is missing")
        if authorization and "client_secret" in form:
            return error_response(
                "invalid_request",
                "client_secret must not be sent with an Authorization header; send one of the two",
            )
        headers = {"Authorization": authorization} if _is_decodable(authorization) else {}
        answer: OpenIdResponse = self._server.create_token_response(Request("POST", form, headers))
        if answer.status == 401:  # RFC 7617: a realm is required
            return OpenIdResponse(
                401, answer.body, {**answer.headers, "WWW-Authenticate": _basic()}
            )
        return answer

    def user_info(self, authorization: str) -> OpenIdResponse:
        """Return the claims of the visitor with this access token (RFC 6750)."""
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            challenge = {"WWW-Authenticate": 'Bearer realm="openid"'}
            return error_response(
                "invalid_token",
                "the header Authorization must be Bearer and an access token",
                401,
                **challenge,
            )
        try:
            claims = self.verify(token.strip())
        except protocol.InvalidToken as error:
            logger.info("openid: rejected an access token: %s", error)
            challenge = {"WWW-Authenticate": 'Bearer realm="openid", error="invalid_token"'}
            return error_response(
                "invalid_token",
                "the access token is invalid or has expired; request a new one",
                401,
                **challenge,
            )
        return json_response(protocol.user_claims(claims))

    def configuration(self) -> OpenIdResponse:
        """Return the discovery document."""
        return json_response(
            protocol.configuration(self.settings.issuer),
            headers=_cached(CONFIGURATION_CACHE_SECONDS),
        )

    def jwks(self) -> OpenIdResponse:
        """Return the room's public keys, which verify id tokens."""
        return json_response(self._keys.load().jwks(), headers=_cached(JWKS_CACHE_SECONDS))

    # --- for Authlib's server ------------------------------------------------------------------

    @property
    def now(self) -> int:
        """The current time in epoch s."""
        return int(self._clock())

    @property
    def signing_key(self) -> Mapping[str, str]:
        """The private JWK of the current signing key."""
        return self._keys.load().current(self.now).jwk

    def verify(self, token: str) -> protocol.AccessToken:
        """Verify an access token and return its claims; raises InvalidToken."""
        decision = self._verifier.check(token)
        if not isinstance(decision, Accepted):
            raise protocol.InvalidToken(decision.reason)
        return protocol.parse_access_token(decision.claims)

    def admitted(self, request_id: str) -> tuple[protocol.AccessToken, str] | None:
        """Return the claims and the token of an admitted visitor; None without a token.

        Raises Unavailable.
        """
        try:
            token = self._room.access_token(request_id, None)
            return self._verify_own_token(token), token
        except Unavailable:
            raise
        except (RoomError, protocol.InvalidToken) as reason:
            logger.info("openid: the room returned no token: %s", type(reason).__name__)
            return None

    def _transaction(self, text: str) -> protocol.Transaction:
        key = self.secrets().transaction_key
        return protocol.open_transaction(text, key, self.settings.issuer, self.now)

    def _waiting_page(self, transaction: str, request: protocol.AuthorizationRequest) -> str:
        sent = {"transaction": transaction}
        if self.settings.request_id_codes:
            sent |= protocol.aws_page_parameters(request)
        return protocol.waiting_page_url(self.settings.waiting_room_url, sent)

    def _is_forgotten(self, transaction: protocol.Transaction) -> bool:
        chosen = self.settings
        return bool(chosen.restart_url) and transaction.is_stale(self.now, chosen.restart_after)

    def _verify_own_token(self, token: str) -> protocol.AccessToken:
        """Verify the room's own token; its key may be newer than the cached keys."""
        try:
            return self.verify(token)
        except protocol.InvalidToken:
            self._keys.refresh()
            return self.verify(token)

    def _reject(
        self, asked: Mapping[str, str], error: str, description: str, status: int = 302
    ) -> OpenIdResponse:
        """Return an error, by a redirect if the client's address is registered."""
        client = self._server.query_client(asked.get("client_id"))
        address = asked.get("redirect_uri")
        if not (client and client.check_redirect_uri(address)):
            return error_response("invalid_request", "client_id or redirect_uri is not registered")
        refusal = OAuth2Error(
            error=error, description=description, redirect_uri=address, state=asked.get("state")
        )
        return self._error_response(refusal, status)

    def _error_response(self, error: OAuth2Error, status: int = 302) -> OpenIdResponse:
        code, body, headers = error()
        location = dict(headers).get("Location")
        if location:
            return redirect(location, status)
        return error_response(body["error"], body.get("error_description", ""), code)


class SigningKeyVerifier:
    """The VerificationKeys port on the room's signing keys."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys

    def find(self, key_id: str | None) -> jwt.PyJWK | None:
        key = self._keys.load().by_id(key_id or "")
        return jwt.PyJWK(key.public, algorithm=protocol.ALGORITHM) if key else None

    def reachable(self) -> bool:
        return True  # unreadable keys raise Unavailable


def _is_decodable(authorization: str) -> bool:
    """Return whether Authlib can decode this header; it raises for invalid base64 or UTF-8."""
    try:
        extract_basic_authorization({"Authorization": authorization})
    except UNREADABLE:
        return False
    return bool(authorization)


def _basic() -> str:
    return 'Basic realm="openid", error="invalid_client"'


def _cached(seconds: int) -> dict[str, str]:
    return {"Cache-Control": f"public, max-age={seconds}"}
