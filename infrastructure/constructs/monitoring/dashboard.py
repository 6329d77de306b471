# SPDX-License-Identifier: Apache-2.0
"""The dashboard: queue, tokens, losses, latency, errors, and the metrics that drive cost."""

from __future__ import annotations

from collections.abc import Sequence

from aws_cdk import Duration, aws_cloudwatch
from constructs import Construct

from infrastructure.constructs.data.counters import Counters
from infrastructure.constructs.monitoring import metrics
from infrastructure.constructs.monitoring.monitored_resources import MonitoredResources


class Dashboard(Construct):
    """``dashboard`` shows the last three hours of a room, one point per minute.

    The metrics of visitors are those of ``event_id``, or without one the sum over all events.
    """

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        monitored: MonitoredResources,
        alarms: Sequence[aws_cloudwatch.Alarm],
        event_id: str = "",
    ) -> None:
        super().__init__(scope, name)
        self.dashboard = aws_cloudwatch.Dashboard(
            self,
            "Dashboard",
            default_interval=Duration.hours(3),
            widgets=_rows(monitored, alarms, event_id),
        )


def _rows(
    monitored: MonitoredResources, alarms: Sequence[aws_cloudwatch.Alarm], event_id: str
) -> list[list[aws_cloudwatch.IWidget]]:
    api, edge = monitored.public.served.api, monitored.edge.distribution.distribution_id
    joins, workers = monitored.joins, monitored.workers.functions
    minute, gauge = {"period": metrics.MINUTE}, metrics.gauge

    def line(title: str, *left: object) -> aws_cloudwatch.GraphWidget:
        return aws_cloudwatch.GraphWidget(title=title, left=list(left), width=8, height=6)

    def redis_load(redis: Counters) -> aws_cloudwatch.GraphWidget:
        names = ("EngineCPUUtilization", "DatabaseMemoryUsagePercentage")
        return line("Redis CPU and memory (%)", *(metrics.redis(redis, one) for one in names))

    def gauges(title: str, *names: str) -> aws_cloudwatch.GraphWidget:
        return line(title, *(gauge(name, event_id, monitored.stack_name) for name in names))

    return [
        [aws_cloudwatch.AlarmStatusWidget(title="Alarms", alarms=alarms, width=24, height=3)],
        [
            gauges("Queue", "QueuePositions", "ServingCounter", "Waiting"),
            gauges("Tokens", "TokensIssued", "ActiveTokens", "SessionsCompleted"),
            gauges("Losses", "PositionsExpired", "SessionsAbandoned", "UnusedPositions"),
        ],
        [
            line(
                "Joins per minute",
                joins.queue.metric_number_of_messages_sent(**minute),
                joins.queue.metric_number_of_messages_deleted(**minute),
                joins.dead_letters.metric_approximate_number_of_messages_visible(**minute),
            ),
            line(
                "Age of the oldest join (s)",
                joins.queue.metric_approximate_age_of_oldest_message(**minute),
            ),
            line(
                "Latency of the public API (ms)",
                *(api.metric_latency(statistic=one, **minute) for one in ("p50", "p95", "p99")),
            ),
        ],
        [
            line("Requests", metrics.edge_requests(edge), api.metric_count(**minute)),
            line("Cache hit rate of CloudFront (%)", metrics.edge_hit_rate(edge, api)),
            line("Errors", api.metric_client_error(**minute), api.metric_server_error(**minute)),
        ],
        [
            *([redis_load(monitored.redis)] if monitored.redis else []),
            line(
                "Consumed capacity units",
                *(
                    metrics.consumed(table, kind)
                    for table in monitored.tables.by_name.values()
                    for kind in ("Read", "Write")
                ),
            ),
            line(
                "Function invocations",
                *(
                    target.metric_invocations(**minute)
                    for functions in (monitored.public.functions, workers)
                    for target in functions.targets.values()
                ),
            ),
        ],
    ]
