# SPDX-License-Identifier: Apache-2.0
"""Parameters that cannot work in the region of the deployment."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from infrastructure.blueprint.regions import (
    LOW_API_BURST,
    LOW_API_QUOTA,
    LOW_API_RATE,
    VPC_ORIGINS,
    ZONES_WITHOUT_VPC_ORIGINS,
    has_snap_start,
    partition_of,
)
from infrastructure.parameters.parameter import ParameterError

WITHOUT_CLOUDFRONT = frozenset({"authorizer"})  # stacks without a distribution


def check_region(region: str, context: Mapping[str, Any], stacks: Collection[str]) -> None:
    """Raise ParameterError if the stacks cannot work in a region; "" for an unknown region."""
    if not region:
        return
    partition = partition_of(region)
    others = sorted(set(stacks) - WITHOUT_CLOUDFRONT)
    if not partition.cloudfront and others:
        raise ParameterError(
            f"The parameter Stacks: {', '.join(others)} cannot be deployed in {region}. They need "
            f"CloudFront, which the partition {partition.name} does not have."
        )
    if str(context.get("SnapStart", "")).lower() == "true" and not has_snap_start(region):
        raise ParameterError(
            f"The parameter SnapStart must be false in {region}, where Lambda has no SnapStart for"
            " Python."
        )
    if context.get("SiteLoadBalancerArn") and "gate" in stacks and region not in VPC_ORIGINS:
        raise ParameterError(
            f"The parameter SiteLoadBalancerArn cannot be used in {region}: AWS does not list the"
            " region for VPC origins of CloudFront. Use SiteOrigin. (Zones without VPC origins:"
            f" {', '.join(ZONES_WITHOUT_VPC_ORIGINS)}.)"
        )
    sign_in = str(context.get("OperatorSignIn") or "true").strip().lower() == "true"
    if sign_in and "sample" in stacks and not partition.user_pools:
        raise ParameterError(
            f"The parameter OperatorSignIn must be false in {region}: the partition"
            f" {partition.name} has no user pools of Cognito. Operators sign in to the console with"
            " IAM keys."
        )
    missing = [
        name for name in ("AccountApiRate", "AccountApiBurst") if context.get(name) in (None, "")
    ]
    if region in LOW_API_QUOTA and others and missing:
        raise ParameterError(
            f"The parameter {missing[0]} is required in {region}, where API Gateway allows "
            f"{LOW_API_RATE} requests/s and a burst of {LOW_API_BURST} by default. For example: "
            "AccountApiRate=2500, AccountApiBurst=1250, ApiRate=1500, ApiBurst=750, "
            "PrivateApiRate=400, PrivateApiBurst=200, OtherApiRate=200, OtherApiBurst=100."
        )
