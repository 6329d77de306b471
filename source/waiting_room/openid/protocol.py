# SPDX-License-Identifier: Apache-2.0
"""Rules of the OpenID provider in front of the room: requests, transactions, codes, claims.

The event id is ``client_id`` and ``aud``; the request id is ``sub``. While a visitor waits, nothing
is stored: the browser carries the signed authorization request. Authlib enforces the other rules of
OpenID Connect Core 1.0 (OIDC), RFC 6749 and RFC 7636.

The module has more than 300 lines because it has all rules of one protocol, in the order in which
a login uses them.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Protocol
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

from waiting_room.domain.errors import InvalidInput
from waiting_room.domain.parsing import UNREADABLE, is_whole

SCOPE = "openid"
ALGORITHM = "RS256"
CHALLENGE_METHOD = "S256"
CLIENT_AUTHENTICATION = ("client_secret_basic", "client_secret_post")
TRANSACTION_LIFE = 86_400  # s; the longest wait: the longest validity of a token
CODE_LIFE = 60  # s; clients redeem at once; RFC 6749 4.1.2 allows ten minutes at most
MAX_FORM = 16_384  # bytes; a transaction with the longest values takes half of it
MAX_LENGTHS = {"state": 2048, "nonce": 512, "redirect_uri": 1024, "transaction": 8192}
MAX_LENGTH = 512
LOOPBACK = ("localhost", "127.0.0.1", "::1")


class InvalidToken(Exception):
    """The access token is not valid; the message, for the log, does not contain it."""


@dataclass(frozen=True, slots=True)
class AuthorizationRequest:
    """A valid authorization request."""

    client_id: str
    redirect_uri: str
    scope: str = SCOPE
    state: str = ""
    nonce: str = ""
    code_challenge: str = ""

    def parameters(self) -> dict[str, str]:
        """Return the parameters of ``/authorize`` for this request."""
        named = {name: text for name, text in asdict(self).items() if text}
        if self.code_challenge:
            named["code_challenge_method"] = CHALLENGE_METHOD
        return {**named, "response_type": "code"}

    @classmethod
    def of(cls, parameters: Mapping[str, str]) -> AuthorizationRequest:
        """Read a request from parameters; the scope becomes ``openid``."""
        known = {part.name: parameters.get(part.name, "") for part in fields(cls)}
        return cls(**{**known, "scope": SCOPE})


REQUEST_MEMBERS = tuple(part.name for part in fields(AuthorizationRequest))


@dataclass(frozen=True, slots=True)
class Transaction:
    """An authorization request and its time (epoch s)."""

    request: AuthorizationRequest
    asked_at: int

    def is_stale(self, now: int, restart_after: int) -> bool:
        """Return whether the client's login has probably expired, so that it must start again.

        Clients remember a login for minutes (WordPress 3, Cognito 5, an AWS load balancer 15). A
        visitor may wait longer.
        """
        return now - self.asked_at >= restart_after


@dataclass(frozen=True, slots=True)
class AccessToken:
    """Claims of a verified access token of the room. Times in epoch s."""

    request_id: str
    position: int
    issued_at: int
    expires_at: int


@dataclass(frozen=True, slots=True)
class Code:
    """An authorization code as it is stored: its hash, its bindings and its access token.

    ``sealed`` is the access token, encrypted with the code, which is not stored.
    """

    hash: str
    client_id: str
    redirect_uri: str
    nonce: str
    code_challenge: str
    request_id: str
    position: int
    auth_time: int
    token_expires_at: int
    expires_at: int
    sealed: str = field(repr=False)


class CodeStore(Protocol):
    """The store of codes: each is redeemed once, by one conditional write."""

    def save(self, code: Code) -> None:
        """Store a code until it expires; raises Conflict when its hash exists."""

    def redeem(self, code_hash: str, client_id: str, now: int) -> Code | None:
        """Redeem a code of this client; None if unknown, expired, another client's or used."""


# --- requests ---------------------------------------------------------------------------------


def single_values(pairs: Iterable[tuple[str, str]], names: Sequence[str]) -> dict[str, str]:
    """Return the named parameters, each at most once and with valid characters and length.

    An empty value counts as missing, a repeated one is an error (RFC 6749 3.1, appendix A).
    Raises InvalidInput.
    """
    found: dict[str, str] = {}
    for name, value in pairs:
        if name not in names or not value:
            continue
        if name in found:
            raise InvalidInput(f"{name} may be given once only")
        if len(value) > MAX_LENGTHS.get(name, MAX_LENGTH):
            raise InvalidInput(f"{name} is too long")
        if not all(" " <= sign <= "~" for sign in value):
            raise InvalidInput(f"{name} must be printable ASCII")
        if name not in ("state", "nonce", "client_secret") and ('"' in value or "\\" in value):
            raise InvalidInput(f"{name} must not contain double quotes or backslashes")
        found[name] = value
    return found


def form_pairs(body: bytes, content_type: str) -> list[tuple[str, str]]:
    """Parse a form; raises InvalidInput when the body is not a form."""
    if content_type.split(";")[0].strip().lower() != "application/x-www-form-urlencoded":
        raise InvalidInput("the body must be sent as application/x-www-form-urlencoded")
    if len(body) > MAX_FORM:
        raise InvalidInput("the body is too large")
    try:
        return parse_qsl(
            body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=50
        )
    except ValueError:
        raise InvalidInput("the body is not a form") from None


def granted_scope(scope: str | None) -> str | None:
    """Return ``openid`` when it is one of the requested scopes, else None."""
    return SCOPE if SCOPE in (scope or "").split(" ") else None


def check_redirect_uris(uris: Sequence[str]) -> tuple[str, ...]:
    """Check addresses that visitors may be redirected to; raises ValueError.

    https, or http on this machine; absolute; no fragment (RFC 6749 3.1.2).
    """
    for uri in uris:
        parts, longest = urlsplit(uri), MAX_LENGTHS["redirect_uri"]
        safe = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK)
        if not safe or not parts.hostname or "#" in uri or "*" in uri:
            raise ValueError(
                f"{uri[:80]!r} must be an https address with a host, without a fragment or *"
            )
        if parts.port == 0 or len(uri) > longest or not all("!" <= sign <= "~" for sign in uri):
            raise ValueError(
                f"{uri[:80]!r} must be at most {longest} printable ASCII characters "
                "without spaces, and must not have port 0"
            )
    return tuple(uris)


def unsupported_feature(parameters: Mapping[str, str]) -> tuple[str, str] | None:
    """Return error and description for an OIDC feature that is not supported, else None."""
    if "request" in parameters:
        return "request_not_supported", "request objects are not supported"
    if "request_uri" in parameters:
        return "request_uri_not_supported", "request objects are not supported"
    if parameters.get("response_mode", "query") != "query":
        return "invalid_request", "response_mode must be query"
    return None


# --- transactions ---------------------------------------------------------------------------------


def seal_transaction(request: AuthorizationRequest, secret: str, issuer: str, now: int) -> str:
    """Sign a request as a text for the browser."""
    import jwt

    return jwt.encode(
        {"aud": issuer, "iat": now, "exp": now + TRANSACTION_LIFE, "request": asdict(request)},
        _derive_key(secret, b"transaction"),
        algorithm="HS256",
        headers={"typ": "transaction+jwt"},
    )


def open_transaction(text: str, secret: str, issuer: str, now: int) -> Transaction:
    """Read the text of ``seal_transaction``; raises InvalidInput when it was changed or expired.

    The client may know the secret too, so the content is checked despite a valid signature.
    """
    import jwt

    try:
        content = jwt.decode(
            text,
            _derive_key(secret, b"transaction"),
            algorithms=["HS256"],
            audience=issuer,
            options={
                "require": ["exp", "iat", "aud"],
                "verify_exp": False,
                "verify_iat": False,
                "verify_nbf": False,
            },
        )
        request = single_values(content["request"].items(), REQUEST_MEMBERS)
        found = Transaction(AuthorizationRequest(**request), content["iat"])
        expires_at = content["exp"]
        readable = is_whole(found.asked_at) and is_whole(expires_at)
    except (jwt.PyJWTError, InvalidInput, *UNREADABLE):
        readable = False
    if not readable:
        raise InvalidInput("transaction is not valid at this provider; start the login again")
    if now >= expires_at:
        raise InvalidInput("transaction has expired; start the login again")
    return found


def waiting_page_url(waiting_room_url: str, sent: Mapping[str, str]) -> str:
    """Return the URL of the waiting page with parameters.

    Every reserved character is encoded: the AWS solution's page splits at ``=`` and does not
    decode ``+``.
    """
    parts = urlsplit(waiting_room_url)
    query = "&".join(filter(None, [parts.query, urlencode(sent, quote_via=quote, safe="")]))
    return urlunsplit(parts._replace(query=query))


def aws_page_parameters(request: AuthorizationRequest) -> dict[str, str]:
    """Return the parameters that the AWS solution's page needs to return to the client itself.

    None with PKCE: the page's code is the request id, which cannot be bound to a challenge.
    """
    if request.code_challenge:
        return {}
    return {
        "client_id": request.client_id,
        "redirect_uri": request.redirect_uri,
        "response_type": "code",
        "state": request.state,
        "scope": request.scope,
    }


# --- codes ------------------------------------------------------------------------------------


def hash_code(code: str) -> str:
    """Return the key that a code is stored under. A code has 256 random bits: one hash suffices."""
    return hashlib.sha256(code.encode("utf-8", "surrogatepass")).hexdigest()


def make_code(
    code: str, request: AuthorizationRequest, token: str, access_token: AccessToken, now: int
) -> Code:
    """Return the row of a new code for ``token``, valid for CODE_LIFE seconds."""
    return Code(
        hash=hash_code(code),
        client_id=request.client_id,
        redirect_uri=request.redirect_uri,
        nonce=request.nonce,
        code_challenge=request.code_challenge,
        request_id=access_token.request_id,
        position=access_token.position,
        auth_time=access_token.issued_at,
        token_expires_at=access_token.expires_at,
        expires_at=now + CODE_LIFE,
        sealed=_seal(code, token),
    )


def _seal(code: str, token: str) -> str:
    # each key encrypts one message only, so the nonce may be constant
    return base64.b64encode(_cipher(code).encrypt(bytes(12), token.encode(), None)).decode()


def unseal(code: str, sealed: str) -> str:
    """Decrypt the access token with the code; raises InvalidToken for another text."""
    from cryptography.exceptions import InvalidTag

    try:
        opened: bytes = _cipher(code).decrypt(bytes(12), base64.b64decode(sealed), None)
        return opened.decode()
    except (InvalidTag, *UNREADABLE):
        raise InvalidToken("the sealed token cannot be read") from None


def _cipher(code: str) -> Any:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    return AESGCM(_derive_key(code, b"access token"))


def _derive_key(secret: str, purpose: bytes) -> bytes:
    """Derive a key of 32 bytes for one purpose from a random secret."""
    return hmac.new(secret.encode(), purpose, hashlib.sha256).digest()


# --- claims -----------------------------------------------------------------------------------


def id_token_claims(code: Code, issuer: str, now: int) -> dict[str, Any]:
    """Return the claims of the id token (OIDC Core 2). It expires with the access token.

    Because of ``token_use``, the room's authorizer rejects it as an access token.
    """
    claims = {
        "iss": issuer,
        "aud": code.client_id,
        "sub": code.request_id,
        "iat": now,
        "exp": code.token_expires_at,
        "auth_time": code.auth_time,
        "queue_position": code.position,
        "token_use": "id",
    }
    return {**claims, "nonce": code.nonce} if code.nonce else claims


def user_claims(token: AccessToken) -> dict[str, Any]:
    """Return the claims of ``/userInfo``."""
    return {"sub": token.request_id, "queue_position": token.position}


def parse_access_token(claims: Mapping[str, Any]) -> AccessToken:
    """Parse the claims of a verified access token; raises InvalidToken when one is missing."""
    try:
        return AccessToken(
            request_id=str(claims["sub"]),
            position=int(claims["queue_position"]),
            issued_at=int(claims["iat"]),
            expires_at=int(claims["exp"]),
        )
    except KeyError as missing:
        raise InvalidToken(f"the token lacks {missing}") from None
    except UNREADABLE:
        raise InvalidToken("a claim of the token is no whole number") from None


# --- discovery --------------------------------------------------------------------------------


def configuration(issuer: str) -> dict[str, Any]:
    """Return the discovery document (OIDC Discovery 3)."""
    return {
        "issuer": issuer,
        "authorization_endpoint": f"{issuer}/authorize",
        "token_endpoint": f"{issuer}/token",
        "userinfo_endpoint": f"{issuer}/userInfo",
        "jwks_uri": f"{issuer}/.well-known/jwks.json",
        "scopes_supported": [SCOPE],
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": ["authorization_code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": [ALGORITHM],
        "token_endpoint_auth_methods_supported": list(CLIENT_AUTHENTICATION),
        "code_challenge_methods_supported": [CHALLENGE_METHOD],
        "claims_supported": [
            "iss", "aud", "sub", "iat", "exp", "auth_time", "nonce", "at_hash", "queue_position",
        ],
        "claims_parameter_supported": False,
        "request_parameter_supported": False,
        "request_uri_parameter_supported": False,
    }  # fmt: skip
