# SPDX-License-Identifier: Apache-2.0
"""The join's request model and answers in the stack are the ones the local gateway uses."""

from __future__ import annotations

from typing import Any

import pytest

from infrastructure.blueprint import join_integration
from tests.support.templates.synthesized import Assembly, Synthesized


def model(core: Synthesized) -> dict[str, Any]:
    schema: dict[str, Any] = core.only("AWS::ApiGateway::Model")["Schema"]
    return schema


def test_the_model_is_the_one_that_is_checked_here(core: Synthesized) -> None:
    assert model(core) == join_integration.request_model("Sample")


def test_a_deployment_that_insists_on_secrets_refuses_a_join_without(core: Synthesized) -> None:
    assert "anyOf" not in model(core)
    strict = Assembly({"RequireClientSecret": "true"}).stacks["Core"]
    assert model(strict) == join_integration.request_model("Sample", secret_required=True)


@pytest.mark.parametrize(("status", "wait"), [("200", False), ("400", False), ("503", True)])
def test_a_join_that_was_not_taken_says_when_to_try_again(
    core: Synthesized, status: str, wait: bool
) -> None:
    (answers,) = (
        made["Integration"]["IntegrationResponses"]
        for made in core.of_type("AWS::ApiGateway::Method").values()
        if join_integration.FORM in str(made["Integration"].get("RequestParameters", ""))
    )
    (answer,) = (one for one in answers if one["StatusCode"] == status)
    assert ("method.response.header.Retry-After" in answer["ResponseParameters"]) is wait
