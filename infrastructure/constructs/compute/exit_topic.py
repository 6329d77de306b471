# SPDX-License-Identifier: Apache-2.0
"""The SNS topic that receives the site's exit notices, for the MaxSize inlet."""

from __future__ import annotations

from aws_cdk import (
    Duration,
    aws_kms,
    aws_lambda,
    aws_lambda_destinations,
    aws_sns,
    aws_sns_subscriptions,
    aws_sqs,
)
from constructs import Construct

from infrastructure.constructs.compute.encryption import queue_encryption

RETENTION_DAYS = 14  # days in the dead-letter queue; the maximum of SQS


class ExitTopic(Construct):
    """``topic`` invokes the inlet; ``dead_letters`` takes the notices it could not process."""

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        inlet: aws_lambda.IFunction,
        key: aws_kms.IKey | None = None,
    ) -> None:
        super().__init__(scope, name)
        self.topic = aws_sns.Topic(self, "Topic", enforce_ssl=True, master_key=key)
        self.dead_letters = aws_sqs.Queue(
            self,
            "DeadLetters",
            retention_period=Duration.days(RETENTION_DAYS),
            **queue_encryption(key),
            enforce_ssl=True,
        )
        self.topic.add_subscription(
            aws_sns_subscriptions.LambdaSubscription(inlet, dead_letter_queue=self.dead_letters)
        )
        inlet.configure_async_invoke(
            on_failure=aws_lambda_destinations.SqsDestination(self.dead_letters), retry_attempts=2
        )
