# SPDX-License-Identifier: Apache-2.0
"""Faults between the room and its servers, call by call.

A crash is no Exception: nothing in the room can catch it, as nothing catches the end of a process.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from io import BytesIO
from typing import Any

from botocore.awsrequest import AWSResponse
from botocore.exceptions import ReadTimeoutError
from redis.exceptions import TimeoutError as RedisTimeout

from tests.support import servers
from tests.support.in_memory_room import settings
from tests.support.real_stores import RealRoom
from waiting_room.adapters.aws import AWS_ATTEMPTS
from waiting_room.adapters.dynamodb.outcomes import DynamoOutcomes
from waiting_room.adapters.dynamodb.positions import DynamoPositions
from waiting_room.adapters.dynamodb.public_keys import DynamoPublicKeys
from waiting_room.adapters.dynamodb.serving_log import DynamoServingLog
from waiting_room.adapters.redis.counters import RedisCounters, connect
from waiting_room.domain.room_settings import KEY_CACHE
from waiting_room.use_cases.room import Room, Stores, build_room

OPERATIONS = (
    "get_item", "put_item", "update_item", "query", "batch_get_item", "batch_execute_statement",
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
        self.lost_answers = self.replayed = 0.0
        self.made: dict[str, int] = {}
        self._lock = threading.Lock()

    def plan(self, crash_at: int, before: bool) -> None:
        """Crash at a call, counted from now."""
        self.calls, self.log, self.dead = 0, [], False
        self.crash_at, self.before = crash_at, before

    def happens(self, share: float, what: str) -> bool:
        """Whether a fault of this share strikes now; counted under its name."""
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

    One that ``repeats`` sends a call again whose answer was lost, as botocore does by itself; so a
    conditional write meets its own effect.
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
        if name != "query" and faults.happens(faults.lost_answers, "made, answer lost"):
            raise ReadTimeoutError(endpoint_url="https://dynamodb")
        return answer

    def _statements(self, call: Callable[..., Any], request: dict[str, Any]) -> Any:
        """Some statements are throttled; they are not made."""
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
        if faults.happens(faults.lost_answers, "made, answer lost"):
            raise ReadTimeoutError(endpoint_url="https://dynamodb")
        return answer

    def _keys(self, call: Callable[..., Any], request: dict[str, Any]) -> Any:
        """Some keys come back unprocessed."""
        faults = self._faults
        asked: dict[str, Any] = {}
        left: dict[str, Any] = {}
        for table, part in request["RequestItems"].items():
            for key in part["Keys"]:
                held = faults.happens(faults.unprocessed, "key unprocessed")
                goes = left if held else asked
                goes.setdefault(table, {**part, "Keys": []})["Keys"].append(key)
        answer = call(RequestItems=asked) if asked else {"Responses": {}}
        return {**answer, "UnprocessedKeys": left}

    def _maybe_old(self, call: Callable[..., Any], request: dict[str, Any]) -> Any:
        """An eventually consistent read may answer what it answered before, or nothing yet."""
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
            raise RedisTimeout("no answer")
        answer = faults.around("redis", lambda: call(*args, **options))
        if faults.happens(faults.lost_answers, "counters made, answer lost"):
            raise RedisTimeout("no answer")
        return answer

    return made


class _Raw(BytesIO):
    """The body of an answer that no server gave."""

    def stream(self) -> Iterator[bytes]:
        yield self.read()


def throttle(client: Any, faults: Faults) -> Any:
    """Let requests of a botocore client be throttled, before its own retries."""

    def refuse(request: Any, **_: Any) -> AWSResponse | None:
        if not faults.happens(faults.throttled, "throttled"):
            return None
        body = b'{"__type":"com.amazonaws.dynamodb.v20120810#ThrottlingException"}'
        return AWSResponse(request.url, 400, {"x-amzn-requestid": "x"}, _Raw(body))

    client.meta.events.register("before-send.dynamodb.*", refuse)
    return client


class FaultyPort:
    """Any port whose methods go through ``faults``."""

    def __init__(self, port: Any, faults: Faults) -> None:
        self._port, self._faults = port, faults

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._port, name)
        return lambda *args, **options: self._faults.around(name, lambda: method(*args, **options))


def faulty_room(real: RealRoom, faults: Faults) -> Room:
    """Another process on the servers of ``real``, whose every call goes through ``faults``."""
    positions, tokens, log = (
        real.names[key] for key in ("QUEUE_POSITIONS_TABLE", "TOKENS_TABLE", "SERVING_LOG_TABLE")
    )
    plain, once = real.dynamodb, real.single
    if faults.throttled:
        plain, once = (
            throttle(servers.aws_client("dynamodb", real.dynamodb_url, attempts), faults)
            for attempts in (AWS_ATTEMPTS, 1)
        )
    client, single = FaultyClient(plain, faults), FaultyClient(once, faults, repeats=False)
    return build_room(
        settings(EVENT_ID=real.event_id, **real.options),
        Stores(
            RedisCounters(faulty_redis(connect("127.0.0.1", real.valkey.port), faults)),
            DynamoPositions(client, positions, log),
            DynamoOutcomes(client, tokens),
            DynamoServingLog(client, single, log),
            FaultyPort(real.keys, faults),  # type: ignore[arg-type]
            DynamoPublicKeys(client, log, time.monotonic, KEY_CACHE),
            FaultyPort(real.events, faults),  # type: ignore[arg-type]
        ),
        real.clock,
        time.sleep,
    )
