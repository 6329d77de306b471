# SPDX-License-Identifier: Apache-2.0
"""A new function, route or part without its entry fails with a text that names what to add."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest

import apps.workers.app
from infrastructure.blueprint import permissions
from infrastructure.blueprint.permissions import Grant, MissingGrant, Resource, check_grants
from infrastructure.blueprint.resources import OUTBOX_WORKERS, TABLE_COUNTER_WORKERS, WORKERS
from infrastructure.constructs.compute.function_context import FunctionContext

PAGE = "infrastructure/blueprint/permissions.py"


def test_a_view_without_grants_is_named_with_the_table_and_the_file() -> None:
    with pytest.raises(MissingGrant) as caught:
        check_grants("PUBLIC", {*permissions.PUBLIC, "new_view"})
    assert f"Add `new_view` to PUBLIC in {PAGE}" in str(caught.value)


def test_grants_without_a_view_are_named() -> None:
    with pytest.raises(MissingGrant) as caught:
        check_grants("PRIVATE", set(permissions.PRIVATE) - {"metrics"})
    assert f"Remove `metrics` from PRIVATE in {PAGE}" in str(caught.value)


def test_every_table_of_grants_can_be_checked() -> None:
    for table in ("PUBLIC", "PRIVATE", "WORKERS", "OUTBOX_WORKERS", "OPENID"):
        with pytest.raises(MissingGrant, match=f"Add `new_function` to {table} in "):
            check_grants(table, {*getattr(permissions, table), "new_function"})


def test_a_resource_that_a_stack_does_not_have_is_named() -> None:
    context = FunctionContext(defaults=None)  # type: ignore[arg-type]
    grants = [Grant(Resource.CODES, ("dynamodb:PutItem",))]
    for use in (context.statements, context.environment):
        with pytest.raises(
            MissingGrant, match=r"Resource\.CODES: add it to the resources of the stack"
        ):
            use(grants)


def worker_functions() -> Iterator[str]:
    """The names that apps/workers/app.py gives its Lambda functions."""
    source = apps.workers.app.__file__
    with open(source, encoding="utf-8") as file:
        tree = ast.parse(file.read())
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "lambda_function":
            yield from (str(ast.literal_eval(one.value)) for one in node.keywords
                        if one.arg == "name")  # fmt: skip


def test_every_worker_function_is_in_resources() -> None:
    defined = set(worker_functions())
    deployed = {worker.name for worker in (*WORKERS, *TABLE_COUNTER_WORKERS, *OUTBOX_WORKERS)}
    here = "WORKERS in infrastructure/blueprint/resources.py"
    assert not defined - deployed, f"Add {sorted(defined - deployed)} to {here}"
    assert not deployed - defined, f"Remove {sorted(deployed - defined)} from {here}"
