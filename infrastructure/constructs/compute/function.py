# SPDX-License-Identifier: Apache-2.0
"""A Lambda function with its own role and log group, and no other permissions than given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self, cast

from aws_cdk import Duration, RemovalPolicy, aws_ec2, aws_iam, aws_kms, aws_lambda, aws_logs
from constructs import Construct, IConstruct

from infrastructure.assets.lambda_code import code_for
from infrastructure.parameters.core import LOG_PERIODS

RUNTIME = aws_lambda.Runtime.PYTHON_3_14
ARCHITECTURE = aws_lambda.Architecture.ARM_64
API_TIMEOUT = 29  # s; the integration timeout of API Gateway
LIVE = "live"  # the alias that callers use with SnapStart
WRITE_TRACES = ("xray:PutTelemetryRecords", "xray:PutTraceSegments")
WRITE_LOGS = ("logs:CreateLogStream", "logs:PutLogEvents")
# Actions of Lambda on network interfaces; EC2 accepts no narrower resource for them.
INTERFACES = (
    "ec2:CreateNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:DeleteNetworkInterface",
    "ec2:AssignPrivateIpAddresses",
    "ec2:UnassignPrivateIpAddresses",
)


@dataclass(frozen=True, kw_only=True)
class FunctionDefaults:
    """Settings that all functions of a stack share; without ``redis`` they have no client of it."""

    retention: aws_logs.RetentionDays = aws_logs.RetentionDays.ONE_MONTH
    removal: RemovalPolicy = RemovalPolicy.DESTROY
    snap_start: bool = False
    redis: bool = True
    key: aws_kms.IKey | None = None  # encrypts logs and data; None for the keys of AWS

    @classmethod
    def of(
        cls,
        *,
        log_retention_days: int,
        keep: bool,
        snap_start: bool,
        redis: bool = True,
        key: aws_kms.IKey | None = None,
    ) -> Self:
        """``log_retention_days`` is one of ``core.LOG_PERIODS``; ``keep`` retains logs."""
        return cls(
            retention=aws_logs.RetentionDays[LOG_PERIODS[log_retention_days]],
            removal=RemovalPolicy.RETAIN if keep else RemovalPolicy.DESTROY,
            snap_start=snap_start,
            redis=redis,
            key=key,
        )

    def log_group(self, scope: Construct, name: str) -> aws_logs.LogGroup:
        """Create a log group."""
        return aws_logs.LogGroup(
            scope,
            name,
            retention=self.retention,
            removal_policy=self.removal,
            encryption_key=self.key,
        )


@dataclass(frozen=True, kw_only=True)
class VpcPlacement:
    """The VPC, subnets and security group of a function."""

    vpc: aws_ec2.IVpc
    subnets: aws_ec2.SubnetSelection
    group: aws_ec2.ISecurityGroup


class RoomFunction(Construct):
    """One function of an app. Callers invoke ``target``: the function, or its live alias.

    ``handler`` is the name in ``source/apps/<app>/app.py``. ``statements`` are the permissions of
    its role; logs, traces and, with a ``placement``, network interfaces are added. ``reserved`` is
    the reserved concurrency, which is also the limit; 0 for none. A function that is not ``traced``
    continues the trace of its caller and begins none. With SnapStart, or if it is ``aliased``,
    callers use an alias; other stacks and accounts need an ARN that SnapStart does not change.
    Callers invoke new code and settings as soon as ``updated`` are.
    """

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        app: str,
        handler: str,
        description: str,
        environment: Mapping[str, str],
        statements: Sequence[aws_iam.PolicyStatement],
        defaults: FunctionDefaults,
        placement: VpcPlacement | None = None,
        timeout: int = API_TIMEOUT,
        memory: int = 1024,
        role_name: str | None = None,
        reserved: int = 0,
        traced: bool = True,
        aliased: bool = False,
    ) -> None:
        super().__init__(scope, name)
        logs = defaults.log_group(self, "Logs")
        self.role = _role(
            self, logs=logs, statements=statements, in_vpc=placement is not None, name=role_name
        )
        self.function = aws_lambda.Function(
            self,
            "Function",
            runtime=RUNTIME,
            architecture=ARCHITECTURE,
            code=code_for(self, app=app, redis=defaults.redis),
            handler=f"app.{handler}",
            description=description,
            environment=dict(environment),
            role=self.role,
            log_group=logs,
            timeout=Duration.seconds(timeout),
            memory_size=memory,
            reserved_concurrent_executions=reserved or None,
            snap_start=aws_lambda.SnapStartConf.ON_PUBLISHED_VERSIONS
            if defaults.snap_start
            else None,
            **_in_vpc(placement),
        )
        made = cast("aws_lambda.CfnFunction", self.function.node.default_child)
        self.updated: list[IConstruct] = [made]
        # CDK's own option adds a policy resource to each function; the role has the permission.
        made.tracing_config = aws_lambda.CfnFunction.TracingConfigProperty(
            mode="Active" if traced else "PassThrough"
        )
        self.target: aws_lambda.IFunction = self.function
        if defaults.snap_start or aliased:
            self.target = aws_lambda.Alias(
                self, "Live", alias_name=LIVE, version=self.function.current_version
            )
            self.updated += filter(None, [self.target.node.default_child])

    def read_from(self, source: aws_lambda.IEventSource) -> None:
        """Let ``target`` read a queue or a stream.

        The mapping belongs to the function with and without SnapStart: a new mapping would not
        continue where the previous one was.
        """
        self.function.add_event_source(source)
        for made in self.function.node.find_all():
            if isinstance(made, aws_lambda.CfnEventSourceMapping):
                made.function_name = self.target.function_arn


def _role(
    scope: Construct,
    *,
    logs: aws_logs.ILogGroup,
    statements: Sequence[aws_iam.PolicyStatement],
    in_vpc: bool,
    name: str | None = None,
) -> aws_iam.Role:
    """Return the role with its permissions inside: a stack has at most 500 resources."""
    own = [
        aws_iam.PolicyStatement(actions=list(WRITE_LOGS), resources=[logs.log_group_arn]),
        aws_iam.PolicyStatement(actions=list(WRITE_TRACES), resources=["*"]),
    ]
    if in_vpc:
        own.append(aws_iam.PolicyStatement(actions=list(INTERFACES), resources=["*"]))
    policy = aws_iam.PolicyDocument(statements=[*own, *statements])
    return aws_iam.Role(
        scope,
        "Role",
        role_name=name,
        assumed_by=aws_iam.ServicePrincipal("lambda.amazonaws.com"),
        inline_policies={"Permissions": policy},
    )


def _in_vpc(placement: VpcPlacement | None) -> dict[str, Any]:
    if placement is None:
        return {}
    return {
        "vpc": placement.vpc,
        "vpc_subnets": placement.subnets,
        "security_groups": [placement.group],
    }
