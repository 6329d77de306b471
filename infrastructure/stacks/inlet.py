# SPDX-License-Identifier: Apache-2.0
"""The inlet stack: a function that admits visitors by one of two strategies."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from aws_cdk import CfnOutput, Stack, aws_events, aws_events_targets, aws_iam
from constructs import Construct

from infrastructure.blueprint.permissions import INLET, Resource
from infrastructure.blueprint.resources import INLETS, PRIVATE_ROUTES, SERVING_LOG
from infrastructure.constructs.compute.exit_topic import ExitTopic
from infrastructure.constructs.compute.function import RoomFunction
from infrastructure.constructs.compute.function_context import FunctionContext, ResourceRef
from infrastructure.constructs.monitoring import metrics
from infrastructure.constructs.monitoring.alarms import Alarms
from infrastructure.constructs.names import inlet_role_name
from infrastructure.parameters.optional_stacks import InletConfig
from infrastructure.stacks.core import CoreStack
from waiting_room.inlet.strategies import Strategy


class InletStack(Stack):
    """The inlet of a core stack; it shares an item of the serving log with the console."""

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        core: CoreStack,
        config: InletConfig,
        **options: Any,
    ) -> None:
        description = f"Virtual waiting room: {config.strategy} inlet"
        super().__init__(scope, name, description=description, **options)
        # A run a minute gains nothing from SnapStart. During the change, its alias would also be a
        # second subscriber of the topic, and the inlet would count each exit twice.
        defaults = replace(core.defaults, snap_start=False)
        log = core.tables.by_name[SERVING_LOG.name]
        function_context = FunctionContext(
            resources={Resource.SERVING_LOG: ResourceRef(name=log.table_name, arn=log.table_arn)},
            settings={
                "EVENT_ID": core.config.event_id,
                "PRIVATE_API_ENDPOINT": core.private_address,
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
            statements=[*function_context.statements(INLET), *_outside(core, config)],
            defaults=defaults,
            timeout=chosen.timeout,
            memory=chosen.memory,
            role_name=inlet_role_name(core.config.stack_name, self.region),
        )
        aws_events.Rule(
            self,
            "Schedule",
            description=f"Waiting room: {config.strategy} inlet",
            schedule=aws_events.Schedule.expression(chosen.schedule),
            targets=[aws_events_targets.LambdaFunction(inlet.target, retry_attempts=0)],
        )
        alarms = Alarms(self, "Alarms", topic=core.alarm_topic)
        alarms.add(
            "Errors",
            inlet.target.metric_errors(period=metrics.MINUTE, statistic="Sum"),
            above=0,
            minutes=3,
            within=5,
            description="The inlet fails (see its log). It admits no visitor until this is fixed.",
        )
        if config.strategy == Strategy.MAX_SIZE:
            exit_topic = ExitTopic(self, "ExitTopic", inlet=inlet.target, key=core.defaults.key)
            alarms.add(
                "InletDeadLetters",
                exit_topic.dead_letters.metric_approximate_number_of_messages_visible(
                    period=metrics.MINUTE, statistic="Maximum"
                ),
                above=0,
                description="The inlet could not process exit notices: see its dead-letter queue.",
            )
            CfnOutput(self, "InletTopicARN", value=exit_topic.topic.topic_arn)


def _outside(core: CoreStack, config: InletConfig) -> list[aws_iam.PolicyStatement]:
    """Return permissions beside the inlet's own item: routes of the private API, the alarm."""
    stage = core.private_api.deployment_stage.stage_name
    routes = [route.split(" ") for route in PRIVATE_ROUTES[config.strategy]]
    statements = [
        aws_iam.PolicyStatement(
            actions=["execute-api:Invoke"],
            resources=[
                core.private_api.arn_for_execute_api(method, path, stage) for method, path in routes
            ],
        )
    ]
    if config.alarm:
        statements.append(
            aws_iam.PolicyStatement(actions=["cloudwatch:DescribeAlarms"], resources=["*"])
        )
    return statements
