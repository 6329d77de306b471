# SPDX-License-Identifier: Apache-2.0
"""The table of outcomes: tokens and expired positions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from waiting_room.domain.counter_snapshot import LiveToken
from waiting_room.domain.records import Ending, Outcome, SessionStatus

# Shards of the ended sessions of an event. A partition of an index takes 1,000 writes/s and holds
# up its table beyond: 4,000 sessions may end in a second, as many as a new table takes writes.
ENDED_SHARDS = 4


class Outcomes(Protocol):
    """The outcomes of served positions, by position."""

    def get(self, event_id: str, generation: int, position: int) -> Outcome | None:
        """The outcome of a position; a consistent read."""

    def put_if_absent(self, outcome: Outcome) -> Outcome:
        """Write an outcome if the position has none; return the current one."""

    def put_expired(self, outcomes: Sequence[Outcome]) -> list[Outcome]:
        """Write many expiries, 25 per request; return the tokens of positions that have one.

        Raises Unavailable when any of them could not be decided.
        """

    def end_session(
        self,
        event_id: str,
        generation: int,
        position: int,
        status: SessionStatus,
        now: int,
        mark: str,
    ) -> Ending:
        """Set the status of an open session, also of a token that died; answers what stands then.

        ``mark`` is the call's own: a call that is made again with it finds that it was done.
        """

    def in_range(self, event_id: str, generation: int, first: int, last: int) -> Iterable[Outcome]:
        """The outcomes of a range of positions, in any order; consistent reads."""

    def tokens(self, event_id: str, generation: int, first: int, last: int) -> Iterable[LiveToken]:
        """The tokens of a range of positions, in any order; consistent reads, few attributes."""

    def ended_page(
        self, event_id: str, generation: int, now: int, limit: int, after: tuple[int, int] | None
    ) -> tuple[list[str], tuple[int, int] | None]:
        """Request ids of ended sessions whose token's time is not over, and the mark to go on after
        (None: the end). At most ENDED_SHARDS queries a page; eventually consistent.

        A mark is a token's end and position, in the order of shard, end and position. Ends that are
        past stand for the beginning of the position's shard, so a mark never grows old.
        """

    def expired_page(
        self, event_id: str, generation: int, now: int, limit: int, after: tuple[int, int] | None
    ) -> tuple[list[Outcome], tuple[int, int] | None]:
        """Open sessions whose token's time is over, and the mark to go on after (None: the end).

        A page reads a bounded number of rows, so it may have fewer than ``limit`` and still a mark.
        """
