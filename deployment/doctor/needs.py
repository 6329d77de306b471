# SPDX-License-Identifier: Apache-2.0
"""The needs of an event at its peak, with the figures of the capacity model."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Self

from deployment.capacity.plan import HEADROOM, REQUESTS_PER_JOIN, Plan
from deployment.capacity.quotas import Assumptions

CALLS_PER_CONCURRENCY = 5  # calls of 0.2 s in each second, cold starts included


@dataclass(frozen=True)
class Needs:
    """The highest needs in one second of an event, with the headroom of the capacity model.

    ``api_rate`` are requests of the public API, ``concurrency`` Lambda calls at the same time,
    ``join_workers`` join workers at the same time, ``table_writes`` writes to one table.
    """

    visitors: int
    api_rate: int
    concurrency: int
    join_workers: int
    table_writes: int

    @classmethod
    def of(cls, plan: Plan, assumed: Assumptions) -> Self:
        """Return the needs of a plan."""
        joins = plan.peak * HEADROOM
        rate = joins * REQUESTS_PER_JOIN
        workers = math.ceil(joins / assumed.messages_per_poller)
        return cls(
            visitors=plan.visitors,
            api_rate=math.ceil(rate),
            concurrency=math.ceil(rate / CALLS_PER_CONCURRENCY) + workers,
            join_workers=workers,
            table_writes=math.ceil(joins),
        )
