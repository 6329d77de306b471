# SPDX-License-Identifier: Apache-2.0
"""Names that are unique in an account, within the limits of their service."""

from __future__ import annotations

import hashlib

from aws_cdk import Names, Stack
from constructs import Construct

LONGEST_REGION = 14  # ap-southeast-1
LONGEST_ROLE = 64  # characters, IAM's limit
LONGEST_STACK = 128  # characters, CloudFormation's limit
LONGEST_WITH_INLET = LONGEST_ROLE - len("-inlet-") - LONGEST_REGION  # a name that no role shortens
LONGEST_EDGE = 64  # characters of a function, store, access control or VPC origin of CloudFront
DIGEST = 8  # hexadecimal digits that keep shortened names apart


def account_wide_name(scope: Construct, name: str, longest: int = 128) -> str:
    """Return a name that is unique in the account, of at most ``longest`` characters.

    Names by CDK lose their unique part when they are truncated, or lack the name of the stack.
    """
    rest = f"-{name}-{Stack.of(scope).region}"
    room = longest - len(name) - 2 - LONGEST_REGION
    return f"{Names.unique_resource_name(scope, max_length=room, separator='-')}{rest}"


def optional_stack_name(core_stack: str, part: str) -> str:
    """Return the name of an optional stack of a room, such as ``WaitingRoom-Sample``."""
    return f"{shortened(core_stack, LONGEST_STACK - len(part) - 1)}-{part}"


def inlet_role_name(core_stack: str, region: str) -> str:
    """Return the name of the role of a core stack's inlet.

    Both stacks compute it, so that core identifies calls of the inlet without a dependency on it.
    """
    return _role_name(core_stack, "inlet", region)


def gate_join_role_name(core_stack: str, region: str) -> str:
    """Return the name of the role that joins for clients without scripts, in the gate stack.

    Both stacks compute it, so that core's join queue accepts it without a dependency on the gate.
    """
    return _role_name(core_stack, "gate-join", region)


def _role_name(core_stack: str, part: str, region: str) -> str:
    longest = LONGEST_ROLE - len(f"-{part}-") - LONGEST_REGION
    return f"{shortened(core_stack, longest)}-{part}-{region}"


def shortened(name: str, longest: int) -> str:
    """Return a name of at most ``longest`` characters; a digest keeps shortened names apart."""
    if len(name) <= longest:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:DIGEST]
    return f"{name[: longest - DIGEST - 1]}-{digest}"
