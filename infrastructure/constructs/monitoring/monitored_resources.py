# SPDX-License-Identifier: Apache-2.0
"""The resources that alarms and the dashboard monitor."""

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
    """The monitored resources of a room; ``redis`` is None if the counters are in DynamoDB.

    ``acl_metric`` is the metric name of the AWS WAF ACL, "" without one. ``account_concurrency`` is
    the quota of the account in ``region``.
    """

    stack_name: str
    region: str
    acl_metric: str
    account_concurrency: int
    public: PublicApi
    private: PrivateApi
    workers: Workers
    joins: JoinQueue
    tables: Tables
    redis: Counters | None
    edge: ApiDistribution
