# SPDX-License-Identifier: Apache-2.0
"""Reconciliation: compare assigned positions with their rows, and settle final counts.

A position that was reserved longer than ``unused_position_timeout`` ago and has no row stays
unused: the worker that reserved it has ended.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from waiting_room.domain.counter_snapshot import LiveToken
from waiting_room.domain.records import EventState, SessionStatus

SETTLE_STEP = 5_000  # positions settled at once; bounds what the minute worker reads


def is_due(state: EventState, unused_position_timeout: int, now: int) -> bool:
    """Return whether the pending range was reserved long enough ago (times in s)."""
    return (
        state.pending_through > state.reconciled_through
        and now - state.pending_since > unused_position_timeout
    )


def is_idle(state: EventState) -> bool:
    """Return whether no range is pending though positions were assigned above the last one."""
    return state.pending_through == state.reconciled_through and state.queue > state.pending_through


def close_pending(state: EventState, rows: int, now: int) -> EventState:
    """Close the pending range, whose positions have ``rows`` rows; the next range is pending."""
    missing = state.pending_through - state.reconciled_through - rows
    return replace(
        state,
        reconciled_through=state.pending_through,
        holes=state.holes + max(0, missing),
        pending_through=state.queue,
        pending_since=now,
    )


def settle(state: EventState, tokens: Iterable[LiveToken], upto: int, now: int) -> EventState:
    """Raise ``settled_through`` over positions whose outcome can no longer change.

    ``tokens`` are those above ``settled_through`` up to ``upto``, which is at most
    ``expired_through``. A session that is ended after token and session are over is not counted:
    counts up to ``settled_through`` are final.
    """
    rows = sorted(tokens, key=lambda row: row.position)
    alive = next((row for row in rows if not row.is_final(now)), None)
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
