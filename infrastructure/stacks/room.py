# SPDX-License-Identifier: Apache-2.0
"""What the stacks openid and inlet know of a core stack, in the same deployment or an earlier one.

A stack that is deployed with core refers to it, and CDK makes an import of each reference. A stack
that is deployed without core imports the same exports by their names.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from aws_cdk import Aws, CfnRule, CfnRuleAssertion, Fn, Stack

from infrastructure.blueprint.gateway_responses import STAGE
from infrastructure.blueprint.resources import SERVING_LOG
from infrastructure.constructs.compute.function import FunctionDefaults
from infrastructure.constructs.compute.function_context import ResourceRef
from infrastructure.parameters.restored import RestoredTable
from infrastructure.stacks.core import CoreStack

# Names of exports of core, after the name of its stack. CDK makes them of logical ids, which stay
# the same (decision 0114); core has these exports always.
SIGNING_KEYS = "ExportsOutputRefSigningKeysA56F035853228E99"
PUBLIC_API = "ExportsOutputRefPublicRestApi14E44381B2BA9C2A"
PRIVATE_API = "ExportsOutputRefPrivateRestApi682CD92C78CC8DC9"
PRIVATE_STAGE = "ExportsOutputRefPrivateRestApiDeploymentStageapi4CEC943B3BD57773"
SERVING_LOG_NAME = "ExportsOutputRefTablesServingLogFE91FAFC770AD840"
SERVING_LOG_ARN = "ExportsOutputFnGetAttTablesServingLogFE91FAFCArn6DFC4C9A"
ALARM_TOPIC = "ExportsOutputRefOperationsAlarmsTopic963CE27996A0DA9C"
EXPORTS = (
    SIGNING_KEYS, PUBLIC_API, PRIVATE_API, PRIVATE_STAGE, SERVING_LOG_NAME, SERVING_LOG_ARN,
    ALARM_TOPIC,
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Room:
    """Values of a core stack; each is a text or a reference.

    Addresses have no final slash. ``signing_keys`` and ``alarm_topic`` are ARNs. ``region`` is that
    of a core stack of an earlier deployment.
    """

    stack_name: str
    event_id: str
    issuer: str
    signing_keys: str
    serving_log: ResourceRef
    private_api_id: str
    private_stage: str
    alarm_topic: str
    defaults: FunctionDefaults
    public_address: str = ""
    private_address: str = ""
    region: str = ""

    @classmethod
    def of(cls, core: CoreStack) -> Self:
        """Return references to a core stack of the same app."""
        log = core.tables.by_name[SERVING_LOG.name]
        return cls(
            stack_name=core.config.stack_name,
            event_id=core.config.event_id,
            issuer=core.issuer,
            signing_keys=core.keys.secret_arn,
            serving_log=ResourceRef(name=log.table_name, arn=log.table_arn),
            private_api_id=core.private_api.rest_api_id,
            private_stage=core.private_api.deployment_stage.stage_name,
            alarm_topic=core.alarm_topic.topic_arn,
            defaults=core.defaults,
            public_address=core.public_address,
            private_address=core.private_address,
        )

    @classmethod
    def imported(
        cls,
        *,
        stack_name: str,
        event_id: str,
        defaults: FunctionDefaults,
        restored: Mapping[str, RestoredTable],
        region: str,
        public_address: str = "",
        private_address: str = "",
    ) -> Self:
        """Return imports from a core stack that is deployed in the same account and region.

        ``restored`` are the tables that it uses instead of its own.
        """

        def exported(name: str) -> str:
            return str(Fn.import_value(f"{stack_name}:{name}"))

        log = restored.get(SERVING_LOG.name)
        host = f"{exported(PUBLIC_API)}.execute-api.{Aws.REGION}.{Aws.URL_SUFFIX}"
        return cls(
            stack_name=stack_name,
            event_id=event_id,
            issuer=f"https://{host}/{STAGE}",
            signing_keys=exported(SIGNING_KEYS),
            serving_log=ResourceRef(name=log.name, arn=_table_arn(log.name))
            if log
            else ResourceRef(name=exported(SERVING_LOG_NAME), arn=exported(SERVING_LOG_ARN)),
            private_api_id=exported(PRIVATE_API),
            private_stage=exported(PRIVATE_STAGE),
            alarm_topic=exported(ALARM_TOPIC),
            defaults=defaults,
            public_address=public_address,
            private_address=private_address,
            region=region,
        )

    def require_region(self, stack: Stack) -> None:
        """Let CloudFormation refuse a stack in another region than that of the imports."""
        if not self.region:
            return
        CfnRule(
            stack,
            "RegionOfCore",
            assertions=[
                CfnRuleAssertion(
                    assert_=Fn.condition_equals(self.region, Aws.REGION),
                    assert_description="This stack must be in the region of core.",
                )
            ],
        )


def _table_arn(name: str) -> str:
    return f"arn:{Aws.PARTITION}:dynamodb:{Aws.REGION}:{Aws.ACCOUNT_ID}:table/{name}"
