# SPDX-License-Identifier: Apache-2.0
"""Bringing the fast counters back from the tables, and keeping the tables' own account short.

The rebuild reads the state, the serving moves that still matter, and the token rows above the
settled mark; below it every figure is already final in the state. The audit finds holes: a
position reserved longer than ``settle_after`` ago and still without a row will never have one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TypeVar

from waiting_room.errors import CountersLost
from waiting_room.ports import Counters, Outcomes, ServingLog
from waiting_room.records import EventState, LiveToken, Outcome, SessionStatus, Snapshot

Answer = TypeVar("Answer")
SETTLE_STEP = 5_000  # positions settled at once; bounds what the minute worker reads


def snapshot(event_id: str, log: ServingLog, outcomes: Outcomes) -> Snapshot:
    """Read everything the counters hold."""
    state = log.read(event_id)
    rows = outcomes.between(event_id, state.generation, state.settled + 1, state.queue)
    tokens = tuple(
        LiveToken(row.position, row.expires_at, row.status) for row in rows if row.is_token
    )
    return Snapshot(state, tuple(log.moves(state)), tokens)


class Recovery:
    """Runs what needs the counters; when they are lost, rebuilds them first and runs it again."""

    def __init__(self, counters: Counters, log: ServingLog, outcomes: Outcomes) -> None:
        self._counters, self._log, self._outcomes = counters, log, outcomes

    def rebuild(self, event_id: str, *, force: bool = False) -> EventState:
        """Bring the counters back; answers the state that they were built from."""
        found = snapshot(event_id, self._log, self._outcomes)
        self._counters.restore(found, force=force)
        return found.state

    def run(self, event_id: str, ask: Callable[[], Answer]) -> Answer:
        """The answer of ``ask``, after a rebuild if the counters were lost."""
        try:
            return ask()
        except CountersLost:
            self.rebuild(event_id)
        try:
            return ask()
        except CountersLost:  # the copy lags behind the tables although it is whole: replace it
            self.rebuild(event_id, force=True)
            return ask()


def settle(state: EventState, outcomes: Iterable[Outcome], upto: int, now: int) -> EventState:
    """Move the settled mark over swept positions whose tokens are all dead.

    ``outcomes`` are those above the mark up to ``upto``, which is not above the swept mark.
    A dead token can no longer be ended, so the figures below the mark are final.
    """
    rows = sorted(outcomes, key=lambda row: row.position)
    alive = next((row for row in rows if row.is_token and now < row.expires_at), None)
    reach = alive.position - 1 if alive else upto
    done = [row for row in rows if row.position <= reach and row.is_token]
    return replace(
        state,
        settled=max(state.settled, reach),
        settled_tokens=state.settled_tokens + len(done),
        settled_completed=state.settled_completed
        + sum(row.status is SessionStatus.COMPLETED for row in done),
        settled_abandoned=state.settled_abandoned
        + sum(row.status is SessionStatus.ABANDONED for row in done),
    )


def audit(state: EventState, held: int, now: int) -> EventState:
    """Close the watched range, ``held`` of whose positions have a row; then watch the next one."""
    missing = state.watch_queue - state.audited - held
    return replace(
        state,
        audited=state.watch_queue,
        holes=state.holes + max(0, missing),
        known_holes=tuple(hole for hole in state.known_holes if hole > state.watch_queue),
        watch_queue=state.queue,
        watch_at=now,
    )


def audit_is_due(state: EventState, settle_after: int, now: int) -> bool:
    """Whether the watched range has been reserved for long enough."""
    return state.watch_queue > state.audited and now - state.watch_at > settle_after
