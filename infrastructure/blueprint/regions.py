# SPDX-License-Identifier: Apache-2.0
"""Partitions and regions of AWS that differ from the others, with the source of each fact.

A region that is not listed is treated as a usual region of the partition ``aws``. Read on
2026-11-30. Nothing was tried in an AWS account.

X-Ray exists in each region that has Lambda, by the endpoint data of botocore, which a test
compares. All functions use the processor arm64. AWS writes "most AWS Regions" and publishes the
list on its page of prices only: it is not in this module.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Partition:
    """A partition: its name, the beginning of its regions, its DNS suffix, and CloudFront.

    ``cloudfront`` is False where CloudFront or its functions do not exist. ``snap_start`` is False
    where SnapStart does not exist for Python, ``user_pools`` where Cognito has no user pools.
    """

    name: str
    prefix: str
    dns_suffix: str
    cloudfront: bool = True
    snap_start: bool = True
    user_pools: bool = True


# CloudFront: https://docs.aws.amazon.com/govcloud-us/latest/UserGuide/using-services.html
# SnapStart exists in "commercial Regions": https://docs.aws.amazon.com/lambda/latest/dg/snapstart.html
# User pools and DNS suffixes: the endpoint data of botocore, which a test compares.
PARTITIONS = (
    Partition("aws-us-gov", "us-gov-", "amazonaws.com", cloudfront=False, snap_start=False),
    Partition("aws-cn", "cn-", "amazonaws.com.cn", snap_start=False, user_pools=False),
    Partition("aws", "", "amazonaws.com"),
)
# Regions with a default throttle of 2,500 requests/s and a burst of 1,250 instead of 10,000 and
# 5,000: https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html
LOW_API_RATE, LOW_API_BURST = 2_500, 1_250
LOW_API_QUOTA = frozenset(
    {
        "af-south-1", "ap-south-2", "ap-southeast-3", "ap-southeast-4", "ap-southeast-5",
        "ap-southeast-7", "ca-west-1", "eu-central-2", "eu-south-1", "eu-south-2", "il-central-1",
        "me-central-1", "mx-central-1",
    }
)  # fmt: skip


# Commercial regions without SnapStart: https://docs.aws.amazon.com/lambda/latest/dg/snapstart.html
NO_SNAP_START = frozenset({"ap-east-2", "ap-southeast-6"})
# Regions with VPC origins of CloudFront, and zones without them:
# https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/private-content-vpc-origins.html
VPC_ORIGINS = frozenset(
    {
        "af-south-1", "ap-east-1", "ap-east-2", "ap-northeast-1", "ap-northeast-2",
        "ap-northeast-3", "ap-south-1", "ap-south-2", "ap-southeast-1", "ap-southeast-2",
        "ap-southeast-3", "ap-southeast-4", "ap-southeast-5", "ap-southeast-7", "ca-central-1",
        "ca-west-1", "eu-central-1", "eu-central-2", "eu-north-1", "eu-south-1", "eu-south-2",
        "eu-west-1", "eu-west-2", "eu-west-3", "il-central-1", "me-central-1", "me-south-1",
        "mx-central-1", "sa-east-1", "us-east-1", "us-east-2", "us-west-1", "us-west-2",
    }
)  # fmt: skip
ZONES_WITHOUT_VPC_ORIGINS = ("use1-az3", "usw1-az2", "apne1-az3", "cac1-az3")


def has_snap_start(region: str) -> bool:
    """Return whether Lambda SnapStart exists for Python in a region."""
    return partition_of(region).snap_start and region not in NO_SNAP_START


def partition_of(region: str) -> Partition:
    """Return the partition of a region."""
    return next(one for one in PARTITIONS if region.startswith(one.prefix))
