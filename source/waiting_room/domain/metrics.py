# SPDX-License-Identifier: Apache-2.0
"""Metrics of waiting pages, console, event bus and dashboard, from one ``Counts``.

``ServingNumber`` and ``WaitingNumber`` are the parts of it that their routes read alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from waiting_room.domain import serving_counter
from waiting_room.domain.events.phase import Phase
from waiting_room.domain.events.registry import RegistryEntry
from waiting_room.domain.records import Counts, waiting

STALE_AFTER = 180  # s without a successful minute job after which its metrics are stale
# metrics that are stale then, by job
EXPIRY_SWEEP_METRICS = ("positions_expired", "waiting_num")
RECONCILIATION_METRICS = ("holes", "waiting_num")


@dataclass(frozen=True, slots=True)
class ServingNumber:
    """The serving counter; the other fields are those of the counters, as in ``EventState``."""

    generation: int
    version: int
    lowering: int
    serving: int


@dataclass(frozen=True, slots=True)
class WaitingNumber:
    """The counts of which the waiting number is made, as in ``Counts``."""

    generation: int
    version: int
    lowering: int
    queue: int
    holes: int
    tokens: int
    expired: int

    @property
    def waiting(self) -> int:
        """Assigned positions without a token, not expired and not unused; never negative."""
        return waiting(self.queue, self.holes, self.tokens, self.expired)


def page_status(
    event_id: str,
    counts: Counts,
    entry: RegistryEntry | None,
    moment: float,
    *,
    is_known: bool = True,
) -> dict[str, Any]:
    """Return the status that waiting pages poll, at ``moment`` (epoch s); rates are per minute.

    A known event without an entry is that of the deployment before its set-up; it is open.
    """
    now = int(moment)
    if entry and entry.gated:
        counts = serving_counter.without_headroom(counts)
    rate = serving_counter.rate_per_minute(counts.admitted_recently, counts.admitting_since, now)
    return {
        "event_id": event_id,
        "serving_counter": counts.serving,
        "waiting_num": counts.waiting,
        "queue_counter": counts.queue,
        "admission_rate_per_minute": round(rate, 2),
        "poll_after_seconds": serving_counter.poll_after(counts.waiting, rate),
        "message": counts.message,
        "now": round(moment, 2),
        "optimistic_rate_per_minute": round(serving_counter.optimistic_rate(counts, now), 2),
        "moved_at": counts.admitted_at or None,
        "first_moved_at": counts.first_moved_at or None,
        "every": serving_counter.usual_gap(counts.latest),
        "phase": _phase(entry, moment) if is_known else None,
        "pre_queue_at": entry.now.schedule["pre_queue_at"] if entry else None,
        "opens_at": entry.now.schedule["opens_at"] if entry else None,
        "closes_at": entry.now.schedule["closes_at"] if entry else None,
        **({"page": entry.page} if entry and entry.page else {}),
    }


def _phase(entry: RegistryEntry | None, moment: float) -> str:
    return (entry.phase(moment) if entry else Phase.OPEN).value


def console_metrics(
    event_id: str,
    counts: Counts,
    entry: RegistryEntry | None,
    moment: float,
    *,
    is_known: bool = True,
) -> dict[str, Any]:
    """Return the metrics that the console shows, at ``moment`` (epoch s)."""
    return {
        **page_status(event_id, counts, entry, moment, is_known=is_known),
        "active_tokens": counts.active,
        "active": counts.sessions if entry and entry.gated else counts.active,
        "total_tokens": counts.tokens,
        "positions_expired": counts.expired,
        "completed_sessions": counts.completed,
        "abandoned_sessions": counts.abandoned,
        "holes": counts.holes,
        "generation": counts.generation,
        **freshness(counts, int(moment), has_work=entry is None or entry.has_minute_work(moment)),
    }


def freshness(counts: Counts, now: int, *, has_work: bool = True) -> dict[str, Any]:
    """Return the ages (s) of the last reconciliation, expiry sweep and admission, and ``stale``.

    An age is None while it is unknown, for example after a rebuild of the counters. ``stale``
    lists the metrics whose job has not succeeded for STALE_AFTER seconds. It is empty for an event
    without minute work: its metrics do not change.
    """
    sweep = _age(counts.swept_at, now)
    reconciliation = _age(counts.reconciled_at, now)
    stale = {
        name
        for age, names in ((sweep, EXPIRY_SWEEP_METRICS), (reconciliation, RECONCILIATION_METRICS))
        for name in names
        if has_work and (age is None or age > STALE_AFTER)
    }
    return {
        "sweep_age": sweep,
        "reconciliation_age": reconciliation,
        "admission_age": _age(counts.admitted_at, now),
        "stale": sorted(stale),
    }


def _age(at: int, now: int) -> int | None:
    return max(0, now - at) if at else None


def bus_detail(event_id: str, counts: Counts) -> dict[str, str | int]:
    """Return the detail of ``waiting_room_metrics``; the API contract defines the member names."""
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
    """Return the metrics of the dashboard, by CloudWatch metric name; all are counts."""
    return {
        "QueuePositions": counts.queue,
        "Waiting": counts.waiting,
        "ServingCounter": counts.serving,
        "ActiveTokens": counts.active,
        "TokensIssued": counts.tokens,
        "PositionsExpired": counts.expired,
        "SessionsCompleted": counts.completed,
        "SessionsAbandoned": counts.abandoned,
        "UnusedPositions": counts.holes,
    }
