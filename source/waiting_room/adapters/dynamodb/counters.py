# SPDX-License-Identifier: Apache-2.0
"""The counters in DynamoDB: the state row, the serving log, and counts of the tokens' stream.

Every read of the state row is consistent, so no number of the serving counter or the queue lags.
The counts of tokens and sessions are those of the stream's last batch.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from waiting_room.adapters.dynamodb.items import number
from waiting_room.adapters.dynamodb.served_segments import CHECKPOINT_MOVES, ServedSegments
from waiting_room.domain import serving_counter
from waiting_room.domain.counter_snapshot import (
    Checkpoint,
    CounterUpkeepRequest,
    LiveToken,
    TokenTally,
)
from waiting_room.domain.counters.outcome_counts import active_at, fold
from waiting_room.domain.limits import LATEST_MOVES, RATE_WINDOW, SHORTEST_RATE
from waiting_room.domain.metrics import ServingNumber, WaitingNumber
from waiting_room.domain.ports.counters import JoinLease
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
    from waiting_room.adapters.dynamodb.outcome_counts import CountRows
    from waiting_room.domain.ports.serving_log import ServingLog

CHECKPOINT_STEP = 500  # moves between two checkpoints of the segments
NOTHING = CounterUpkeepRequest(changed=False, unverified=0)


class DynamoCounters:
    """The TableCounterStore port on DynamoDB. ``log`` reads the state row and the moves."""

    def __init__(
        self, rows: CountRows, log: ServingLog, clock: Callable[[], float] = time.time
    ) -> None:
        self._log, self._rows, self._clock = log, rows, clock
        self._served = ServedSegments(log)

    def counts(self, event_id: str, now: int) -> Counts:
        """Return all numbers: three requests, and one for moves that this function lacks."""
        state, details = self._log.read_with_details(event_id)
        totals, jobs = self._rows.read(event_id, state.generation)
        early, late = sorted((totals.folded_through, now))
        active = active_at(totals, self._rows.ends(event_id, state.generation, early, late), now)
        segments = self._served.of(state)
        return Counts(
            generation=state.generation,
            queue=state.queue,
            serving=state.serving,
            holes=_unused(state, details),
            tokens=totals.tokens,
            expired=state.expired,
            active=active.tokens,
            completed=totals.completed,
            abandoned=totals.abandoned,
            admitted_recently=serving_counter.admitted_recently(segments, now, RATE_WINDOW),
            admitting_since=segments[0].at if segments else 0,
            message=details.message,
            version=state.version,
            lowering=state.lowering,
            reconciled_at=number(jobs, "reconciled_at"),
            swept_at=number(jobs, "swept_at"),
            admitted_at=segments[-1].at if segments else 0,
            admitted_shortly=serving_counter.admitted_recently(segments, now, SHORTEST_RATE),
            first_moved_at=totals.first_moved_at or self._served.first_moved_at(event_id),
            sessions=active.sessions,
            latest=segments[-LATEST_MOVES:],
        )

    def serving_number(self, event_id: str) -> ServingNumber:
        """Return the serving counter."""
        state = self._log.read(event_id)
        return ServingNumber(state.generation, state.version, state.lowering, state.serving)

    def waiting_number(self, event_id: str) -> WaitingNumber:
        """Return the counts of the waiting number."""
        state, details = self._log.read_with_details(event_id)
        totals, _ = self._rows.read(event_id, state.generation)
        return WaitingNumber(
            state.generation,
            state.version,
            state.lowering,
            state.queue,
            _unused(state, details),
            totals.tokens,
            state.expired,
        )

    def position_status(self, event_id: str, position: int) -> PositionStatus:
        """Return the status of a position. ``counted`` is False: the outcome shows a token."""
        state = self._log.read(event_id)
        served_at = None
        if state.expired_through < position <= state.serving:
            served_at = serving_counter.served_at(self._served.of(state), position)
        return PositionStatus(
            state.generation,
            state.serving,
            state.expired_through,
            served_at,
            False,
            state.version,
            state.lowering,
        )

    def acquire_join_leases(
        self,
        event_id: str,  # noqa: ARG002
        request_ids: Sequence[str],
        now: int,  # noqa: ARG002
    ) -> list[JoinLease]:
        """Return STALE for each join: the caller reads whether it has a position.

        Two workers that get the same join at the same time leave one position unused.
        """
        return [JoinLease.STALE] * len(request_ids)

    def release_join_leases(self, event_id: str, request_ids: Sequence[str], now: int) -> None:
        """Do nothing: there are no leases."""

    def apply(
        self,
        state: EventState,
        moves: Sequence[ServingMove] = (),
        details: StateDetails = NO_DETAILS,
    ) -> None:
        """Do nothing: the tables have the state and its details."""

    def count_token(
        self, event_id: str, generation: int, position: int, expires_at: int, until: int = 0
    ) -> bool:
        """Count one token and its session."""
        row = LiveToken(position, expires_at, SessionStatus.OPEN, until)
        return self._count_one(event_id, generation, row)

    def count_session(
        self,
        event_id: str,
        generation: int,
        position: int,
        expires_at: int,
        status: SessionStatus,
    ) -> bool:
        """Count one ended session."""
        return self._count_one(event_id, generation, LiveToken(position, expires_at, status))

    def _count_one(self, event_id: str, generation: int, row: LiveToken) -> bool:
        if self._log.read(event_id).generation > generation:
            return False
        self.count(event_id, generation, [row])
        return True

    def count(self, event_id: str, generation: int, rows: Sequence[LiveToken]) -> None:
        """Count rows of the tokens' stream."""
        self._rows.count(event_id, generation, rows)

    def trim(
        self, event_id: str, now: int, *, reconciled_at: int = 0, swept_at: int = 0
    ) -> CounterUpkeepRequest:
        """Fold ends that are past, store the times of the jobs, and a checkpoint of many moves."""
        self._rows.note_jobs(event_id, reconciled_at, swept_at)
        state = self._log.read(event_id)
        before, _ = self._rows.read(event_id, state.generation)
        ends = self._rows.ends(event_id, state.generation, before.folded_through, now)
        segments = self._served.of(state)
        after = fold(before, ends, now) if ends else before
        if not after.first_moved_at:
            after = replace(after, first_moved_at=self._served.first_moved_at(event_id))
        if after != before:  # after a conflict the next minute folds
            self._rows.fold(event_id, state.generation, before, after)
        self._save_segments(state, segments, now)
        return NOTHING

    def _save_segments(self, state: EventState, segments: tuple[Segment, ...], now: int) -> None:
        """Store the segments of an event with many moves, from which cold functions start."""
        if state.version <= CHECKPOINT_MOVES:
            return
        kept = self._log.checkpoint(state.event_id, state.generation)
        if kept is None or state.version - kept.version >= CHECKPOINT_STEP:
            self._log.save_checkpoint(
                state.event_id,
                Checkpoint(state.generation, state.version, now, segments, TokenTally()),
            )

    def discard(self, event_id: str, generation: int, seconds: int) -> None:
        """Let TTL delete the rows that have no time to live of their own."""
        self._rows.end(event_id, generation, int(self._clock()) + seconds)


def _unused(state: EventState, details: StateDetails) -> int:
    known = sum(one > state.reconciled_through for one in details.unused_positions)
    return state.holes + known
