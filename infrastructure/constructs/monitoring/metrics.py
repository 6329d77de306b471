# SPDX-License-Identifier: Apache-2.0
"""The metrics of the alarms and the dashboard."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from aws_cdk import (
    Duration,
    aws_apigateway,
    aws_cloudwatch,
    aws_dynamodb,
    aws_lambda,
    aws_logs,
)

from infrastructure.constructs.data.counters import Counters
from waiting_room.adapters.metric_line import NAMESPACE, STACK

MINUTE = Duration.minutes(1)
CLOUDFRONT_REGION = "us-east-1"  # CloudFront writes its metrics to this region


def gauge(name: str, event_id: str, stack: str) -> aws_cloudwatch.Metric:
    """Return a metric that ``report_metrics`` writes in each minute with a change.

    Without ``event_id`` it is the sum over all events of ``stack``.
    """
    return aws_cloudwatch.Metric(
        namespace=NAMESPACE,
        metric_name=name,
        dimensions_map={STACK: stack, **({"EventId": event_id} if event_id else {})},
        statistic="Maximum",
        period=MINUTE,
        label=name,
    )


def total_count(name: str, stack: str) -> aws_cloudwatch.Metric:
    """Return a metric of all events of a room together."""
    return aws_cloudwatch.Metric(
        namespace=NAMESPACE,
        metric_name=name,
        dimensions_map={STACK: stack},
        statistic="Maximum",
        period=MINUTE,
    )


def error_rate(api: aws_apigateway.RestApi) -> aws_cloudwatch.MathExpression:
    """Return the 5xx rate of an API in percent, over five minutes; 0 below 100 requests."""
    five = Duration.minutes(5)
    return aws_cloudwatch.MathExpression(
        expression="IF(requests >= 100, 100 * errors / requests, 0)",
        using_metrics={
            "errors": api.metric_server_error(period=five, statistic="Sum"),
            "requests": api.metric_count(period=five, statistic="Sum"),
        },
        period=five,
        label="5xx %",
    )


def total(parts: Iterable[Any], label: str) -> aws_cloudwatch.MathExpression:
    """Return the sum of up to ten metrics, the limit of an alarm."""
    using = {f"m{index}": part for index, part in enumerate(parts)}
    return aws_cloudwatch.MathExpression(
        expression=f"SUM([{','.join(using)}])", using_metrics=using, period=MINUTE, label=label
    )


def server_errors(api: aws_apigateway.RestApi) -> aws_cloudwatch.Metric:
    """Return the number of 5xx responses of an API in five minutes."""
    return api.metric_server_error(period=Duration.minutes(5), statistic="Sum")


def throttled_functions() -> Any:
    """Return the throttled invocations per minute of all functions of the account and region.

    They share one limit. The metric has no dimension, so an alarm on it costs for one metric.
    """
    return aws_lambda.Function.metric_all_throttles(period=MINUTE, statistic="Sum")


def throttled_writes(tables: Iterable[aws_dynamodb.ITable]) -> Any:
    """Return the throttled writes of some tables per minute."""
    parts = [_dynamodb("WriteThrottleEvents", {"TableName": one.table_name}) for one in tables]
    return total(parts, "throttled")


def throttled_tables(tables: Mapping[str, aws_dynamodb.ITable], indexes: Mapping[str, str]) -> Any:
    """Return the throttled reads and writes per minute; ``indexes`` by table."""
    parts = [
        _dynamodb(kind, {"TableName": table.table_name})
        for table in tables.values()
        for kind in ("ReadThrottleEvents", "WriteThrottleEvents")
    ]
    parts += [
        _dynamodb(
            "WriteThrottleEvents",
            {"TableName": tables[table].table_name, "GlobalSecondaryIndexName": index},
        )
        for table, index in indexes.items()
    ]
    return total(parts, "throttled")


def consumed(table: aws_dynamodb.ITable, kind: str) -> aws_cloudwatch.Metric:
    """Return the consumed capacity units of a table per minute; ``kind`` is Read or Write."""
    return _dynamodb(f"Consumed{kind}CapacityUnits", {"TableName": table.table_name})


def key_faults(check: aws_lambda.IFunction) -> aws_cloudwatch.Metric:
    """Return the failed runs of the hourly check of the keys, in an hour."""
    return check.metric_errors(period=Duration.hours(1), statistic="Sum")


def rejected(logs: Sequence[aws_logs.ILogGroup], stack_name: str) -> aws_cloudwatch.Metric:
    """Return the requests per minute that API Gateway answered with 429, read from access logs.

    API Gateway has no metric for one status. The metric has a price only in hours with a 429.
    Requests that AWS WAF blocked do not count: they have an alarm of their own.
    """
    namespace, name = f"{NAMESPACE}/{stack_name}", "TooManyRequests"
    for group in logs:
        aws_logs.MetricFilter(
            group,
            "TooManyRequests",
            log_group=group,
            filter_pattern=aws_logs.FilterPattern.all(
                aws_logs.FilterPattern.string_value("$.status", "=", "429"),
                aws_logs.FilterPattern.string_value("$.errorType", "!=", "WAF_FILTERED"),
            ),
            metric_namespace=namespace,
            metric_name=name,
            metric_value="1",
        )
    return aws_cloudwatch.Metric(
        namespace=namespace, metric_name=name, statistic="Sum", period=MINUTE
    )


def blocked(acl_metric: str, region: str) -> aws_cloudwatch.Metric:
    """Return the requests per minute that all rules of an AWS WAF ACL blocked."""
    return aws_cloudwatch.Metric(
        namespace="AWS/WAFV2",
        metric_name="BlockedRequests",
        dimensions_map={"WebACL": acl_metric, "Region": region, "Rule": "ALL"},
        statistic="Sum",
        period=MINUTE,
    )


def claimed_concurrency() -> aws_cloudwatch.Metric:
    """Return the concurrency of the account in this region that is in use or reserved."""
    return aws_cloudwatch.Metric(
        namespace="AWS/Lambda",
        metric_name="ClaimedAccountConcurrency",
        statistic="Maximum",
        period=MINUTE,
    )


def redis(counters: Counters, name: str) -> Any:
    """Return the highest value of a Redis metric among the nodes."""
    using = {
        f"{name[0].lower()}{name[1:]}{number}": aws_cloudwatch.Metric(
            namespace="AWS/ElastiCache",
            metric_name=name,
            dimensions_map={"CacheClusterId": f"{counters.group.ref}-{number:03d}"},
            statistic="Maximum",
            period=MINUTE,
        )
        for number in range(1, counters.nodes + 1)
    }
    return aws_cloudwatch.MathExpression(
        expression=f"MAX([{','.join(using)}])", using_metrics=using, period=MINUTE, label=name
    )


def edge_requests(distribution_id: str) -> aws_cloudwatch.Metric:
    """Return the requests to CloudFront per minute."""
    return aws_cloudwatch.Metric(
        namespace="AWS/CloudFront",
        metric_name="Requests",
        dimensions_map={"DistributionId": distribution_id, "Region": "Global"},
        statistic="Sum",
        period=MINUTE,
        region=CLOUDFRONT_REGION,
        label="edge requests",
    )


def edge_error_rate(distribution_id: str) -> aws_cloudwatch.MathExpression:
    """Return the 5xx rate of a distribution in percent, over five minutes; 0 below 100 requests."""
    five = Duration.minutes(5)
    return aws_cloudwatch.MathExpression(
        expression="IF(requests >= 100, errors, 0)",
        using_metrics={
            "errors": _edge("5xxErrorRate", distribution_id, "Average", five),
            "requests": _edge("Requests", distribution_id, "Sum", five),
        },
        period=five,
        label="5xx %",
    )


def _edge(
    name: str, distribution_id: str, statistic: str, period: Duration
) -> aws_cloudwatch.Metric:
    return aws_cloudwatch.Metric(
        namespace="AWS/CloudFront",
        metric_name=name,
        dimensions_map={"DistributionId": distribution_id, "Region": "Global"},
        statistic=statistic,
        period=period,
    )


def edge_hit_rate(
    distribution_id: str, api: aws_apigateway.RestApi
) -> aws_cloudwatch.MathExpression:
    """Return the percentage of requests that CloudFront served from its cache."""
    return aws_cloudwatch.MathExpression(
        expression="100 * (1 - misses / requests)",
        using_metrics={
            "misses": api.metric_count(period=MINUTE, statistic="Sum"),
            "requests": edge_requests(distribution_id),
        },
        period=MINUTE,
        label="cache hit rate %",
    )


def _dynamodb(name: str, dimensions: dict[str, str]) -> aws_cloudwatch.Metric:
    return aws_cloudwatch.Metric(
        namespace="AWS/DynamoDB",
        metric_name=name,
        dimensions_map=dimensions,
        statistic="Sum",
        period=MINUTE,
    )
