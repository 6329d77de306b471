# SPDX-License-Identifier: Apache-2.0
"""The edge cache in front of the public API, as AWS documents CloudFront.

What a path is keyed on, the shortest and longest time that it is kept and how long errors are kept
are the deployment's own definitions. Callers that miss together wait for one call to the origin
only where the shortest time is above 0: elsewhere CloudFront does not promise it. ``GET
/__edge/stats`` counts (here only, not on AWS).
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
MOST_KEPT = 100_000  # answers
ORIGIN_HOST = "origin"  # the origin's own name, which stands in place of the caller's
LOOKED_AT = 2  # oldest answers looked at for each one kept: those that are no more use go
STALE = 600  # s that an expired answer is of use where it does not say so itself
DEFAULT_ERROR_TTL = 10  # s, CloudFront's own
ALWAYS_KEPT = frozenset({404, 405, 410, 414, 500, 501, 502, 503, 504})  # errors, said or not
KEPT_IF_SAID = frozenset({400, 403, 412, 415})  # errors kept only with an age of their own
OBEYED = frozenset({404, 410, 414, 501})  # errors whose no-store counts
AWAY = frozenset({500, 502, 503, 504})  # an expired answer is better than these
OTHER = "other"  # every path that is none of the API's, together
_AGE = re.compile(r"(?:^|[,\s])(s-maxage|max-age|stale-if-error)=(\d{1,9})")
_NEVER = ("no-store", "no-cache", "private")
Key = tuple[Any, ...]
Origin = Callable[[Call], Awaitable[Answer]]


@dataclass(frozen=True)
class CachedResponse:
    """An answer, until when it is fresh, and until when it may stand for an origin that is away.

    Its age counts from when the origin was asked.
    """

    answer: Answer
    asked_at: float
    until: float
    stale_until: float


class EdgeCache:
    """Serves an ASGI connection from what it keeps, or from the origin with the API key added."""

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
        self._under_way: dict[Key, asyncio.Task[CachedResponse]] = {}
        known = (*self._rules, JOIN, "/generate_token", OTHER)
        self.counts: dict[str, Counter[str]] = {path: Counter() for path in known}

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
        """The answer to a call, with ``x-cache`` and ``Age``."""
        rule = self._rules.get(call.path)
        counts = self.counts[call.path if call.path in self.counts else OTHER]
        # CloudFront's policy for a path, whatever the method
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
        """The call with these headers and cookies of the caller, and the edge's own."""
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
        request_id = str(uuid.uuid4())  # the header that set the caller's does not reach the API
        return replace(call, headers={**kept, **own}, many_headers=many, request_id=request_id)

    async def _fetch(
        self, key: Key, rule: CacheRule, call: Call, counts: Counter[str]
    ) -> CachedResponse:
        """Ask the origin or, where calls collapse, wait with others who ask it for the same."""
        task = self._under_way.get(key)
        if task is None or not rule.shortest:
            counts["origin_calls"] += 1
            task = asyncio.create_task(self._ask(key, rule, call))
            if rule.shortest:
                self._under_way[key] = task
                task.add_done_callback(lambda _: self._under_way.pop(key, None))
        return await asyncio.shield(task)

    async def _ask(self, key: Key, rule: CacheRule | None, call: Call) -> CachedResponse:
        asked_at = self._monotonic()
        answer = await self._origin(call)
        now = self._monotonic()
        before = self._kept.get(key)
        if before and answer.status in AWAY and now < before.stale_until:
            wait = self._error_ttls.get(answer.status, DEFAULT_ERROR_TTL)
            kept = replace(before, until=min(now + wait, before.stale_until))
        else:
            seconds = self._seconds(answer, rule)
            until, stale = asked_at + seconds, _ages(answer).get("stale-if-error", STALE)
            was_kept = seconds > 0 and answer.status < 400  # else there is nothing to serve stale
            kept = CachedResponse(answer, asked_at, until, until + (stale if was_kept else 0))
        if kept.stale_until > now:
            self._kept[key] = kept
            self._kept.move_to_end(key)
            self._forget(now)
        else:
            self._kept.pop(key, None)
        return kept

    def _seconds(self, answer: Answer, rule: CacheRule | None) -> int:
        """How long an answer of a path is kept; paths without a rule keep nothing but errors."""
        status = answer.status
        if status < 400:
            return lifetime(answer, rule) if rule else 0
        said = min(_age(answer), rule.longest) if rule else 0
        least = self._error_ttls.get(status, DEFAULT_ERROR_TTL)
        if _forbidden(answer):
            said, least = 0, 0 if status in OBEYED else least
        if status in ALWAYS_KEPT:
            return max(said, least)
        return max(said, least) if status in KEPT_IF_SAID and said else 0

    def _forget(self, now: float) -> None:
        """Leave out a few answers that are no more use: as many as come in, and more."""
        for _ in range(min(LOOKED_AT, len(self._kept))):
            key, kept = self._kept.popitem(last=False)
            if kept.stale_until > now:
                self._kept[key] = kept
        while len(self._kept) > MOST_KEPT:
            self._kept.popitem(last=False)

    def _stats(self) -> Answer:
        body = {
            "kept": len(self._kept),
            "paths": {path: dict(counts) for path, counts in self.counts.items() if counts},
        }
        headers = (("Content-Type", "application/json"), ("Cache-Control", "no-store"))
        return Answer(200, headers, json.dumps(body).encode())


def lifetime(answer: Answer, rule: CacheRule) -> int:
    """Seconds that an answer which is no error is kept: what it says, within the rule's limits."""
    said = 0 if _forbidden(answer) else _age(answer)
    return max(rule.shortest, min(said, rule.longest))


def _age(answer: Answer) -> int:
    ages = _ages(answer)
    return ages.get("s-maxage", ages.get("max-age", 0))


def _ages(answer: Answer) -> dict[str, int]:
    said = answer.header("cache-control").lower()
    return {found[1]: int(found[2]) for found in _AGE.finditer(said)}


def _forbidden(answer: Answer) -> bool:
    said = answer.header("cache-control").lower()
    return any(word in said for word in _NEVER)


def network(ip: str) -> str:
    """Whom a request counts for: an IPv4 address, or an IPv6 /64, as the function at the edge."""
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
