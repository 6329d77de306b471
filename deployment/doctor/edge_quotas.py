# SPDX-License-Identifier: Apache-2.0
"""Check quotas of CloudFront that Service Quotas may not list: functions, stores, VPC origins.

The defaults are those of the page
https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/cloudfront-limits.html, read on
2026-11-30. An account with more than the default has a higher quota.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from deployment.doctor.results import EDGE_REGION, Deployment, Level, Result

# Stack → its functions at the edge, key-value stores, and VPC origins at most.
CREATED = {"core": (1, 0, 0), "gate": (4, 1, 1)}


@dataclass(frozen=True)
class EdgeQuota:
    """A quota: its operation, the member of the response with the list, and the default."""

    what: str
    operation: str
    member: str
    default: int


QUOTAS = (
    EdgeQuota("functions", "list_functions", "FunctionList", 100),
    EdgeQuota("key-value stores", "list_key_value_stores", "KeyValueStoreList", 50),
    EdgeQuota("VPC origins", "list_vpc_origins", "VpcOriginList", 25),
)


def edge_quotas(of: Deployment) -> Iterator[Result]:
    """Compare what the account has and what the deployment adds with the defaults."""
    if of.exists:
        return
    client = of.client("cloudfront", EDGE_REGION)
    made = [CREATED[one] for one in of.stacks if one in CREATED]
    enough = True
    for quota, added in zip(QUOTAS, (sum(one) for one in zip(*made, strict=True)), strict=True):
        if not added:
            continue
        count = _count(client, quota)
        if count <= quota.default < count + added:
            enough = False
            yield Result(
                f"CloudFront {quota.what}",
                Level.WARNING,
                f"The account has {count} {quota.what} and the deployment adds up to {added}; the "
                f"default quota is {quota.default}.",
                "If yours is the default, request more in the AWS Support Center (Service quota "
                "increase, CloudFront).",
            )
    if enough:
        yield Result("CloudFront edge", Level.OK, "Functions and stores fit into the quotas.")


def _count(client: Any, quota: EdgeQuota) -> int:
    call = getattr(client, quota.operation)
    listed = call()[quota.member]
    count = int(listed["Quantity"])
    while marker := listed.get("NextMarker"):
        listed = call(Marker=marker)[quota.member]
        count += int(listed["Quantity"])
    return count
