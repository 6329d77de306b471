# SPDX-License-Identifier: Apache-2.0
"""An identity pool as on AWS: exchanges an ID token for temporary keys of a role.

It has the two calls of the console, ``GetId`` and ``GetCredentialsForIdentity``, over a provider
that IAM would know: it verifies signature, issuer, audience and expiry of the token with the keys
that the issuer publishes. The rules compare a claim as AWS does, and an operator without a group
gets no keys. A revoked token is accepted until it expires, because IAM cannot know of it.
"""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
import time
import urllib.request
import uuid
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import jwt

from deployment.local.gateway.sigv4 import ACCOUNT, Signatures
from infrastructure.blueprint.operator_sign_in import ROLES, SESSION_NAME, provider_rules
from waiting_room.domain.parsing import UNREADABLE

logger = logging.getLogger(__name__)
TARGET = "AWSCognitoIdentityService."
MAX_BODY = 100_000  # bytes
LIFE = 3600  # s; of keys of an identity pool
ALGORITHMS = ("RS256", "RS384", "RS512", "ES256", "ES384", "ES512")
CORS = (
    (b"access-control-allow-origin", b"*"),
    (b"access-control-allow-headers", b"content-type,x-amz-target,x-amz-user-agent"),
    (b"access-control-allow-methods", b"POST"),
)


@dataclass(frozen=True, kw_only=True)
class PoolSettings:
    """The issuer and client that a pool accepts, and the claim with the groups."""

    issuer: str
    client_id: str
    groups_claim: str
    group_prefix: str
    pool_id: str


class PoolRefusal(Exception):
    """A call that AWS would refuse; carries the name of its exception and the message."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind, self.message = kind, message


class IdentityPool:
    """The ASGI app; it adds the keys that it issues, for ``life`` seconds, to ``signatures``."""

    life = LIFE

    def __init__(self, settings: PoolSettings, signatures: Signatures, region: str) -> None:
        self._settings, self._signatures, self._region = settings, signatures, region
        self._identities: dict[str, str] = {}  # subject → identity id
        self._threads = ThreadPoolExecutor(4, thread_name_prefix="identity-pool")
        self._keys: jwt.PyJWKClient | None = None

    async def __call__(self, scope: Mapping[str, Any], receive: Any, send: Any) -> None:
        """Serve an ASGI connection."""
        body = bytearray()
        found: dict[str, Any] = {}
        more = True
        while more and len(body) <= MAX_BODY:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        if scope["method"] == "OPTIONS":
            status = 200
        else:
            headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
            target = headers.get(b"x-amz-target", "")
            status, found = await asyncio.get_running_loop().run_in_executor(
                self._threads, self.answer, target, bytes(body)
            )
        content = json.dumps(found).encode()
        sent = [
            (b"content-type", b"application/x-amz-json-1.1"),
            (b"cache-control", b"no-store"),
            (b"content-length", str(len(content)).encode()),
            *CORS,
        ]
        await send({"type": "http.response.start", "status": status, "headers": sent})
        await send({"type": "http.response.body", "body": content})

    def answer(self, target: str, body: bytes) -> tuple[int, dict[str, Any]]:
        """Return status and content of the response to a call."""
        try:
            call = {"GetId": self._get_id, "GetCredentialsForIdentity": self._credentials}.get(
                target.removeprefix(TARGET)
            )
            if call is None or not target.startswith(TARGET):
                raise PoolRefusal("UnknownOperationException", "")
            try:
                content = json.loads(body)
            except ValueError:
                content = None
            if not isinstance(content, dict):
                raise PoolRefusal("SerializationException", "The body is not a JSON object.")
            return 200, call(content)
        except PoolRefusal as refusal:
            return 400, {"__type": refusal.kind, "message": refusal.message}

    def _get_id(self, content: Mapping[str, Any]) -> dict[str, Any]:
        if content.get("IdentityPoolId") != self._settings.pool_id:
            raise PoolRefusal("ResourceNotFoundException", "IdentityPool not found.")
        claims = self._claims(content)
        return {"IdentityId": self._identity(claims)}

    def _credentials(self, content: Mapping[str, Any]) -> dict[str, Any]:
        claims = self._claims(content)
        identity = self._identity(claims)
        if content.get("IdentityId") != identity:
            raise PoolRefusal(
                "NotAuthorizedException", "Logins don't match. Please include at least one valid"
                " login for this identity or identity pool."
            )  # fmt: skip
        role = self._role(claims)
        if role is None:
            raise PoolRefusal("NotAuthorizedException", "Access to Identity is forbidden.")
        ends = time.time() + self.life
        key, secret = "ASIA" + secrets.token_hex(8).upper(), secrets.token_urlsafe(30)
        token = secrets.token_urlsafe(90)
        self._signatures.add(
            key,
            secret,
            f"arn:aws:sts::{ACCOUNT}:assumed-role/operators-{role}/{SESSION_NAME}",
            token=token,
            ends=ends,
            routes=ROLES[role],
            identity=identity,
        )
        made = {
            "AccessKeyId": key, "SecretKey": secret, "SessionToken": token, "Expiration": int(ends)
        }  # fmt: skip
        return {"IdentityId": identity, "Credentials": made}

    def _claims(self, content: Mapping[str, Any]) -> dict[str, Any]:
        """Return the claims of a valid ID token; raises PoolRefusal."""
        name = self._settings.issuer.partition("://")[2]
        logins = content.get("Logins")
        token = logins.get(name) if isinstance(logins, dict) else None
        if not isinstance(token, str):
            raise PoolRefusal(
                "NotAuthorizedException",
                "Token is not from a supported provider of this identity pool.",
            )
        try:
            key = self._published().get_signing_key_from_jwt(token)
            claims: dict[str, Any] = jwt.decode(
                token,
                key.key,
                algorithms=list(ALGORITHMS),
                issuer=self._settings.issuer,
                audience=self._settings.client_id,
                options={"require": ["exp", "iss", "aud", "sub"]},
            )
        except jwt.ExpiredSignatureError:
            raise PoolRefusal(
                "NotAuthorizedException", "Invalid login token. Token expired."
            ) from None
        except (jwt.InvalidTokenError, jwt.PyJWKClientError, OSError, *UNREADABLE) as error:
            logger.warning("the identity pool refused a token: %s", type(error).__name__)
            raise PoolRefusal("NotAuthorizedException", "Invalid login token.") from None
        return claims

    def _published(self) -> jwt.PyJWKClient:
        if self._keys is None:
            issuer = self._settings.issuer.rstrip("/")
            address = f"{issuer}/.well-known/openid-configuration"
            opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
            with opener.open(address, timeout=5) as response:
                self._keys = jwt.PyJWKClient(str(json.load(response)["jwks_uri"]), timeout=5)
        return self._keys

    def _identity(self, claims: Mapping[str, Any]) -> str:
        made = f"{self._region}:{uuid.uuid4()}"
        return self._identities.setdefault(str(claims["sub"]), made)

    def _role(self, claims: Mapping[str, Any]) -> str | None:
        said = claims.get(self._settings.groups_claim)
        text = said if isinstance(said, str) else json.dumps(said)
        rules = provider_rules(self._settings.group_prefix)
        return next((role for group, role in rules if group in text), None)
