# SPDX-License-Identifier: Apache-2.0
"""What the capacity model says stands there all month is what the core stack makes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from deployment.capacity import findings, operations, prices, quotas, report
from deployment.capacity.cost import LEAST_POLLERS, idle_bill, options, snapshot_gb, total
from deployment.capacity.gate import EDGE, of_gate_template
from deployment.capacity.topology import CHEAP, PREDECESSOR, SERVERLESS, STANDARD, of_template
from infrastructure.blueprint.resources import ASSIGN
from infrastructure.constructs.monitoring.room_alarms import ESSENTIAL
from infrastructure.parameters.core import LEAST_WORKERS, PROFILES, CoreConfig
from infrastructure.parameters.docs_table import TABLES
from tests.support.servers import ROOT
from tests.support.templates.synthesized import Assembly, Synthesized


def test_the_standard_topology_is_the_core_stack(core: Synthesized) -> None:
    assert of_template(STANDARD.name, core.template) == STANDARD


@pytest.fixture(scope="module")
def cheap() -> Assembly:
    return Assembly({"Stacks": "core", "Profile": "cheap"})


def test_the_cheap_topology_is_the_core_stack_of_the_cheap_profile(cheap: Assembly) -> None:
    assert of_template(CHEAP.name, cheap.stacks["Core"].template) == CHEAP


def test_the_serverless_topology_is_the_core_stack_of_the_serverless_profile(
    serverless: Assembly,
) -> None:
    assert of_template(SERVERLESS.name, serverless.stacks["Core"].template) == SERVERLESS


@pytest.mark.parametrize("region", prices.regions())
def test_an_idle_month_of_each_profile_is_read_from_its_template(
    region: str, core: Synthesized, serverless: Assembly, cheap: Assembly,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """The default deployment with its event open and no visitors. An unknown type is an error."""
    templates = {
        "standard": core.template,
        "cheap": cheap.stacks["Core"].template,
        "serverless": serverless.stacks["Core"].template,
    }
    assert set(templates) == set(PROFILES), "each profile has an idle month"
    listed, (_, account, assumed) = prices.load(region), quotas.load()
    bills = {
        profile: idle_bill(
            of_template(profile, template), operations.load(), listed, account, assumed
        )
        for profile, template in templates.items()
    }
    with capsys.disabled():
        print(f"\n{region}\n{report.idle_table(bills)}")  # belongs to each report of the tests
    assert bills["serverless"]["WAF"] == 0, "an option"
    assert of_template("", templates["serverless"]).dashboards == 0, "an option"
    assert total(bills["serverless"]) <= 5


def test_options_that_are_off_by_default_cost_nothing_in_an_idle_month(
    serverless: Assembly,
) -> None:
    made = Assembly({
        "Stacks": "core", "Profile": "serverless", "Alarms": "full", "Dashboard": True,
        "EnableWaf": "true", "RouteMetrics": "true", "MetricsPerEvent": "true",
    })  # fmt: skip
    plain, full = (of_template("", one.stacks["Core"].template) for one in (serverless, made))
    assert (plain.acls, plain.dashboards) == (0, 0)
    assert plain.alarm_metrics == 12
    assert (full.acls, full.dashboards) == (1, 1)
    assert full.alarm_metrics > 2 * plain.alarm_metrics
    for stacks, wanted in ((serverless, False), (made, True)):
        core = stacks.stacks["Core"]
        methods = [
            one["MetricsEnabled"]
            for stage in core.of_type("AWS::ApiGateway::Stage").values()
            for one in stage["MethodSettings"]
        ]
        assert methods
        assert set(methods) == {wanted}
        settings = [
            one["Environment"]["Variables"]["METRICS_PER_EVENT"]
            for one in core.of_type("AWS::Lambda::Function").values()
            if "METRICS_PER_EVENT" in one.get("Environment", {}).get("Variables", {})
        ]
        assert set(settings) == {str(wanted).lower()}


def test_the_essential_alarms_exist_and_each_has_its_row_in_the_runbook(
    cheap: Assembly, serverless: Assembly
) -> None:
    page = (ROOT / "docs" / "operations.md").read_text()
    found = {
        profile: {
            name.removeprefix("OperationsAlarms")[:-8]
            for name in one.stacks["Core"].of_type("AWS::CloudWatch::Alarm")
        }
        for profile, one in (("cheap", cheap), ("serverless", serverless))
    }
    assert found["cheap"] == set(ESSENTIAL) - {"CounterLag"}
    assert found["serverless"] == {one for one in ESSENTIAL if not one.startswith("Redis")}
    named = page.split("The essential alarms are ")[1].split(".")[0]
    assert set(re.findall(r"`(\w+)`", named)) == set(ESSENTIAL)


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


def test_the_price_of_snapstart_counts_the_memory_of_each_function(core: Synthesized) -> None:
    memory = [
        made["MemorySize"]
        for name, made in core.of_type("AWS::Lambda::Function").items()
        if made["Handler"].startswith("app.") and not name.startswith("Private")
    ]
    assert snapshot_gb() == sum(memory) / 1024


def test_what_turns_an_option_on_are_parameters_and_their_least_values() -> None:
    known = {one.name for kinds in TABLES.values() for kind in kinds for _, one in kind.known()}
    for region in prices.regions():
        for name, how, dollars in options(prices.load(region)):
            assert dollars > 0, name
            named = set(re.findall(r"`(\w+)", how)) - {"inlet"}
            assert named <= known, name
            assert named or how.startswith("always")
    assert LEAST_POLLERS == LEAST_WORKERS, "the parameter accepts no fewer"


def test_what_is_to_be_raised_are_parameters_of_the_stack() -> None:
    text = (Path(findings.__file__)).read_text()
    named = set(re.findall(r"`([A-Z][A-Za-z]+)`", text)) - {"SHARDS"}
    assert named >= {"ApiRate", "AssignConcurrency"}
    assert named <= {known.name for _, known in CoreConfig.known()}
