# SPDX-License-Identifier: Apache-2.0
"""The inlet stack: a function that admits visitors by one of two strategies."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from aws_cdk import (
    ArnFormat,
    CfnOutput,
    Stack,
    aws_events,
    aws_events_targets,
    aws_iam,
    aws_sns,
)
from constructs import Construct

from infrastructure.blueprint.permissions import INLET, Resource
from infrastructure.blueprint.resources import INLETS, PRIVATE_ROUTES
from infrastructure.constructs.compute.encryption import room_key
from infrastructure.constructs.compute.exit_topic import ExitTopic
from infrastructure.constructs.compute.function import RoomFunction
from infrastructure.constructs.compute.function_context import FunctionContext
from infrastructure.constructs.monitoring import metrics
from infrastructure.constructs.monitoring.alarms import Alarms
from infrastructure.constructs.names import inlet_role_name
from infrastructure.parameters.optional_stacks import InletConfig
from infrastructure.stacks.room import Room
from waiting_room.inlet.strategies import Strategy


class InletStack(Stack):
    """The inlet of a room; it shares an item of the serving log with the console.

    ``key_arn`` is the key of the room if the stack is deployed without core.
    """

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        room: Room,
        config: InletConfig,
        key_arn: str = "",
        **options: Any,
    ) -> None:
        description = f"Virtual waiting room: {config.strategy} inlet"
        super().__init__(scope, name, description=description, **options)
        room.require_region(self)
        # A run a minute gains nothing from SnapStart. During the change, its alias would also be a
        # second subscriber of the topic, and the inlet would count each exit twice.
        defaults = replace(room.defaults, snap_start=False)
        if key_arn and defaults.key is None:
            defaults = replace(defaults, key=room_key(self, "Key", key_arn, new=False))
        function_context = FunctionContext(
            resources={Resource.SERVING_LOG: room.serving_log},
            settings={
                "EVENT_ID": room.event_id,
                "PRIVATE_API_ENDPOINT": room.private_address,
                **config.settings,
            },
            defaults=defaults,
        )
        chosen = INLETS[config.strategy]
        inlet = RoomFunction(
            self,
            "Inlet",
            app="inlet",
            handler=chosen.name,
            description=f"Waiting room: {config.strategy} inlet",
            environment=function_context.environment(INLET),
            statements=[*function_context.statements(INLET), *self._outside(room, config)],
            defaults=defaults,
            timeout=chosen.timeout,
            memory=chosen.memory,
            role_name=inlet_role_name(room.stack_name, self.region),
        )
        aws_events.Rule(
            self,
            "Schedule",
            description=f"Waiting room: {config.strategy} inlet",
            schedule=aws_events.Schedule.expression(chosen.schedule),
            targets=[aws_events_targets.LambdaFunction(inlet.target, retry_attempts=0)],
        )
        topic = aws_sns.Topic.from_topic_arn(self, "RoomAlarms", room.alarm_topic)
        alarms = Alarms(self, "Alarms", topic=topic)
        alarms.add(
            "Errors",
            inlet.target.metric_errors(period=metrics.MINUTE, statistic="Sum"),
            above=0,
            minutes=3,
            within=5,
            description="The inlet fails (see its log). It admits no visitor until this is fixed.",
        )
        if config.strategy == Strategy.MAX_SIZE:
            exit_topic = ExitTopic(self, "ExitTopic", inlet=inlet.target, key=defaults.key)
            alarms.add(
                "InletDeadLetters",
                exit_topic.dead_letters.metric_approximate_number_of_messages_visible(
                    period=metrics.MINUTE, statistic="Maximum"
                ),
                above=0,
                description="The inlet could not process exit notices: see its dead-letter queue.",
            )
            CfnOutput(self, "InletTopicARN", value=exit_topic.topic.topic_arn)

    def _outside(self, room: Room, config: InletConfig) -> list[aws_iam.PolicyStatement]:
        """Return permissions beside the inlet's own item: routes of the private API, the alarm."""
        routes = [route.split(" ") for route in PRIVATE_ROUTES[config.strategy]]
        statements = [
            aws_iam.PolicyStatement(
                actions=["execute-api:Invoke"],
                resources=[
                    self.format_arn(
                        service="execute-api",
                        resource=room.private_api_id,
                        resource_name=f"{room.private_stage}/{method}{path}",
                        arn_format=ArnFormat.SLASH_RESOURCE_NAME,
                    )
                    for method, path in routes
                ],
            )
        ]
        if config.alarm:
            statements.append(
                aws_iam.PolicyStatement(actions=["cloudwatch:DescribeAlarms"], resources=["*"])
            )
        return statements
