# SPDX-License-Identifier: Apache-2.0
"""The figures that pages and panels show, from one reading of the counters."""

from __future__ import annotations

from typing import Any

from waiting_room import serving
from waiting_room.records import Counts


def for_page(event_id: str, counts: Counts, now: int) -> dict[str, Any]:
    """All that a waiting page polls; the rate is positions per minute."""
    rate = serving.rate_per_minute(counts.admitted_recently, counts.admitting_since, now)
    return {
        "event_id": event_id,
        "serving_counter": counts.serving,
        "waiting_num": counts.waiting,
        "queue_counter": counts.queue,
        "admission_rate_per_minute": round(rate, 2),
        "poll_after_seconds": serving.poll_after(counts.waiting, rate),
        "message": counts.message,
    }


def for_panel(event_id: str, counts: Counts, now: int) -> dict[str, Any]:
    """All that a control panel shows; everything is a count but the rate."""
    return {
        **for_page(event_id, counts, now),
        "active_tokens": counts.active,
        "total_tokens": counts.tokens,
        "positions_expired": counts.expired,
        "completed_sessions": counts.completed,
        "abandoned_sessions": counts.abandoned,
        "holes": counts.holes,
        "generation": counts.generation,
    }
