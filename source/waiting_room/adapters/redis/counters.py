# SPDX-License-Identifier: Apache-2.0
"""The counters on Redis or Valkey: each method runs one script in one round trip.

redis-py sends the hash of a script. A server that does not know the script costs two more round
trips, once for each script after it started. The module has more than 300 lines because each method
lists the arguments of its script.

All keys of an event share one hash slot. The scripts are in ``lua/``, each with its own header.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Sequence
from functools import cache, lru_cache
from hashlib import blake2b
from importlib import resources
from itertools import chain
from typing import TYPE_CHECKING, Any

import redis
from redis.backoff import NoBackoff
from redis.commands.core import Script
from redis.exceptions import (
    BusyLoadingError,
    ClusterDownError,
    MasterDownError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    ResponseError,
    TryAgainError,
)
from redis.retry import Retry

from waiting_room.domain import serving_counter
from waiting_room.domain.errors import CountersLost, Unavailable
from waiting_room.domain.limits import LATEST_MOVES, RATE_WINDOW, SHORTEST_RATE
from waiting_room.domain.metrics import ServingNumber, WaitingNumber
from waiting_room.domain.ports.counters import JoinLease, RebuildLease
from waiting_room.domain.records import (
    NO_DETAILS,
    Counts,
    EventState,
    PositionStatus,
    Segment,
    ServingMove,
    SessionStatus,
    StateDetails,
)

if TYPE_CHECKING:
    from waiting_room.domain.counter_snapshot import (
        Checkpoint,
        CounterUpkeepRequest,
        LiveToken,
        Snapshot,
    )

REDIS_TIMEOUT = 1.0  # seconds to connect or to respond; three attempts fit into API Gateway's 29
JOIN_LEASE_LIFE = 60  # seconds; a worker ends after 30 s, so an older lease has no owner
LEASE_BUCKETS = 16_384  # of an event and hour; fewer make scripts slow, more need memory
TOKEN_BYTES = 3  # of a call that takes leases
DEAD_BUCKETS = 600  # seconds for which counts of expired tokens are kept, against clock skew
REBUILD_LIFE = 3_000  # ms after which another caller may take over a rebuild
# Temporary errors of a server: out of memory, snapshot not written, replicas missing …
NOT_NOW = (ClusterDownError, MasterDownError, OutOfMemoryError, TryAgainError)
NOT_NOW_CODES = ("BUSY", "LOADING", "MISCONF", "NOREPLICAS", "UNBLOCKED")
PARTS = {  # functions of several scripts, and the scripts that use them
    "segments": ("apply", "restore", "trim"),
    "holes": ("apply", "restore"),
    "leases": ("acquire_join_leases", "release_join_leases"),
    "summary": ("apply", "restore", "trim"),
    "living": ("counts", "trim"),
    "counting": ("checkpoint", "count_session", "count_token", "recount", "trim"),
}
KEYS = (
    "state",
    "served",
    "holes",
    "taken",
    "ended",
    "live",
    "live_count",
    "served_times",
    "sessions",
)


def connect(
    host: str, port: int, *, tls: bool = False, password: Callable[[], str] | None = None
) -> redis.Redis:
    """Return a client with timeouts; each new connection calls ``password`` (for rotation)."""
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
    """Reads the password at every new connection."""

    def __init__(self, password: Callable[[], str]) -> None:
        self._password = password

    def get_credentials(self) -> tuple[str]:
        return (self._password(),)


@cache
def source(name: str) -> str:
    """Return the text of a script, after the functions that it shares with others."""
    folder = resources.files("waiting_room.adapters.redis") / "lua"
    shared = (part for part, users in PARTS.items() if name in users)
    return "".join((folder / f"{part}.lua").read_text() for part in ("alive", *shared, name))


def _key(event_id: str, name: str) -> str:
    return f"waiting_room:{{{event_id}}}:{name}"


@lru_cache(1_000)
def _event_keys(event_id: str) -> tuple[str, ...]:
    """Return the keys that every script gets, in the order of KEYS."""
    return tuple(_key(event_id, name) for name in KEYS)


def short_id(request_id: str) -> bytes:
    """Return the bucket (2 bytes) of a join's lease, and 7 bytes that find it there.

    Two requests with the same 9 bytes are one for the leases. The rows of the positions decide who
    has a position, so the later one may wait for its next delivery (decision 0161).
    """
    digest = blake2b(request_id.encode(), digest_size=9).digest()
    return bytes([digest[0] % (LEASE_BUCKETS // 256)]) + digest[1:]


COUNTS_PARTS = 9  # values that counts.lua returns


class RedisCounters:
    """The Counters port on Redis or Valkey."""

    def __init__(self, client: redis.Redis) -> None:
        self._client = client
        self._scripts: dict[str, Script] = {}

    def counts(self, event_id: str, now: int) -> Counts:
        """Return all counts of an event."""
        result = self._run("counts", event_id, [now, RATE_WINDOW, SHORTEST_RATE])
        if len(result) != COUNTS_PARTS:
            raise TypeError(f"counts.lua returns {len(result)} values instead of {COUNTS_PARTS}")
        summary, latest, tokens, active, completed, abandoned, sessions, admitted, shortly = result
        numbers, _, message = summary.partition(b"\n")
        generation, queue, serving, holes, expired, *others = map(int, numbers.split(b" "))
        version, lowering, reconciled_at, swept_at, first_moved_at = others
        oldest, *segments = latest.split(b" ")
        admitting_since = int(oldest or 0)
        moves = tuple(map(_segment, reversed(segments)))
        return Counts(
            generation,
            queue,
            serving,
            holes,
            int(tokens),
            expired,
            active,
            int(completed),
            int(abandoned),
            admitted,
            admitting_since,
            message.decode(),
            version,
            lowering,
            reconciled_at,
            swept_at,
            moves[-1].at if moves else 0,
            shortly,
            first_moved_at or admitting_since,
            sessions,
            moves,
        )

    def serving_number(self, event_id: str) -> ServingNumber:
        """Return the serving counter."""
        return ServingNumber(*self._run("serving", event_id, []))

    def waiting_number(self, event_id: str) -> WaitingNumber:
        """Return the counts of the waiting number."""
        return WaitingNumber(*self._run("waiting", event_id, []))

    def position_status(self, event_id: str, position: int) -> PositionStatus:
        """Return the status of one position."""
        result = self._run("position_status", event_id, [position])
        generation, serving, expired_through, at, counted, version, lowering = result
        served_at = None if at < 0 else at
        return PositionStatus(
            generation, serving, expired_through, served_at, bool(counted), version, lowering
        )

    def acquire_join_leases(
        self, event_id: str, request_ids: Sequence[str], now: int
    ) -> list[JoinLease]:
        """Take a lease on each join, for this call."""
        hour = now // 3600
        extra = [
            _key(event_id, f"leases:{hour}"),
            _key(event_id, f"leases:{hour - 1}"),
        ]
        token = secrets.token_bytes(TOKEN_BYTES)
        arguments = [now, JOIN_LEASE_LIFE, token, *map(short_id, request_ids)]
        return [
            JoinLease(result)
            for result in self._run("acquire_join_leases", event_id, arguments, extra)
        ]

    def release_join_leases(self, event_id: str, request_ids: Sequence[str], now: int) -> None:
        """Make the leases of these joins stale for the next worker."""
        self._run(
            "release_join_leases",
            event_id,
            list(map(short_id, request_ids)),
            [_key(event_id, f"leases:{now // 3600}")],
        )

    def apply(
        self,
        state: EventState,
        moves: Sequence[ServingMove] = (),
        details: StateDetails = NO_DETAILS,
    ) -> None:
        """Update the copy to ``state`` and its ``details``."""
        step = state.move
        parts = _lines(serving_counter.segments(moves, expired_through=state.expired_through))
        self._run(
            "apply",
            state.event_id,
            [
                state.generation,
                state.version,
                state.queue,
                state.serving,
                state.expired_through,
                state.expired,
                state.reconciled_through,
                state.holes,
                details.message,
                repr(details.message_at),
                f"{step.previous}:{step.current}:{step.at}" if step else "",
                int(bool(moves)),
                state.lowering,
                LATEST_MOVES,
                RATE_WINDOW,
                len(parts),
                *parts,
                *details.unused_positions,
            ],
        )

    def count_token(
        self, event_id: str, generation: int, position: int, expires_at: int, until: int = 0
    ) -> bool:
        """Count a token and its session; idempotent."""
        return bool(self._run("count_token", event_id, [generation, position, expires_at, until]))

    def count_session(
        self,
        event_id: str,
        generation: int,
        position: int,
        expires_at: int,
        status: SessionStatus,
    ) -> bool:
        """Count an ended session; idempotent."""
        arguments = [generation, position, expires_at, status.value]
        return bool(self._run("count_session", event_id, arguments))

    def acquire_rebuild_lease(
        self, event_id: str, lease_id: str, *, force: bool = False
    ) -> RebuildLease:
        """Request the lease to rebuild."""
        arguments = [lease_id, REBUILD_LIFE, int(force)]
        result = self._run(
            "acquire_rebuild_lease", event_id, arguments, self._rebuild_keys(event_id)
        )
        return RebuildLease(result)

    def renew_rebuild_lease(self, event_id: str, lease_id: str) -> None:
        """Extend the lease while the caller still reads."""
        arguments = [lease_id, REBUILD_LIFE]
        self._run("renew_rebuild_lease", event_id, arguments, self._rebuild_keys(event_id))

    def release_rebuild_lease(self, event_id: str, lease_id: str) -> None:
        """Let the next caller rebuild."""
        self._run("release_rebuild_lease", event_id, [lease_id], self._rebuild_keys(event_id))

    def revoke_rebuild_leases(self, event_id: str) -> bool:
        """Make every rebuild in progress read again."""
        return bool(self._run("revoke_rebuild_leases", event_id, [], self._rebuild_keys(event_id)))

    def restore(self, snapshot: Snapshot, lease_id: str) -> bool:
        """Replace the copy in one step."""
        from waiting_room.domain.counter_snapshot import TokenTally

        state, details = snapshot.state, snapshot.details
        tally = TokenTally.from_snapshot(snapshot)
        fields: dict[str, Any] = {
            "generation": state.generation,
            "version": state.version,
            "queue": state.queue,
            "serving": state.serving,
            "expired_through": state.expired_through,
            "expired": state.expired,
            "reconciled_through": state.reconciled_through,
            "holes": state.holes,
            "settled_through": tally.base,
            "unverified": snapshot.unverified,
            "lowering": state.lowering,
            "message": details.message,
            "message_at": repr(details.message_at),
            "tokens": tally.tokens,
            "live": sum(count for _, count in tally.live),
            "completed": tally.completed,
            "abandoned": tally.abandoned,
            "session_changes": len(tally.sessions),
        }
        segments = snapshot.segments()
        if segments:
            fields["first_moved_at"] = segments[0].at
        parts = _lines(segments)
        arguments = [
            lease_id,
            tally.taken,
            tally.ended,
            len(fields),
            len(parts),
            len(tally.live),
            len(tally.sessions),
            LATEST_MOVES,
            RATE_WINDOW,
            *chain.from_iterable(fields.items()),
            *parts,
            *chain.from_iterable(tally.live),
            *chain.from_iterable((until, position) for position, until in tally.sessions),
            *(hole for hole in details.unused_positions if hole > state.reconciled_through),
        ]
        keys = self._rebuild_keys(state.event_id)
        return bool(self._run("restore", state.event_id, arguments, keys))

    def checkpoint(self, event_id: str, now: int) -> Checkpoint:
        """Return the checkpoint that a rebuild can start from."""
        from waiting_room.domain.counter_snapshot import Checkpoint, TokenTally

        result = self._run("checkpoint", event_id, [])
        generation, version, base, tokens, completed, abandoned, taken, ended, *lists = result
        parts, live, sessions = lists
        counts, ends = [int(number) for number in live], [int(number) for number in sessions]
        return Checkpoint(
            generation,
            version,
            now,
            tuple(map(_segment, parts)),
            TokenTally(
                base=base,
                taken=taken,
                ended=ended,
                live=tuple(sorted(zip(counts[::2], counts[1::2], strict=True))),
                tokens=tokens,
                completed=completed,
                abandoned=abandoned,
                sessions=tuple(sorted(zip(ends[::2], ends[1::2], strict=True))),
            ),
        )

    def recount(
        self, event_id: str, generation: int, rows: Sequence[LiveToken], unverified: int
    ) -> None:
        """Count those of these rows that the copy does not contain yet."""
        arguments: list[Any] = [generation, unverified]
        for row in rows:
            ended = "" if row.status is SessionStatus.OPEN else row.status.value
            arguments += (row.position, row.expires_at, ended, row.until)
        self._run("recount", event_id, arguments)

    def discard(self, event_id: str, generation: int, seconds: int) -> None:
        """Let the copy end; leases of joins end by themselves."""
        self._run("discard", event_id, [generation, seconds], self._rebuild_keys(event_id))

    def trim(
        self, event_id: str, now: int, *, reconciled_at: int = 0, swept_at: int = 0
    ) -> CounterUpkeepRequest:
        """Delete data that no caller needs any more."""
        from waiting_room.domain.counter_snapshot import CounterUpkeepRequest

        old = [now - DEAD_BUCKETS, now - RATE_WINDOW]
        arguments = [*old, reconciled_at, swept_at, LATEST_MOVES, now, RATE_WINDOW]
        changed, unverified = self._run("trim", event_id, arguments)
        return CounterUpkeepRequest(bool(changed), unverified)

    def _rebuild_keys(self, event_id: str) -> list[str]:
        return [_key(event_id, "rebuild_lease"), _key(event_id, "rebuild_lease_ids")]

    def _run(
        self, name: str, event_id: str, arguments: Sequence[Any], extra: Sequence[str] = ()
    ) -> Any:
        """Run a script on the keys of an event; raises CountersLost, Unavailable."""
        keys = (*_event_keys(event_id), *extra)
        script = self._scripts.get(name)
        if script is None:
            script = self._scripts[name] = self._client.register_script(source(name))
        try:
            return script(keys, arguments)
        except (ReadOnlyError, BusyLoadingError) as error:
            self._client.connection_pool.disconnect()
            raise Unavailable(f"the counters are in a failover: {type(error).__name__}") from None
        except ResponseError as error:
            if str(error).startswith("LOST"):
                raise CountersLost(name) from None
            if isinstance(error, NOT_NOW) or str(error).startswith(NOT_NOW_CODES):
                raise Unavailable(f"the counters are busy: {type(error).__name__}") from None
            raise
        except RedisError as error:
            raise Unavailable(f"the counters did not respond: {type(error).__name__}") from None


def _segment(line: bytes) -> Segment:
    return Segment(*map(int, line.split(b":")))


def _lines(parts: Iterable[Segment]) -> list[str]:
    return [f"{part.first}:{part.last}:{part.at}" for part in parts]
