# SPDX-License-Identifier: Apache-2.0
"""The capacity model: curves, polling, the simulated crowd, quotas, costs, the page."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deployment.capacity import __main__ as command
from deployment.capacity import gate, history, prices, quotas, report, watchdog
from deployment.capacity import operations as measured
from deployment.capacity.cost import event_bill, idle_bill, total
from deployment.capacity.findings import Finding, find
from deployment.capacity.parts import TICK, Environments, EventHeap, Queue, TokenBucket, Writes
from deployment.capacity.plan import Limits, Plan, raised, scenarios, unlimited
from deployment.capacity.simulation import Outcome, Simulation, edge_polls, status_of
from deployment.capacity.topology import (
    CHEAP,
    PREDECESSOR,
    SERVERLESS,
    STANDARD,
    UnknownCost,
    of_template,
)
from deployment.capacity.usage import (
    Usage,
    flow_of,
    their_usage,
    usage_by_operation,
    usage_of,
)
from deployment.visitor_model import polling
from deployment.visitor_model.arrivals import CURVES, arrival_times, peak_per_second
from tests.support.servers import ROOT

_, QUOTAS, ASSUMED = quotas.load()
OPERATIONS = measured.load()
LIMITS = Limits.of(QUOTAS)
CURVE = st.sampled_from(sorted(CURVES))


def run(plan: Plan, limits: Limits = LIMITS) -> Outcome:
    return Simulation(plan, limits, OPERATIONS, ASSUMED).run()


@cache
def demand(visitors: int, curve: str = "flash") -> Outcome:
    plan = Plan(visitors, curve, seconds=60)
    return run(plan, unlimited(LIMITS, plan, ASSUMED))


def findings(visitors: int) -> dict[str, Finding]:
    found = find(demand(visitors), LIMITS, QUOTAS, OPERATIONS, ASSUMED)
    return {one.quota: one for one in found}


# --- curves and polling ------------------------------------------------------------------------


@given(CURVE, st.floats(0, 1), st.floats(0, 1))
def test_a_curve_begins_with_nobody_ends_with_everybody_and_never_falls(
    name: str, one: float, other: float
) -> None:
    curve = CURVES[name]
    assert curve(0) == pytest.approx(0)
    assert curve(1) == pytest.approx(1)
    assert curve(min(one, other)) <= curve(max(one, other)) + 1e-12


@given(CURVE, st.integers(1, 500), st.floats(1, 1000))
@settings(max_examples=40, deadline=None)
def test_everybody_arrives_in_order_and_in_time(name: str, visitors: int, seconds: float) -> None:
    times = arrival_times(CURVES[name], visitors, seconds)
    assert len(times) == visitors
    assert times == sorted(times)
    assert all(0 <= time <= seconds for time in times)


def test_simultaneous_arrivals_have_the_higher_peak() -> None:
    peaks = {name: peak_per_second(curve, 60_000, 600) for name, curve in CURVES.items()}
    assert peaks["steady"] == pytest.approx(100)
    assert peaks["flash"] > 4 * peaks["steady"]
    assert peaks["on-sale"] > 4 * peaks["steady"]


def test_waits_double_and_stay_within_their_bounds() -> None:
    assert [polling.ask_after(i) for i in (0, 1, 2, 30)] == [1.2, 1.5, 2.25, polling.LONGEST_ASK]
    assert [polling.retry_after(i) for i in (0, 1, 30)] == [1, 2, polling.LONGEST_RETRY]
    assert polling.spread(10, 0) == 8
    assert polling.spread(10, 1) == 12


@given(st.integers(0, 10**6), st.integers(0, 10**6), st.floats(0, 200))
def test_a_page_near_the_front_asks_sooner_never_later_than_the_server_says(
    ahead: int, waiting: int, says: float
) -> None:
    wait = polling.status_after(says, ahead, waiting)
    assert polling.SHORTEST_POLL <= wait <= max(polling.SHORTEST_POLL, says)
    assert polling.status_after(says, ahead // 2, waiting) <= wait


# --- the parts ---------------------------------------------------------------------------------


@given(st.lists(st.floats(0, 50), min_size=1, max_size=60))
def test_a_calendar_gives_everybody_back_once_and_never_early(times: list[float]) -> None:
    heap = EventHeap()
    heap.add(np.arange(len(times)), np.array(times))
    seen: list[int] = []
    for tick in range(502):
        due = heap.take(tick)
        assert all(times[visitor] <= tick * TICK + 1e-9 for visitor in due)
        seen.extend(due.tolist())
    assert sorted(seen) == list(range(len(times)))
    assert heap.waiting == 0


def test_a_bucket_lets_the_burst_through_and_then_the_rate() -> None:
    bucket = TokenBucket(rate=100, burst=50)
    assert bucket.take(1_000) == 50
    assert sum(bucket.take(1_000) for _ in range(10)) == pytest.approx(100, abs=1)


def test_environments_start_for_calls_that_find_none_until_the_account_is_full() -> None:
    pool = Environments(call=0.01, start=0.5, warm=0, ramp=1_000)
    assert pool.serve(30, 0, room=20) == (20, 20)
    assert pool.serve(30, 1, room=20) == (0, 0)  # all twenty are starting
    assert pool.serve(150, 5, room=20) == (150, 0)  # ready: ten calls each in a tick


def test_environments_cannot_start_faster_than_the_ramp() -> None:
    pool = Environments(call=10, start=0, warm=0, ramp=100)
    assert pool.serve(500, 0, room=10_000)[0] == 100
    assert pool.serve(500, 1, room=10_000)[1] == 0
    assert pool.serve(500, 100, room=10_000)[1] == 100  # ten seconds later


def test_rows_beyond_the_tables_patience_are_not_taken() -> None:
    writes = Writes(rate=100, patience=2)
    assert writes.grant(0, 150) == (150, 1.5)
    assert writes.grant(0, 150) == (50, 2.0)
    assert writes.grant(0, 150) == (0, 2.0)


def test_the_line_is_first_in_first_out_and_hidden_messages_come_again() -> None:
    queue = Queue()
    queue.put(np.arange(3))
    queue.put(np.arange(3, 5))
    assert queue.take(4).tolist() == [0, 1, 2, 3]
    queue.hide(np.array([9]), until=5)
    queue.show(4.9)
    assert (queue.length, queue.hidden) == (1, 1)
    queue.show(5)
    assert queue.take(9).tolist() == [4, 9]


# --- the crowd ---------------------------------------------------------------------------------

held = st.builds(
    lambda rate, batches, writes, concurrency: replace(
        LIMITS,
        api_rate=rate,
        api_burst=rate / 2,
        most_batches=batches,
        table_writes=writes,
        lambda_concurrency=concurrency,
    ),
    st.integers(200, 20_000),
    st.integers(1, 40),
    st.integers(100, 9_000),
    st.integers(50, 2_000),
)


@given(st.integers(1, 4_000), CURVE, held)
@settings(max_examples=15, deadline=None)
def test_nobody_is_lost_nobody_has_anothers_number_and_time_runs_forward(
    visitors: int, curve: str, limits: Limits
) -> None:
    done = run(Plan(visitors, curve, seconds=20), limits)
    assert len(np.unique(done.position)) == visitors
    assert done.position.min() >= 1
    assert done.position.max() <= visitors + done.holes
    assert np.all(done.arrived <= done.joined)
    assert np.all(done.joined <= done.placed)
    assert np.all(done.placed <= done.learned)
    assert np.all(done.learned <= done.admitted)
    assert np.isfinite(done.admitted).all()
    assert done.series["rows"].sum() == visitors


def test_nobody_takes_a_token_before_their_turn() -> None:
    plan = Plan(3_000, "flash", seconds=20, admission_per_minute=600, admission_after=5)
    done = run(plan)
    assert np.all(done.admitted >= 5 + done.position / 10 - 1e-9)
    assert done.admitted.max() >= 5 + 3_000 / 10


def test_without_holes_positions_are_one_to_n() -> None:
    done = run(Plan(2_000, "steady", seconds=20))
    assert done.holes == 0
    assert sorted(done.position) == list(range(1, 2_001))


def test_rows_that_a_cold_table_refuses_are_holes_and_their_visitors_come_again() -> None:
    limits = replace(LIMITS, table_writes=50, most_batches=40, start_batches=40)
    done = run(Plan(4_000, "flash", seconds=10), limits)
    assert done.holes > 0
    assert done.to_position.max() > 180  # the queue shows a message again after its visibility
    assert len(np.unique(done.position)) == 4_000


def test_the_same_seed_gives_the_same_run() -> None:
    one, other = run(Plan(500)), run(Plan(500))
    assert np.array_equal(one.admitted, other.admitted)


def test_each_raise_shortens_the_wait_of_a_queue_that_is_too_large() -> None:
    plan = Plan(40_000, "flash", seconds=40)
    slow = replace(LIMITS, most_batches=4, table_writes=3_000, api_rate=8_000)
    middle = [
        np.median(run(plan, one).to_position) for one in scenarios(slow, plan, ASSUMED).values()
    ]
    assert all(later <= 1.05 * earlier for earlier, later in pairwise(middle))
    assert middle[-1] < 2 < 30 < middle[0]


def test_what_is_raised_is_enough_for_the_event() -> None:
    plan = Plan(100_000, "on-sale", seconds=60)
    done = run(plan, raised(LIMITS, plan, ASSUMED))
    assert done.series["refused_by_api"].sum() == 0
    assert done.holes == 0
    assert np.percentile(done.to_position, 95) < 4


def test_polls_at_the_edge_end_with_the_last_token_and_grow_with_the_visitors() -> None:
    few, many = edge_polls(demand(5_000)), edge_polls(demand(20_000))
    assert few[-1] == 0
    assert many.sum() > few.sum()
    assert len(many) >= len(few)
    assert 3 < few.sum() / 5_000 < many.sum() / 20_000 < 25  # a longer wait, few more polls


def test_the_pages_of_the_model_see_the_line_as_the_room_tells_it() -> None:
    plan = Plan(1_000, admission_per_minute=600, admission_after=5, admission_every=10)
    told = ("serving_counter", "optimistic_rate_per_minute", "moved_at", "first_moved_at", "every")
    assert [
        tuple(status_of(plan, now)[name] for name in told) for now in (-3, 14.9, 15, 24, 25, 95)
    ] == [
        (0, 0, None, None, None),
        (0, 0, None, None, None),
        (100, 100, 15, 15, None),
        (100, 100, 15, 15, None),
        (200, 600, 25, 15, 10),
        (900, 600, 95, 15, 10),
    ]


def test_a_fresh_deployment_takes_what_its_own_stage_lets_through() -> None:
    assert LIMITS.api_rate == 7_500 < QUOTAS.api_requests_per_second
    assert LIMITS.api_burst == 3_750 < QUOTAS.api_burst
    low = replace(QUOTAS, api_requests_per_second=2_500, api_burst=1_250)
    assert (Limits.of(low).api_rate, Limits.of(low).api_burst) == (2_500, 1_250)


# --- quotas ------------------------------------------------------------------------------------


def test_a_small_event_meets_no_quota() -> None:
    assert [one.quota for one in findings(2_000).values() if one.hit] == []


def test_a_large_event_meets_the_quotas_that_it_exceeds_and_each_has_a_remedy() -> None:
    found = findings(400_000)  # in one minute
    for quota in (
        "API Gateway requests/s",
        "Lambda concurrent calls",
        "join queue: concurrent batches, limit of AWS's ramp",
        "DynamoDB QueuePositions writes/s",
        "DynamoDB one shard of a queue, writes/s",
    ):
        assert found[quota].hit, quota
        assert found[quota].needed > found[quota].limit
        assert found[quota].remedy


def test_the_api_quota_is_met_only_when_the_burst_is_used_up() -> None:
    assert not findings(50_000)["API Gateway requests/s"].hit
    assert findings(100_000)["API Gateway requests/s"].hit


@given(st.sampled_from([1_000, 5_000, 20_000, 50_000]))
@settings(max_examples=4, deadline=None)
def test_needs_grow_with_the_visitors(visitors: int) -> None:
    fewer, more = findings(visitors), findings(visitors * 2)
    # tokens come just after the steps of the admission, whoever waits; only chance spreads them
    assert all(more[quota].needed >= 0.9 * fewer[quota].needed for quota in fewer)
    grows = "DynamoDB QueuePositions writes/s"
    assert more[grows].needed > 1.3 * fewer[grows].needed


# --- usage and costs ---------------------------------------------------------------------------


def test_an_operation_costs_what_was_measured_and_waits_for_each_request() -> None:
    token = OPERATIONS["token"]
    fast = replace(ASSUMED, redis_ms=0, dynamodb_ms=0)
    waits = token.redis * ASSUMED.redis_ms + token.dynamodb * ASSUMED.dynamodb_ms
    assert token.duration_ms(1769, fast) == pytest.approx(token.cpu_ms)
    assert token.duration_ms(1769, ASSUMED) == pytest.approx(token.cpu_ms + waits)
    assert token.duration_ms(884, fast) == pytest.approx(2 * token.cpu_ms, rel=0.01)


def test_a_batch_of_joins_lies_between_the_measured_ones() -> None:
    assert OPERATIONS.join_batch(100).write_units == OPERATIONS["join_batch_100"].write_units
    assert OPERATIONS.join_batch(1_000).dynamodb == OPERATIONS["join_batch_1000"].dynamodb
    middle = OPERATIONS.join_batch(550)
    assert 201 < middle.write_units < 2001


def test_usage_counts_every_visitor() -> None:
    used = usage_of(demand(5_000), OPERATIONS, ASSUMED)
    row, token = OPERATIONS["row"].write_units, OPERATIONS["token"].write_units
    assert used.writes >= 5_000 * (row + token)
    assert used.api_requests >= 5_000 * 3  # join, number, token
    assert used.edge_requests >= used.api_requests - flow_of(demand(5_000), ASSUMED).polls.sum()
    assert used.queue_requests == pytest.approx(5_000 * 1.2)


def test_an_event_costs_more_with_more_visitors_in_every_service() -> None:
    listed = prices.load("us-east-1")
    few, many = (
        event_bill(usage_of(demand(n), OPERATIONS, ASSUMED), STANDARD, listed)
        for n in (5_000, 20_000)
    )
    assert all(many[service] > few[service] > 0 for service in few)
    assert total(many) > 2 * total(few)


def test_the_operations_of_an_event_are_its_whole_usage() -> None:
    """The sum of the rows is the usage that the tables of the page show."""
    done = demand(5_000)
    rows = usage_by_operation(done, OPERATIONS, ASSUMED)
    flow = flow_of(done, ASSUMED)
    assert rows["joins"].edge_requests == done.series["join"].sum()
    assert rows["polls"].edge_requests == flow.polls.sum()
    assert rows["polls"].api_requests == flow.polls_at_origin.sum()
    assert rows["tokens"].bus_events == 5_000
    used = usage_of(done, OPERATIONS, ASSUMED)
    assert used.edge_requests == pytest.approx(flow.edge.sum())
    assert used.api_requests == pytest.approx(flow.api.sum())
    assert used.queue_requests == pytest.approx(5_000 * 1.2)
    assert used.page_files == 5_000 * ASSUMED.page_requests


def test_files_of_the_page_run_no_function_of_the_api() -> None:
    listed = prices.load("us-east-1")
    files = Usage(edge_requests=1e6, page_files=1e6)
    calls = Usage(edge_requests=1e6)
    one, other = (event_bill(each, STANDARD, listed)["CloudFront"] for each in (files, calls))
    assert one == pytest.approx(listed["cloudfront_million_requests"])
    assert other == pytest.approx(one + listed["cloudfront_function_million"])


def test_an_event_of_a_million_costs_a_twentieth_of_the_aws_solution_s(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The model that `make capacity-check` compares with a load test, without limits."""
    plan = Plan(1_000_000)
    done = run(plan, unlimited(LIMITS, plan, ASSUMED))
    used = usage_by_operation(done, OPERATIONS, ASSUMED)
    theirs = their_usage(done, OPERATIONS, ASSUMED)
    bills = {
        region: {
            PREDECESSOR.name: event_bill(theirs, PREDECESSOR, prices.load(region)),
            STANDARD.name: event_bill(sum(used.values(), Usage()), STANDARD, prices.load(region)),
        }
        for region in prices.regions()
    }
    shown = report.operation_costs(used, bills, plan.visitors)
    with capsys.disabled():
        print(f"\n{shown}")  # the table belongs to each report of the tests
    for region, named in bills.items():
        assert 20 * total(named[STANDARD.name]) <= total(named[PREDECESSOR.name]), region
    assert shown in (ROOT / "docs" / "capacity.md").read_text(encoding="utf-8")
    for name in (
        "polls", "joins", "tokens", "gate: entries, in place of the tokens", "gate: renewals, 1",
    ):  # fmt: skip
        assert f"| {name}" in shown


@pytest.mark.parametrize("region", prices.regions())
def test_an_idle_month_is_cheaper_than_the_predecessors(region: str) -> None:
    standard, cheap, serverless, theirs = (
        total(idle_bill(one, OPERATIONS, prices.load(region), QUOTAS, ASSUMED))
        for one in (STANDARD, CHEAP, SERVERLESS, PREDECESSOR)
    )
    assert serverless < cheap < standard < theirs


def test_the_predecessors_pages_poll_more() -> None:
    line = run(Plan(5_000, "steady", seconds=20, admission_per_minute=300))  # a long wait
    ours, theirs = (use(line, OPERATIONS, ASSUMED) for use in (usage_of, their_usage))
    assert theirs.edge_requests > ours.edge_requests


def test_a_price_that_nobody_wrote_down_is_said() -> None:
    with pytest.raises(
        prices.UnknownPrice, match="no prices for the region mars; it has us-east-1, eu"
    ):
        prices.load("mars")
    with pytest.raises(prices.UnknownPrice, match="no price for moon"):
        prices.load("us-east-1")["moon"]
    with pytest.raises(prices.UnknownPrice, match="the node x"):
        prices.load("us-east-1").node_hour("x")


def test_a_topology_is_counted_in_a_template() -> None:
    template = {
        "Resources": {
            "A": {
                "Type": "AWS::ElastiCache::ReplicationGroup",
                "Properties": {"Engine": "redis", "CacheNodeType": "t", "NumCacheClusters": 2},
            },
            "B": {
                "Type": "AWS::EC2::VPCEndpoint",
                "Properties": {"VpcEndpointType": "Interface", "SubnetIds": ["a", "b"]},
            },
            "C": {"Type": "AWS::EC2::VPCEndpoint", "Properties": {"VpcEndpointType": "Gateway"}},
            "D": {"Type": "AWS::CloudWatch::Alarm"},
            "G": {
                "Type": "AWS::CloudWatch::Alarm",
                "Properties": {"Metrics": [{"Expression": "a+b"}, *[{"MetricStat": {}}] * 2]},
            },
            "E": {"Type": "AWS::WAFv2::WebACL", "Properties": {"Rules": [{}, {}]}},
            "F": {
                "Type": "AWS::Events::Rule",
                "Properties": {
                    "ScheduleExpression": "rate(1 minute)",
                    "Targets": [{"Arn": {"Ref": "Live"}}],
                },
            },
            "Live": {
                "Type": "AWS::Lambda::Alias",
                "Properties": {"FunctionName": {"Ref": "Sweep"}},
            },
            "Sweep": {
                "Type": "AWS::Lambda::Function",
                "Properties": {"TracingConfig": {"Mode": "Active"}, "MemorySize": 512},
            },
        }
    }
    found = of_template("t", template)
    assert (found.nodes, found.endpoints, found.alarm_metrics) == ({"redis t": 2}, 2, 3)
    assert (found.acls, found.rules, found.functions_each_minute) == (1, 2, 1)
    assert (found.traced_each_minute, found.memory_each_minute) == (1, 512)


@pytest.mark.parametrize(
    ("kind", "values", "named"),
    [
        ("AWS::MSK::Cluster", {}, "AWS::MSK::Cluster"),
        (
            "AWS::Lambda::Alias",
            {"ProvisionedConcurrencyConfig": {}},
            "ProvisionedConcurrencyConfig",
        ),
        ("AWS::Lambda::EventSourceMapping", {"ProvisionedPollerConfig": {}}, "PollerConfig"),
        ("AWS::DynamoDB::Table", {"BillingMode": "PROVISIONED"}, "provisioned capacity"),
    ],
)
def test_what_costs_by_the_hour_and_has_no_price_is_an_error(
    kind: str, values: dict[str, object], named: str
) -> None:
    template = {"Resources": {"A": {"Type": kind, "Properties": values}}}
    with pytest.raises(UnknownCost, match=f"{named} for an idle month: add it to"):
        of_template("t", template)


# --- the page ----------------------------------------------------------------------------------


def test_a_plan_that_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match="curve must be one of"):
        Plan(10, "zigzag")
    with pytest.raises(ValueError, match="above 0"):
        Plan(0)


def test_a_table_puts_numbers_to_the_right() -> None:
    lines = report.table(["a", "b"], [["x", "1,000.5"], ["y", "2"]]).splitlines()
    assert lines[1] == "|---|---:|"


@pytest.mark.parametrize("write_page", [False, True])
def test_only_write_page_changes_the_docs(
    write_page: bool,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    page = tmp_path / "page.md"
    page.write_text("<!-- table: capacity -->\n<!-- /table -->\n")
    before = page.read_text()
    monkeypatch.setattr(command, "ROOT", tmp_path)
    monkeypatch.setattr(command, "RESULTS", tmp_path / "build")
    monkeypatch.setattr(command, "IMAGES", tmp_path / "images")
    monkeypatch.setattr(command, "PAGE", page)
    monkeypatch.setattr(command, "study", lambda *_, **__: None)
    monkeypatch.setattr(command, "as_json", lambda _: {})
    monkeypatch.setattr(command.report, "tables", lambda _: "the tables")
    monkeypatch.setattr(command.plots, "draw", lambda _, folder: [folder / "a.png"])
    command.main(["--visitors", "1000000", *(["--write-page"] if write_page else [])])
    assert (page.read_text() != before) == write_page
    plot = "images/a.png" if write_page else "build/a.png"
    assert plot in capsys.readouterr().out


def test_the_page_has_the_cost_of_the_history_and_the_audit_log() -> None:
    """The table follows from sizes and prices, without a simulation: the page must have it."""
    assert report._history() in (ROOT / "docs" / "capacity.md").read_text(encoding="utf-8")


def test_the_page_has_the_cost_of_a_million_at_the_gate() -> None:
    assert report._gate() in (ROOT / "docs" / "capacity.md").read_text(encoding="utf-8")


def test_a_passage_costs_its_requests_functions_and_writes() -> None:
    listed, (_, _, assumed) = prices.load("us-east-1"), quotas.load()
    by_name = {one.name: one for one in gate.passages(OPERATIONS)}

    def cost(name: str) -> float:
        return gate.dollars_per_million(by_name[name], OPERATIONS, listed, assumed)

    # one request, a function before the site and one after it, two reads of the store
    assert cost("protected requests with a session") == pytest.approx(1.00 + 2 * 0.10 + 2 * 0.03)
    assert cost("requests outside every rule") == pytest.approx(1.00 + 2 * 0.10 + 0.03)
    entry, renewal = cost("entries, straight through"), cost("renewals")
    assert entry > cost("entries after waiting, the gate's part") > renewal > 3.50 + 0.60
    unprotected = replace(gate.EDGE, acl=False)
    assert gate.dollars_per_million(
        by_name["renewals"], OPERATIONS, listed, assumed, unprotected
    ) == pytest.approx(renewal - 0.60)


def test_the_page_has_the_cost_of_the_watchdog_from_the_code() -> None:
    assert watchdog.table() in (ROOT / "docs" / "gate-edge.md").read_text(encoding="utf-8")
    bill = watchdog.watchdog_bill(prices.load("us-east-1"))
    assert bill["calls of the store"] == 0, "a healthy minute makes none"
    minutes = prices.load("us-east-1").hours_per_month * 60
    heartbeat = minutes * 2 * prices.load("us-east-1")["edge_store_thousand_calls"] / 1000
    assert sum(bill.values()) < heartbeat / 50


def test_a_day_of_the_history_is_read_in_half_units_of_4_kb() -> None:
    cost = history.history_cost()
    assert cost.writes == 30 * 24 * 60
    assert cost.day == math.ceil(24 * 60 * cost.item / 4096) / 2
    assert 100 < cost.item < 1024  # one write unit
    assert history.item_bytes({"ab": {"S": "é"}, "n": {"N": "1234"}}) == 2 + 2 + 1 + 4
