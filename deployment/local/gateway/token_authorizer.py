# SPDX-License-Identifier: Apache-2.0
"""API Gateway's part of a TOKEN authorizer: call the function, cache and apply its policy."""

from __future__ import annotations

import fnmatch
import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any

from deployment.local.config import STAGE
from deployment.local.gateway.chalice_apps import LambdaContext

RESULT_TTL = 300  # seconds; API Gateway's default
MOST_RESULTS = 10_000
logger = logging.getLogger(__name__)


class Refused(Exception):
    """The request is rejected before the function; carries status and message."""

    def __init__(self, status: int, message: str | None) -> None:
        super().__init__(message)
        self.status, self.message = status, message


class TokenAuthorizer:
    """Calls ``function`` once per token and caches the policy for ``ttl`` seconds."""

    def __init__(
        self,
        function: Callable[[dict[str, Any], Any], Any],
        arn: str,
        ttl: float = RESULT_TTL,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._function, self._arn, self._ttl, self._monotonic = function, arn, ttl, monotonic
        self._kept: OrderedDict[str, tuple[float, Mapping[str, Any]]] = OrderedDict()
        self._lock = threading.Lock()

    def check(self, token: str, method: str, path: str) -> dict[str, Any]:
        """Return the authorizer part of the request context; raises Refused."""
        if not token:
            raise Refused(401, "Unauthorized")
        called = f"{self._arn}/{STAGE}/{method}{path}"
        policy = self._known(token) or self._ask(token, called)
        if not allows(policy["policyDocument"], called):
            raise Refused(403, "User is not authorized to access this resource")
        context = {name: _text(value) for name, value in (policy.get("context") or {}).items()}
        return {**context, "principalId": policy["principalId"]}

    def _known(self, token: str) -> Mapping[str, Any] | None:
        with self._lock:
            until, policy = self._kept.get(token, (0.0, None))
        return policy if self._monotonic() < until else None

    def _ask(self, token: str, called: str) -> Mapping[str, Any]:
        event = {"type": "TOKEN", "methodArn": called, "authorizationToken": token}
        try:
            policy = self._function(event, LambdaContext("token_authorizer"))
            assert policy["principalId"]
            assert policy["policyDocument"]["Statement"]
        except Exception as error:
            if str(error) == "Unauthorized":
                raise Refused(401, "Unauthorized") from None
            logger.warning(
                "Authorizer failed: %s; the request is rejected with status 500",
                type(error).__name__,
            )
            raise Refused(500, None) from None
        with self._lock:
            self._kept[token] = (self._monotonic() + self._ttl, policy)
            while len(self._kept) > MOST_RESULTS:
                self._kept.popitem(last=False)
        return dict(policy)


def allows(policy: Mapping[str, Any], called: str) -> bool:
    """Return whether a policy allows a method ARN: an Allow matches, and no Deny."""
    effects = {
        statement["Effect"]
        for statement in policy["Statement"]
        if any(
            fnmatch.fnmatchcase("execute-api:Invoke", action)
            for action in _many(statement["Action"])
        )
        and any(fnmatch.fnmatchcase(called, arn) for arn in _many(statement["Resource"]))
    }
    return effects == {"Allow"}


def _many(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value)


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
