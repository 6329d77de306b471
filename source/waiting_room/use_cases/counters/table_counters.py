# SPDX-License-Identifier: Apache-2.0
"""Counters in the tables of the room.

The state row is the source of truth and the counter at once, so that no write is announced or
followed. Tokens and ended sessions are counted from the stream of the tokens table; the counts
are behind it by the time of a batch, about a second.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from waiting_room.domain.errors import RoomWasReset, Unavailable
from waiting_room.domain.records import NO_DETAILS, StateDetails

if TYPE_CHECKING:
    from collections.abc import Sequence

    from waiting_room.domain.counter_snapshot import LiveToken
    from waiting_room.domain.metrics import ServingNumber, WaitingNumber
    from waiting_room.domain.ports.counters import JoinLease, TableCounterStore
    from waiting_room.domain.ports.serving_log import ServingLog
    from waiting_room.domain.records import Counts, EventState, Outcome, PositionStatus

logger = logging.getLogger("waiting_room")


class TableCounters:
    """The RoomCounters port on tables."""

    def __init__(self, counters: TableCounterStore, log: ServingLog) -> None:
        self._counters, self._log = counters, log

    def counts(self, event_id: str, now: int) -> Counts:
        """Return all numbers of an event."""
        return self._counters.counts(event_id, now)

    def serving_number(self, event_id: str) -> ServingNumber:
        """Return the serving counter."""
        return self._counters.serving_number(event_id)

    def waiting_number(self, event_id: str) -> WaitingNumber:
        """Return the waiting number."""
        return self._counters.waiting_number(event_id)

    def position_status(self, event_id: str, position: int, generation: int = 0) -> PositionStatus:
        """Return the status of a position; raises RoomWasReset for an earlier generation."""
        found = self._counters.position_status(event_id, position)
        if 0 < generation < found.generation:
            raise RoomWasReset
        return found

    def sync(self, state: EventState) -> None:
        """Do nothing: the table has the state."""

    def follow(self, state: EventState, details: StateDetails = NO_DETAILS) -> None:
        """Do nothing: the table has the state."""

    def announce(self, state: EventState) -> None:
        """Do nothing: every read is of the table."""

    def count_outcome(self, outcome: Outcome) -> bool:
        """Return whether the outcome is of the current generation; the stream counts it."""
        try:
            return self._log.read(outcome.event_id).generation <= outcome.generation
        except Unavailable as error:
            logger.warning(
                "generation of a new token not checked, the token is returned: %s", error
            )
            return True

    def count_published(self, changed: Sequence[Outcome], extended: Sequence[Outcome]) -> None:
        """Do nothing: a function of its own counts the stream."""

    def count_delivered(self, outcomes: Sequence[Outcome]) -> None:
        """Count the outcomes of a batch; those of earlier generations are not counted.

        The other events of a batch are counted before a failure of one of them is raised.
        """
        from waiting_room.domain.counter_snapshot import LiveToken

        found: dict[tuple[str, int], list[LiveToken]] = {}
        for one in outcomes:
            if one.is_token:
                row = LiveToken(one.position, one.expires_at, one.counted_status, one.open_until)
                found.setdefault((one.event_id, one.generation), []).append(row)
        failure: Unavailable | None = None
        for (event_id, generation), rows in found.items():
            try:
                if self._log.read(event_id).generation == generation:
                    self._counters.count(event_id, generation, rows)
            except Unavailable as error:
                logger.error(
                    "%d outcomes of %s not counted, the stream delivers them again",
                    len(rows),
                    event_id,
                )
                failure = error
        if failure:
            raise failure

    def acquire_join_leases(
        self, event_id: str, request_ids: Sequence[str], now: int
    ) -> list[JoinLease]:
        """Return STALE for each join: the caller reads whether it has a position."""
        return self._counters.acquire_join_leases(event_id, request_ids, now)

    def release_join_leases(self, event_id: str, request_ids: Sequence[str], now: int) -> None:
        """Do nothing: there are no leases."""

    def rebuild(self, event_id: str, *, force: bool = False) -> None:  # noqa: ARG002
        """Create the state row if it is missing; nothing is rebuilt."""
        self._log.read(event_id)

    def keep_up(self, state: EventState, now: int, *, reconciled_at: int, swept_at: int) -> None:
        """Shorten later reads, and store the times of the jobs."""
        try:
            self._counters.trim(state.event_id, now, reconciled_at=reconciled_at, swept_at=swept_at)
        except Unavailable as error:
            logger.warning("times of the minute jobs not stored: %s", error)

    def discard(self, event_id: str, generation: int, seconds: int) -> None:
        """Let the rows of a deleted event end."""
        self._counters.discard(event_id, generation, seconds)
