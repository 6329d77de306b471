# SPDX-License-Identifier: Apache-2.0
"""The checks of the account count what the templates create."""

from __future__ import annotations

from deployment.doctor import edge_quotas
from deployment.doctor.services import CREATED
from tests.support.templates.synthesized import Assembly

KINDS = ("AWS::CloudFront::Distribution", "AWS::CloudFront::CachePolicy")


def test_the_quotas_of_cloudfront_are_compared_with_what_the_stacks_create(
    assembly: Assembly,
) -> None:
    made = {
        name.lower(): tuple(len(stack.of_type(kind)) for kind in KINDS)
        for name, stack in assembly.stacks.items()
    }
    assert {name: counts for name, counts in made.items() if any(counts)} == CREATED


def test_the_quotas_of_the_edge_are_compared_with_what_the_stacks_create(
    assembly: Assembly,
) -> None:
    """A VPC origin is made with SiteLoadBalancerArn only."""
    kinds = ("AWS::CloudFront::Function", "AWS::CloudFront::KeyValueStore")
    made = {
        name.lower(): tuple(len(stack.of_type(kind)) for kind in kinds)
        for name, stack in assembly.stacks.items()
    }
    wanted = {name: counts[:2] for name, counts in edge_quotas.CREATED.items()}
    assert {name: counts for name, counts in made.items() if any(counts)} == wanted
