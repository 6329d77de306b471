# SPDX-License-Identifier: Apache-2.0
"""The topic where the site says who has left, for the inlet that keeps its size."""

from __future__ import annotations

from aws_cdk import (
    Duration,
    aws_lambda,
    aws_lambda_destinations,
    aws_sns,
    aws_sns_subscriptions,
    aws_sqs,
)
from constructs import Construct

KEPT = 14  # days that messages which no try could work off are kept; SQS keeps none longer


class Departures(Construct):
    """``topic`` starts the inlet; ``undelivered`` has the messages that it failed on."""

    def __init__(self, scope: Construct, name: str, *, inlet: aws_lambda.IFunction) -> None:
        super().__init__(scope, name)
        self.topic = aws_sns.Topic(self, "Topic", enforce_ssl=True)
        self.undelivered = aws_sqs.Queue(
            self,
            "DeadLetters",
            retention_period=Duration.days(KEPT),
            encryption=aws_sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
        )
        self.topic.add_subscription(
            aws_sns_subscriptions.LambdaSubscription(inlet, dead_letter_queue=self.undelivered)
        )
        inlet.configure_async_invoke(
            on_failure=aws_lambda_destinations.SqsDestination(self.undelivered), retry_attempts=2
        )
