# SPDX-License-Identifier: Apache-2.0
"""The core stack: CloudFront, APIs, join queue, workers, counters and tables.

It has more than 300 lines because it is one list of parts in the order in which they are made.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from aws_cdk import CfnOutput, RemovalPolicy, Stack, aws_events, aws_secretsmanager
from constructs import Construct

from infrastructure.blueprint.permissions import Resource
from infrastructure.blueprint.resources import (
    ADMIT,
    ASSIGN,
    CACHE_RULES,
    COUNTERS,
    EVENTS,
    OUTBOX,
    POSITIONS,
    SEND_OUTBOX,
    SERVING_LOG,
    TABLES,
    TOKENS,
    Function,
    Table,
)
from infrastructure.constructs.api.api_log_role import ApiLogRole
from infrastructure.constructs.api.apis import PrivateApi, PublicApi
from infrastructure.constructs.api.join_queue import JoinQueue
from infrastructure.constructs.api.operator_access import OperatorAccess
from infrastructure.constructs.api.rest_api import Limits
from infrastructure.constructs.compute.encryption import room_key
from infrastructure.constructs.compute.function import FunctionDefaults
from infrastructure.constructs.compute.function_context import FunctionContext, ResourceRef
from infrastructure.constructs.compute.workers import Workers
from infrastructure.constructs.data.counter_store import counter_store
from infrastructure.constructs.data.tables import Tables
from infrastructure.constructs.edge.custom_domain import target_output
from infrastructure.constructs.edge.distribution import ApiDistribution
from infrastructure.constructs.edge.waf import RateLimits, WebAcl
from infrastructure.constructs.monitoring.dashboard import Dashboard
from infrastructure.constructs.monitoring.monitored_resources import MonitoredResources
from infrastructure.constructs.monitoring.room_alarms import Monitoring
from infrastructure.constructs.names import gate_join_role_name, inlet_role_name
from infrastructure.parameters.account import AccountConfig
from infrastructure.parameters.core import CoreConfig
from infrastructure.parameters.domains import CustomDomain
from infrastructure.parameters.restored import RestoredTable, digest, tables_of


class CoreStack(Stack):
    """The waiting room. Other stacks use these attributes:

    ``public_address`` and ``private_address`` (without a final slash), ``issuer`` of its tokens,
    ``gate_keys`` (the first is the API key of the gate's distributions), ``web_acl_arn`` (None
    without AWS WAF), ``private_api`` (a RestApi, for permissions), ``tables``, ``keys``,
    ``function_context``, ``defaults`` and ``alarm_topic``.

    ``domain`` is a custom domain of the public API, ``account`` holds shared policies and
    the key. ``restored`` are tables to use instead of the stack's own.
    ``gate_key_number`` is the number of the gate's API key, 0 without a gate stack.
    """

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        config: CoreConfig,
        domain: CustomDomain | None = None,
        account: AccountConfig | None = None,
        restored: Mapping[str, RestoredTable] | None = None,
        gate_key_number: int = 0,
        **options: Any,
    ) -> None:
        super().__init__(
            scope,
            name,
            stack_name=config.stack_name,
            description="Virtual waiting room: core",
            **options,
        )
        self.config, account = config, account or AccountConfig()
        removal = RemovalPolicy.RETAIN if config.retain_data else RemovalPolicy.DESTROY
        self.defaults = FunctionDefaults.of(
            log_retention_days=config.log_retention_days,
            keep=config.retain_data,
            snap_start=config.snap_start,
            redis=not config.serverless,
            key=room_key(self, "Key", account.key_arn, new=account.own_key),
        )
        key = self.defaults.key

        self.counters = counter_store(
            self,
            config=config,
            defaults=self.defaults,
            removal=removal,
            tables=digest(restored or {}),
        )
        self.tables = Tables(
            self,
            "Tables",
            tables=(*tables_of(serverless=config.serverless), *self._outbox()),
            removal=removal,
            deletion_protection=config.deletion_protection,
            key=key,
            restored=restored,
        )
        self.keys = aws_secretsmanager.Secret(
            self,
            "SigningKeys",
            description="Keys that sign the waiting room's tokens",
            encryption_key=key,
            removal_policy=removal,
        )
        self.gate_root_keys = aws_secretsmanager.Secret(
            self,
            "GateKeys",
            description="Root keys of the gate in front of a site",
            encryption_key=key,
            removal_policy=removal,
        )
        self.bus = aws_events.EventBus(
            self, "Bus", event_bus_name=f"{config.stack_name}-WaitingRoomEventBus"
        )
        self.joins = JoinQueue(self, "JoinQueue", key=key)
        self.function_context = function_context = FunctionContext(
            resources=self._resource_refs(),
            settings=config.settings,
            counters=self.counters.settings,
            redis=self.counters.redis is not None,
            defaults=self.defaults,
            placement=self.counters.placement,
        )

        public = PublicApi(
            self,
            "Public",
            function_context=function_context,
            joins=self.joins,
            event_id=config.event_id,
            secret_required=config.require_client_secret,
            limits=Limits(rate=config.api_rate, burst=config.api_burst),
            key_number=config.edge_api_key_version,
            gate_key_number=gate_key_number,
            route_metrics=config.route_metrics,
        )
        # Operators can wait for a cold start. With SnapStart, each function has a version and an
        # alias, and a stack has at most 500 resources.
        started_cold = replace(self.defaults, snap_start=False)
        private = PrivateApi(
            self,
            "Private",
            function_context=replace(function_context, defaults=started_cold),
            issuer=public.issuer,
            limits=Limits(rate=config.private_api_rate, burst=config.private_api_burst),
            reserved_concurrency=config.operators_reserved_concurrency,
            route_metrics=config.route_metrics,
            inlet_role=inlet_role_name(config.stack_name, self.region),
            stack_name=config.stack_name,
        )
        workers = Workers(
            self,
            "Workers",
            function_context=function_context,
            join_queue=self.joins.queue,
            redrive_role_id=self.joins.redrive_role.role_id,
            stack_name=config.stack_name,
            first_admission=config.first_admission,
            tokens=self.tables.by_name[TOKENS.name],
            outbox=self.tables.by_name.get(OUTBOX.name),
            assign_concurrency=config.join_workers,
            pollers=config.pollers,
            reserved_concurrency=config.worker_reserved_concurrency,
            rotation_days=config.key_rotation_days,
            first=[
                *self.counters.ready,
                *public.functions.updated,
                *private.functions.updated,
            ],
        )
        self.joins.allow_only(
            *(workers.functions.by_name[one.name].role for one in self._join_senders()),
            others=self._gate_roles(gate_key_number),
        )
        edge = ApiDistribution(
            self,
            "Edge",
            stage_address=public.issuer,
            api_key=public.keys[0],
            rules=CACHE_RULES,
            domain=domain,
            shared=account.edge_policies,
        )
        # Other stacks import it until they are deployed with a custom domain.
        self.export_value(edge.distribution.distribution_domain_name)
        public.add_discovery(edge.address)
        self.web_acl_arn: str | None = None
        acl_metric = ""
        if config.enable_waf:
            protection = WebAcl(
                self,
                "Protection",
                stage=public.served.api.deployment_stage,
                keys=[*public.keys, *(one.value for one in public.gate_keys)],
                rate_limits=RateLimits(
                    joins=config.join_rate_limit_per_ip, requests=config.request_rate_limit_per_ip
                ),
            )
            self.web_acl_arn, acl_metric = protection.web_acl.attr_arn, protection.metric
            # AWS WAF accepts a new key before CloudFront sends it, and the old one until then.
            edge.distribution.node.add_dependency(protection.web_acl)
        operators = OperatorAccess(
            self,
            "Operators",
            private_api=private.served.api,
            dead_letters=self.joins.dead_letters,
            redrive_role=self.joins.redrive_role,
        )
        monitored = MonitoredResources(
            stack_name=config.stack_name,
            region=self.region,
            acl_metric=acl_metric,
            account_concurrency=config.account_concurrency,
            public=public,
            private=private,
            workers=workers,
            joins=self.joins,
            tables=self.tables,
            redis=self.counters.redis,
            edge=edge,
        )
        monitoring = Monitoring(
            self,
            "Operations",
            monitored=monitored,
            email=config.alarm_email,
            key=key,
            full=config.full_alarms,
        )
        if config.dashboard:
            dashboard = Dashboard(
                monitoring,
                "Dashboard",
                monitored=monitored,
                alarms=monitoring.alarms.all,
                event_id=config.event_id if config.metrics_per_event else "",
            )
            CfnOutput(self, "Dashboard", value=dashboard.dashboard.dashboard_name)
        if config.create_api_log_role:
            role = ApiLogRole(self, "ApiLogRole")
            role.before(public.served.api, private.served.api)

        self.public_address, self.private_address = edge.address, private.served.stage_address
        self._edge_domain = edge.distribution.distribution_domain_name
        self._public_api_id = public.served.api.rest_api_id
        self.issuer, self.private_api = public.issuer, private.served.api
        self.gate_keys = public.gate_keys
        self.alarm_topic = monitoring.alarms.topic
        self._export_always()
        for output, value in {
            "PublicApiInvokeURL": self.public_address,
            "PrivateApiInvokeURL": self.private_address,
            "PublicTokenIssuer": self.issuer,
            "PrivateTokenIssuer": self.issuer,
            "OperatorsGroup": operators.group.group_name,
            "OperatorsPolicy": operators.policy.managed_policy_arn,
            "WatchingGroup": operators.watching.group.group_name,
            "WatchingPolicy": operators.watching.policy.managed_policy_arn,
            "SteeringGroup": operators.steering.group.group_name,
            "SteeringPolicy": operators.steering.policy.managed_policy_arn,
            "AdministratorsGroup": operators.administrators.group.group_name,
            "AdministratorsPolicy": operators.administrators.policy.managed_policy_arn,
            "SitePolicy": operators.site.managed_policy_arn,
            "GatePolicy": operators.gate.managed_policy_arn,
            "EventBus": self.bus.event_bus_name,
            "JoinQueueUrl": self.joins.queue.queue_url,
            "JoinDeadLetterQueueUrl": self.joins.dead_letters.queue_url,
            "RedriveRole": self.joins.redrive_role.role_arn,
            "AlarmTopic": monitoring.alarms.topic.topic_arn,
            "EdgeDistribution": edge.distribution.distribution_id,
            **target_output("PublicApiDnsTarget", edge.distribution, domain),
            **({"CustomerManagedKeyArn": key.key_arn} if key else {}),
        }.items():
            CfnOutput(self, output, value=value)

    def _export_always(self) -> None:
        """Export what an optional stack can import, also while no optional stack does.

        CloudFormation does not remove an export while a stack imports it. Core could not be
        deployed without an optional stack that still exists.
        """
        tables = self.tables.own
        stage = self.private_api.deployment_stage
        for value in (
            self._edge_domain,
            self._public_api_id,
            self.private_api.rest_api_id,
            stage.stage_name,
            self.keys.secret_arn,
            self.gate_root_keys.secret_arn,
            self.alarm_topic.topic_arn,
            self.joins.queue.queue_arn,
            self.joins.queue.queue_url,
            tables[EVENTS.name].table_stream_arn,
            *(tables[one.name].table_name for one in TABLES),
            *(tables[one.name].table_arn for one in TABLES),
        ):
            self.export_value(value)

    def _gate_roles(self, gate_key_number: int) -> list[str]:
        """Return the ARNs of the gate stack's roles that write joins; none without a gate."""
        if not gate_key_number:
            return []
        name = gate_join_role_name(self.config.stack_name, self.region)
        return [self.format_arn(service="iam", region="", resource="role", resource_name=name)]

    def _outbox(self) -> tuple[Table, ...]:
        """Return the table of messages that functions inside the VPC write; none without a VPC."""
        return (OUTBOX,) if self.counters.placement else ()

    def _join_senders(self) -> tuple[Function, ...]:
        """Return the workers that send messages to the join queue."""
        return (SEND_OUTBOX,) if self.counters.placement else (ASSIGN, ADMIT)

    def _resource_refs(self) -> dict[Resource, ResourceRef]:
        tables = {
            Resource.POSITIONS: POSITIONS,
            Resource.TOKENS: TOKENS,
            Resource.SERVING_LOG: SERVING_LOG,
            Resource.EVENTS: EVENTS,
        }
        secrets = {Resource.SIGNING_KEYS: self.keys, Resource.GATE_KEYS: self.gate_root_keys}
        if self.counters.redis:
            secrets[Resource.COUNTERS] = self.counters.redis.password
        else:
            tables[Resource.COUNTERS_TABLE] = COUNTERS
        if self.counters.placement:
            tables[Resource.OUTBOX] = OUTBOX
        refs = self.joins.resource_refs()
        for resource, table in tables.items():
            made = self.tables.by_name[table.name]
            refs[resource] = ResourceRef(name=made.table_name, arn=made.table_arn)
        for resource, secret in secrets.items():
            refs[resource] = ResourceRef(name=secret.secret_arn, arn=secret.secret_arn)
        refs[Resource.ALARMS] = ResourceRef(name="", arn="*")  # CloudWatch accepts nothing narrower
        refs[Resource.BUS] = ResourceRef(name=self.bus.event_bus_name, arn=self.bus.event_bus_arn)
        return refs
