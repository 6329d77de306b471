# SPDX-License-Identifier: Apache-2.0
"""The edge cache in front of the public API: it obeys the answers' ``Cache-Control``.

What it keys a path on, and the longest it keeps it, are the deployment's own rules. Callers that
miss together wait for one call to the origin. ``GET /__edge/stats`` counts (here only, not on AWS).
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qsl, urlencode

from deployment.local.proxy_events import Answer, Call, TooLong, read, write
from infrastructure.resources import (
    CACHE_RULES,
    FORWARDED_COOKIES,
    FORWARDED_HEADERS,
    CacheRule,
)
from waiting_room.web import CORS, NO_STORE

STATS = "/__edge/stats"
MOST_KEPT = 100_000  # answers
ORIGIN_HOST = "origin"  # the origin's own name, which stands in place of the caller's
_AGE = re.compile(r"(?:^|[,\s])(s-maxage|max-age)=(\d{1,9})")
_NEVER = ("no-store", "no-cache", "private")
Key = tuple[Any, ...]
Origin = Callable[[Call], Awaitable[Answer]]


@dataclass(frozen=True)
class Kept:
    """An answer and until when it is fresh; its age counts from when the origin was asked."""

    answer: Answer
    asked_at: float
    until: float


class Edge:
    """Serves an ASGI connection from what it keeps, or from the origin with the API key added."""

    def __init__(
        self,
        origin: Origin,
        api_key: str,
        rules: tuple[CacheRule, ...] = CACHE_RULES,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._origin, self._api_key, self._monotonic = origin, api_key, monotonic
        self._rules = {rule.path: rule for rule in rules}
        self._kept: OrderedDict[Key, Kept] = OrderedDict()
        self._under_way: dict[Key, asyncio.Task[Kept]] = {}
        self.counts: defaultdict[str, Counter[str]] = defaultdict(Counter)

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
        if rule is None or call.method not in ("GET", "HEAD"):
            self.counts[call.path]["passed"] += 1
            passed = self._forwarded(call, FORWARDED_HEADERS, FORWARDED_COOKIES)
            return _marked(await self._origin(passed), "Miss from edge")
        pairs = tuple(
            pair for pair in parse_qsl(call.query, keep_blank_values=True) if pair[0] in rule.query
        )
        given = tuple(call.headers.get(name.lower(), "") for name in rule.headers)
        key = (call.path, pairs, given)
        kept = self._kept.get(key)
        now = self._monotonic()
        if kept and now < kept.until:
            self.counts[call.path]["hits"] += 1
            return _marked(kept.answer, "Hit from edge", int(now - kept.asked_at))
        self.counts[call.path]["misses"] += 1
        return _marked((await self._fetch(key, rule, call, pairs)).answer, "Miss from edge")

    def _forwarded(
        self, call: Call, headers: tuple[str, ...], cookies: tuple[str, ...] = ()
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
        own = {"host": ORIGIN_HOST, "x-api-key": self._api_key}
        if found:
            own["cookie"] = "; ".join(found)
        many |= {name: [value] for name, value in own.items()}
        return replace(call, headers={**kept, **own}, many_headers=many)

    async def _fetch(
        self, key: Key, rule: CacheRule, call: Call, pairs: tuple[tuple[str, str], ...]
    ) -> Kept:
        """Ask the origin, or wait with others who ask it for the same."""
        task = self._under_way.get(key)
        if task is None:
            self.counts[call.path]["origin_calls"] += 1
            forwarded = self._forwarded(call, rule.headers)
            asked = replace(forwarded, method="GET", query=urlencode(pairs))
            task = asyncio.create_task(self._ask(key, rule, asked))
            self._under_way[key] = task
            task.add_done_callback(lambda _: self._under_way.pop(key, None))
        return await asyncio.shield(task)

    async def _ask(self, key: Key, rule: CacheRule, call: Call) -> Kept:
        asked_at = self._monotonic()
        answer = await self._origin(call)
        kept = Kept(answer, asked_at, asked_at + min(lifetime(answer), rule.longest))
        if kept.until > self._monotonic():
            self._kept[key] = kept
            self._kept.move_to_end(key)
            while len(self._kept) > MOST_KEPT:
                self._kept.popitem(last=False)
        else:
            self._kept.pop(key, None)
        return kept

    def _stats(self) -> Answer:
        body = {
            "kept": len(self._kept),
            "paths": {path: dict(c) for path, c in self.counts.items()},
        }
        headers = (("Content-Type", "application/json"), ("Cache-Control", "no-store"))
        return Answer(200, headers, json.dumps(body).encode())


def lifetime(answer: Answer) -> int:
    """Seconds that an answer may be kept; 0 for answers that do not say so."""
    said = answer.header("cache-control").lower()
    if any(word in said for word in _NEVER):
        return 0
    ages = {found[1]: int(found[2]) for found in _AGE.finditer(said)}
    return ages.get("s-maxage", ages.get("max-age", 0))


def _marked(answer: Answer, how: str, age: int | None = None) -> Answer:
    more = [("x-cache", how)]
    if age is not None:
        more.append(("Age", str(age)))
    return replace(answer, headers=(*answer.headers, *more))
