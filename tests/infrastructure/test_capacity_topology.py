# SPDX-License-Identifier: Apache-2.0
"""What the capacity model says stands there all month is what the core stack makes."""

from __future__ import annotations

import re
from pathlib import Path

from deployment.capacity import findings, prices
from deployment.capacity.gate import EDGE, of_gate_template
from deployment.capacity.topology import CHEAP, PREDECESSOR, SERVERLESS, STANDARD, of_template
from infrastructure.blueprint.resources import ASSIGN
from infrastructure.parameters.core import CoreConfig
from tests.support.templates.synthesized import Assembly, Synthesized


def test_the_standard_topology_is_the_core_stack(core: Synthesized) -> None:
    assert of_template(STANDARD.name, core.template) == STANDARD


def test_the_cheap_topology_is_the_core_stack_of_the_cheap_profile() -> None:
    made = Assembly({"Stacks": "core", "Profile": "cheap"}).stacks["Core"]
    assert of_template(CHEAP.name, made.template) == CHEAP


def test_the_serverless_topology_is_the_core_stack_of_the_serverless_profile(
    serverless: Assembly,
) -> None:
    assert of_template(SERVERLESS.name, serverless.stacks["Core"].template) == SERVERLESS


def test_the_edge_of_the_gate_is_that_of_the_gate_stack(assembly: Assembly) -> None:
    assert of_gate_template(assembly.stacks["Gate"].template) == EDGE


def test_every_node_has_a_price_in_every_region() -> None:
    for region in prices.regions():
        for topology in (STANDARD, CHEAP, SERVERLESS, PREDECESSOR):
            assert all(prices.load(region).node_hour(node) > 0 for node in topology.nodes)


def test_the_figures_of_the_functions_are_those_of_the_stack(core: Synthesized) -> None:
    from deployment.capacity.simulation import API_MEMORY

    memory = {
        made["Handler"]: made["MemorySize"]
        for made in core.of_type("AWS::Lambda::Function").values()
        if made["Handler"].startswith("app.")
    }
    assert memory["app.app"] == API_MEMORY
    assert memory["app.assign_positions"] == ASSIGN.memory == 1024
    mapping = [
        made["ScalingConfig"]["MaximumConcurrency"]
        for made in core.of_type("AWS::Lambda::EventSourceMapping").values()
        if "ScalingConfig" in made
    ]
    assert mapping == [ASSIGN.max_concurrency]


def test_what_is_to_be_raised_are_parameters_of_the_stack() -> None:
    text = (Path(findings.__file__)).read_text()
    named = set(re.findall(r"`([A-Z][A-Za-z]+)`", text)) - {"SHARDS"}
    assert named >= {"ApiRate", "AssignConcurrency"}
    assert named <= {known.name for _, known in CoreConfig.known()}
