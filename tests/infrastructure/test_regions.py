# SPDX-License-Identifier: Apache-2.0
"""Regions: parameters that cannot work there are rejected before anything is created."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.session import Session

from infrastructure.blueprint.regions import (
    LOW_API_QUOTA,
    NO_SNAP_START,
    PARTITIONS,
    VPC_ORIGINS,
    partition_of,
)
from infrastructure.parameters.core import CoreConfig
from infrastructure.parameters.parameter import ParameterError
from infrastructure.parameters.region_rules import check_region

ALL = ("core", "authorizer", "sample", "openid", "inlet", "gate")
EXAMPLE = {
    "AccountApiRate": "2500", "AccountApiBurst": "1250", "ApiRate": "1500", "ApiBurst": "750",
    "PrivateApiRate": "400", "PrivateApiBurst": "200", "OtherApiRate": "200",
    "OtherApiBurst": "100",
}  # fmt: skip


def test_partitions_are_those_of_botocore() -> None:
    session: Any = Session()
    for one in PARTITIONS:
        resolver = session.get_component("endpoint_resolver")
        assert resolver.get_partition_dns_suffix(one.name) == one.dns_suffix
        for region in session.get_available_regions("dynamodb", one.name):
            assert partition_of(region) is one, region


def test_each_region_of_the_list_with_lambda_has_user_pools_unless_its_partition_has_none() -> None:
    session: Any = Session()
    for one in PARTITIONS:
        pools = session.get_available_regions("cognito-idp", one.name)
        if one.cloudfront:
            regions = session.get_available_regions("lambda", one.name)
            assert set(pools) == (set(regions) if one.user_pools else set())


@pytest.mark.parametrize("value", ["", "true"])
def test_the_sign_in_is_rejected_where_cognito_has_no_user_pools(value: str) -> None:
    with pytest.raises(ParameterError, match="OperatorSignIn must be false in cn-north-1"):
        check_region("cn-north-1", {"OperatorSignIn": value}, ALL)
    check_region("cn-north-1", {"OperatorSignIn": "false"}, ALL)
    check_region("cn-north-1", {}, ["core", "authorizer"])


@pytest.mark.parametrize("region", ["", "us-east-1", "eu-central-1", "xx-new-1"])
def test_other_regions_accept_the_defaults(region: str) -> None:
    check_region(region, {}, ALL)


@pytest.mark.parametrize("region", ["us-gov-west-1", "us-gov-east-1"])
def test_stacks_that_need_cloudfront_are_rejected_where_it_does_not_exist(region: str) -> None:
    with pytest.raises(ParameterError, match="The parameter Stacks: core, sample cannot be"):
        check_region(region, {}, ["sample", "core", "authorizer"])
    check_region(region, {}, ["authorizer"])


def test_regions_with_a_low_quota_need_the_quota_of_the_account() -> None:
    session: Any = Session()
    assert set(session.get_available_regions("apigateway", "aws")) >= LOW_API_QUOTA
    for region in LOW_API_QUOTA:
        with pytest.raises(ParameterError, match=f"AccountApiRate is required in {region}"):
            check_region(region, {"AccountApiBurst": "1250"}, ["core"])
        with pytest.raises(ParameterError, match=f"AccountApiBurst is required in {region}"):
            check_region(region, {"AccountApiRate": "2500"}, ["core"])
        check_region(region, EXAMPLE, ALL)
        check_region(region, {}, ["authorizer"])


def test_the_example_of_the_message_fits_with_every_stack() -> None:
    with pytest.raises(ParameterError) as error:
        check_region("eu-south-1", {}, ["core"])
    for name, value in EXAMPLE.items():
        assert f"{name}={value}" in str(error.value)
    CoreConfig.from_context(EXAMPLE).check_api_quota(3)


@pytest.mark.parametrize("region", [*sorted(NO_SNAP_START), "cn-north-1", "us-gov-west-1"])
def test_snap_start_is_rejected_where_it_does_not_exist(region: str) -> None:
    with pytest.raises(ParameterError, match=f"SnapStart must be false in {region}"):
        check_region(region, {"SnapStart": "True"}, ["authorizer"])
    check_region(region, {"SnapStart": "false"}, ["authorizer"])
    check_region("eu-central-1", {"SnapStart": "true"}, ["authorizer"])


def test_a_load_balancer_is_rejected_where_vpc_origins_do_not_exist() -> None:
    given = {"SiteLoadBalancerArn": "arn:aws:elasticloadbalancing:…"}
    with pytest.raises(
        ParameterError, match="SiteLoadBalancerArn cannot be used in ap-southeast-6"
    ):
        check_region("ap-southeast-6", given, ["core", "gate"])
    check_region("ap-southeast-6", given, ["core"])
    check_region("eu-central-1", given, ["core", "gate"])


def test_the_lists_name_regions_of_lambda_and_x_ray_is_in_each_of_them() -> None:
    session: Any = Session()
    for partition in PARTITIONS:
        regions = set(session.get_available_regions("lambda", partition.name))
        assert regions == set(session.get_available_regions("xray", partition.name))
    assert set(session.get_available_regions("lambda", "aws")) >= VPC_ORIGINS | NO_SNAP_START
