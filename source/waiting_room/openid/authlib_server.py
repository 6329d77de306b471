# SPDX-License-Identifier: Apache-2.0
"""Authlib's authorization server, without a web framework, on the rules of ``protocol.py``.

Authlib checks clients, requests, PKCE and redirects, and builds responses and errors. This module
has the parts that Authlib leaves open, and two stricter rules: a code is redeemed when it is read,
and PKCE is S256 only.
"""

from __future__ import annotations

import hmac
import json
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from authlib.oauth2 import OAuth2Request
from authlib.oauth2.rfc6749 import AuthorizationServer, ClientMixin
from authlib.oauth2.rfc6749.errors import InvalidRequestError
from authlib.oauth2.rfc6749.grants import AuthorizationCodeGrant
from authlib.oauth2.rfc6749.requests import BasicOAuth2Payload
from authlib.oauth2.rfc7636 import CodeChallenge
from authlib.oidc.core import OpenIDCode

from waiting_room.domain.joins import REQUEST_ID
from waiting_room.openid import protocol
from waiting_room.openid.settings import ClientSecrets, OpenIdSettings

NO_STORE = {
    "Cache-Control": "no-store",
    "Pragma": "no-cache",
    "X-Content-Type-Options": "nosniff",  # an error may repeat a part of the request
}
logger = logging.getLogger("waiting_room")


@dataclass(frozen=True, slots=True)
class OpenIdResponse:
    """An HTTP response."""

    status: int
    body: str
    headers: Mapping[str, str]


class ProviderContext(Protocol):
    """The parts of the provider that the server uses."""

    settings: OpenIdSettings
    secrets: Callable[[], ClientSecrets]
    codes: protocol.CodeStore
    new_code: Callable[[], str]

    @property
    def now(self) -> int:
        """The time in epoch s."""

    @property
    def signing_key(self) -> Mapping[str, str]:
        """The private JWK of the current signing key."""

    def admitted(self, request_id: str) -> tuple[protocol.AccessToken, str] | None:
        """Return the claims and the token of an admitted visitor, or None."""


@dataclass(frozen=True, slots=True)
class Visitor:
    """An admitted visitor, for whom a code is made."""

    request: protocol.AuthorizationRequest
    token: str
    access_token: protocol.AccessToken


class Request(OAuth2Request):  # type: ignore[misc]
    """A request as Authlib reads it. TLS ends before the function, so the scheme is https."""

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
        return None  # OIDC Core 3.1.2.1: the request must contain it

    def get_allowed_scope(self, scope: str | None) -> str | None:
        return protocol.granted_scope(scope)

    def check_redirect_uri(self, redirect_uri: str | None) -> bool:
        return redirect_uri in self._settings.redirect_uris

    def check_client_secret(self, client_secret: str) -> bool:
        known = self._secrets().client_secret
        given = client_secret.encode("utf-8", "surrogatepass")
        return hmac.compare_digest(known.encode("utf-8", "surrogatepass"), given)

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        return endpoint == "token" and method in protocol.CLIENT_AUTHENTICATION

    def check_response_type(self, response_type: str) -> bool:
        return response_type == "code"

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type == "authorization_code"


class _StoredCode:
    """A redeemed code as Authlib reads it, with its access token."""

    def __init__(self, code: protocol.Code, access_token: str) -> None:
        self.code, self.access_token = code, access_token
        self.code_challenge = code.code_challenge
        self.code_challenge_method = protocol.CHALLENGE_METHOD

    def get_redirect_uri(self) -> str:
        return self.code.redirect_uri

    def get_scope(self) -> str:
        return protocol.SCOPE


class _CodeGrant(AuthorizationCodeGrant):  # type: ignore[misc]
    """The authorization code flow; ``server`` has the provider."""

    TOKEN_ENDPOINT_AUTH_METHODS = protocol.CLIENT_AUTHENTICATION

    def generate_authorization_code(self) -> str:
        return str(self.server.provider.new_code())

    def save_authorization_code(self, code: str, request: Any) -> None:
        provider: ProviderContext = self.server.provider
        visitor: Visitor = request.user
        provider.codes.save(
            protocol.make_code(
                code, visitor.request, visitor.token, visitor.access_token, provider.now
            )
        )

    def query_authorization_code(self, code: str, client: Any) -> _StoredCode | None:
        """Redeem the code at once: after any error, it is not valid any more."""
        provider: ProviderContext = self.server.provider
        if provider.settings.request_id_codes and REQUEST_ID.fullmatch(code):
            return self._of_request_id(code, client)
        found = provider.codes.redeem(
            protocol.hash_code(code), client.get_client_id(), provider.now
        )
        if found is None:
            logger.warning("openid: rejected a code: unknown, expired or used")
            return None
        try:
            return _StoredCode(found, protocol.unseal(code, found.sealed))
        except protocol.InvalidToken as error:
            logger.error("openid: the row of a code is damaged: %s", error)
            return None

    def _of_request_id(self, request_id: str, client: Any) -> _StoredCode | None:
        """Accept a request id as a code, as the AWS solution's waiting page sends it.

        No code was stored, so it is bound only to a registered address. It is not accepted from a
        client that uses PKCE.
        """
        provider: ProviderContext = self.server.provider
        asked = self.request.payload.data
        address = asked.get("redirect_uri")
        if "code_verifier" in asked or not client.check_redirect_uri(address):
            return None
        found = provider.admitted(request_id)
        if found is None:
            return None
        claims, token = found
        request = protocol.AuthorizationRequest(client.get_client_id(), address)
        return _StoredCode(
            protocol.make_code(request_id, request, token, claims, provider.now), token
        )

    def delete_authorization_code(self, authorization_code: Any) -> None:
        """Do nothing: the code was redeemed when it was read."""

    def authenticate_user(self, authorization_code: Any) -> Any:
        return authorization_code


class _Challenge(CodeChallenge):  # type: ignore[misc]
    """PKCE with S256 only: a challenge without a method means ``plain`` (RFC 7636 4.3)."""

    SUPPORTED_CODE_CHALLENGE_METHOD = (protocol.CHALLENGE_METHOD,)

    def validate_code_challenge(self, grant: Any, redirect_uri: str) -> None:
        super().validate_code_challenge(grant, redirect_uri)
        asked = grant.request.payload.data
        if "code_challenge" in asked and "code_challenge_method" not in asked:
            raise InvalidRequestError("code_challenge_method must be S256")


class _IdToken(OpenIDCode):  # type: ignore[misc]
    """The id token: claims from the rules, ``at_hash`` and the signature from Authlib."""

    def __init__(self, provider: ProviderContext) -> None:
        super().__init__(require_nonce=False)
        self._provider = provider

    def exists_nonce(self, *_: Any) -> bool:
        return False  # the client checks it; nothing is stored while visitors wait

    def resolve_client_private_key(self, *_: Any) -> Any:
        from joserfc.jwk import RSAKey

        return RSAKey.import_key(dict(self._provider.signing_key))

    def get_encode_header(self, *_: Any) -> dict[str, str]:
        return {"alg": protocol.ALGORITHM, "kid": self._provider.signing_key["kid"], "typ": "JWT"}

    def get_compatible_claims(self, request: Any) -> dict[str, Any]:
        provider = self._provider
        stored: _StoredCode = request.authorization_code
        return protocol.id_token_claims(stored.code, provider.settings.issuer, provider.now)

    def get_authorization_code_claims(self, *_: Any) -> dict[str, Any]:
        return {}  # get_compatible_claims gave them

    def generate_user_info(self, *_: Any) -> dict[str, Any]:
        return {}


class Server(AuthorizationServer):  # type: ignore[misc]
    """Authlib's server without a web framework."""

    def __init__(self, provider: ProviderContext) -> None:
        super().__init__()
        logging.getLogger("authlib").setLevel(logging.INFO)  # below, it logs the tokens it issues
        self.provider = provider
        self._client = _Client(provider.settings, provider.secrets)
        self.register_token_generator("default", self._tokens)
        self.register_grant(_CodeGrant, [_Challenge(required=False), _IdToken(provider)])

    def query_client(self, client_id: str | None) -> _Client | None:
        return self._client if client_id == self.provider.settings.event_id else None

    def create_oauth2_request(self, request: Request) -> Request:
        return request

    def handle_response(
        self, status: int, body: Any, headers: Iterable[tuple[str, str]]
    ) -> OpenIdResponse:
        return OpenIdResponse(
            status, json.dumps(body) if body else "", {**NO_STORE, **dict(headers)}
        )

    def send_signal(self, name: str, *args: Any, **kwargs: Any) -> None:
        """Do nothing: there are no listeners."""

    def save_token(self, token: Any, request: Any) -> None:
        """Do nothing: the room stores its tokens."""

    def _tokens(self, *, user: _StoredCode, scope: str, **_: Any) -> dict[str, Any]:
        return {
            "access_token": user.access_token,
            "token_type": "Bearer",
            "expires_in": max(0, user.code.token_expires_at - self.provider.now),
            "scope": scope,
        }
