# SPDX-License-Identifier: Apache-2.0
"""The parameters of all stacks of a room that concern the account: tags, keys, policies."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from infrastructure.blueprint.edge_policies import policy_names
from infrastructure.parameters.parameter import ParameterError, Parameters, text, texts

STACK_TAG = "waiting-room:stack"  # its value is the name of the core stack
MOST_TAGS = 40  # AWS allows 50; CloudFormation, CDK and the room add their own
TAG = r"(?![Aa][Ww][Ss]:)[\w .:/+@-]{1,128}=[\w .:/+=@-]{0,256}"

KEY = r"true|false|arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/[0-9a-zA-Z-]+"


@dataclass(frozen=True, kw_only=True)
class AccountConfig(Parameters):
    """Parameters that all stacks of a room share."""

    tags: tuple[str, ...] = texts(
        "Tags",
        "tags of every resource, as `Key=Value` separated by commas, such as"
        " `Team=tickets,CostCenter=71`",
        pattern=TAG,
        constraint="Key=Value separated by commas; keys and values are letters, digits, spaces"
        " or + - = . _ : / @, and no key begins with aws:",
    )

    policies: tuple[str, ...] = texts(
        "EdgePolicies",
        "output EdgePolicies of the stack policies, for rooms that share policies of CloudFront",
        pattern=r"[A-Za-z0-9]+=[0-9a-f-]{36}",
        constraint="the output EdgePolicies of the stack policies",
    )

    key: str = text(
        "CustomerManagedKey",
        "`true` for a KMS key of the room, or the ARN of a key of yours in its region; `false` for"
        " the keys of AWS",
        default="false",
        pattern=KEY,
        constraint="true, false, or the ARN of a KMS key",
    )

    def __post_init__(self) -> None:
        given = {name for name, _ in self._policies()}
        wanted = set(policy_names())
        if self.policies and (given != wanted or len(self.policies) != len(wanted)):
            differing = ", ".join(sorted(given ^ wanted)) or "a name twice"
            raise ParameterError(
                f"The parameter EdgePolicies does not match this version ({differing}): deploy the"
                " stack policies again, then use its output."
            )
        keys = Counter(tag.partition("=")[0] for tag in self.tags)
        if len(keys) > MOST_TAGS:
            raise ParameterError(f"The parameter Tags must have at most {MOST_TAGS} tags.")
        for key, times in keys.items():
            if times > 1 or key == STACK_TAG:
                rule = (
                    f"must name the key {key!r} only once"
                    if times > 1
                    else f"must not name the key {key!r}: the room sets it"
                )
                raise ParameterError(f"The parameter Tags {rule}.")

    @property
    def key_arn(self) -> str:
        """Return the ARN of a key of the user; empty if there is none."""
        return self.key if self.key.startswith("arn:") else ""

    @property
    def own_key(self) -> bool:
        """Return whether the core stack creates a key."""
        return self.key == "true"

    def check_key(self, *, with_core: bool) -> None:
        """Raise ParameterError for a deployment without core that cannot create the key."""
        if self.own_key and not with_core:
            raise ParameterError(
                "The parameter CustomerManagedKey must be an ARN in a deployment without core, such"
                " as core's output CustomerManagedKeyArn."
            )

    @property
    def edge_policies(self) -> dict[str, str]:
        """Return the id of each shared policy by its name; empty if the room has its own."""
        return dict(self._policies())

    def _policies(self) -> list[tuple[str, str]]:
        pairs = (one.partition("=") for one in self.policies)
        return [(name, policy) for name, _, policy in pairs]

    def all_tags(self, core_stack: str) -> dict[str, str]:
        """Return the tags of every resource: those of the parameter, and the name of the room."""
        own = (tag.partition("=") for tag in self.tags)
        return {STACK_TAG: core_stack, **{key: value for key, _, value in own}}
