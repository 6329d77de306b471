# SPDX-License-Identifier: Apache-2.0
"""The alarms of the core stack and their topic."""

from __future__ import annotations

import math

from aws_cdk import aws_kms
from constructs import Construct

from infrastructure.blueprint.resources import (
    ADMIT,
    ASSIGN,
    CHECK_KEYS,
    COUNT_OUTCOMES,
    COUNTERS,
    POSITIONS,
    PUBLISH,
    READ_ALARMS,
    REPORT,
    ROTATE,
    SEND_OUTBOX,
    SERVING_LOG,
    SWEEP,
    TABLES,
)
from infrastructure.constructs.data.counters import Counters
from infrastructure.constructs.monitoring import metrics
from infrastructure.constructs.monitoring.alarms import MISSING_IS_BREACHING, Alarms
from infrastructure.constructs.monitoring.monitored_resources import MonitoredResources

BUSY_TABLES = (POSITIONS, SERVING_LOG)  # an event writes to them first
INDEXES = {table.name: table.index.name for table in TABLES if table.index}


# Alarms of faults that lose visitors or that no other alarm shows. The others name a cause.
ESSENTIAL = frozenset(
    {
        "PublicErrors", "JoinQueueAge", "DeadLetters", "EventDeadLetters", "AssignPositionsErrors",
        "SweepPositionsErrors", "MinuteWorkerNotRunning", "FunctionThrottles", "TableThrottles",
        "Keys", "RedisMemory", "RedisNoData", "CounterLag",
    }
)  # fmt: skip
SERVER_ERRORS = 10  # 5xx responses in five minutes
SEE_CAUSES = "check which other alarms are in ALARM, then the functions' logs"


class Monitoring(Construct):
    """The ``alarms`` with their topic.

    Without ``full`` there are those of ESSENTIAL; two of them read fewer metrics.
    """

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        monitored: MonitoredResources,
        email: str,
        key: aws_kms.IKey | None = None,
        full: bool = True,
    ) -> None:
        super().__init__(scope, name)
        self.alarms = Alarms(self, "Alarms", email=email, key=key, only=None if full else ESSENTIAL)
        _add_api_alarms(self.alarms, monitored, full)
        _add_worker_alarms(self.alarms, monitored)
        _add_store_alarms(self.alarms, monitored, full)
        if monitored.redis:
            _add_redis_alarms(self.alarms, monitored.redis)
            monitored.redis.notify(self.alarms.topic)
        else:
            _add_table_counter_alarms(self.alarms, monitored)


def _add_api_alarms(alarms: Alarms, monitored: MonitoredResources, full: bool) -> None:
    public, private = monitored.public.served.api, monitored.private.served.api
    alarms.add(
        "PublicErrors",
        metrics.error_rate(public) if full else metrics.server_errors(public),
        above=1 if full else SERVER_ERRORS,
        description=f"More than 1 % of visitors' requests fail with a 5xx status: {SEE_CAUSES}."
        if full
        else f"More than {SERVER_ERRORS} visitors' requests in five minutes fail (5xx status): "
        f"{SEE_CAUSES}.",
    )
    alarms.add(
        "PrivateErrors",
        metrics.error_rate(private),
        above=1,
        description=f"More than 1 % of operators' requests fail with a 5xx status: {SEE_CAUSES}.",
    )
    alarms.add(
        "PublicLatency",
        public.metric_latency(period=metrics.MINUTE, statistic="p99"),
        above=3000,
        minutes=3,
        within=5,
        description="The p99 latency of the public API is above 3 s (threshold in ms): see the "
        "alarms of Redis and of DynamoDB.",
    )
    alarms.add(
        "FunctionThrottles",
        metrics.throttled_functions(),
        above=0,
        minutes=2,
        within=5,
        description="Lambda throttles functions of the account: raise its concurrency quota.",
    )
    if full:  # a filter of the logs writes its metric
        alarms.add(
            "TooManyRequests",
            metrics.rejected(
                [one.served.access_logs for one in (monitored.public, monitored.private)],
                monitored.stack_name,
            ),
            above=60,
            minutes=2,
            within=5,
            description="API Gateway rejects more than 60 requests a minute with 429: raise the "
            "rate and the burst of the API, or the quota of the account.",
        )
    if monitored.acl_metric:
        alarms.add(
            "WafBlocks",
            metrics.blocked(monitored.acl_metric, monitored.region),
            above=100,
            minutes=3,
            within=5,
            description="AWS WAF blocks more than 100 requests a minute: compare the metric "
            "BlockedRequests of its rules.",
        )
    alarms.add(
        "AccountConcurrency",
        metrics.claimed_concurrency(),
        above=math.floor(0.8 * monitored.account_concurrency),
        minutes=2,
        within=3,
        description="More than 80 % of the account's Lambda concurrency is in use or reserved: "
        "raise the quota, then the parameter AccountConcurrency.",
    )


def _add_worker_alarms(alarms: Alarms, monitored: MonitoredResources) -> None:
    targets = monitored.workers.functions.targets
    # SET_UP has no alarm: if it fails, the deployment fails.
    for worker in (ASSIGN, PUBLISH, SEND_OUTBOX, SWEEP, ADMIT, READ_ALARMS, REPORT, ROTATE):
        if worker.name not in targets:
            continue
        often = worker is not ROTATE
        alarms.add(
            f"{worker.name.title().replace('_', '')}Errors",
            targets[worker.name].metric_errors(period=metrics.MINUTE, statistic="Sum"),
            above=0,
            minutes=3 if often else 1,
            within=5 if often else 1,
            description=f"The worker {worker.name} fails (see its log).",
        )
    alarms.add(
        "Keys",
        metrics.key_faults(targets[CHECK_KEYS.name]),
        above=0,
        description="Keys are missing or cannot be read (see the log of check_keys).",
    )
    alarms.add(
        "MinuteWorkerNotRunning",
        targets[SWEEP.name].metric_invocations(period=metrics.MINUTE, statistic="Sum"),
        below=1,
        minutes=5,
        missing=MISSING_IS_BREACHING,
        description="The minute worker has not run for 5 minutes, so positions do not expire: see "
        f"the log of {SWEEP.name}.",
    )
    for name, worker, description in (
        ("PublisherLag", PUBLISH, "Bus events are published more than 5 minutes late"),
        ("OutboxLag", SEND_OUTBOX, "Messages of the outbox are sent more than 5 minutes late"),
    ):
        if worker.name in targets:
            alarms.add(
                name,
                targets[worker.name].metric(
                    "IteratorAge", period=metrics.MINUTE, statistic="Maximum"
                ),
                above=300_000,
                minutes=3,
                description=f"{description} (threshold in ms): see the log of {worker.name}.",
            )


def _add_store_alarms(alarms: Alarms, monitored: MonitoredResources, full: bool) -> None:
    alarms.add(
        "JoinQueueAge",
        monitored.joins.queue.metric_approximate_age_of_oldest_message(
            period=metrics.MINUTE, statistic="Maximum"
        ),
        above=60,
        minutes=2,
        within=3,
        description="The oldest join has waited longer than 60 s for its position: raise "
        "AssignConcurrency (with JoinPollers: MaxJoinPollers), or run make warm.",
    )
    for name, queue, description in (
        (
            "DeadLetters",
            monitored.joins.dead_letters,
            "Messages are in the join dead-letter queue. With the attribute reason: check the "
            "policy of the join queue. Without it: read the log of assign_positions, remove the "
            "cause, then redrive.",
        ),
        (
            "EventDeadLetters",
            monitored.workers.event_dead_letters,
            "Bus events or messages of the outbox could not be sent: read their dead-letter queue "
            "if a consumer of the bus needs them.",
        ),
    ):
        visible = queue.metric_approximate_number_of_messages_visible(
            period=metrics.MINUTE, statistic="Maximum"
        )
        alarms.add(name, visible, above=0, description=description)
    alarms.add(
        "TableThrottles",
        metrics.throttled_tables(
            {table.name: monitored.tables.by_name[table.name] for table in TABLES}, INDEXES
        )
        if full
        else metrics.throttled_writes(monitored.tables.by_name[one.name] for one in BUSY_TABLES),
        above=0,
        minutes=3,
        within=5,
        description="DynamoDB throttles requests: run make warm before the next event.",
    )


def _add_redis_alarms(alarms: Alarms, redis: Counters) -> None:
    for name, metric, above, description in (
        (
            "RedisCpu",
            "EngineCPUUtilization",
            80,
            "The CPU of Redis is above 80 %: use a larger RedisNodeType.",
        ),
        (
            "RedisMemory",
            "DatabaseMemoryUsagePercentage",
            75,
            "The memory of Redis is more than 75 % full: use a larger RedisNodeType.",
        ),
        (
            "RedisEvictions",
            "Evictions",
            0,
            "Redis evicts keys because memory is full: use a larger node type.",
        ),
    ):
        worst = metrics.redis(redis, metric)
        alarms.add(name, worst, above=above, minutes=3, within=5, description=description)
    alarms.add(
        "RedisNoData",
        metrics.redis(redis, "EngineCPUUtilization"),
        below=0,
        minutes=5,
        missing=MISSING_IS_BREACHING,
        description="CloudWatch has received no metrics of Redis for 5 minutes: see Failure modes "
        "in docs/operations.md.",
    )


def _add_table_counter_alarms(alarms: Alarms, monitored: MonitoredResources) -> None:
    counting = monitored.workers.functions.targets[COUNT_OUTCOMES.name]
    alarms.add(
        "CounterLag",
        counting.metric("IteratorAge", period=metrics.MINUTE, statistic="Maximum"),
        above=60_000,
        minutes=3,
        description="Counts of tokens are more than a minute behind (threshold in ms): see the "
        "log of count_outcomes.",
    )
    alarms.add(
        "CounterThrottles",
        metrics.throttled_tables({COUNTERS.name: monitored.tables.by_name[COUNTERS.name]}, {}),
        above=0,
        minutes=3,
        within=5,
        description="DynamoDB throttles the table of the counters. If it lasts longer than half "
        "an hour, use a profile with Redis.",
    )
