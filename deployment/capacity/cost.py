# SPDX-License-Identifier: Apache-2.0
"""Cost of an event, and of an idle month. US dollars by service."""

from __future__ import annotations

from deployment.capacity.operations import Operations
from deployment.capacity.prices import Prices
from deployment.capacity.quotas import Assumptions, Quotas
from deployment.capacity.simulation import API_MEMORY
from deployment.capacity.topology import Topology
from deployment.capacity.usage import Usage
from infrastructure.blueprint.resources import REPORT, SWEEP

MILLION = 1e6
LONG_POLLS_PER_HOUR = 180  # of one poller of an empty queue; twenty seconds each
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
    memory = max(SWEEP.memory, REPORT.memory) / 1024
    polls = quotas.queue_start_batches * LONG_POLLS_PER_HOUR * hours
    return {
        "ElastiCache": sum(
            count * hours * prices.node_hour(node) for node, count in topology.nodes.items()
        ),
        "NAT gateway": topology.nat_gateways * hours * prices["nat_hour"],
        "Interface endpoints": topology.endpoints * hours * prices["endpoint_hour"],
        "Alarms, metrics, dashboard": topology.alarm_metrics * prices["alarm_month"]
        + topology.metrics * prices["metric_month"]
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


def total(bill: Bill) -> float:
    """Return the sum of a bill."""
    return sum(bill.values())
