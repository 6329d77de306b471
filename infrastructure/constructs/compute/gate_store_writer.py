# SPDX-License-Identifier: Apache-2.0
"""The function that writes the store of the gate, and what invokes it."""

from __future__ import annotations

from dataclasses import replace

from aws_cdk import (
    Duration,
    aws_cloudfront,
    aws_dynamodb,
    aws_events,
    aws_events_targets,
    aws_lambda,
    aws_lambda_event_sources,
)
from constructs import Construct

from infrastructure.blueprint.permissions import GATE_STORE, Resource, check_grants
from infrastructure.blueprint.resources import GATE_RECORDS, WATCH_ROOM, WRITE_GATE_STORE
from infrastructure.constructs.compute.app_functions import AppFunctions
from infrastructure.constructs.compute.function_context import FunctionContext, ResourceRef

MAX_RECORD_AGE = 3_600  # s; a later run compares all events anyway


class GateStoreWriter(Construct):
    """``function`` writes ``store`` when the stream of ``events`` has a change, and on a schedule.

    The stream invokes it for one batch after another.
    """

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        function_context: FunctionContext,
        store: aws_cloudfront.IKeyValueStore,
        events: aws_dynamodb.ITable,
    ) -> None:
        super().__init__(scope, name)
        arn = store.key_value_store_arn
        known = {**function_context.resources, Resource.GATE_STORE: ResourceRef(name=arn, arn=arn)}
        functions = AppFunctions(
            self,
            "Functions",
            app="gate_store",
            function_context=replace(function_context, resources=known),
        )
        check_grants("GATE_STORE", {WRITE_GATE_STORE.name, WATCH_ROOM.name})
        writer = functions.add(
            WRITE_GATE_STORE.name,
            grants=GATE_STORE[WRITE_GATE_STORE.name],
            timeout=WRITE_GATE_STORE.timeout,
            memory=WRITE_GATE_STORE.memory,
        )
        self.function = writer.target
        writer.read_from(
            aws_lambda_event_sources.DynamoEventSource(
                events,
                starting_position=aws_lambda.StartingPosition.TRIM_HORIZON,
                batch_size=WRITE_GATE_STORE.batch_size,
                max_batching_window=Duration.seconds(WRITE_GATE_STORE.batch_window),
                parallelization_factor=1,
                max_record_age=Duration.seconds(MAX_RECORD_AGE),
                filters=[aws_lambda.FilterCriteria.filter(dict(one)) for one in GATE_RECORDS],
            )
        )
        aws_events.Rule(
            self,
            "Schedule",
            description="Waiting room: write gate store",
            schedule=aws_events.Schedule.expression(WRITE_GATE_STORE.schedule),
            targets=[aws_events_targets.LambdaFunction(self.function, retry_attempts=2)],
        )
