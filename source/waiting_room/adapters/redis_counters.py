# SPDX-License-Identifier: Apache-2.0
"""The counters on a server that speaks the Redis protocol: one script, one round trip a method.

All keys of an event share one hash slot. The scripts lie in ``lua/``, each with its own header.
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from importlib import resources
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.exceptions import (
    BusyLoadingError,
    NoScriptError,
    ReadOnlyError,
    RedisError,
    ResponseError,
)
from redis.retry import Retry

from waiting_room import serving
from waiting_room.errors import CountersLost, Unavailable
from waiting_room.ports import Claim
from waiting_room.records import (
    Admission,
    Counts,
    EventState,
    ServingMove,
    SessionStatus,
    Snapshot,
)
from waiting_room.settings import RATE_WINDOW, REDIS_TIMEOUT

CLAIM_LIFE = 60  # seconds; a worker is dead after its 30 s, so a claim this old is nobody's
DEAD_BUCKETS = 600  # seconds the figures of dead tokens stay, so that skewed clocks still agree
KEYS = ("state", "served", "holes", "taken", "ended", "live", "live_count")


def connect(
    host: str, port: int, *, tls: bool = False, password: Callable[[], str] | None = None
) -> redis.Redis:
    """A client that gives up in time; ``password`` is asked at each new connection (rotation)."""
    return redis.Redis(
        host=host,
        port=port,
        ssl=tls,
        credential_provider=_Password(password) if password else None,
        socket_timeout=REDIS_TIMEOUT,
        socket_connect_timeout=REDIS_TIMEOUT,
        retry=Retry(NoBackoff(), 1),
        health_check_interval=0,
        driver_info=None,
        protocol=2,
    )


class _Password(redis.CredentialProvider):
    """Asks for the password at every new connection."""

    def __init__(self, password: Callable[[], str]) -> None:
        self._password = password

    def get_credentials(self) -> tuple[str]:
        return (self._password(),)


@cache
def _source(name: str) -> str:
    folder = resources.files("waiting_room.adapters") / "lua"
    return (folder / "alive.lua").read_text() + (folder / f"{name}.lua").read_text()


class RedisCounters:
    """The Counters port on Redis or Valkey."""

    def __init__(self, client: redis.Redis) -> None:
        self._client = client
        self._hashes: dict[str, str] = {}

    def look(self, event_id: str, now: int) -> Counts:
        """All figures."""
        answer = self._run("look", event_id, [now, RATE_WINDOW])
        figures = [int(part) for part in answer[:-1]]
        return Counts(*figures, message=answer[-1].decode())  # type: ignore[misc, arg-type]

    def admission(self, event_id: str, position: int) -> Admission:
        """What is known about one position."""
        generation, stands, swept, at, counted = self._run("admission", event_id, [position])
        return Admission(generation, stands, swept, None if at < 0 else at, bool(counted))

    def claim(self, event_id: str, request_ids: Sequence[str], now: int) -> list[Claim]:
        """Note that this worker has these joins."""
        hour = now // 3600
        extra = [self._key(event_id, f"seen:{hour}"), self._key(event_id, f"seen:{hour - 1}")]
        arguments = [now, CLAIM_LIFE, uuid.uuid4().hex, *request_ids]
        return [Claim(answer) for answer in self._run("claim", event_id, arguments, extra)]

    def apply(self, state: EventState, moves: Sequence[ServingMove] = ()) -> None:
        """Bring the copy up to ``state``."""
        step = state.move
        parts = _lines(serving.segments(moves))
        self._run(
            "apply",
            state.event_id,
            [
                state.generation,
                state.version,
                state.queue,
                state.serving,
                state.swept,
                state.expired,
                state.audited,
                state.holes,
                state.message,
                repr(state.message_at),
                f"{step.previous}:{step.current}:{step.at}" if step else "",
                int(bool(moves)),
                len(parts),
                *parts,
                *state.known_holes,
            ],
        )

    def count_token(self, event_id: str, generation: int, position: int, expires_at: int) -> None:
        """Count a token once."""
        self._run("count_token", event_id, [generation, position, expires_at])

    def count_session(
        self,
        event_id: str,
        generation: int,
        position: int,
        expires_at: int,
        status: SessionStatus,
    ) -> None:
        """Count an ended session once."""
        self._run("count_session", event_id, [generation, position, expires_at, status.value])

    def restore(self, snapshot: Snapshot, *, force: bool = False) -> bool:
        """Replace the copy in one step."""
        state, rows = snapshot.state, snapshot.tokens
        ended = [row for row in rows if row.status is not SessionStatus.OPEN]
        live = Counter(row.expires_at for row in rows if row.status is SessionStatus.OPEN)
        by_status = Counter(row.status for row in ended)
        fields: dict[str, Any] = {
            "generation": state.generation,
            "version": state.version,
            "queue": state.queue,
            "serving": state.serving,
            "swept": state.swept,
            "expired": state.expired,
            "audited": state.audited,
            "holes": state.holes,
            "settled": state.settled,
            "message": state.message,
            "message_at": repr(state.message_at),
            "tokens": state.settled_tokens + len(rows),
            "live": live.total(),
            "completed": state.settled_completed + by_status[SessionStatus.COMPLETED],
            "abandoned": state.settled_abandoned + by_status[SessionStatus.ABANDONED],
        }
        parts = _lines(serving.segments(snapshot.moves))
        arguments = [
            int(force),
            _bitmap(row.position for row in rows),
            _bitmap(row.position for row in ended),
            len(fields),
            len(parts),
            len(live),
            *(part for pair in fields.items() for part in pair),
            *parts,
            *(part for pair in live.items() for part in pair),
            *(hole for hole in state.known_holes if hole > state.audited),
        ]
        return bool(self._run("restore", state.event_id, arguments))

    def trim(self, event_id: str, now: int) -> None:
        """Forget what no answer needs any more."""
        self._run("trim", event_id, [now - DEAD_BUCKETS, now - RATE_WINDOW])

    def _key(self, event_id: str, name: str) -> str:
        return f"waiting_room:{{{event_id}}}:{name}"

    def _run(
        self, name: str, event_id: str, arguments: Sequence[Any], extra: Sequence[str] = ()
    ) -> Any:
        keys = [*(self._key(event_id, key) for key in KEYS), *extra]
        try:
            return self._evaluate(name, keys, arguments)
        except (ReadOnlyError, BusyLoadingError) as error:
            self._client.connection_pool.disconnect()
            raise Unavailable(f"the counters are moving: {type(error).__name__}") from None
        except ResponseError as error:
            if str(error).startswith("LOST"):
                raise CountersLost(name) from None
            raise
        except RedisError as error:
            raise Unavailable(f"the counters did not answer: {type(error).__name__}") from None

    def _evaluate(self, name: str, keys: Sequence[str], arguments: Sequence[Any]) -> Any:
        known = self._hashes.get(name)
        if known:
            try:
                return self._client.evalsha(known, len(keys), *keys, *arguments)
            except NoScriptError:
                pass
        source = _source(name)
        answer = self._client.eval(source, len(keys), *keys, *arguments)
        self._hashes[name] = self._hash(source)
        return answer

    @staticmethod
    def _hash(source: str) -> str:
        import hashlib

        return hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest()


def _lines(parts: Iterable[serving.Segment]) -> list[str]:
    return [f"{part.first}:{part.last}:{part.at}" for part in parts]


def _bitmap(positions: Iterable[int]) -> bytes:
    """A bitmap as SETBIT would make it: position 0 is the highest bit of the first byte."""
    bits = bytearray()
    for position in positions:
        byte = position >> 3
        if byte >= len(bits):
            bits.extend(bytes(byte + 1 - len(bits) + 1024))
        bits[byte] |= 0x80 >> (position & 7)
    return bytes(bits)
