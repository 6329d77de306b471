# SPDX-License-Identifier: Apache-2.0
"""The counters: an ElastiCache replication group (Redis or Valkey) with TLS and a password.

It holds a copy that is rebuilt from DynamoDB; a snapshot only avoids the rebuild. In one update,
ElastiCache does not change engine, node type, number of nodes and failover of a group together.
Another kind of group is therefore another group, in which the set-up rebuilds the counters
(decision 0143). The same holds for the counters of restored tables, so that they never mix with
those of other tables (decision 0144).
"""

from __future__ import annotations

from aws_cdk import (
    RemovalPolicy,
    SecretValue,
    aws_elasticache,
    aws_kms,
    aws_secretsmanager,
    aws_sns,
)
from constructs import Construct

from infrastructure.constructs.data.network import Network
from infrastructure.parameters.core import CacheNodeSize

ENGINES = {"redis": "7.1", "valkey": "8.1"}
PASSWORD_LENGTH = 64  # ElastiCache accepts 16 to 128 characters


class Counters(Construct):
    """The replication ``group`` of ``nodes``, its ``settings``, and the secret ``password``.

    ``tables`` is the digest of restored tables, empty for those of the stack.
    """

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        network: Network,
        port: int,
        size: CacheNodeSize,
        removal: RemovalPolicy = RemovalPolicy.DESTROY,
        key: aws_kms.IKey | None = None,
        tables: str = "",
    ) -> None:
        super().__init__(scope, name)
        self.port, self.nodes = port, size.nodes
        self.password = aws_secretsmanager.Secret(
            self,
            "Password",
            description="Password of the waiting room's counters",
            removal_policy=removal,
            encryption_key=key,
            generate_secret_string=aws_secretsmanager.SecretStringGenerator(
                password_length=PASSWORD_LENGTH, exclude_punctuation=True
            ),
        )
        subnets = aws_elasticache.CfnSubnetGroup(
            self,
            f"Subnets{network.kind}",
            description="Private subnets of the waiting room's counters",
            subnet_ids=network.subnet_ids,
        )
        several = size.nodes > 1
        kind = "" if (size.engine, several) == ("valkey", True) else f"{size.engine}{size.nodes}"
        self.group = aws_elasticache.CfnReplicationGroup(
            self,
            f"Group{kind.title()}{tables}",
            replication_group_description="Counters of the waiting room",
            engine=size.engine,
            engine_version=ENGINES[size.engine],
            cache_node_type=size.node_type,
            num_cache_clusters=size.nodes,
            automatic_failover_enabled=several,
            multi_az_enabled=several,
            port=port,
            transit_encryption_enabled=True,
            at_rest_encryption_enabled=True,
            auth_token=SecretValue.secrets_manager(self.password.secret_arn).unsafe_unwrap(),
            snapshot_retention_limit=size.snapshot_days,
            auto_minor_version_upgrade=True,
            cache_subnet_group_name=subnets.ref,
            security_group_ids=[network.counters_group.security_group_id],
        )
        network.open_counters(port)

    @property
    def settings(self) -> dict[str, str]:
        """Return the connection settings; the primary's address is the same after a failover."""
        return {
            "REDIS_HOST": self.group.attr_primary_end_point_address,
            "REDIS_PORT": str(self.port),
            "REDIS_TLS": "true",
        }

    def notify(self, topic: aws_sns.ITopic) -> None:
        """Send failovers and other events of the server to ``topic``."""
        self.group.notification_topic_arn = topic.topic_arn
