# SPDX-License-Identifier: Apache-2.0
"""The stack of policies of CloudFront that the rooms of an account share; one per account."""

from __future__ import annotations

from typing import Any

from aws_cdk import CfnOutput, Fn, Stack
from constructs import Construct

from infrastructure.blueprint.edge_policies import (
    ADDRESS,
    FORWARDED,
    HEADERS,
    ROOM_FORWARDED,
    ROOM_SHARED,
    cache_policies,
)
from infrastructure.constructs.edge.policies import (
    address,
    cache_policy,
    forwarded,
    room_forwarded,
    room_shared,
    security_headers,
)


class PoliciesStack(Stack):
    """Its output ``EdgePolicies`` is the parameter of that name of each room."""

    def __init__(self, scope: Construct, name: str, **options: Any) -> None:
        description = "Virtual waiting room: policies of CloudFront that rooms share"
        super().__init__(scope, name, description=description, **options)
        ids = {
            kept: cache_policy(self, kept, rule).cache_policy_id
            for kept, rule in cache_policies().items()
        }
        ids |= {
            ADDRESS: address(self).origin_request_policy_id,
            FORWARDED: forwarded(self).origin_request_policy_id,
            ROOM_FORWARDED: room_forwarded(self, ROOM_FORWARDED).origin_request_policy_id,
            ROOM_SHARED: room_shared(self, ROOM_SHARED).origin_request_policy_id,
            HEADERS: security_headers(self).response_headers_policy_id,
        }
        pairs = [f"{kept}={made}" for kept, made in sorted(ids.items())]
        CfnOutput(self, "EdgePolicies", value=Fn.join(",", pairs))
