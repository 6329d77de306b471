# SPDX-License-Identifier: Apache-2.0
"""A REST API as in API Gateway: routes of a Chalice app, API keys, signatures, authorizer."""

from __future__ import annotations

import asyncio
import hmac
import json
import logging
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from chalice import CustomAuthorizer, IAMAuthorizer

from deployment.local.gateway.chalice_apps import LambdaContext
from deployment.local.gateway.proxy_events import (
    Answer,
    Call,
    TooLong,
    from_lambda,
    proxy_event,
    read,
    resource_of,
)
from deployment.local.gateway.proxy_events import write as write_answer
from deployment.local.gateway.sigv4 import Signatures
from deployment.local.gateway.token_authorizer import Refused, TokenAuthorizer
from infrastructure.blueprint import preflight
from infrastructure.blueprint.gateway_responses import NO_ANSWER
from waiting_room.runtime.http_api import CORS, NO_STORE
from waiting_room.runtime.safe_traceback import safe_traceback

logger = logging.getLogger(__name__)
Integration = Callable[[Call], Answer]


class RestApi:
    """The routes of an app, and integrations without a function by (method, path).

    ``plain`` keeps the default error bodies of API Gateway. ``keyless`` are the paths that need no
    ``api_key``.

    Each route has its own threads, as it has its own function on AWS. So load on one route does not
    block the others.
    """

    def __init__(
        self,
        name: str,
        app: Any,
        *,
        threads: int,
        cors: bool = True,
        plain: bool = False,
        api_key: str = "",
        signatures: Signatures | None = None,
        authorizer: TokenAuthorizer | None = None,
        integrations: Mapping[tuple[str, str], Integration] | None = None,
        keyless: Collection[str] = (),
    ) -> None:
        self._name, self._app, self._cors, self._api_key = name, app, cors, api_key
        self._plain, self._keyless = plain, frozenset(keyless)
        self._signatures, self._authorizer = signatures, authorizer
        self._integrations = integrations or {}
        self._routes = {
            (method, path): entry
            for path, methods in app.routes.items()
            for method, entry in methods.items()
        }
        self._paths = {path for _, path in (*self._routes, *self._integrations)}
        self._threads = {
            path: ThreadPoolExecutor(threads, thread_name_prefix=f"{name}{path}")
            for path in self._paths
        }

    async def __call__(self, scope: Mapping[str, Any], receive: Any, send: Any) -> None:
        """Serve an ASGI connection."""
        try:
            answer = await self.answer(await read(scope, receive))
        except TooLong as error:
            answer = self._message(error.status, error.message)
        await write_answer(answer, send)

    async def answer(self, call: Call) -> Answer:
        """Return the response to a request."""
        resource = resource_of(call.path, self._paths)
        if call.method == "OPTIONS" and self._cors and resource:
            return _preflight(call)
        route = (call.method, resource)
        if resource is None or (route not in self._routes and route not in self._integrations):
            return self._message(403, "Missing Authentication Token")
        given = call.headers.get("x-api-key", "")
        asked = self._api_key if call.path not in self._keyless else ""
        if asked and not hmac.compare_digest(given.encode(), asked.encode()):
            return self._message(403, "Forbidden")
        threads = self._threads[resource]
        return await asyncio.get_running_loop().run_in_executor(threads, self._run, call, resource)

    @property
    def callers(self) -> int:
        """The maximum number of concurrent handlers."""
        return sum(threads._max_workers for threads in self._threads.values())

    def close(self) -> None:
        """Accept no more requests; let running handlers finish."""
        for threads in self._threads.values():
            threads.shutdown()

    def _run(self, call: Call, resource: str) -> Answer:
        integration = self._integrations.get((call.method, resource))
        if integration:
            return integration(call)
        entry = self._routes[call.method, resource]
        try:
            context = self._authorize(entry.authorizer, call)
        except Refused as refused:
            return self._message(refused.status, refused.message)
        signer = (
            self._signatures.identity(call.headers)
            if self._signatures and isinstance(entry.authorizer, IAMAuthorizer)
            else None
        )
        event = proxy_event(call, entry.uri_pattern, self._name, context, signer)
        try:
            return from_lambda(self._app(event, LambdaContext(entry.view_name)))
        except Exception as error:
            logger.error("%s failed: %s", entry.view_name, safe_traceback(error))
            return self._message(502, "Internal server error")

    def _authorize(self, wanted: Any, call: Call) -> Mapping[str, Any] | None:
        if isinstance(wanted, IAMAuthorizer):
            if self._signatures is None:
                raise Refused(500, None)
            reason = self._signatures.refusal(
                call.method, call.raw_path, call.query, call.headers, call.body
            )
            reason = reason or self._signatures.forbidden(call.method, call.path, call.headers)
            if reason:
                raise Refused(403, reason)
        if isinstance(wanted, CustomAuthorizer):
            if self._authorizer is None:
                raise Refused(500, None)
            token = call.headers.get("authorization", "")
            return self._authorizer.check(token, call.method, call.path)
        return None

    def _message(self, status: int, message: str | None) -> Answer:
        """Return an error response of API Gateway itself."""
        headers = {"Content-Type": "application/json", "Cache-Control": NO_STORE}
        headers |= CORS if self._cors else {}
        body = {"message": message}
        if not self._plain:
            refused = message and status < 500
            body = {"error": message, **body} if refused else {"error": NO_ANSWER}
        return Answer(status, tuple(headers.items()), json.dumps(body).encode())


def document(body: str, headers: Mapping[str, str]) -> Integration:
    """Return an integration that responds with a fixed document."""
    answer = Answer(200, (("Content-Type", "application/json"), *headers.items()), body.encode())
    return lambda _: answer


def _preflight(call: Call) -> Answer:
    names = call.headers.get(preflight.REQUESTED.lower(), "")
    headers = {
        "Content-Type": "application/json",
        **CORS,
        preflight.ALLOWED: preflight.allowed(names),
    }
    return Answer(200, tuple(headers.items()), b"")
