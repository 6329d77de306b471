# SPDX-License-Identifier: Apache-2.0
"""CloudWatch alarms with one SNS topic. Each description names the cause and the next step."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from aws_cdk import Stack, aws_cloudwatch, aws_cloudwatch_actions, aws_iam, aws_kms, aws_sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from constructs import Construct

ABOVE = aws_cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD
BELOW = aws_cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD
MISSING_IS_OK = aws_cloudwatch.TreatMissingData.NOT_BREACHING
MISSING_IS_BREACHING = aws_cloudwatch.TreatMissingData.BREACHING


class Alarms(Construct):
    """``topic`` receives every alarm; it is created unless given. ``email`` subscribes to it.

    ``key`` encrypts a new topic. With ``only``, ``add`` creates no alarm with another name.
    """

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        email: str = "",
        topic: aws_sns.ITopic | None = None,
        key: aws_kms.IKey | None = None,
        only: Collection[str] | None = None,
    ) -> None:
        super().__init__(scope, name)
        self._only = only
        self.all: list[aws_cloudwatch.Alarm] = []
        self.topic = topic or self._new_topic(email, key)

    def _new_topic(self, email: str, key: aws_kms.IKey | None) -> aws_sns.ITopic:
        topic = aws_sns.Topic(self, "Topic", enforce_ssl=True, master_key=key)
        # A topic policy replaces the default of SNS, so it must allow the services of the account.
        topic.add_to_resource_policy(
            aws_iam.PolicyStatement(
                principals=[aws_iam.AnyPrincipal()],
                actions=["sns:Publish"],
                resources=[topic.topic_arn],
                conditions={"StringEquals": {"AWS:SourceOwner": Stack.of(self).account}},
            )
        )
        if email:
            topic.add_subscription(subscriptions.EmailSubscription(email))
        return topic

    def add(
        self,
        name: str,
        metric: Any,
        *,
        description: str,
        above: float | None = None,
        below: float | None = None,
        minutes: int = 1,
        within: int = 0,
        missing: aws_cloudwatch.TreatMissingData = MISSING_IS_OK,
        suffix: str = "",
    ) -> None:
        """Add an alarm for a ``metric`` that is ``above`` or ``below`` in ``minutes`` periods.

        ``within`` is the number of evaluated periods; 0 for ``minutes``. ``suffix`` follows the
        name, where a stack has several alarms of one name.
        """
        if self._only is not None and name not in self._only:
            return
        alarm = aws_cloudwatch.Alarm(
            self,
            f"{name}{suffix}",
            metric=metric,
            alarm_description=description,
            threshold=above if above is not None else below or 0,
            comparison_operator=ABOVE if above is not None else BELOW,
            evaluation_periods=within or minutes,
            datapoints_to_alarm=minutes,
            treat_missing_data=missing,
        )
        alarm.add_alarm_action(aws_cloudwatch_actions.SnsAction(self.topic))
        alarm.add_ok_action(aws_cloudwatch_actions.SnsAction(self.topic))
        self.all.append(alarm)
