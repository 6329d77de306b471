# SPDX-License-Identifier: Apache-2.0
"""The store of the counters for each profile: Redis in a VPC, or DynamoDB without one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from aws_cdk import RemovalPolicy
from constructs import Construct, IDependable

from infrastructure.constructs.compute.function import FunctionDefaults, VpcPlacement
from infrastructure.constructs.data.counters import Counters
from infrastructure.constructs.data.network import Network
from infrastructure.parameters.core import CoreConfig


@dataclass(frozen=True, kw_only=True)
class CounterStore:
    """What the functions that use the counters get.

    ``settings`` are their environment variables, ``placement`` is their VPC placement. ``ready`` is
    what they depend on. ``redis`` is the ElastiCache group; None with DynamoDB.
    """

    settings: Mapping[str, str]
    placement: VpcPlacement | None = None
    ready: Sequence[IDependable] = field(default_factory=tuple)
    redis: Counters | None = None


def counter_store(
    scope: Construct,
    *,
    config: CoreConfig,
    defaults: FunctionDefaults,
    removal: RemovalPolicy,
    tables: str = "",
) -> CounterStore:
    """Add the network and the counters of the profile; nothing with the profile serverless.

    ``tables`` is the digest of restored tables: their counters are in a Redis of their own.
    """
    size = config.cache_node_size
    if size is None:
        return CounterStore(settings={"COUNTERS_STORE": "dynamodb"})
    network = Network(
        scope,
        "Network",
        defaults=defaults,
        zones=config.zones,
        endpoint_zones=1 if config.cheap else 2,
        vpc_id=config.vpc_id,
        subnet_ids=config.subnet_ids,
    )
    counters = Counters(
        scope,
        "Counters",
        network=network,
        port=config.redis_port,
        size=size,
        removal=removal,
        key=defaults.key,
        tables=tables,
    )
    return CounterStore(
        settings=counters.settings,
        placement=network.placement,
        ready=(counters, *network.ready),
        redis=counters,
    )
