# SPDX-License-Identifier: Apache-2.0
"""Counters for use cases: rebuilt from DynamoDB when Redis has lost them.

DynamoDB is the source of truth; the counters are a copy. A rebuild reads the state row, the serving
moves in use and the token rows above the settled mark. The state row has the final numbers up to
that mark. If the token rows are many, a rebuild starts from the last checkpoint. It then reads only
the rows near the serving counter, where tokens are issued, and the minute worker compares the
others. One caller rebuilds; the others wait for it.

The copy may lag behind the tables. That is safe while the serving counter rises. A write that
lowers it (a move back, a reset) is announced first, in the table and in the copy. A read that may
be older than such a write also reads the table.

Modules that only a rebuild, the upkeep or the join worker needs are imported there: no visitor's
cold start pays for them. The module has more than 300 lines because the class is one port with its
recovery.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from waiting_room.domain.errors import CountersLost, RoomWasReset, Unavailable
from waiting_room.domain.records import NO_DETAILS, SessionStatus, StateDetails
from waiting_room.domain.retry import tries

if TYPE_CHECKING:
    from waiting_room.domain.counter_snapshot import CounterUpkeepRequest, LiveToken, Snapshot
    from waiting_room.domain.metrics import ServingNumber, WaitingNumber
    from waiting_room.domain.ports.clock import Clock
    from waiting_room.domain.ports.counters import JoinLease, RebuildableCounters
    from waiting_room.domain.ports.outcomes import Outcomes
    from waiting_room.domain.ports.serving_log import ServingLog
    from waiting_room.domain.records import (
        Counts,
        EventState,
        Outcome,
        PositionStatus,
        ServingMove,
    )

    Versioned = Counts | PositionStatus | ServingNumber | WaitingNumber

logger = logging.getLogger("waiting_room")
Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")
Read = TypeVar("Read", "Counts", "PositionStatus", "ServingNumber", "WaitingNumber")
READ_STEP = 10_000  # positions read between two renewals of the lease
VERIFY_STEP, VERIFY_STEPS = 5_000, 20  # positions per comparison, and comparisons per minute
UNREAD_LIFE = 180  # s for which a session may have been renewed after the checkpoint
WAIT, WAITS = 0.1, 50  # s between two checks of another caller's rebuild, and their number
TRIES = 3  # the counters may be lost again while they are rebuilt


class RecoveringCounters:
    """The Counters port with automatic recovery. Use cases hold no other counters.

    Each method of the port raises Unavailable when the counters are lost repeatedly.
    """

    def __init__(
        self,
        counters: RebuildableCounters,
        log: ServingLog,
        outcomes: Outcomes,
        clock: Clock,
        pause: Callable[[float], None],
    ) -> None:
        self._counters, self._log, self._outcomes = counters, log, outcomes
        self._clock, self._pause = clock, pause

    # --- the Counters port -------------------------------------------------------------------

    def counts(self, event_id: str, now: int) -> Counts:
        """Return all numbers of an event, at least as new as the last lowering."""
        return self._read(0, event_id, self._counters.counts, now)

    def serving_number(self, event_id: str) -> ServingNumber:
        """Return the serving counter; as current as ``counts``."""
        return self._read(0, event_id, self._counters.serving_number)

    def waiting_number(self, event_id: str) -> WaitingNumber:
        """Return the waiting number; as current as ``counts``."""
        return self._read(0, event_id, self._counters.waiting_number)

    def position_status(self, event_id: str, position: int, generation: int = 0) -> PositionStatus:
        """Return the status of a position; as current as ``counts``.

        ``generation`` is the one of the position's row; raises RoomWasReset when a later one is
        current. 0 stands for the current generation.
        """
        found = self._read(generation, event_id, self._counters.position_status, position)
        if 0 < generation < found.generation:
            raise RoomWasReset
        return found

    def apply(
        self,
        state: EventState,
        moves: Sequence[ServingMove] = (),
        details: StateDetails = NO_DETAILS,
    ) -> None:
        """Update the copy to ``state`` and its ``details``; add ``moves`` that it lacks."""
        self._recover(state.event_id, self._counters.apply, state, moves, details)

    def count_token(
        self, event_id: str, generation: int, position: int, expires_at: int, until: int = 0
    ) -> bool:
        """Count a token and its session once; False for an older generation."""
        return self._recover(
            event_id, self._counters.count_token, event_id, generation, position, expires_at, until
        )

    def count_session(
        self,
        event_id: str,
        generation: int,
        position: int,
        expires_at: int,
        status: SessionStatus,
    ) -> bool:
        """Count an ended session once; False for an older generation."""
        return self._recover(
            event_id, self._counters.count_session,
            event_id, generation, position, expires_at, status,
        )  # fmt: skip

    def discard(self, event_id: str, generation: int, seconds: int) -> None:
        """Let the copy of a deleted event end; raises Unavailable."""
        self._counters.discard(event_id, generation, seconds)

    # --- after a write to the tables ---------------------------------------------------------

    def sync(self, state: EventState) -> None:
        """Update the copy to ``state``; raises Unavailable when it cannot be reached."""
        try:
            self._counters.apply(state)
        except CountersLost:
            self._recover(state.event_id, self._apply_with_moves, state)

    def follow(self, state: EventState, details: StateDetails = NO_DETAILS) -> None:
        """Update the copy to ``state``, or leave that to the minute worker; raises nothing.

        ``details`` are those that the caller has written or read.
        """
        try:
            self._counters.apply(state, details=details)
        except CountersLost:
            self._try(state.event_id, self._apply_with_moves, state, details)
        except Unavailable as error:
            _log_behind(error)

    def announce(self, state: EventState) -> None:
        """Store an announced lowering in the copy before the write; see ``EventStates``.

        Lost counters are not rebuilt here. Rebuilds that read the table before the announcement
        have to read it again. Raises Unavailable when the counters cannot be reached.
        """
        for _ in tries(self._clock):
            with suppress(CountersLost):
                return self._counters.apply(state)
            with suppress(CountersLost):
                return self._counters.apply(state, self._log.moves(state))
            if self._counters.revoke_rebuild_leases(state.event_id):
                return None
        raise Unavailable("the counters are lost repeatedly", 1)

    def count_outcome(self, outcome: Outcome) -> bool:
        """Count a token once, now or later, and its session if it ended before the token expired.

        Returns False when the counters have a later generation.
        """
        key = (outcome.event_id, outcome.generation, outcome.position, outcome.expires_at)
        try:
            if outcome.counted_status is SessionStatus.OPEN:
                return self._counters.count_token(*key, outcome.open_until)
            return self._counters.count_session(*key, outcome.status)
        except CountersLost:
            if outcome.counted_status is SessionStatus.OPEN:
                counted = self._try(
                    outcome.event_id, self._counters.count_token, *key, outcome.open_until
                )
            else:
                counted = self._try(
                    outcome.event_id, self._counters.count_session, *key, outcome.status
                )
            return counted is not False
        except Unavailable as error:
            _log_behind(error)
            return True

    def count_published(self, changed: Sequence[Outcome], extended: Sequence[Outcome]) -> None:
        """Count outcomes of the stream; raises Unavailable to get a session at a gate again.

        No visitor calls again to count the session of a gate, so the stream has to.
        """
        for outcome in (*changed, *extended):
            if outcome.session_until is not None:
                self._count_delivered(outcome)
            elif outcome.is_token:
                self.count_outcome(outcome)

    def count_delivered(self, outcomes: Sequence[Outcome]) -> None:
        """Count outcomes of the stream; raises Unavailable to get them again."""
        for outcome in outcomes:
            if outcome.is_token:
                self._count_delivered(outcome)

    def _count_delivered(self, outcome: Outcome) -> None:
        key = (outcome.event_id, outcome.generation, outcome.position, outcome.expires_at)
        if outcome.counted_status is SessionStatus.OPEN:
            self.count_token(*key, outcome.open_until)
        else:
            self.count_session(*key, outcome.status)

    # --- the join worker ---------------------------------------------------------------------

    def acquire_join_leases(
        self, event_id: str, request_ids: Sequence[str], now: int
    ) -> list[JoinLease]:
        """Take a lease on each join; raises nothing.

        All are STALE when the leases were lost or cannot be read; the caller then checks the rows.
        """
        from waiting_room.domain.ports.counters import JoinLease

        try:
            return self._counters.acquire_join_leases(event_id, request_ids, now)
        except (Unavailable, CountersLost):
            self._try(event_id, self._counters.acquire_join_leases, event_id, request_ids, now)
            return [JoinLease.STALE] * len(request_ids)

    def release_join_leases(self, event_id: str, request_ids: Sequence[str], now: int) -> None:
        """Release leases early; raises nothing, as leases also expire."""
        if request_ids:
            with suppress(Unavailable, CountersLost):
                self._counters.release_join_leases(event_id, request_ids, now)

    # --- rebuild and upkeep ------------------------------------------------------------------

    def rebuild(self, event_id: str, *, force: bool = False) -> None:
        """Rebuild the counters, or wait for another caller's rebuild; keep a complete copy.

        ``force`` discards the present copy. Raises Unavailable after WAITS checks.
        """
        from waiting_room.domain.ports.counters import RebuildLease

        lease_id = secrets.token_hex(8)
        for _ in range(WAITS):
            lease = self._counters.acquire_rebuild_lease(event_id, lease_id, force=force)
            if lease is RebuildLease.NOT_NEEDED:
                return None
            force = False
            if lease is RebuildLease.ACQUIRED:
                try:
                    return self._rebuild(event_id, lease_id)
                except CountersLost:  # lost again in the meantime
                    continue
            self._pause(WAIT)
        raise Unavailable("the counters are being rebuilt", 1)

    def keep_up(self, state: EventState, now: int, *, reconciled_at: int, swept_at: int) -> None:
        """Trim the counters, compare rows that a rebuild skipped, save a checkpoint.

        ``reconciled_at`` and ``swept_at`` are as in ``CounterUpkeep.trim``. Raises nothing.
        """
        event_id, marks = state.event_id, {"reconciled_at": reconciled_at, "swept_at": swept_at}
        upkeep: CounterUpkeepRequest | None
        try:
            upkeep = self._counters.trim(event_id, now, **marks)
        except CountersLost:
            upkeep = self._try(event_id, self._counters.trim, event_id, now, **marks)
        except Unavailable as error:
            return _log_behind(error)
        if upkeep:
            try:
                self.run_upkeep(state, upkeep, now)
            except (Unavailable, CountersLost) as error:
                _log_behind(error)
        return None

    def run_upkeep(self, state: EventState, upkeep: CounterUpkeepRequest, now: int) -> None:
        """Compare rows and save a checkpoint, as ``upkeep`` requests."""
        from waiting_room.domain.counter_snapshot import needs_checkpoint

        if upkeep.unverified > state.settled_through:
            self._verify(state, upkeep.unverified)
        if upkeep.changed and needs_checkpoint(state):
            self._log.save_checkpoint(
                state.event_id, self._counters.checkpoint(state.event_id, now)
            )

    def _read(self, generation: int, event_id: str, call: Callable[..., Read], *args: int) -> Read:
        """Read the counters; update them first if a lowering or ``generation`` requires it."""
        try:
            found = call(event_id, *args)
        except CountersLost:
            found = self._recover(event_id, call, event_id, *args)
        if found.lowering > found.version or found.generation < generation:
            state = self._log.read(event_id)
            if _is_behind(found, state):
                self.sync(state)
                found = self._recover(event_id, call, event_id, *args)
            _check_is_current(found, state)
        return found

    def _recover(
        self,
        event_id: str,
        call: Callable[Arguments, Result],
        *args: Arguments.args,
        **kwargs: Arguments.kwargs,
    ) -> Result:
        """Call the counters; when they are lost, rebuild them and call again."""
        for attempt in range(TRIES):
            try:
                return call(*args, **kwargs)
            except CountersLost:
                pass
            # from the second attempt on, a complete copy lags behind the tables: discard it
            self.rebuild(event_id, force=attempt > 0)
        try:
            return call(*args, **kwargs)
        except CountersLost:
            raise Unavailable("the counters are lost repeatedly", 1) from None

    def _try(
        self,
        event_id: str,
        call: Callable[Arguments, Result],
        *args: Arguments.args,
        **kwargs: Arguments.kwargs,
    ) -> Result | None:
        """As ``_recover``; None when it fails. The minute worker then updates the counters."""
        try:
            return self._recover(event_id, call, *args, **kwargs)
        except (Unavailable, CountersLost) as error:
            _log_behind(error)
            return None

    def _apply_with_moves(self, state: EventState, details: StateDetails = NO_DETAILS) -> None:
        """Apply ``state``; replace the moves of a copy that lacks some."""
        try:
            self._counters.apply(state, details=details)
        except CountersLost:
            self._counters.apply(state, self._log.moves(state), details)

    def _rebuild(self, event_id: str, lease_id: str) -> None:
        try:
            found = read_snapshot(
                event_id,
                self._log,
                self._outcomes,
                lambda: self._counters.renew_rebuild_lease(event_id, lease_id),
                int(self._clock()),
            )
        except BaseException:
            self._counters.release_rebuild_lease(event_id, lease_id)
            raise
        self._counters.restore(found, lease_id)

    def _verify(self, state: EventState, unverified: int) -> None:
        last = unverified
        for _ in range(VERIFY_STEPS):
            first = max(state.settled_through + 1, last - VERIFY_STEP + 1)
            rows = list(self._outcomes.tokens(state.event_id, state.generation, first, last))
            last = first - 1 if first > state.settled_through + 1 else 0
            self._counters.recount(state.event_id, state.generation, rows, last)
            if not last:
                return


def read_snapshot(
    event_id: str,
    log: ServingLog,
    outcomes: Outcomes,
    renew: Callable[[], None] = lambda: None,
    now: int = 0,
) -> Snapshot:
    """Read the contents of the counters from the tables; call ``renew`` between the reads.

    Sessions of the checkpoint whose rows are not read count for UNREAD_LIFE seconds from ``now`` at
    least. The minute worker reads the rows until then.
    """
    from waiting_room.domain.counter_snapshot import READ_AT_ONCE, Snapshot, needs_checkpoint

    state, details = log.read_with_details(event_id)
    first, start = state.settled_through + 1, None
    if needs_checkpoint(state):
        start = log.checkpoint(event_id, state.generation)
    if start is not None:
        first = max(first, min(state.serving, state.queue) - READ_AT_ONCE + 1)
    moves = tuple(log.moves(state, start.version if start else 0))
    tokens: list[LiveToken] = []
    for step in range(first, state.queue + 1, READ_STEP):
        renew()
        last = min(step + READ_STEP - 1, state.queue)
        tokens += outcomes.tokens(event_id, state.generation, step, last)
    unverified = first - 1 if start and first > state.settled_through + 1 else 0
    if start and unverified:
        tally = start.tally.with_unread_renewals(start.at, now + UNREAD_LIFE)
        start = replace(start, tally=tally)
    return Snapshot(state, moves, tuple(tokens), start, unverified, details)


def _is_behind(found: Versioned, state: EventState) -> bool:
    return (found.generation, found.version) < (state.generation, state.version)


def _check_is_current(found: Versioned, state: EventState) -> None:
    if _is_behind(found, state):
        raise Unavailable("the counters are behind the tables", 1)


def _log_behind(error: Exception) -> None:
    logger.warning("counters not updated: %s; the minute worker retries", type(error).__name__)
