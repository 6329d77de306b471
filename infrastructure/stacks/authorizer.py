# SPDX-License-Identifier: Apache-2.0
"""The authorizer stack: one token authorizer function for API Gateway."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from aws_cdk import CfnOutput, Stack
from constructs import Construct

from infrastructure.constructs.compute.encryption import room_key
from infrastructure.constructs.compute.function import FunctionDefaults, RoomFunction

TIMEOUT, MEMORY = 15, 512  # it sends at most two requests of five seconds each


class AuthorizerStack(Stack):
    """The token authorizer of one event; an API refers to its ``arn``."""

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        public_api: str,
        event_id: str,
        issuer: str,
        defaults: FunctionDefaults,
        key_arn: str = "",
        **options: Any,
    ) -> None:
        description = "Virtual waiting room: token authorizer"
        super().__init__(scope, name, description=description, **options)
        if key_arn and defaults.key is None:
            defaults = replace(defaults, key=room_key(self, "Key", key_arn, new=False))
        authorizer = RoomFunction(
            self,
            "Authorizer",
            app="token_authorizer",
            handler="token_authorizer",
            description="Waiting room: token authorizer",
            environment={
                "PUBLIC_API_ENDPOINT": public_api,
                "WAITING_ROOM_EVENT_ID": event_id,
                "ISSUER": issuer,
            },
            statements=[],
            defaults=defaults,
            timeout=TIMEOUT,
            memory=MEMORY,
            aliased=True,
        )
        self.arn: str = authorizer.target.function_arn
        self.export_value(self.arn)  # also while no sample imports it
        self.export_value(authorizer.function.function_arn)  # samples of older versions import it
        CfnOutput(self, "AuthorizerFunctionARN", value=self.arn)
