# SPDX-License-Identifier: Apache-2.0
"""Resources that cost by the hour or month, independent of visitors.

``tests/infrastructure/test_capacity_topology.py`` compares ``STANDARD`` and ``CHEAP`` with the
synthesized stack. ``PREDECESSOR`` is the published template of the AWS solution v1.1.15.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from waiting_room.domain.metrics import gauges
from waiting_room.domain.records import Counts

METRICS = len(gauges(Counts(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)))  # the report function's own metrics


@dataclass(frozen=True)
class Topology:
    """Counts of the resources with a fixed cost. ``endpoints`` are counted by zone."""

    name: str
    nodes: dict[str, int]
    nat_gateways: int
    endpoints: int
    alarms: int
    dashboards: int
    metrics: int
    secrets: int
    keys: int
    acls: int
    rules: int
    edge_functions: int  # executed for each request at the edge
    functions_each_minute: int
    history: bool = True  # a write each minute for each event with work


STANDARD = Topology(
    "this room",
    nodes={"redis cache.t4g.small": 2},
    nat_gateways=0,
    endpoints=6,  # Secrets Manager, SQS and EventBridge in two zones
    alarms=22,
    dashboards=1,
    metrics=METRICS,
    secrets=5,  # one of them is the API key of a gate stack
    keys=0,
    acls=1,
    rules=6,
    edge_functions=1,
    functions_each_minute=4,
)
CHEAP = replace(
    STANDARD, name="its cheap profile", nodes={"valkey cache.t4g.micro": 1}, endpoints=3, secrets=4
)
PREDECESSOR = Topology(
    "AWS solution v1.1.15",
    nodes={"redis cache.r6g.large": 2},
    nat_gateways=1,
    endpoints=8,  # four services in two zones
    alarms=39,
    dashboards=0,
    metrics=0,
    secrets=3,
    keys=0,
    acls=0,
    rules=0,
    edge_functions=0,
    functions_each_minute=2,  # the sweep and the metrics
    history=False,
)


def of_template(name: str, template: Mapping[str, Any]) -> Topology:
    """Return the topology of a CloudFormation template."""
    resources = template["Resources"].values()
    kinds = Counter(resource["Type"] for resource in resources)
    nodes: Counter[str] = Counter()
    endpoints = rules = each_minute = 0
    for resource in resources:
        kind, values = resource["Type"], resource.get("Properties", {})
        if kind == "AWS::ElastiCache::ReplicationGroup":
            nodes[f"{values['Engine']} {values['CacheNodeType']}"] += values["NumCacheClusters"]
        elif kind == "AWS::EC2::VPCEndpoint" and values.get("VpcEndpointType") == "Interface":
            endpoints += len(values["SubnetIds"])
        elif kind == "AWS::WAFv2::WebACL":
            rules += len(values["Rules"])
        elif kind in ("AWS::Events::Rule", "AWS::Scheduler::Schedule"):
            each_minute += values.get("ScheduleExpression") == "rate(1 minute)"
    return Topology(
        name,
        nodes=dict(nodes),
        nat_gateways=kinds["AWS::EC2::NatGateway"],
        endpoints=endpoints,
        alarms=kinds["AWS::CloudWatch::Alarm"] + kinds["AWS::CloudWatch::CompositeAlarm"],
        dashboards=kinds["AWS::CloudWatch::Dashboard"],
        metrics=METRICS,
        secrets=kinds["AWS::SecretsManager::Secret"],
        keys=kinds["AWS::KMS::Key"],
        acls=kinds["AWS::WAFv2::WebACL"],
        rules=rules,
        edge_functions=kinds["AWS::CloudFront::Function"],
        functions_each_minute=each_minute,
    )
