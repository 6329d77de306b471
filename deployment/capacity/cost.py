# SPDX-License-Identifier: Apache-2.0
"""Cost of an event, and of an idle month. US dollars by service."""

from __future__ import annotations

from deployment.capacity.operations import Operations
from deployment.capacity.prices import Prices
from deployment.capacity.quotas import Assumptions, Quotas
from deployment.capacity.simulation import API_MEMORY
from deployment.capacity.topology import CHEAP, STANDARD, Topology
from deployment.capacity.usage import Usage
from infrastructure.blueprint.permissions import PUBLIC
from infrastructure.blueprint.resources import OUTBOX_WORKERS, PERIODIC_INLET, WORKERS
from infrastructure.blueprint.routes import load_app, routes_of
from waiting_room.domain.metrics import gauges
from waiting_room.domain.records import Counts

MILLION = 1e6
LONG_POLLS_PER_HOUR = 180  # of one poller of an empty queue; twenty seconds each
GAUGES = len(gauges(Counts(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)))  # metrics of `report_metrics`
METRICS_OF_A_ROUTE = 5  # count, latency, integration latency, 4xx and 5xx errors
LEAST_POLLERS = 2  # that Lambda accepts for a queue
TRACED = 0.05  # of the calls; X-Ray's default rate besides one call a second
Bill = dict[str, float]


def event_bill(usage: Usage, topology: Topology, prices: Prices) -> Bill:
    """Return the cost of an event without the idle cost; rows are stored for a month."""
    return {
        "CloudFront": usage.edge_requests / MILLION * prices["cloudfront_million_requests"]
        + (usage.edge_requests - usage.page_files)
        * topology.edge_functions
        / MILLION
        * prices["cloudfront_function_million"]
        + usage.gb * prices["cloudfront_gb"],
        "WAF": bool(topology.acls) * usage.api_requests / MILLION * prices["waf_million_requests"],
        "API Gateway": usage.api_requests / MILLION * prices["api_million_requests"],
        "Lambda": usage.function_calls / MILLION * prices["lambda_million_requests"]
        + usage.gb_seconds * prices["lambda_gb_second"],
        "SQS": usage.queue_requests / MILLION * prices["sqs_million_requests"],
        "DynamoDB": usage.writes / MILLION * prices["dynamodb_million_writes"]
        + usage.reads / MILLION * prices["dynamodb_million_reads"]
        + usage.stored_gb * prices["dynamodb_gb_month"],
        "EventBridge": usage.bus_events / MILLION * prices["eventbridge_million_events"],
        "Logs and traces": usage.log_gb * prices["logs_gb"]
        + usage.function_calls * TRACED / MILLION * prices["trace_million"],
    }


def idle_bill(
    topology: Topology,
    operations: Operations,
    prices: Prices,
    quotas: Quotas,
    assumed: Assumptions,
) -> Bill:
    """Return the cost of a month without visitors."""
    hours = prices.hours_per_month
    minutes = hours * 60
    calls = minutes * topology.functions_each_minute
    minute = operations["idle_minute"]
    seconds = minutes * minute.duration_ms(API_MEMORY, assumed) / 1000
    memory = topology.memory_each_minute / 1024
    polls = quotas.queue_start_batches * LONG_POLLS_PER_HOUR * hours
    return {
        "ElastiCache": sum(
            count * hours * prices.node_hour(node) for node, count in topology.nodes.items()
        ),
        "NAT gateway": topology.nat_gateways * hours * prices["nat_hour"],
        "Interface endpoints": topology.endpoints * hours * prices["endpoint_hour"],
        "Alarms, dashboard": topology.alarm_metrics * prices["alarm_month"]
        + topology.dashboards * prices["dashboard_month"],
        "Secrets and keys": topology.secrets * prices["secret_month"]
        + topology.keys * prices["key_month"],
        "WAF": topology.acls * prices["waf_acl_month"] + topology.rules * prices["waf_rule_month"],
        "Lambda": calls / MILLION * prices["lambda_million_requests"]
        + seconds * memory * prices["lambda_gb_second"],
        "SQS": polls / MILLION * prices["sqs_million_requests"],
        "DynamoDB": minutes * minute.read_units / MILLION * prices["dynamodb_million_reads"]
        + topology.history
        * minutes
        * minute.write_units
        / MILLION
        * prices["dynamodb_million_writes"],
        "Logs and traces": calls * assumed.log_bytes / 1e9 * prices["logs_gb"]
        + minutes * topology.traced_each_minute / MILLION * prices["trace_million"],
    }


def options(prices: Prices) -> list[tuple[str, str, float]]:
    """Return each option, how it is turned on, and its price of a month in US dollars.

    A metric costs for each hour in which it has a value; the rows count a month of such hours.
    """
    minutes = prices.hours_per_month * 60
    metric, alarm = prices["metric_month"], prices["alarm_month"]
    hours = prices.hours_per_month

    def redis(topology: Topology) -> float:
        return sum(count * hours * prices.node_hour(node) for node, count in topology.nodes.items())

    sleeping = PERIODIC_INLET.memory / 1024 * 60 * prices["lambda_gb_second"]
    return [
        ("AWS WAF, before its requests", "`EnableWaf=true`",
         STANDARD.acls * prices["waf_acl_month"] + STANDARD.rules * prices["waf_rule_month"]),
        ("all alarms instead of the essential ones", "`Alarms=full`",
         (STANDARD.alarm_metrics - CHEAP.alarm_metrics) * alarm),
        ("dashboard", "`Dashboard=true`", prices["dashboard_month"]),
        (f"{GAUGES} metrics of visitors, all events together", "always; without visitors none",
         GAUGES * metric),
        ("the same metrics of each event, for one event", "`MetricsPerEvent=true`",
         GAUGES * metric),
        (f"metrics of {_routes()} routes, {METRICS_OF_A_ROUTE} each", "`RouteMetrics=true`",
         _routes() * METRICS_OF_A_ROUTE * metric),
        ("traces of a million function calls", "always",
         TRACED * prices["trace_million"]),
        (f"{LEAST_POLLERS} pollers that always run, the fewest", f"`JoinPollers={LEAST_POLLERS}`",
         LEAST_POLLERS * hours * prices["poller_hour"]),
        (f"SnapStart: snapshots of {snapshot_gb():.1f} GB of functions, kept all month",
         "`SnapStart=true`", snapshot_gb() * hours * 3600 * prices["snapstart_cached_gb_second"]),
        ("SnapStart: a thousand starts of a function of 1 GB", "`SnapStart=true`",
         1000 * prices["snapstart_restored_gb"]),
        ("customer-managed key, before its requests and rotations", "`CustomerManagedKey=true`",
         prices["key_month"]),
        ("hosted zone of custom domains; its certificates cost nothing", "`HostedZoneId`",
         prices["hosted_zone_month"]),
        ("Redis of the profile `standard`", "`Profile=standard`", redis(STANDARD)),
        ("Redis of the profile `cheap`", "`Profile=cheap`", redis(CHEAP)),
        ("interface endpoints of the profile `standard`", "`Profile=standard`",
         STANDARD.endpoints * prices.hours_per_month * prices["endpoint_hour"]),
        ("interface endpoints of the profile `cheap`", "`Profile=cheap`",
         CHEAP.endpoints * prices.hours_per_month * prices["endpoint_hour"]),
        ("inlet function with several steps a minute", "`Stacks` with `inlet`",
         minutes * (prices["lambda_million_requests"] / MILLION + sleeping)),
    ]  # fmt: skip


def snapshot_gb() -> float:
    """Return the memory of the functions with SnapStart in a core stack with Redis, in GB."""
    views = len(PUBLIC) * API_MEMORY
    return (views + sum(worker.memory for worker in (*WORKERS, *OUTBOX_WORKERS))) / 1024


def _routes() -> int:
    """Return the number of routes of both APIs with metrics, one for each path and method."""
    found = {
        (app, route.path, method)
        for app in ("public_api", "private_api")
        for route in routes_of(load_app(app))
        for method in route.methods
    }
    return len(found) + 1  # the join has no function


def total(bill: Bill) -> float:
    """Return the sum of a bill."""
    return sum(bill.values())
