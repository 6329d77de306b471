# SPDX-License-Identifier: Apache-2.0
"""Names that must be the only ones of their kind in an account, whatever the stack is called."""

from __future__ import annotations

from aws_cdk import Names, Stack
from constructs import Construct

LONGEST_REGION = 14  # ap-southeast-1


def account_wide_name(scope: Construct, name: str, longest: int = 128) -> str:
    """A name that is the only one of its kind in an account, within ``longest`` characters.

    CDK's own is cut where its unique part begins, or does not know the stack's name.
    """
    rest = f"-{name}-{Stack.of(scope).region}"
    room = longest - len(name) - 2 - LONGEST_REGION
    return f"{Names.unique_resource_name(scope, max_length=room, separator='-')}{rest}"
