# SPDX-License-Identifier: Apache-2.0
"""Tags for cost: each taggable resource of each stack has the room's name and the user's tags."""

from __future__ import annotations

from typing import Any

import pytest
from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER

from infrastructure.parameters.account import MOST_TAGS, STACK_TAG, AccountConfig
from infrastructure.parameters.parameter import ParameterError
from tests.support.templates.synthesized import Assembly

REGION = "eu-central-1"


def is_taggable(kind: str) -> bool:
    """Return whether CloudFormation's own schema of a type has tags."""
    if kind.startswith("Custom::"):
        return False
    schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema(REGION, kind).schema
    return "Tags" in schema["properties"]


def tags_of(made: dict[str, Any]) -> dict[str, str]:
    """The tags of a resource; a few types have them as a map."""
    tags = made.get("Properties", {}).get("Tags") or {}
    return tags if isinstance(tags, dict) else {one["Key"]: one["Value"] for one in tags}


def test_each_taggable_resource_of_each_stack_has_the_tags(assembly: Assembly) -> None:
    wanted = {STACK_TAG: "WaitingRoom", "Team": "tickets", "CostCenter": "71"}
    taggable = 0
    for name, stack in assembly.stacks.items():
        if name == "PeriodicInlet":  # added by the tests beside the app
            continue
        for logical, made in stack.resources.items():
            if is_taggable(made["Type"]):
                taggable += 1
                missing = wanted.items() - tags_of(made).items()
                assert not missing, f"{name}: {made['Type']} {logical} lacks {missing}"
    assert taggable > 300


def test_a_stack_without_the_parameter_has_the_tag_of_the_room() -> None:
    assert AccountConfig.from_context({}).all_tags("Sale") == {STACK_TAG: "Sale"}


def test_keys_and_values_may_have_what_aws_allows() -> None:
    config = AccountConfig.from_context({"Tags": "Cost Center=a=b/c, app:env=prod@eu,empty="})
    assert config.all_tags("W") == {
        STACK_TAG: "W", "Cost Center": "a=b/c", "app:env": "prod@eu", "empty": "",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ("Team", "The parameter Tags must be Key=Value separated by commas"),
        ("=x", "The parameter Tags must be Key=Value"),
        ("AWS:x=y", "no key begins with aws:"),
        ("a=1,a=2", "The parameter Tags must name the key 'a' only once"),
        (f"{STACK_TAG}=x", "must not name the key 'waiting-room:stack': the room sets it"),
        ("k" * 129 + "=x", "The parameter Tags must be Key=Value"),
        ("k=" + "x" * 257, "The parameter Tags must be Key=Value"),
        (",".join(f"k{n}=x" for n in range(MOST_TAGS + 1)), "must have at most 40 tags"),
    ],
)
def test_tags_that_aws_would_refuse_are_rejected_with_the_parameters_name(
    value: str, sentence: str
) -> None:
    with pytest.raises(ParameterError, match=sentence):
        AccountConfig.from_context({"Tags": value})
