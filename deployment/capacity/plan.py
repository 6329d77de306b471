# SPDX-License-Identifier: Apache-2.0
"""Inputs of the model: an event and the limits."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from deployment.capacity.quotas import Assumptions, Quotas
from deployment.visitor_model.arrivals import CURVES, peak_per_second
from infrastructure.blueprint.resources import ASSIGN
from infrastructure.parameters.core import CoreConfig
from waiting_room.adapters.dynamodb.items import SHARDS

REQUESTS_PER_JOIN = 2.5  # API requests at the peak: the join and one or two of queue_num
HEADROOM = 1.25  # factor above the peak for raised limits


@dataclass(frozen=True)
class Plan:
    """An event: visitors, arrival curve, length of the arrivals (s), and admission.

    ``admission_after`` is in seconds from the first arrival, ``admission_every`` the seconds
    between two steps of the serving counter.
    """

    visitors: int
    curve: str = "flash"
    seconds: float = 600.0
    admission_per_minute: float = 10_000.0
    admission_after: float = 0.0
    admission_every: float = 10.0

    def __post_init__(self) -> None:
        least = min(self.seconds, self.admission_per_minute, self.admission_every)
        if self.visitors < 1 or least <= 0:
            raise ValueError("visitors, seconds, the admission rate and its steps must be above 0")
        if self.curve not in CURVES:
            raise ValueError(f"curve must be one of {', '.join(CURVES)}, not {self.curve!r}")

    @property
    def peak(self) -> float:
        """The maximum of arrivals in one second."""
        return peak_per_second(CURVES[self.curve], self.visitors, self.seconds)


@dataclass(frozen=True)
class Limits:
    """The limits of a simulation; rates per second."""

    api_rate: float
    api_burst: float
    lambda_concurrency: int
    lambda_ramp: int
    warm: int  # environments of each API function at the start
    start_batches: int
    batch_ramp_per_minute: float
    most_batches: int
    batch_size: int
    batch_window: float
    table_writes: float
    index_writes: float
    partition_writes: float

    @classmethod
    def of(cls, quotas: Quotas) -> Limits:
        """Return the limits of a new deployment in an account with default quotas."""
        return cls(
            api_rate=min(CoreConfig.api_rate, quotas.api_requests_per_second),
            api_burst=min(CoreConfig.api_burst, quotas.api_burst),
            lambda_concurrency=quotas.lambda_concurrency,
            lambda_ramp=quotas.lambda_ramp_per_10_seconds,
            warm=0,
            start_batches=quotas.queue_start_batches,
            batch_ramp_per_minute=quotas.queue_ramp_per_minute,
            most_batches=min(quotas.queue_most_batches, ASSIGN.max_concurrency or 10**6),
            batch_size=ASSIGN.batch_size,
            batch_window=ASSIGN.batch_window,
            table_writes=quotas.table_write_units,
            index_writes=quotas.table_write_units,
            partition_writes=quotas.partition_write_units,
        )

    @property
    def rows_per_second(self) -> float:
        """The write rate for positions: of the table, its index, and the shards of the index."""
        return min(self.table_writes, self.index_writes, SHARDS * self.partition_writes)


def raised(limits: Limits, plan: Plan, assumed: Assumptions) -> Limits:
    """Return the limits to request before ``plan``: a join and one or two queue_num each.

    Pollers are provisioned (provisioned mode of the event source mapping) from the first second.
    """
    joins = plan.peak * HEADROOM
    rate = _up(joins * REQUESTS_PER_JOIN, 1_000)
    batches = _up(joins / assumed.messages_per_poller, 10)
    rows = _up(joins, 1_000)
    return replace(
        limits,
        api_rate=max(limits.api_rate, rate),
        api_burst=max(limits.api_burst, rate / 2),
        lambda_concurrency=max(limits.lambda_concurrency, _up(rate / 5, 1_000)),
        start_batches=max(limits.start_batches, batches),
        most_batches=max(limits.most_batches, batches),
        table_writes=max(limits.table_writes, rows),
        index_writes=max(limits.index_writes, rows),
    )


def unlimited(limits: Limits, plan: Plan, assumed: Assumptions) -> Limits:
    """Return limits that no event reaches; a run with them shows the demand."""
    pollers = 10 + _up(4 * plan.peak / assumed.messages_per_poller, 1)
    return replace(
        limits,
        api_rate=1e12,
        api_burst=1e12,
        lambda_concurrency=10**12,
        lambda_ramp=10**12,
        start_batches=pollers,
        most_batches=pollers,
        table_writes=1e12,
        index_writes=1e12,
        partition_writes=1e12,
    )


def scenarios(limits: Limits, plan: Plan, assumed: Assumptions) -> dict[str, Limits]:
    """Return the limits of the compared runs: none, some, all raised."""
    every = raised(limits, plan, assumed)
    quotas = replace(
        limits,
        api_rate=every.api_rate,
        api_burst=every.api_burst,
        lambda_concurrency=every.lambda_concurrency,
    )
    warm = replace(quotas, table_writes=every.table_writes, index_writes=every.index_writes)
    return {
        "nothing (default parameters)": limits,
        "API and Lambda quotas": quotas,
        "and pre-warmed tables": warm,
        "and provisioned pollers": every,
    }


def _up(value: float, step: int) -> int:
    return math.ceil(value / step) * step
