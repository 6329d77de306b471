# SPDX-License-Identifier: Apache-2.0
"""A CloudFront distribution in front of the shop: functions, behaviours, cache of errors, retries.

It does what AWS documents and nothing beyond. A viewer-request function runs before the cache. It
sees the path as it was sent; a behaviour is chosen by the normalised path. The responses of 500 to
504 are cached for 10 s, also with ``no-store``. A GET without a response is sent up to three times,
except to origins with one connection attempt.
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qsl

from deployment.local.gateway.edge_cache import (
    ALWAYS_CACHED,
    CACHED_WITH_MAX_AGE,
    DEFAULT_ERROR_TTL,
    NO_STORE_APPLIES,
)
from deployment.local.site_edge.engine import Engine, FunctionFailed
from deployment.local.site_edge.function_events import (
    Refused,
    Reply,
    ViewerRequest,
    changed,
    event_of,
    forwarded,
    generated,
    read_request,
    response_event,
)

ATTEMPTS = 3  # of a GET whose origin does not respond
READ_TIMEOUT = 30.0  # s
UNRESERVED = re.compile("[A-Za-z0-9._~-]", re.ASCII)
MAX_ENTRIES = 10_000  # of the cache
Origin = Callable[[ViewerRequest], Awaitable[Reply]]
Key = tuple[Any, ...]

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Behaviour:
    """Requests to one origin. ``pattern`` is a path, or ends with ``*``.

    ``function`` handles the viewer request, and ``response_function`` the viewer response; empty:
    none. ``key`` are the parameters and headers of the cache key of a shared response, which is
    cached for ``min_ttl`` to ``max_ttl`` seconds; without a key nothing but errors is cached. A
    shared response has no cookies: none reach its origin, and none that it sets reach a viewer.
    ``headers`` are those that the origin gets; None: all. ``reads_only``: POST is 403.
    """

    pattern: str
    origin: Origin
    function: str = ""
    response_function: str = ""
    key: tuple[str, ...] = ()
    min_ttl: int = 0
    max_ttl: int = 0
    headers: tuple[str, ...] | None = None
    reads_only: bool = False
    attempts: int = ATTEMPTS

    def matches(self, path: str) -> bool:
        """Return whether a normalised path belongs to this behaviour."""
        if self.pattern.endswith("*"):
            return path.startswith(self.pattern[:-1])
        return path == self.pattern


class Distribution:
    """Serves ASGI connections by the first behaviour that matches."""

    def __init__(
        self,
        engine: Engine,
        behaviours: tuple[Behaviour, ...],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._engine, self._behaviours, self._monotonic = engine, behaviours, monotonic
        self._kept: dict[Key, tuple[float, Reply]] = {}
        self._in_progress: dict[Key, asyncio.Task[Reply]] = {}

    async def __call__(self, scope: Mapping[str, Any], receive: Any, send: Any) -> None:
        """Serve an ASGI connection."""
        try:
            request = await read_request(scope, receive)
            reply = await self.answer(request)
        except Refused as refused:
            reply = Reply(refused.status, (("content-type", "text/plain"),), b"Bad request")
        headers = [pair for pair in reply.headers if pair[0] != "content-length"]
        if reply.status not in (204, 304):
            headers.append(("content-length", str(len(reply.body))))
        raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
        await send({"type": "http.response.start", "status": reply.status, "headers": raw})
        body = b"" if scope["method"] == "HEAD" else reply.body
        await send({"type": "http.response.body", "body": body})

    async def answer(self, viewer: ViewerRequest) -> Reply:
        """Return the response to a viewer."""
        path = normalised(viewer.path)
        behaviour = next(one for one in self._behaviours if one.matches(path))
        if behaviour.reads_only and viewer.method not in ("GET", "HEAD", "OPTIONS"):
            raise Refused(403)
        request = viewer
        try:
            if behaviour.function:
                result = await self._engine.run(
                    behaviour.function, event_of("viewer-request", viewer)
                )
                if "statusCode" in result:  # no viewer-response function runs
                    return generated(result)
                request = forwarded(viewer, result)
            request = _policy(behaviour, request)
            reply = await self._cached(behaviour, request)
            if behaviour.response_function and reply.status < 400:
                event = response_event(viewer, reply)
                reply = changed(reply, await self._engine.run(behaviour.response_function, event))
            return reply
        except FunctionFailed as error:
            logger.error("a function failed: %s", type(error).__name__)
            return Reply(503, (("content-type", "text/html"), ("x-cache", "FunctionError")))

    async def _cached(self, behaviour: Behaviour, request: ViewerRequest) -> Reply:
        if request.method not in ("GET", "HEAD"):
            return await self._fetch(behaviour, request)
        pairs = dict(parse_qsl(request.query or "", keep_blank_values=True))
        parts = tuple(pairs.get(name, request.header(name)) for name in behaviour.key)
        key = (request.method, request.path, parts)
        kept = self._kept.get(key)
        if kept and self._monotonic() < kept[0]:
            return kept[1]
        if not behaviour.key:
            return await self._fetch_and_keep(key, behaviour, request)
        task = self._in_progress.get(key)
        if task is None:
            task = asyncio.create_task(self._fetch_and_keep(key, behaviour, request))
            self._in_progress[key] = task
            task.add_done_callback(lambda _: self._in_progress.pop(key, None))
        return await asyncio.shield(task)

    async def _fetch_and_keep(
        self, key: Key, behaviour: Behaviour, request: ViewerRequest
    ) -> Reply:
        return self._keep(key, behaviour, await self._fetch(behaviour, request))

    def _keep(self, key: Key, behaviour: Behaviour, reply: Reply) -> Reply:
        seconds = ttl(reply, behaviour)
        if seconds > 0:
            if len(self._kept) >= MAX_ENTRIES:
                self._kept.pop(next(iter(self._kept)))
            self._kept[key] = (self._monotonic() + seconds, reply)
        return reply

    async def _fetch(self, behaviour: Behaviour, request: ViewerRequest) -> Reply:
        attempts = behaviour.attempts if request.method in ("GET", "HEAD") else 1
        for _ in range(attempts):
            try:
                reply = await asyncio.wait_for(behaviour.origin(request), READ_TIMEOUT)
                return _without_cookies(reply) if behaviour.key else reply
            except TimeoutError:
                status = 504
            except Exception as error:
                logger.error("an origin failed: %s", type(error).__name__)
                status = 502
        return Reply(status, (("content-type", "text/html"),))


def _policy(behaviour: Behaviour, request: ViewerRequest) -> ViewerRequest:
    """Return what the policies of a behaviour forward to its origin."""
    if behaviour.headers is not None:
        kept = tuple(pair for pair in request.headers if pair[0] in behaviour.headers)
        request = replace(request, headers=kept)
    if not behaviour.key:
        return request
    pairs = [pair for pair in (request.query or "").split("&") if _name(pair) in behaviour.key]
    return replace(request, cookies=(), query="&".join(pairs) or None)


def _name(pair: str) -> str:
    return pair.partition("=")[0]


def _without_cookies(reply: Reply) -> Reply:
    return replace(reply, headers=tuple(pair for pair in reply.headers if pair[0] != "set-cookie"))


def normalised(path: str) -> str:
    """Return a path as CloudFront compares it with a pattern (RFC 3986, 6.2.2)."""
    decoded = re.sub(
        "%([0-9A-Fa-f]{2})",
        lambda found: one if UNRESERVED.match(one := chr(int(found[1], 16))) else found[0].upper(),
        path,
    )
    parts: list[str] = []
    for part in decoded.split("/")[1:]:
        if part == "..":
            del parts[-1:]
        elif part != ".":
            parts.append(part)
    if decoded.endswith(("/..", "/.")):
        parts.append("")
    return "/" + "/".join(parts)


def ttl(reply: Reply, behaviour: Behaviour) -> int:
    """Return the seconds for which a response is cached."""
    caching = reply.header("cache-control").lower()
    never = any(word in caching for word in ("no-store", "no-cache", "private"))
    ages = [part.strip().partition("=")[2] for part in caching.split(",") if "max-age=" in part]
    age = int(ages[0]) if ages and ages[0].isdigit() and not never else 0
    if reply.status < 400:
        return max(behaviour.min_ttl, min(age, behaviour.max_ttl)) if behaviour.key else 0
    if reply.status in ALWAYS_CACHED:
        return 0 if never and reply.status in NO_STORE_APPLIES else DEFAULT_ERROR_TTL
    return max(age, DEFAULT_ERROR_TTL) if reply.status in CACHED_WITH_MAX_AGE and age else 0
