# SPDX-License-Identifier: Apache-2.0
"""The stacks that CloudFormation makes of the getting-started template of `make dist`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from infrastructure.templates.plans import getting_started
from infrastructure.templates.template import Written
from tests.support.templates.intrinsics import PSEUDO, Values
from tests.support.templates.parameters import Resolver
from tests.support.templates.synthesized import Synthesized

SUFFIX = "1A2B3C4D5E6F7"  # CloudFormation adds some like it to the name of a nested stack


def launched(
    written: Mapping[str, Written], given: Mapping[str, str], name: str
) -> dict[str, Synthesized]:
    """Return the nested stacks by construct id, for values of the parameters of the outer stack.

    Each gets the values that the outer template passes: parameters, and outputs of those before.
    """
    nesting, _ = getting_started(written)
    outer = Resolver(nesting, given, name).template()["Resources"]
    stacks: dict[str, Synthesized] = {}
    for construct in ("Core", "Authorizer", "Sample"):
        passed = outer[construct]["Properties"]["Parameters"]
        values = {key: _value(value, stacks) for key, value in passed.items()}
        source = written[construct.lower()].template
        own = f"{name}-{construct}-{SUFFIX}"
        stacks[construct] = Synthesized(
            own, Resolver(source, values, own).template(), source, values
        )
    return stacks


def _value(value: Any, stacks: Mapping[str, Synthesized]) -> str:
    if isinstance(value, str):
        return value
    if "Ref" in value:
        return PSEUDO[value["Ref"]]
    stack, output = value["Fn::GetAtt"]
    return str(Values(stacks).output(stacks[stack], output.removeprefix("Outputs.")))
