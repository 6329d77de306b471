# SPDX-License-Identifier: Apache-2.0
"""What alarms and the dashboard look at."""

from __future__ import annotations

from dataclasses import dataclass

from infrastructure.constructs.api.apis import PrivateApi, PublicApi
from infrastructure.constructs.api.join_queue import JoinQueue
from infrastructure.constructs.compute.workers import Workers
from infrastructure.constructs.data.counters import Counters
from infrastructure.constructs.data.tables import Tables
from infrastructure.constructs.edge.distribution import ApiDistribution


@dataclass(frozen=True, kw_only=True)
class MonitoredResources:
    """The parts of a room that are monitored; ``nodes`` are those of the counters' server."""

    event_id: str
    public: PublicApi
    private: PrivateApi
    workers: Workers
    joins: JoinQueue
    tables: Tables
    counters: Counters
    edge: ApiDistribution
    nodes: int
