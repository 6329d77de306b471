# SPDX-License-Identifier: Apache-2.0
"""Bringing the fast counters back from the tables, and keeping the tables' own account short.

The rebuild reads the state, the serving moves that still matter, and the token rows above the
settled mark; below it every figure is already final in the state. Where those rows are many, it
starts from the minute worker's last checkpoint of the counters and reads only the rows near the
front of the line, where tokens are taken; the minute worker then compares the others.
One caller rebuilds, the others wait for it.

The audit finds holes: a position reserved longer than ``settle_after`` ago and still without a row
will never have one.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TypeVar

from waiting_room.domain.errors import CountersLost, Unavailable
from waiting_room.domain.ports import Counters, Outcomes, RebuildLease, ServingLog
from waiting_room.domain.records import (
    CounterUpkeepRequest,
    EventState,
    LiveToken,
    SessionStatus,
    Snapshot,
)

Answer = TypeVar("Answer")
SETTLE_STEP = 5_000  # positions settled at once; bounds what the minute worker reads
READ_AT_ONCE = 10_000  # positions whose token rows a caller reads: half a second on one core
MANY_MOVES = 2_000  # serving moves after which a checkpoint spares reading them
READ_STEP = 10_000  # positions read between two signs of life
VERIFY_STEP, VERIFY_STEPS = 5_000, 20  # positions compared at once, and how often in a minute
WAIT, WAITS = 0.1, 50  # s between looks at another caller's rebuild, and how often
TRIES = 3  # the counters may be lost again while they are rebuilt


def snapshot(
    event_id: str,
    log: ServingLog,
    outcomes: Outcomes,
    still: Callable[[], None] = lambda: None,
) -> Snapshot:
    """Read everything the counters hold; ``still`` is called every second or so meanwhile."""
    state = log.read(event_id)
    first, start = state.settled_through + 1, None
    if needs_checkpoint(state):
        start = log.checkpoint(event_id, state.generation)
    if start is not None:
        first = max(first, min(state.serving, state.queue) - READ_AT_ONCE + 1)
    moves = tuple(log.moves(state, start.version if start else 0))
    tokens: list[LiveToken] = []
    for step in range(first, state.queue + 1, READ_STEP):
        still()
        last = min(step + READ_STEP - 1, state.queue)
        tokens += outcomes.tokens(event_id, state.generation, step, last)
    unverified = first - 1 if start and first > state.settled_through + 1 else 0
    return Snapshot(state, moves, tuple(tokens), start, unverified)


def needs_checkpoint(state: EventState) -> bool:
    """Whether there is more to read than a caller can wait for."""
    return state.queue - state.settled_through > READ_AT_ONCE or state.version > MANY_MOVES


class Recovery:
    """Runs what needs the counters; when they are lost, rebuilds them first and runs it again."""

    def __init__(
        self,
        counters: Counters,
        log: ServingLog,
        outcomes: Outcomes,
        pause: Callable[[float], None],
    ) -> None:
        self._counters, self._log, self._outcomes = counters, log, outcomes
        self._pause = pause

    def rebuild(self, event_id: str, *, force: bool = False) -> None:
        """Bring the counters back, or wait until another caller has.

        Raises Unavailable when that takes long, or when they are lost again and again.
        """
        ticket = secrets.token_hex(8)
        for _ in range(WAITS):
            turn = self._counters.acquire_rebuild_lease(event_id, ticket, force=force)
            if turn is RebuildLease.NOT_NEEDED:
                return None
            force = False
            if turn is RebuildLease.ACQUIRED:
                try:
                    return self._rebuild(event_id, ticket)
                except CountersLost:  # again, in the meantime
                    continue
            self._pause(WAIT)
        raise Unavailable("the counters are being rebuilt", 1)

    def _rebuild(self, event_id: str, ticket: str) -> None:
        try:
            found = snapshot(
                event_id,
                self._log,
                self._outcomes,
                lambda: self._counters.renew_rebuild_lease(event_id, ticket),
            )
        except BaseException:
            self._counters.release_rebuild_lease(event_id, ticket)
            raise
        self._counters.restore(found, ticket)

    def run(self, event_id: str, ask: Callable[[], Answer]) -> Answer:
        """The answer of ``ask``, after a rebuild if the counters were lost.

        Raises Unavailable when they are lost again and again.
        """
        for attempt in range(TRIES):
            try:
                return ask()
            except CountersLost:
                pass
            # after the first time, a whole copy that still says lost lags behind the tables
            self.rebuild(event_id, force=attempt > 0)
        try:
            return ask()
        except CountersLost:
            raise Unavailable("the counters are lost again and again", 1) from None

    def run_upkeep(self, state: EventState, asked: CounterUpkeepRequest, now: int) -> None:
        """The minute's part: compare rows that a rebuild left out, and make a checkpoint."""
        if asked.unverified > state.settled_through:
            self._verify(state, asked.unverified)
        if asked.changed and needs_checkpoint(state):
            self._log.save_checkpoint(
                state.event_id, self._counters.checkpoint(state.event_id, now)
            )

    def _verify(self, state: EventState, unverified: int) -> None:
        last = unverified
        for _ in range(VERIFY_STEPS):
            first = max(state.settled_through + 1, last - VERIFY_STEP + 1)
            rows = list(self._outcomes.tokens(state.event_id, state.generation, first, last))
            last = first - 1 if first > state.settled_through + 1 else 0
            self._counters.recount(state.event_id, state.generation, rows, last)
            if not last:
                return


def settle(state: EventState, tokens: Iterable[LiveToken], upto: int, now: int) -> EventState:
    """Move the settled mark over swept positions whose tokens are all dead.

    ``tokens`` are those above the mark up to ``upto``, which is not above the swept mark.
    A session that ends after its token died is not counted: the figures below the mark are final.
    """
    rows = sorted(tokens, key=lambda row: row.position)
    alive = next((row for row in rows if now < row.expires_at), None)
    reach = alive.position - 1 if alive else upto
    done = [row for row in rows if row.position <= reach]
    return replace(
        state,
        settled_through=max(state.settled_through, reach),
        settled_tokens=state.settled_tokens + len(done),
        settled_completed=state.settled_completed
        + sum(row.status is SessionStatus.COMPLETED for row in done),
        settled_abandoned=state.settled_abandoned
        + sum(row.status is SessionStatus.ABANDONED for row in done),
    )


def audit(state: EventState, held: int, now: int) -> EventState:
    """Close the watched range, ``held`` of whose positions have a row; then watch the next one."""
    missing = state.pending_through - state.reconciled_through - held
    return replace(
        state,
        reconciled_through=state.pending_through,
        holes=state.holes + max(0, missing),
        known_holes=tuple(hole for hole in state.known_holes if hole > state.pending_through),
        pending_through=state.queue,
        pending_since=now,
    )


def audit_is_due(state: EventState, settle_after: int, now: int) -> bool:
    """Whether the watched range has been reserved for long enough."""
    return (
        state.pending_through > state.reconciled_through
        and now - state.pending_since > settle_after
    )
