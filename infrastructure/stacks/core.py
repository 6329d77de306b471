# SPDX-License-Identifier: Apache-2.0
"""The core stack: the room itself, from the edge to the tables."""

from __future__ import annotations

from typing import Any

from aws_cdk import CfnOutput, RemovalPolicy, Stack, aws_events, aws_secretsmanager
from constructs import Construct

from infrastructure.blueprint.permissions import Part
from infrastructure.blueprint.resources import CACHE_RULES, POSITIONS, SERVING_LOG, TABLES, TOKENS
from infrastructure.constructs.api.api_log_role import ApiLogRole
from infrastructure.constructs.api.apis import PrivateApi, PublicApi
from infrastructure.constructs.api.join_queue import Joins
from infrastructure.constructs.api.operator_access import Operators
from infrastructure.constructs.api.rest_api import Limits
from infrastructure.constructs.compute.function import Habits
from infrastructure.constructs.compute.function_context import Located, Surroundings
from infrastructure.constructs.compute.workers import Workers
from infrastructure.constructs.data.counters import Counters
from infrastructure.constructs.data.network import Network
from infrastructure.constructs.data.tables import Tables
from infrastructure.constructs.edge.distribution import Edge
from infrastructure.constructs.edge.waf import PerAddress, Protection
from infrastructure.constructs.monitoring.monitored_resources import Watched
from infrastructure.constructs.monitoring.room_alarms import Operations
from infrastructure.constructs.names import inlet_role_name
from infrastructure.parameters.core import CoreConfig


class CoreStack(Stack):
    """The room. Other stacks take from it:

    ``public_address`` and ``private_address`` (without a slash at the end), ``issuer`` of its
    tokens, ``private_api`` (a RestApi, to be allowed to call it), ``tables``, ``keys``,
    ``habits``, ``alarm_topic``.
    """

    def __init__(self, scope: Construct, name: str, *, config: CoreConfig, **options: Any) -> None:
        super().__init__(
            scope,
            name,
            stack_name=config.stack_name,
            description="Virtual waiting room: core",
            **options,
        )
        self.config = config
        removal = RemovalPolicy.RETAIN if config.keep_data else RemovalPolicy.DESTROY
        self.habits = Habits.of(
            log_days=config.log_days, keep=config.keep_data, snap_start=config.snap_start
        )

        network = Network(
            self,
            "Network",
            habits=self.habits,
            endpoint_zones=1 if config.cheap else 2,
            vpc_id=config.vpc_id,
            subnet_ids=config.subnet_ids,
        )
        self.counters = Counters(
            self,
            "Counters",
            network=network,
            port=config.redis_port,
            size=config.counters_size,
            removal=removal,
        )
        self.tables = Tables(
            self,
            "Tables",
            tables=TABLES,
            removal=removal,
            deletion_protection=config.deletion_protection,
            warm_writes=config.warm_writes,
        )
        self.keys = aws_secretsmanager.Secret(
            self,
            "SigningKeys",
            description="Keys that sign the waiting room's tokens",
            removal_policy=removal,
        )
        self.bus = aws_events.EventBus(
            self, "Bus", event_bus_name=f"{config.stack_name}-WaitingRoomEventBus"
        )
        self.joins = Joins(self, "JoinQueue")
        surroundings = Surroundings(
            parts=self._parts(),
            settings=config.settings,
            redis=self.counters.settings,
            habits=self.habits,
            place=network.place,
        )

        public = PublicApi(
            self,
            "Public",
            surroundings=surroundings,
            joins=self.joins,
            event_id=config.event_id,
            secret_required=config.require_client_secret,
            limits=Limits(rate=config.api_rate, burst=config.api_burst),
            key_number=config.edge_key,
        )
        private = PrivateApi(
            self,
            "Private",
            surroundings=surroundings,
            issuer=public.issuer,
            limits=Limits(rate=config.private_api_rate, burst=config.private_api_burst),
            reserved_concurrency=config.operators_reserved_concurrency,
            inlet_role=inlet_role_name(config.stack_name, self.region),
        )
        workers = Workers(
            self,
            "Workers",
            surroundings=surroundings,
            joins=self.joins.queue,
            redrive_role_id=self.joins.redrive_role.role_id,
            tokens=self.tables.by_name[TOKENS.name],
            assign_concurrency=config.assign_concurrency,
            reserved_concurrency=config.worker_reserved_concurrency,
            rotation_days=config.key_rotation_days,
            first=[self.counters, *network.ready],
        )
        edge = Edge(
            self, "Edge", stage_address=public.issuer, api_key=public.keys[0], rules=CACHE_RULES
        )
        public.add_discovery(edge.address)
        if config.enable_waf:
            protection = Protection(
                self,
                "Protection",
                stage=public.served.api.deployment_stage,
                keys=public.keys,
                per_address=PerAddress(
                    joins=config.joins_per_address, requests=config.requests_per_address
                ),
            )
            # WAF knows a new key before the edge sends it; it knows the old one all the while.
            edge.distribution.node.add_dependency(protection.web_acl)
        operators = Operators(
            self,
            "Operators",
            private_api=private.served.api,
            dead_letters=self.joins.dead_letters,
            redrive_role=self.joins.redrive_role,
        )
        operations = Operations(
            self,
            "Operations",
            watched=Watched(
                event_id=config.event_id,
                public=public,
                private=private,
                workers=workers,
                joins=self.joins,
                tables=self.tables,
                counters=self.counters,
                edge=edge,
                nodes=config.counters_size.nodes,
            ),
            email=config.alarm_email,
        )
        if config.create_api_log_role:
            role = ApiLogRole(self, "ApiLogRole")
            role.before(public.served.api, private.served.api)

        self.public_address, self.private_address = edge.address, private.served.stage_address
        self.issuer, self.private_api = public.issuer, private.served.api
        self.alarm_topic = operations.alarms.topic
        for output, value in {
            "PublicApiInvokeURL": self.public_address,
            "PrivateApiInvokeURL": self.private_address,
            "PublicTokenIssuer": self.issuer,
            "PrivateTokenIssuer": self.issuer,
            "OperatorsGroup": operators.group.group_name,
            "OperatorsPolicy": operators.policy.managed_policy_arn,
            "SteeringGroup": operators.steering.group.group_name,
            "SteeringPolicy": operators.steering.policy.managed_policy_arn,
            "AdministratorsGroup": operators.administrators.group.group_name,
            "AdministratorsPolicy": operators.administrators.policy.managed_policy_arn,
            "EventBus": self.bus.event_bus_name,
            "JoinsQueue": self.joins.queue.queue_url,
            "DeadLetters": self.joins.dead_letters.queue_url,
            "RedriveRole": self.joins.redrive_role.role_arn,
            "AlarmTopic": operations.alarms.topic.topic_arn,
            "Dashboard": operations.dashboard.dashboard.dashboard_name,
        }.items():
            CfnOutput(self, output, value=value)

    def _parts(self) -> dict[Part, Located]:
        tables = {
            Part.POSITIONS: POSITIONS,
            Part.TOKENS: TOKENS,
            Part.SERVING_LOG: SERVING_LOG,
        }
        parts = self.joins.parts()
        for part, table in tables.items():
            made = self.tables.by_name[table.name]
            parts[part] = Located(told=made.table_name, arn=made.table_arn)
        for part, secret in {
            Part.COUNTERS: self.counters.password,
            Part.SIGNING_KEYS: self.keys,
        }.items():
            parts[part] = Located(told=secret.secret_arn, arn=secret.secret_arn)
        parts[Part.BUS] = Located(told=self.bus.event_bus_name, arn=self.bus.event_bus_arn)
        return parts
