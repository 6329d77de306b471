# SPDX-License-Identifier: Apache-2.0
"""The watchdog of the room: a function that opens the gate while the room does not respond."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from aws_cdk import aws_cloudfront, aws_events, aws_events_targets
from constructs import Construct

from infrastructure.blueprint.permissions import GATE_STORE, Resource
from infrastructure.blueprint.resources import WATCH_ROOM
from infrastructure.constructs.compute.app_functions import AppFunctions
from infrastructure.constructs.compute.function_context import FunctionContext, ResourceRef


class RoomWatchdog(Construct):
    """``function`` probes the APIs each minute, with the key of ``key_secret_arn``.

    ``addresses`` are its settings with the address of each API, ``stack_name`` is a dimension of
    its metric. It writes ``store``.
    """

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        function_context: FunctionContext,
        store: aws_cloudfront.IKeyValueStore,
        key_secret_arn: str,
        addresses: Mapping[str, str],
        stack_name: str,
    ) -> None:
        super().__init__(scope, name)
        arn = store.key_value_store_arn
        known = {
            **function_context.resources,
            Resource.GATE_STORE: ResourceRef(name=arn, arn=arn),
            Resource.GATE_API_KEY: ResourceRef(name=key_secret_arn, arn=key_secret_arn),
        }
        functions = AppFunctions(
            self,
            "Functions",
            app="gate_store",
            function_context=replace(function_context, resources=known),
        )
        self.function = functions.add(
            WATCH_ROOM.name,
            grants=GATE_STORE[WATCH_ROOM.name],
            environment={**addresses, "STACK_NAME": stack_name},
            timeout=WATCH_ROOM.timeout,
            memory=WATCH_ROOM.memory,
            traced=False,  # X-Ray would record each run
        ).target
        aws_events.Rule(
            self,
            "Schedule",
            description="Waiting room: watch room",
            schedule=aws_events.Schedule.expression(WATCH_ROOM.schedule),
            targets=[aws_events_targets.LambdaFunction(self.function, retry_attempts=0)],
        )
