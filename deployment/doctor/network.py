# SPDX-License-Identifier: Apache-2.0
"""Checks of zones, endpoints, the VPC and ElastiCache."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from deployment.doctor.results import Deployment, Level, Result

# Zones in which Lambda creates no network interfaces, by id: reported by users, not published.
ZONES_WITHOUT_LAMBDA = ("use1-az3",)
SERVICES = ("secretsmanager",)  # interface endpoints of the network
ROLE = "AWSServiceRoleForElastiCache"
ZONES = 2


@dataclass(frozen=True)
class Zone:
    """A zone of the account: its name there, its id, and what it lacks."""

    name: str
    id: str
    lacks: tuple[str, ...]


def in_a_vpc(of: Deployment) -> bool:
    """Return whether the deployment has a VPC; a room with its counters in DynamoDB has none."""
    return not of.config.serverless


def zones(of: Deployment) -> Iterator[Result]:
    """Check the zones of the network or of the given subnets."""
    if not in_a_vpc(of):
        return
    known = _zones(of)
    if of.config.vpc_id:
        found = of.client("ec2").describe_subnets(SubnetIds=list(of.config.subnet_ids))["Subnets"]
        chosen = sorted({one["AvailabilityZone"] for one in found})
        lacking = [one for one in known if one.name in chosen and "Lambda" in one.lacks]
        action = "Name subnets in other zones in SubnetIds."
    else:
        chosen = list(of.config.zones) or [one.name for one in known[:ZONES]]
        lacking = [one for one in known if one.name in chosen and one.lacks]
        whole = [one.name for one in known if not one.lacks][:ZONES]
        action = (
            f"Deploy with AvailabilityZones={','.join(whole)}."
            if len(whole) == ZONES
            else "Use another region, or a VPC of your own (VpcId and SubnetIds)."
        )
        if of.exists:
            action = "The network of a deployed stack cannot move: deploy a stack of another name."
    missing = sorted(set(chosen) - {one.name for one in known})
    if missing:
        yield Result(
            "Zones",
            Level.MUST_FIX,
            f"The account has no available zone {', '.join(missing)}.",
            f"It has {', '.join(one.name for one in known)}.",
        )
    for one in lacking:
        yield Result(
            "Zones",
            Level.MUST_FIX,
            f"The zone {one.name} ({one.id}) lacks: {', '.join(one.lacks)}.",
            action,
        )
    if not missing and not lacking:
        ids = ", ".join(f"{one.name} ({one.id})" for one in known if one.name in chosen)
        yield Result("Zones", Level.OK, f"The deployment can use the zones {ids}.")


def _zones(of: Deployment) -> list[Zone]:
    """Return the available zones in the order in which CloudFormation selects them."""
    ec2 = of.client("ec2")
    available = ec2.describe_availability_zones(
        Filters=[
            {"Name": "state", "Values": ["available"]},
            {"Name": "zone-type", "Values": ["availability-zone"]},
        ]
    )["AvailabilityZones"]
    names = [f"com.amazonaws.{of.account.region}.{one}" for one in SERVICES]
    details = ec2.describe_vpc_endpoint_services(
        Filters=[{"Name": "service-name", "Values": [*names, *(f"cn.{one}" for one in names)]}]
    )["ServiceDetails"]
    return sorted(
        (
            Zone(one["ZoneName"], one["ZoneId"], tuple(_lacks(one, names, details)))
            for one in available
        ),
        key=lambda zone: zone.name,
    )


def _lacks(
    zone: Mapping[str, Any], names: Sequence[str], details: Sequence[Mapping[str, Any]]
) -> Iterator[str]:
    has = {
        one["ServiceName"].removeprefix("cn."): one["AvailabilityZones"]
        for one in details
        if any(kind["ServiceType"] == "Interface" for kind in one.get("ServiceType", []))
    }
    for name in names:
        if zone["ZoneName"] not in has.get(name, ()):
            yield f"the endpoint {name}"
    if zone["ZoneId"] in ZONES_WITHOUT_LAMBDA:
        yield "Lambda"


def vpc(of: Deployment) -> Iterator[Result]:
    """Check that the account can have one more VPC."""
    if not in_a_vpc(of) or of.config.vpc_id or of.exists:
        return
    count = len(of.client("ec2").describe_vpcs()["Vpcs"])
    quota = of.quota("vpc", "VPCs per Region")
    if quota and count + 1 > quota[0]:
        yield Result(
            "VPC",
            Level.MUST_FIX,
            f"The account has {count} VPCs in this region; the quota is {quota[0]:.0f}.",
            f"Request Service Quotas vpc {quota[1]}: {count + 1}, or deploy into a VPC of yours "
            "(VpcId and SubnetIds).",
        )
    else:
        yield Result("VPC", Level.OK, f"The account has {count} VPCs in this region.")


def elasticache(of: Deployment) -> Iterator[Result]:
    """Check the node type, the number of nodes and the service-linked role."""
    size = of.config.cache_node_size
    if size is None:
        return
    client = of.client("elasticache")
    offered = client.describe_reserved_cache_nodes_offerings(
        CacheNodeType=size.node_type, MaxRecords=20
    )["ReservedCacheNodesOfferings"]
    if not offered:
        yield Result(
            "ElastiCache node type",
            Level.WARNING,
            f"AWS lists no offering of {size.node_type} in this region, so it may not exist.",
            "Deploy with another RedisNodeType.",
        )
    else:
        yield Result("ElastiCache node type", Level.OK, f"{size.node_type} exists in this region.")
    if not of.exists:
        pages = client.get_paginator("describe_cache_clusters").paginate()
        count = sum(len(page["CacheClusters"]) for page in pages)
        quota = of.quota("elasticache", "Nodes per Region")
        if quota and count + size.nodes > quota[0]:
            yield Result(
                "ElastiCache nodes",
                Level.MUST_FIX,
                f"The account has {count} nodes and the deployment adds {size.nodes}; the quota "
                f"is {quota[0]:.0f}.",
                f"Request Service Quotas elasticache {quota[1]}: {count + size.nodes}.",
            )
    try:
        of.client("iam").get_role(RoleName=ROLE)
    except ClientError as error:
        if error.response["Error"]["Code"] != "NoSuchEntity":
            raise
        yield Result(
            "ElastiCache role",
            Level.WARNING,
            f"The account does not have the role {ROLE}; AWS creates it with the first cache, and "
            "that first request can fail.",
            "aws iam create-service-linked-role --aws-service-name elasticache.amazonaws.com",
        )
        return
    yield Result("ElastiCache role", Level.OK, f"The account has the role {ROLE}.")
