# SPDX-License-Identifier: Apache-2.0
"""The private network of the counters and of the functions that read them.

It has no internet access and no NAT gateway. DynamoDB has a gateway endpoint, which is free.
The one interface endpoint is for Secrets Manager (Redis password, signing keys). Messages for SQS
and EventBridge are written to the outbox, and a function outside the VPC sends them. Lambda polls
queue and streams from outside the VPC.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from aws_cdk import Fn, aws_ec2
from constructs import Construct, IDependable

from infrastructure.constructs.compute.function import FunctionDefaults, VpcPlacement

HTTPS = 443
CIDR_BITS = 24
SUBNETS = aws_ec2.SubnetType.PRIVATE_ISOLATED


class Network(Construct):
    """``placement`` is that of functions; ``ready`` are endpoints that they depend on.

    ``zones`` are the zones of a VPC of its own, by default the first two of the region.
    ``endpoint_zones`` is the number of zones of each interface endpoint. With ``vpc_id`` and
    ``subnet_ids`` it creates security groups only: that VPC must have routes to the services.
    ``kind`` differs if the subnets differ; it is empty for an own VPC. A subnet group cannot lose
    a subnet while a cache is in it.
    """

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        defaults: FunctionDefaults,
        zones: Sequence[str] = (),
        endpoint_zones: int = 2,
        vpc_id: str = "",
        subnet_ids: Sequence[str] = (),
    ) -> None:
        super().__init__(scope, name)
        self.ready: list[IDependable] = []
        self.kind = hashlib.sha256(",".join(subnet_ids).encode()).hexdigest()[:8] if vpc_id else ""
        if vpc_id:
            self.vpc, subnets = _existing(self, vpc_id, subnet_ids)
        else:
            self.vpc, subnets = (
                _own(self, defaults, zones),
                aws_ec2.SubnetSelection(subnet_type=SUBNETS),
            )
        self.counters_group = self._group("CountersGroup", "the counters")
        group = self._group("FunctionsGroup", "functions that read the counters")
        group.add_egress_rule(aws_ec2.Peer.any_ipv4(), aws_ec2.Port.tcp(HTTPS), "AWS's endpoints")
        self.placement = VpcPlacement(vpc=self.vpc, subnets=subnets, group=group)
        if not vpc_id:
            self._add_endpoints(endpoint_zones)

    def open_counters(self, port: int) -> None:
        """Allow connections to the counters from functions only."""
        self.counters_group.add_ingress_rule(
            self.placement.group, aws_ec2.Port.tcp(port), "functions"
        )
        self.placement.group.add_egress_rule(
            self.counters_group, aws_ec2.Port.tcp(port), "the counters"
        )

    @property
    def subnet_ids(self) -> list[str]:
        """Return the ids of the private subnets."""
        return list(self.vpc.select_subnets(subnets=self.placement.subnets.subnets).subnet_ids)

    def _group(self, name: str, whose: str) -> aws_ec2.SecurityGroup:
        return aws_ec2.SecurityGroup(
            self,
            name,
            vpc=self.vpc,
            description=f"Waiting room: {whose}",
            allow_all_outbound=False,
        )

    def _add_endpoints(self, zones: int) -> None:
        dynamodb = aws_ec2.GatewayVpcEndpointAwsService.DYNAMODB
        self.ready.append(self.vpc.add_gateway_endpoint("DynamoDb", service=dynamodb))
        services = {
            "SecretsManager": aws_ec2.InterfaceVpcEndpointAwsService.SECRETS_MANAGER,
        }
        group = self._group("EndpointsGroup", "interface endpoints")
        group.add_ingress_rule(self.placement.group, aws_ec2.Port.tcp(HTTPS), "functions")
        for name, service in services.items():
            self.ready.append(
                self.vpc.add_interface_endpoint(
                    name,
                    service=service,
                    open=False,
                    security_groups=[group],
                    subnets=aws_ec2.SubnetSelection(subnets=self.vpc.isolated_subnets[:zones]),
                )
            )


def _own(scope: Construct, defaults: FunctionDefaults, zones: Sequence[str]) -> aws_ec2.Vpc:
    vpc = aws_ec2.Vpc(
        scope,
        "Vpc",
        max_azs=None if zones else 2,
        availability_zones=list(zones) or None,
        nat_gateways=0,
        restrict_default_security_group=False,  # needs a custom resource; the group is unused
        subnet_configuration=[
            aws_ec2.SubnetConfiguration(name="Private", subnet_type=SUBNETS, cidr_mask=CIDR_BITS)
        ],
    )
    logs = defaults.log_group(scope, "RefusedLogs")
    vpc.add_flow_log(
        "Refused",
        destination=aws_ec2.FlowLogDestination.to_cloud_watch_logs(logs),
        traffic_type=aws_ec2.FlowLogTrafficType.REJECT,
    )
    return vpc


def _existing(
    scope: Construct, vpc_id: str, subnet_ids: Sequence[str]
) -> tuple[aws_ec2.IVpc, aws_ec2.SubnetSelection]:
    zones = [Fn.select(index, Fn.get_azs()) for index in range(len(subnet_ids))]
    vpc = aws_ec2.Vpc.from_vpc_attributes(
        scope,
        "Vpc",
        vpc_id=vpc_id,
        availability_zones=zones,
        isolated_subnet_ids=list(subnet_ids),
    )
    return vpc, aws_ec2.SubnetSelection(subnet_type=SUBNETS)
