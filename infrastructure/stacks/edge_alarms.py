# SPDX-License-Identifier: Apache-2.0
"""The edge-alarms stack: alarms for CloudFront, whose metrics exist in one region only."""

from __future__ import annotations

from typing import Any

from aws_cdk import CfnOutput, Environment, Stack
from constructs import Construct

from infrastructure.constructs.monitoring import metrics
from infrastructure.constructs.monitoring.alarms import Alarms
from infrastructure.parameters.optional_stacks import EdgeAlarmsConfig


class EdgeAlarmsStack(Stack):
    """One alarm and its topic for each distribution; CloudWatch alarms read their own region only.

    The stack refers to no other stack: these are in other regions.
    """

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        config: EdgeAlarmsConfig,
        email: str,
        **options: Any,
    ) -> None:
        super().__init__(
            scope,
            name,
            description="Virtual waiting room: alarms of the edge",
            env=Environment(region=metrics.CLOUDFRONT_REGION),
            **options,
        )
        alarms = Alarms(self, "Alarms", email=email)
        for distribution in config.distributions:
            alarms.add(
                "EdgeErrors",
                metrics.edge_error_rate(distribution),
                above=5,
                minutes=2,
                description="More than 5 % of the responses at the edge are 5xx in ten minutes: "
                "see the alarm PublicErrors, else the metrics of the distribution.",
                suffix=distribution,
            )
        CfnOutput(self, "EdgeAlarmTopic", value=alarms.topic.topic_arn)
