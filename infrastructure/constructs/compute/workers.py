# SPDX-License-Identifier: Apache-2.0
"""The workers and what invokes each: the queue, the stream, schedules, the deployment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from aws_cdk import (
    Duration,
    aws_dynamodb,
    aws_events,
    aws_events_targets,
    aws_lambda,
    aws_lambda_event_sources,
    aws_sqs,
    triggers,
)
from constructs import Construct, IDependable

from infrastructure.blueprint.permissions import OUTBOX_WORKERS as OUTBOX_GRANTS
from infrastructure.blueprint.permissions import TABLE_COUNTER_WORKERS as TABLE_COUNTER_GRANTS
from infrastructure.blueprint.permissions import WORKERS as GRANTS
from infrastructure.blueprint.permissions import check_grants
from infrastructure.blueprint.resources import (
    ASSIGN,
    COUNT_OUTCOMES,
    OUTBOX_WORKERS,
    PUBLISH,
    REPORT,
    ROTATE,
    SEND_OUTBOX,
    SET_UP,
    TABLE_COUNTER_WORKERS,
    WORKERS,
    Function,
    rotation,
)
from infrastructure.constructs.compute.app_functions import AppFunctions
from infrastructure.constructs.compute.encryption import queue_encryption
from infrastructure.constructs.compute.function import RoomFunction
from infrastructure.constructs.compute.function_context import FunctionContext

NEW_ROWS = {"eventName": ["INSERT"]}  # not those that DynamoDB deletes at their TTL
EVERY_MINUTE = "rate(1 minute)"
MAX_RECORD_AGE = 6 * 3600  # s; the publisher retries a batch for so long


class Workers(Construct):
    """The functions of ``apps/workers/app.py`` and their triggers.

    ``join_queue`` takes the joins. The role of ``redrive_role_id`` may send a join to it again.
    ``stack_name`` is a dimension of the metrics. ``first_admission`` is the environment of the
    set-up. ``rotation_days`` is the period between two signing keys, 0 for no rotation.
    ``pollers`` are the minimum and maximum of pollers that always run; with zeros, Lambda chooses,
    and ``assign_concurrency`` is the maximum of join workers. The set-up runs after ``first`` and
    after all workers.
    ``event_dead_letters`` takes batches of a stream that could not be sent within MAX_RECORD_AGE.
    ``outbox`` has the messages of functions inside the VPC; None without a VPC.
    """

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        function_context: FunctionContext,
        join_queue: aws_sqs.IQueue,
        redrive_role_id: str,
        stack_name: str,
        first_admission: Mapping[str, str],
        tokens: aws_dynamodb.ITable,
        outbox: aws_dynamodb.ITable | None,
        assign_concurrency: int,
        pollers: tuple[int, int],
        reserved_concurrency: int,
        rotation_days: int,
        first: Sequence[IDependable],
    ) -> None:
        super().__init__(scope, name)
        self.functions = AppFunctions(
            self, "Functions", app="workers", function_context=function_context
        )
        environment = {
            ASSIGN.name: {"REDRIVE_ROLE_ID": redrive_role_id},
            SET_UP.name: dict(first_admission),
            REPORT.name: {"STACK_NAME": stack_name},
        }
        check_grants("WORKERS", {worker.name for worker in WORKERS})
        check_grants("TABLE_COUNTER_WORKERS", {worker.name for worker in TABLE_COUNTER_WORKERS})
        check_grants("OUTBOX_WORKERS", {worker.name for worker in OUTBOX_WORKERS})
        grants = {**GRANTS, **TABLE_COUNTER_GRANTS, **OUTBOX_GRANTS}
        with_vpc = OUTBOX_WORKERS if outbox else ()
        with_tables = () if function_context.redis else TABLE_COUNTER_WORKERS
        for worker in (*WORKERS, *with_vpc, *with_tables):
            made = self.functions.add(
                worker.name,
                grants=grants[worker.name],
                timeout=worker.timeout,
                memory=worker.memory,
                environment=environment.get(worker.name),
                reserved=reserved_concurrency if worker is ASSIGN else 0,
                traced=worker.schedule != EVERY_MINUTE,  # X-Ray would record each run
            )
            schedule = rotation(rotation_days) if worker is ROTATE else worker.schedule
            if schedule:
                self._schedule(worker.name, schedule, made.target)
        self.event_dead_letters = aws_sqs.Queue(
            self,
            "EventDeadLetters",
            retention_period=Duration.days(14),
            **queue_encryption(function_context.defaults.key),
            enforce_ssl=True,
        )
        self._take_joins(
            self.functions.by_name[ASSIGN.name],
            join_queue,
            {"provisioned_poller_config": _pollers(*pollers)}
            if any(pollers)
            else {"max_concurrency": assign_concurrency},
        )
        self._take_changes(PUBLISH, tokens)
        if outbox:
            self._take_changes(SEND_OUTBOX, outbox, only=NEW_ROWS)
        if not function_context.redis:
            self._count_changes(self.functions.by_name[COUNT_OUTCOMES.name], tokens)
        triggers.Trigger(
            self,
            "SetUp",
            handler=self.functions.by_name[SET_UP.name].function,
            timeout=Duration.seconds(SET_UP.timeout),
            execute_after=[*first, *self.functions.updated],
        )

    def _schedule(self, name: str, expression: str, target: aws_lambda.IFunction) -> None:
        """Run a worker on a schedule. A run each minute has no retry: the next one follows."""
        retries = 0 if expression == EVERY_MINUTE else 2
        aws_events.Rule(
            self,
            f"{name.title().replace('_', '')}Schedule",
            description=f"Waiting room: {name.replace('_', ' ')}",
            schedule=aws_events.Schedule.expression(expression),
            targets=[aws_events_targets.LambdaFunction(target, retry_attempts=retries)],
        )

    def _take_joins(
        self, worker: RoomFunction, joins: aws_sqs.IQueue, scaling: Mapping[str, Any]
    ) -> None:
        worker.read_from(
            aws_lambda_event_sources.SqsEventSource(
                joins,
                batch_size=ASSIGN.batch_size,
                max_batching_window=Duration.seconds(ASSIGN.batch_window),
                report_batch_item_failures=True,
                **scaling,
            )
        )

    def _take_changes(
        self, worker: Function, table: aws_dynamodb.ITable, only: Mapping[str, object] | None = None
    ) -> None:
        self.functions.by_name[worker.name].read_from(
            aws_lambda_event_sources.DynamoEventSource(
                table,
                starting_position=aws_lambda.StartingPosition.TRIM_HORIZON,
                batch_size=worker.batch_size,
                max_batching_window=Duration.seconds(worker.batch_window),
                filters=[dict(aws_lambda.FilterCriteria.filter(only))] if only else None,
                bisect_batch_on_error=True,
                report_batch_item_failures=True,
                max_record_age=Duration.seconds(MAX_RECORD_AGE),
                on_failure=aws_lambda_event_sources.SqsDlq(self.event_dead_letters),
            )
        )

    def _count_changes(self, worker: RoomFunction, tokens: aws_dynamodb.ITable) -> None:
        """Read the stream a second time, which is DynamoDB's limit; retry until it is counted."""
        worker.read_from(
            aws_lambda_event_sources.DynamoEventSource(
                tokens,
                starting_position=aws_lambda.StartingPosition.TRIM_HORIZON,
                batch_size=COUNT_OUTCOMES.batch_size,
                max_batching_window=Duration.seconds(COUNT_OUTCOMES.batch_window),
                bisect_batch_on_error=True,
                report_batch_item_failures=True,
            )
        )


def _pollers(least: int, most: int) -> aws_lambda.ProvisionedPollerConfig:
    return aws_lambda.ProvisionedPollerConfig(minimum_pollers=least, maximum_pollers=most)
