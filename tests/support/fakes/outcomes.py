# SPDX-License-Identifier: Apache-2.0
"""The Outcomes port in memory."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from dataclasses import replace

from waiting_room.domain.counter_snapshot import LiveToken
from waiting_room.domain.ports.outcomes import ENDED_SHARDS
from waiting_room.domain.records import Ending, Outcome, SessionStatus


class MemoryOutcomes:
    """The Outcomes port in memory."""

    def __init__(self) -> None:
        self._rows: dict[tuple[str, int, int], Outcome] = {}
        self._ended_by: dict[tuple[str, int, int], str] = {}
        self._lock = threading.Lock()

    def get(self, event_id: str, generation: int, position: int) -> Outcome | None:
        """The outcome of a position."""
        return self._rows.get((event_id, generation, position))

    def put_if_absent(self, outcome: Outcome) -> Outcome:
        """Write an outcome if there is none."""
        with self._lock:
            return self._rows.setdefault(_place(outcome), outcome)

    def put_expired(self, outcomes: Sequence[Outcome]) -> list[Outcome]:
        """Decide many expiries."""
        return [current for one in outcomes if (current := self.put_if_absent(one)).is_token]

    def end_session(
        self,
        event_id: str,
        generation: int,
        position: int,
        status: SessionStatus,
        now: int,
        mark: str,
        request_id: str = "",
    ) -> Ending:
        """Set the status of an open session."""
        with self._lock:
            key = (event_id, generation, position)
            row = self._rows.get(key)
            if row and request_id and row.request_id != request_id:
                return Ending(self._ended_by.get(key) == mark, row)
            if row is None or not row.is_token or row.status is not SessionStatus.OPEN:
                return Ending(self._ended_by.get(key) == mark, row)
            ended = replace(row, status=status, ended_at=now)
            self._rows[key], self._ended_by[key] = ended, mark
            return Ending(True, ended)

    def extend_session(
        self, event_id: str, generation: int, position: int, until: int, now: int
    ) -> Outcome | None:
        """Move the end of a gate's session."""
        with self._lock:
            key = (event_id, generation, position)
            row = self._rows.get(key)
            if row is None or not row.is_token or row.status is not SessionStatus.OPEN:
                return row
            ends, least = row.session_until, row.expires_at
            if (now < ends < until) if ends is not None else now < least:
                self._rows[key] = replace(row, session_until=until)
            return self._rows[key]

    def in_range(self, event_id: str, generation: int, first: int, last: int) -> Iterable[Outcome]:
        """The outcomes of a range."""
        return [
            row
            for row in list(self._rows.values())
            if (row.event_id, row.generation) == (event_id, generation)
            and first <= row.position <= last
        ]

    def tokens(self, event_id: str, generation: int, first: int, last: int) -> Iterable[LiveToken]:
        """The tokens of a range."""
        return [
            LiveToken(row.position, row.expires_at, row.counted_status, row.open_until)
            for row in self.in_range(event_id, generation, first, last)
            if row.is_token
        ]

    def ended_page(
        self, event_id: str, generation: int, now: int, limit: int, after: tuple[int, int] | None
    ) -> tuple[list[str], tuple[int, int] | None]:
        """Request ids of ended sessions whose token's time is not over, by shard."""
        ends, position = after or (0, 0)
        if ends <= now:
            ends, position = 0, position % ENDED_SHARDS - ENDED_SHARDS  # before the shard's first
        found = sorted(
            (row.position % ENDED_SHARDS, row.expires_at, row.position, row.request_id)
            for row in self.in_range(event_id, generation, 1, 2**53)
            if row.is_token
            and row.status is not SessionStatus.OPEN
            and now < row.expires_at
            and (row.position % ENDED_SHARDS, row.expires_at, row.position)
            > (position % ENDED_SHARDS, ends, position)
        )
        page = found[:limit]
        mark = (page[-1][1], page[-1][2]) if len(found) > limit else None
        return [request_id for *_, request_id in page], mark

    def expired_page(
        self, event_id: str, generation: int, now: int, limit: int, after: tuple[int, int] | None
    ) -> tuple[list[Outcome], tuple[int, int] | None]:
        """Open sessions whose token's time is over, by position."""
        found = sorted(
            (
                row
                for row in self.in_range(event_id, generation, 1, 2**53)
                if row.is_token
                and row.status is SessionStatus.OPEN
                and row.expires_at <= now
                and row.position > (after or (0, 0))[1]
            ),
            key=lambda row: row.position,
        )
        page = found[:limit]
        return page, (0, page[-1].position) if len(found) > limit else None


def _place(outcome: Outcome) -> tuple[str, int, int]:
    return outcome.event_id, outcome.generation, outcome.position
