# SPDX-License-Identifier: Apache-2.0
"""Fault injection between the room and its stores, call by call.

``FaultInjector`` fails the next call of a method of a port. ``Faults`` decides at each call of a
client or a port: a crash, a time limit, throttling, a lost response. A crash is no Exception:
nothing in the room can catch it, as nothing catches the end of a process.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from io import BytesIO
from typing import Any

from botocore.awsrequest import AWSResponse
from botocore.exceptions import ReadTimeoutError
from redis.exceptions import TimeoutError as RedisTimeout

from waiting_room.domain.errors import Unavailable

OPERATIONS = (
    "get_item", "put_item", "update_item", "query", "batch_get_item", "batch_execute_statement",
    "transact_write_items",
    "put_events", "get_secret_value", "put_secret_value",
    "update_secret_version_stage",
)  # fmt: skip


class Crash(BaseException):
    """The process ends here."""


class Faults:
    """Decides at each call what happens to it. ``crash_at`` counts calls from 1; 0 is never.

    ``before`` says whether the crash comes before the call or after it was made.
    """

    def __init__(self, seed: int = 0) -> None:
        self.dice = random.Random(seed)
        self.calls = 0
        self.log: list[str] = []
        self.crash_at, self.before = 0, True
        self.dead = False
        self.throttled = self.unprocessed = self.timeouts = self.stale = 0.0
        self.lost_responses = self.replayed = 0.0
        self.made: dict[str, int] = {}
        self._lock = threading.Lock()

    def plan(self, crash_at: int, before: bool) -> None:
        """Crash at a call, counted from now."""
        self.calls, self.log, self.dead = 0, [], False
        self.crash_at, self.before = crash_at, before

    def happens(self, share: float, what: str) -> bool:
        """Return whether a fault of this share happens now, and count it under its name."""
        with self._lock:
            strikes = share > 0 and self.dice.random() < share
            if strikes:
                self.made[what] = self.made.get(what, 0) + 1
            return strikes

    def around(self, name: str, call: Callable[[], Any]) -> Any:
        """Make a call, or crash at it."""
        with self._lock:
            self.calls += 1
            mine = self.calls == self.crash_at
            self.log.append(name)
            dead, self.dead = self.dead, self.dead or mine
        if dead or (mine and self.before):
            raise Crash(f"before {name}")
        answer = call()
        if mine:
            raise Crash(f"after {name}")
        return answer


class FaultyClient:
    """A botocore client whose calls go through ``faults``.

    One that ``repeats`` retries a call whose response was lost, as botocore does. A conditional
    write then conflicts with its own effect.
    """

    def __init__(self, client: Any, faults: Faults, *, repeats: bool = True) -> None:
        self._client, self._faults, self._repeats = client, faults, repeats
        self._older: dict[str, Any] = {}

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._client, name)
        if name not in OPERATIONS:
            return found
        return lambda **request: self._faults.around(name, lambda: self._call(name, found, request))

    def _call(self, name: str, call: Callable[..., Any], request: dict[str, Any]) -> Any:
        faults = self._faults
        if faults.happens(faults.timeouts, "timed out, not made"):
            raise ReadTimeoutError(endpoint_url="https://dynamodb")
        if name == "batch_execute_statement":
            return self._statements(call, request)
        if name == "batch_get_item":
            return self._keys(call, request)
        if name == "get_item" and not request.get("ConsistentRead"):
            return self._maybe_old(call, request)
        answer = call(**request)
        if self._repeats and faults.happens(faults.replayed, "made, sent again"):
            answer = call(**request)
        if name != "query" and faults.happens(faults.lost_responses, "made, response lost"):
            raise ReadTimeoutError(endpoint_url="https://dynamodb")
        return answer

    def _statements(self, call: Callable[..., Any], request: dict[str, Any]) -> Any:
        """Throttle some statements; they have no effect."""
        faults = self._faults
        statements = request["Statements"]
        busy = [faults.happens(faults.unprocessed, "statement throttled") for _ in statements]
        passed = [one for one, held in zip(statements, busy, strict=True) if not held]
        answers = iter(call(Statements=passed)["Responses"] if passed else [])
        error = {"Error": {"Code": "ThrottlingError", "Message": "slow down"}}
        answer = {"Responses": [error if held else next(answers) for held in busy]}
        if passed and faults.happens(faults.replayed, "made, sent again"):
            answers = iter(call(Statements=passed)["Responses"])
            answer = {"Responses": [error if held else next(answers) for held in busy]}
        if faults.happens(faults.lost_responses, "made, response lost"):
            raise ReadTimeoutError(endpoint_url="https://dynamodb")
        return answer

    def _keys(self, call: Callable[..., Any], request: dict[str, Any]) -> Any:
        """Return some keys as unprocessed."""
        faults = self._faults
        requested: dict[str, Any] = {}
        unprocessed: dict[str, Any] = {}
        for table, part in request["RequestItems"].items():
            for key in part["Keys"]:
                held = faults.happens(faults.unprocessed, "key unprocessed")
                goes = unprocessed if held else requested
                goes.setdefault(table, {**part, "Keys": []})["Keys"].append(key)
        answer = call(RequestItems=requested) if requested else {"Responses": {}}
        return {**answer, "UnprocessedKeys": unprocessed}

    def _maybe_old(self, call: Callable[..., Any], request: dict[str, Any]) -> Any:
        """Return the previous result of an eventually consistent read, or none."""
        faults, key = self._faults, repr(request)
        if faults.happens(faults.stale, "stale read"):
            return self._older.get(key, {})
        answer = self._older[key] = call(**request)
        return answer


def faulty_redis(client: Any, faults: Faults) -> Any:
    """Let a client's scripts go through ``faults``."""
    for name in ("evalsha", "eval"):
        setattr(client, name, _through(faults, getattr(client, name)))
    return client


def _through(faults: Faults, call: Callable[..., Any]) -> Callable[..., Any]:
    def made(*args: Any, **options: Any) -> Any:
        if faults.happens(faults.timeouts, "counters timed out, not made"):
            raise RedisTimeout("no response")
        answer = faults.around("redis", lambda: call(*args, **options))
        if faults.happens(faults.lost_responses, "counters made, response lost"):
            raise RedisTimeout("no response")
        return answer

    return made


class _Raw(BytesIO):
    """Body of a simulated response."""

    def stream(self) -> Iterator[bytes]:
        yield self.read()


def throttle(client: Any, faults: Faults) -> Any:
    """Let requests of a botocore client be throttled, before its own retries."""

    def refuse(request: Any, **_: Any) -> AWSResponse | None:
        if not faults.happens(faults.throttled, "throttled"):
            return None
        body = b'{"__type":"com.amazonaws.dynamodb.v20120810#ThrottlingException"}'
        return AWSResponse(request.url, 400, {"x-amzn-requestid": "x"}, _Raw(body))  # type: ignore[arg-type]

    client.meta.events.register("before-send.dynamodb.*", refuse)
    return client


class WrappedPort:
    """A port whose methods are called through ``around(name, call)``."""

    def __init__(self, port: Any, around: Callable[[str, Callable[[], Any]], Any]) -> None:
        self.store, self._around = port, around

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.store, name)
        if not callable(method):
            return method
        return lambda *args, **options: self._around(name, lambda: method(*args, **options))


class FaultyPort(WrappedPort):
    """A port whose methods go through ``faults``."""

    def __init__(self, port: Any, faults: Faults) -> None:
        super().__init__(port, faults.around)


class FaultInjector(WrappedPort):
    """A store whose next call of a method fails before or after its effect; ``calls`` lists all."""

    def __init__(self, store: Any) -> None:
        super().__init__(store, self._planned)
        self.plan: dict[str, list[str]] = {}
        self.calls: list[str] = []

    def fail(self, method: str, when: str) -> None:
        """Let the next call of ``method`` raise Unavailable, ``before`` or ``after`` its effect.

        The method ``*`` is any method without a plan of its own.
        """
        self.plan.setdefault(method, []).append(when)

    def _planned(self, name: str, call: Callable[[], Any]) -> Any:
        self.calls.append(name)
        planned = self.plan.get(name) or self.plan.get("*") or []
        when = planned.pop(0) if planned else ""
        if when == "before":
            raise Unavailable(f"{name} fails before its effect")
        found = call()
        if when == "after":
            raise Unavailable(f"{name} fails after its effect")
        return found
