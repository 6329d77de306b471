# SPDX-License-Identifier: Apache-2.0
"""Invariant 12 in the templates: what a crowd uses up is not what operators and the worker need."""

from __future__ import annotations

from typing import Any

import pytest

from infrastructure.parameters.parameter import ParameterError
from tests.support.templates.synthesized import EVENTFUL, Assembly, Synthesized


def throttles(stack: Synthesized) -> dict[str, tuple[int, int]]:
    """Rate and burst of each stage, by the construct that its API is in."""
    found = {}
    for made in stack.of_type("AWS::ApiGateway::Stage").values():
        (settings,) = (one for one in made["MethodSettings"] if one["ResourcePath"] == "/*")
        api = made["RestApiId"]["Ref"]
        found[api] = (settings["ThrottlingRateLimit"], settings["ThrottlingBurstLimit"])
    return found


def reserved(stack: Synthesized) -> dict[str, int]:
    """Reserved concurrency by the function's logical id, where there is one."""
    return {
        name: made["ReservedConcurrentExecutions"]
        for name, made in stack.of_type("AWS::Lambda::Function").items()
        if "ReservedConcurrentExecutions" in made
    }


def test_visitors_and_operators_do_not_share_a_throttle(eventful: Assembly) -> None:
    core = throttles(eventful.stacks["Core"])
    (public,) = (limits for api, limits in core.items() if api.startswith("Public"))
    (private,) = (limits for api, limits in core.items() if api.startswith("Private"))
    assert (public, private) == ((7500, 3750), (1000, 500))
    for name in ("Sample", "OpenId"):
        assert set(throttles(eventful.stacks[name]).values()) == {(500, 250)}


def test_each_throttle_is_a_parameter_of_its_own() -> None:
    own = {"ApiRate": 6, "ApiBurst": 5, "PrivateApiRate": 4, "PrivateApiBurst": 3,
           "OtherApiRate": 2, "OtherApiBurst": 1}  # fmt: skip
    made = Assembly({**EVENTFUL, **own})
    core = throttles(made.stacks["Core"])
    assert sorted(core.values()) == [(4, 3), (6, 5)]
    assert throttles(made.stacks["OpenId"]).popitem()[1] == (2, 1)


@pytest.mark.parametrize("stacks", ["core,authorizer,sample", "core,openid"])
def test_apis_that_do_not_fit_into_the_quota_are_refused_before_anything_happens(
    stacks: str,
) -> None:
    context: dict[str, Any] = {**EVENTFUL, "Stacks": stacks, "ApiRate": 8_501}
    with pytest.raises(ParameterError, match=r"ApiRate .* AccountApiRate"):
        Assembly(context)


def test_nothing_is_reserved_by_default(eventful: Assembly) -> None:
    """A new account may run ten functions at once, and AWS keeps 100 unreserved."""
    assert not any(reserved(stack) for stack in eventful.stacks.values())


def test_what_is_reserved_is_for_the_worker_and_each_operators_function() -> None:
    made = Assembly({
        "Stacks": "core", "WorkerReservedConcurrency": 120, "OperatorsReservedConcurrency": 3,
    }).stacks["Core"]  # fmt: skip
    found = reserved(made)
    (worker,) = (count for name, count in found.items() if "AssignPositions" in name)
    assert worker == 120
    operators = {name: count for name, count in found.items() if name.startswith("Private")}
    functions = made.of_type("AWS::Lambda::Function")
    assert set(operators) == {name for name in functions if name.startswith("PrivateFunctions")}
    assert set(operators.values()) == {3}
    assert len(found) == len(operators) + 1
    (mapping,) = (
        one["ScalingConfig"]["MaximumConcurrency"]
        for one in made.of_type("AWS::Lambda::EventSourceMapping").values()
        if "ScalingConfig" in one
    )
    assert mapping <= worker
