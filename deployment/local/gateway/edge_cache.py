# SPDX-License-Identifier: Apache-2.0
"""The edge cache in front of the public API, as AWS documents CloudFront.

The cache keys, the shortest and longest TTL of each path, and the TTLs of errors are definitions of
the deployment. Concurrent misses share one request to the origin only if the shortest TTL is above
0; otherwise CloudFront does not guarantee it. ``GET /__edge/stats`` returns counts (not on AWS).
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
import re
import time
import uuid
from collections import Counter, OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qsl, urlencode

from deployment.local.gateway.proxy_events import Answer, Call, TooLong, read, write
from infrastructure.blueprint.join_integration import PATH as JOIN
from infrastructure.blueprint.resources import (
    CACHE_RULES,
    CACHED_PATHS_HEADERS,
    ERROR_TTLS,
    FORWARDED_COOKIES,
    FORWARDED_HEADERS,
    CacheRule,
)
from waiting_room.runtime.http_api import CORS, NO_STORE

STATS = "/__edge/stats"
MAX_RESPONSES = 100_000
ORIGIN_HOST = "origin"  # replaces the Host header of the caller
EVICTION_CHECKS = 2  # oldest responses checked for expiry at each insert
DEFAULT_STALE = 600  # s; stale-if-error of a response that does not state it
DEFAULT_ERROR_TTL = 10  # s, CloudFront's default
ALWAYS_CACHED = frozenset({404, 405, 410, 414, 500, 501, 502, 503, 504})  # with any max-age
CACHED_WITH_MAX_AGE = frozenset({400, 403, 412, 415})  # cached only if max-age is present
NO_STORE_APPLIES = frozenset({404, 410, 414, 501})  # errors whose no-store has an effect
ORIGIN_FAILURES = frozenset({500, 502, 503, 504})  # replaced by an expired response
OTHER = "other"  # all paths outside the API
_AGE = re.compile(r"(?:^|[,\s])(s-maxage|max-age|stale-if-error)=(\d{1,9})")
_NEVER = ("no-store", "no-cache", "private")
Key = tuple[Any, ...]
Origin = Callable[[Call], Awaitable[Answer]]


@dataclass(frozen=True)
class CachedResponse:
    """A response, the end of its freshness, and the end of its use if the origin fails.

    ``Age`` is the time since ``asked_at``, the start of the request to the origin.
    """

    answer: Answer
    asked_at: float
    until: float
    stale_until: float


class EdgeCache:
    """Serves an ASGI connection from the cache, or from the origin with the API key added."""

    def __init__(
        self,
        origin: Origin,
        api_key: str,
        rules: tuple[CacheRule, ...] = CACHE_RULES,
        monotonic: Callable[[], float] = time.monotonic,
        error_ttls: Mapping[int, int] = ERROR_TTLS,
    ) -> None:
        self._origin, self._api_key, self._monotonic = origin, api_key, monotonic
        self._rules, self._error_ttls = {rule.path: rule for rule in rules}, error_ttls
        self._kept: OrderedDict[Key, CachedResponse] = OrderedDict()
        self._in_progress: dict[Key, asyncio.Task[CachedResponse]] = {}
        counted = (*self._rules, JOIN, "/generate_token", OTHER)
        self.counts: dict[str, Counter[str]] = {path: Counter() for path in counted}

    async def __call__(self, scope: Mapping[str, Any], receive: Any, send: Any) -> None:
        """Serve an ASGI connection."""
        if scope["path"] == STATS:
            await write(self._stats(), send)
            return
        try:
            call = await read(scope, receive)
        except TooLong as error:
            body = json.dumps({"error": error.message}).encode()
            headers = {"Content-Type": "application/json", "Cache-Control": NO_STORE, **CORS}
            await write(Answer(error.status, tuple(headers.items()), body), send)
            return
        await write(await self.answer(call), send)

    async def answer(self, call: Call) -> Answer:
        """Return the response to a request, with ``x-cache`` and ``Age``."""
        rule = self._rules.get(call.path)
        counts = self.counts[call.path if call.path in self.counts else OTHER]
        # CloudFront's policy of a path is the same for all methods
        passed = (
            self._forwarded(call, CACHED_PATHS_HEADERS)
            if rule
            else self._forwarded(call, FORWARDED_HEADERS, FORWARDED_COOKIES)
        )
        if call.method not in ("GET", "HEAD"):
            counts["passed"] += 1
            return _marked(await self._origin(passed), "Miss from edge")
        pairs = tuple(
            pair
            for pair in parse_qsl(call.query, keep_blank_values=True)
            if rule and pair[0] in rule.key
        )
        key = (call.path, pairs)
        kept = self._kept.get(key)
        now = self._monotonic()
        if kept and now < kept.until:
            counts["hits"] += 1
            return _marked(kept.answer, "Hit from edge", int(now - kept.asked_at))
        if rule is None:
            counts["passed"] += 1
            return _marked((await self._ask(key, None, passed)).answer, "Miss from edge")
        counts["misses"] += 1
        asked = replace(passed, method="GET", query=urlencode(pairs))
        return _marked((await self._fetch(key, rule, asked, counts)).answer, "Miss from edge")

    def _forwarded(
        self, call: Call, headers: tuple[str, ...] = (), cookies: tuple[str, ...] = ()
    ) -> Call:
        """Return the request with these headers and cookies of the caller, and with the edge's."""
        names = {name.lower() for name in headers}
        many = {name: values for name, values in call.many_headers.items() if name in names}
        kept = {name: value for name, value in call.headers.items() if name in names}
        found = [
            pair.strip()
            for pair in call.headers.get("cookie", "").split(";")
            if pair.partition("=")[0].strip() in cookies
        ]
        own = {
            "host": ORIGIN_HOST,
            "x-api-key": self._api_key,
            "x-client-address": network(call.source_ip),
        }
        if found:
            own["cookie"] = "; ".join(found)
        many |= {name: [value] for name, value in own.items()}
        request_id = str(uuid.uuid4())  # the caller's header does not reach the API
        return replace(call, headers={**kept, **own}, many_headers=many, request_id=request_id)

    async def _fetch(
        self, key: Key, rule: CacheRule, call: Call, counts: Counter[str]
    ) -> CachedResponse:
        """Send the request to the origin, or share an identical request that is in progress."""
        task = self._in_progress.get(key)
        if task is None or not rule.shortest:
            counts["origin_calls"] += 1
            task = asyncio.create_task(self._ask(key, rule, call))
            if rule.shortest:
                self._in_progress[key] = task
                task.add_done_callback(lambda _: self._in_progress.pop(key, None))
        return await asyncio.shield(task)

    async def _ask(self, key: Key, rule: CacheRule | None, call: Call) -> CachedResponse:
        asked_at = self._monotonic()
        answer = await self._origin(call)
        now = self._monotonic()
        before = self._kept.get(key)
        if before and answer.status in ORIGIN_FAILURES and now < before.stale_until:
            wait = self._error_ttls.get(answer.status, DEFAULT_ERROR_TTL)
            kept = replace(before, until=min(now + wait, before.stale_until))
        else:
            seconds = self._seconds(answer, rule)
            until, stale = asked_at + seconds, _ages(answer).get("stale-if-error", DEFAULT_STALE)
            reusable = seconds > 0 and answer.status < 400  # errors are never served stale
            kept = CachedResponse(answer, asked_at, until, until + (stale if reusable else 0))
        if kept.stale_until > now:
            self._kept[key] = kept
            self._kept.move_to_end(key)
            self._evict(now)
        else:
            self._kept.pop(key, None)
        return kept

    def _seconds(self, answer: Answer, rule: CacheRule | None) -> int:
        """Return the TTL of a response; on paths without a rule only errors have one."""
        status = answer.status
        if status < 400:
            return lifetime(answer, rule) if rule else 0
        max_age = min(_age(answer), rule.longest) if rule else 0
        shortest = self._error_ttls.get(status, DEFAULT_ERROR_TTL)
        if _forbidden(answer):
            max_age, shortest = 0, 0 if status in NO_STORE_APPLIES else shortest
        if status in ALWAYS_CACHED:
            return max(max_age, shortest)
        return max(max_age, shortest) if status in CACHED_WITH_MAX_AGE and max_age else 0

    def _evict(self, now: float) -> None:
        """Remove expired responses, a few at each insert, and the oldest above the maximum."""
        for _ in range(min(EVICTION_CHECKS, len(self._kept))):
            key, kept = self._kept.popitem(last=False)
            if kept.stale_until > now:
                self._kept[key] = kept
        while len(self._kept) > MAX_RESPONSES:
            self._kept.popitem(last=False)

    def _stats(self) -> Answer:
        body = {
            "kept": len(self._kept),
            "paths": {path: dict(counts) for path, counts in self.counts.items() if counts},
        }
        headers = (("Content-Type", "application/json"), ("Cache-Control", "no-store"))
        return Answer(200, headers, json.dumps(body).encode())


def lifetime(answer: Answer, rule: CacheRule) -> int:
    """Return the TTL of a response below 400: its max-age within the limits of the rule."""
    max_age = 0 if _forbidden(answer) else _age(answer)
    return max(rule.shortest, min(max_age, rule.longest))


def _age(answer: Answer) -> int:
    ages = _ages(answer)
    return ages.get("s-maxage", ages.get("max-age", 0))


def _ages(answer: Answer) -> dict[str, int]:
    directives = answer.header("cache-control").lower()
    return {found[1]: int(found[2]) for found in _AGE.finditer(directives)}


def _forbidden(answer: Answer) -> bool:
    directives = answer.header("cache-control").lower()
    return any(word in directives for word in _NEVER)


def network(ip: str) -> str:
    """Return the IPv4 address or IPv6 /64 of a caller, like the CloudFront function."""
    try:
        address = ipaddress.ip_address(ip.partition("%")[0])
    except ValueError:
        return "unknown"
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.ipv4_mapped:
        return str(address.ipv4_mapped)
    words = address.exploded.split(":")[:4]
    return ":".join(f"{int(word, 16):x}" for word in words) + "::/64"


def _marked(answer: Answer, how: str, age: int | None = None) -> Answer:
    more = [("x-cache", how)]
    if age is not None:
        more.append(("Age", str(age)))
    return replace(answer, headers=(*answer.headers, *more))
