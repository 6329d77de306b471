# SPDX-License-Identifier: Apache-2.0
"""The figures that go to the bus and to the dashboard, from one reading of the counters."""

from __future__ import annotations

from waiting_room.domain.records import Counts


def event_detail(event_id: str, counts: Counts) -> dict[str, str | int]:
    """The detail of ``waiting_room_metrics``; field names are the contract's."""
    return {
        "event_id": event_id,
        "num_active_tokens": counts.active,
        "total_num_tokens": counts.tokens,
        "queue_counter": counts.queue,
        "serving_number": counts.serving,
        "completed_sessions": counts.completed,
        "abandoned_sessions": counts.abandoned,
    }


def gauges(counts: Counts) -> dict[str, int]:
    """The gauges of the dashboard, by metric name; all are counts."""
    return {
        "QueuePositions": counts.queue,
        "Waiting": counts.waiting,
        "ServingCounter": counts.serving,
        "ActiveTokens": counts.active,
        "TokensIssued": counts.tokens,
        "PositionsExpired": counts.expired,
        "SessionsCompleted": counts.completed,
        "SessionsAbandoned": counts.abandoned,
        "Holes": counts.holes,
    }
