# SPDX-License-Identifier: Apache-2.0
"""Partitions and regions of AWS that differ from the others, with the source of each fact.

A region that is not listed is treated as a usual region of the partition ``aws``. Read on
2026-11-29. Nothing was tried in an AWS account.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Partition:
    """A partition: its name, the beginning of its regions, its DNS suffix, and CloudFront.

    ``cloudfront`` is False where CloudFront or its functions do not exist.
    """

    name: str
    prefix: str
    dns_suffix: str
    cloudfront: bool = True


# CloudFront: https://docs.aws.amazon.com/govcloud-us/latest/UserGuide/using-services.html
# DNS suffixes: the endpoint data of botocore, which a test compares.
PARTITIONS = (
    Partition("aws-us-gov", "us-gov-", "amazonaws.com", cloudfront=False),
    Partition("aws-cn", "cn-", "amazonaws.com.cn"),
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


def partition_of(region: str) -> Partition:
    """Return the partition of a region."""
    return next(one for one in PARTITIONS if region.startswith(one.prefix))
