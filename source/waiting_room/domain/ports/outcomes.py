# SPDX-License-Identifier: Apache-2.0
"""Port of the outcomes: tokens and expired positions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from waiting_room.domain.counter_snapshot import LiveToken
    from waiting_room.domain.records import Ending, Outcome, SessionStatus

# Shards of the ended sessions of an event. A partition of an index accepts 1,000 writes/s; above
# that it throttles its table. A new table accepts 4,000 writes/s, so 4,000 sessions may end then.
ENDED_SHARDS = 4


class Outcomes(Protocol):
    """The outcomes of served positions, by position."""

    def get(self, event_id: str, generation: int, position: int) -> Outcome | None:
        """Return the outcome of a position; a consistent read."""

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
        request_id: str = "",
    ) -> Ending:
        """Set the status of an open session, also of an expired token; return the current row.

        ``mark`` identifies the call: a repeated call with the same mark succeeds again. With a
        ``request_id``, a session of another request is not ended; the current row shows it.
        """

    def extend_session(
        self, event_id: str, generation: int, position: int, until: int, now: int
    ) -> Outcome | None:
        """Move the end of a gate's session to ``until``; return the current row, None without one.

        It never shortens a session, and never changes one that was ended or that is over at ``now``
        (epoch s). A session begins while the token is valid. The row shows the result.
        """

    def in_range(self, event_id: str, generation: int, first: int, last: int) -> Iterable[Outcome]:
        """Return the outcomes of a range of positions, in any order; consistent reads."""

    def tokens(self, event_id: str, generation: int, first: int, last: int) -> Iterable[LiveToken]:
        """Return the tokens of a range, in any order; consistent reads, few attributes."""

    def ended_page(
        self, event_id: str, generation: int, now: int, limit: int, after: tuple[int, int] | None
    ) -> tuple[list[str], tuple[int, int] | None]:
        """Return request ids of ended sessions whose token is not expired, and the next mark.

        The mark is None after the last page. A page takes at most ENDED_SHARDS queries, eventually
        consistent. A mark is a token's expiry and position; the order is shard, expiry, position.
        A mark with a past expiry continues at the start of the position's shard, so marks do not
        expire.
        """

    def expired_page(
        self, event_id: str, generation: int, now: int, limit: int, after: tuple[int, int] | None
    ) -> tuple[list[Outcome], tuple[int, int] | None]:
        """Return open sessions whose token is expired, and the next mark (None: the last page).

        A page reads a limited number of rows: it may have a mark and fewer than ``limit`` rows.
        """
