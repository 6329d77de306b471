# SPDX-License-Identifier: Apache-2.0
"""What alarms and the dashboard look at."""

from __future__ import annotations

from dataclasses import dataclass

from infrastructure.constructs.apis import PrivateApi, PublicApi
from infrastructure.constructs.counters import Counters
from infrastructure.constructs.edge import Edge
from infrastructure.constructs.joins import Joins
from infrastructure.constructs.tables import Tables
from infrastructure.constructs.workers import Workers


@dataclass(frozen=True, kw_only=True)
class Watched:
    """The parts of a room that are watched; ``nodes`` are those of the counters' server."""

    event_id: str
    public: PublicApi
    private: PrivateApi
    workers: Workers
    joins: Joins
    tables: Tables
    counters: Counters
    edge: Edge
    nodes: int
