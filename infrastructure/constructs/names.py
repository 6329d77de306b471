# SPDX-License-Identifier: Apache-2.0
"""Names that must be the only ones of their kind in an account, whatever the stack is called."""

from __future__ import annotations

import hashlib

from aws_cdk import Names, Stack
from constructs import Construct

LONGEST_REGION = 14  # ap-southeast-1
LONGEST_ROLE = 64  # characters, IAM's limit


def account_wide_name(scope: Construct, name: str, longest: int = 128) -> str:
    """A name that is the only one of its kind in an account, within ``longest`` characters.

    CDK's own is cut where its unique part begins, or does not know the stack's name.
    """
    rest = f"-{name}-{Stack.of(scope).region}"
    room = longest - len(name) - 2 - LONGEST_REGION
    return f"{Names.unique_resource_name(scope, max_length=room, separator='-')}{rest}"


def inlet_role_name(core_stack: str, region: str) -> str:
    """The name of the role that the inlet of a core stack runs in.

    Both stacks compute it, so that core knows the inlet's calls and depends on nothing of it.
    """
    longest = LONGEST_ROLE - len("-inlet-") - LONGEST_REGION
    if len(core_stack) > longest:
        digest = hashlib.sha256(core_stack.encode()).hexdigest()[:8]
        core_stack = f"{core_stack[: longest - 9]}-{digest}"
    return f"{core_stack}-inlet-{region}"
