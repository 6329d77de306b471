# SPDX-License-Identifier: Apache-2.0
"""What operators see: alarms and one dashboard."""

from __future__ import annotations

from constructs import Construct

from infrastructure.blueprint.resources import ASSIGN, PUBLISH, REPORT, ROTATE, SWEEP, TABLES
from infrastructure.constructs.monitoring import metrics
from infrastructure.constructs.monitoring.alarms import SILENCE_IS_BAD, Alarms
from infrastructure.constructs.monitoring.dashboard import Dashboard
from infrastructure.constructs.monitoring.monitored_resources import Watched

INDEXES = {table.name: table.index.name for table in TABLES if table.index}


class Operations(Construct):
    """``alarms`` and their topic, and the ``dashboard``."""

    def __init__(self, scope: Construct, name: str, *, watched: Watched, email: str) -> None:
        super().__init__(scope, name)
        self.alarms = Alarms(self, "Alarms", email=email)
        _add_api_alarms(self.alarms, watched)
        _add_worker_alarms(self.alarms, watched)
        _add_store_alarms(self.alarms, watched)
        watched.counters.notify(self.alarms.topic)
        self.dashboard = Dashboard(self, "Dashboard", watched=watched, alarms=self.alarms.all)


def _add_api_alarms(alarms: Alarms, watched: Watched) -> None:
    public, private = watched.public.served.api, watched.private.served.api
    alarms.add(
        "PublicErrors",
        metrics.server_errors(public),
        above=1,
        says="More than 1 % of what visitors ask is answered with 5xx.",
    )
    alarms.add(
        "PrivateErrors",
        metrics.server_errors(private),
        above=1,
        says="More than 1 % of what operators ask is answered with 5xx.",
    )
    alarms.add(
        "PublicLatency",
        public.metric_latency(period=metrics.MINUTE, statistic="p99"),
        above=3000,
        minutes=3,
        within=5,
        says="One visitor in a hundred waits longer than 3 s (in ms) for an answer.",
    )
    alarms.add(
        "PublicThrottles",
        metrics.throttled_functions(list(watched.public.functions.targets.values())),
        above=0,
        minutes=2,
        within=5,
        says="Lambda turns visitors away: raise the account's concurrency.",
    )


def _add_worker_alarms(alarms: Alarms, watched: Watched) -> None:
    targets = watched.workers.functions.targets
    for worker in (ASSIGN, PUBLISH, SWEEP, REPORT, ROTATE):  # the set-up fails its deployment
        often = worker is not ROTATE
        alarms.add(
            f"{worker.name.title().replace('_', '')}Errors",
            targets[worker.name].metric_errors(period=metrics.MINUTE, statistic="Sum"),
            above=0,
            minutes=3 if often else 1,
            within=5 if often else 1,
            says=f"The worker {worker.name} fails; its log says why.",
        )
    alarms.add(
        "WorkerThrottles",
        metrics.throttled_functions(list(targets.values())),
        above=0,
        minutes=3,
        within=5,
        says="Lambda turns workers away: raise the account's concurrency.",
    )
    alarms.add(
        "NoSweep",
        targets[SWEEP.name].metric_invocations(period=metrics.MINUTE, statistic="Sum"),
        below=1,
        minutes=5,
        missing=SILENCE_IS_BAD,
        says="The minute worker has not run for 5 minutes: nothing expires, nothing is audited.",
    )
    alarms.add(
        "PublisherLag",
        targets[PUBLISH.name].metric("IteratorAge", period=metrics.MINUTE, statistic="Maximum"),
        above=300_000,
        minutes=3,
        says="Events reach the bus more than 5 minutes (in ms) late.",
    )


def _add_store_alarms(alarms: Alarms, watched: Watched) -> None:
    alarms.add(
        "JoinsWait",
        watched.joins.queue.metric_approximate_age_of_oldest_message(
            period=metrics.MINUTE, statistic="Maximum"
        ),
        above=60,
        minutes=2,
        within=3,
        says="Visitors have waited longer than 60 s for their number.",
    )
    for name, queue, says in (
        ("DeadLetters", watched.joins.dead_letters, "Joins could not become positions: redrive."),
        ("Unpublished", watched.workers.unpublished, "Changes could not be told to the bus."),
    ):
        visible = queue.metric_approximate_number_of_messages_visible(
            period=metrics.MINUTE, statistic="Maximum"
        )
        alarms.add(name, visible, above=0, says=says)
    alarms.add(
        "TableThrottles",
        metrics.throttled_tables(watched.tables.by_name, INDEXES),
        above=0,
        minutes=3,
        within=5,
        says="DynamoDB turns requests away: a table is too cold for this event (WarmWrites).",
    )
    for name, metric, above, says in (
        ("RedisCpu", "EngineCPUUtilization", 80, "The counters' server is busy above 80 %."),
        ("RedisMemory", "DatabaseMemoryUsagePercentage", 75, "Its memory is above 75 % full."),
        ("RedisEvictions", "Evictions", 0, "It forgets keys for want of memory: a larger node."),
    ):
        worst = metrics.redis(watched.counters, metric, nodes=watched.nodes)
        alarms.add(name, worst, above=above, minutes=3, within=5, says=says)
    alarms.add(
        "RedisSilent",
        metrics.redis(watched.counters, "EngineCPUUtilization", nodes=watched.nodes),
        below=0,
        minutes=5,
        missing=SILENCE_IS_BAD,
        says="The counters' server has not been heard of for 5 minutes.",
    )
