# SPDX-License-Identifier: Apache-2.0
"""The programs that the cold-start benchmark runs as text import modules and names that exist."""

from __future__ import annotations

import ast
import importlib

import pytest

from tests.benchmarks import cold_start

PROGRAMS = {
    "reference": cold_start.REFERENCE,
    "public": cold_start.ANSWER.format(app=cold_start.PUBLIC),
    "private": cold_start.ANSWER.format(app=cold_start.PRIVATE),
    "authorizer": cold_start.AUTHORIZE,
    "restored": cold_start.RESTORED,
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_of_the_cold_start_benchmark_imports_what_exists(name: str) -> None:
    for node in ast.walk(ast.parse(PROGRAMS[name])):
        if isinstance(node, ast.Import):
            for one in node.names:
                importlib.import_module(one.name)
        if isinstance(node, ast.ImportFrom) and node.module:
            module = importlib.import_module(node.module)
            for one in node.names:
                assert hasattr(module, one.name), f"{node.module} has no {one.name}"
