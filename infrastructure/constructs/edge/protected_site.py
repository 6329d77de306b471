# SPDX-License-Identifier: Apache-2.0
"""The distribution in front of a site, with the gate on every path of the site."""

from __future__ import annotations

from aws_cdk import (
    Duration,
    aws_cloudfront,
    aws_cloudfront_origins,
    aws_elasticloadbalancingv2,
    aws_kms,
    aws_secretsmanager,
)
from constructs import Construct

from infrastructure.blueprint.gate_paths import ORIGIN_HEADER
from infrastructure.constructs.edge.custom_domain import (
    add_records,
    address_of,
    domain_options,
)
from infrastructure.constructs.edge.gate_functions import GateFunctions
from infrastructure.constructs.edge.room_paths import HTTPS, RoomPaths
from infrastructure.constructs.names import LONGEST_EDGE, account_wide_name
from infrastructure.parameters.gate import GateConfig

SECRET_LENGTH = 40
READ_TIMEOUT = 30  # s
# The room's routes answer a failure with 429. These TTLs are for the site's own errors.
ERROR_TTL = 0  # s for which the edge keeps a 5xx of the site


class ProtectedSite(Construct):
    """``distribution`` of a site. Nothing of the site is cached unless the owner adds a policy.

    The origin gets ``secret`` in the header ORIGIN_HEADER, and can reject requests without it.
    """

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        config: GateConfig,
        functions: GateFunctions,
        room: RoomPaths,
        key: aws_kms.IKey | None = None,
    ) -> None:
        super().__init__(scope, name)
        self.secret = aws_secretsmanager.Secret(
            self,
            "OriginSecret",
            encryption_key=key,
            description="Header by which the site recognises requests of its distribution",
            generate_secret_string=aws_secretsmanager.SecretStringGenerator(
                password_length=SECRET_LENGTH, exclude_punctuation=True
            ),
        )
        self.distribution = aws_cloudfront.Distribution(
            self,
            "Distribution",
            comment="Waiting room: protected site",
            http_version=aws_cloudfront.HttpVersion.HTTP2_AND_3,
            default_behavior=aws_cloudfront.BehaviorOptions(
                origin=self._origin(config),
                viewer_protocol_policy=HTTPS,
                allowed_methods=aws_cloudfront.AllowedMethods.ALLOW_ALL,
                cache_policy=aws_cloudfront.CachePolicy.CACHING_DISABLED,
                origin_request_policy=aws_cloudfront.OriginRequestPolicy.ALL_VIEWER,
                function_associations=functions.site,
            ),
            additional_behaviors=dict(room.behaviors),
            error_responses=[
                aws_cloudfront.ErrorResponse(http_status=status, ttl=Duration.seconds(ERROR_TTL))
                for status in (500, 501, 502, 503, 504)
            ],
            **domain_options(self, config.domain),
        )
        add_records(self, self.distribution, config.domain)
        self.address = address_of(self.distribution, config.domain)

    def _origin(self, config: GateConfig) -> aws_cloudfront.IOrigin:
        headers = {ORIGIN_HEADER: self.secret.secret_value.unsafe_unwrap()}
        if config.origin:
            return aws_cloudfront_origins.HttpOrigin(
                config.origin,
                custom_headers=headers,
                protocol_policy=aws_cloudfront.OriginProtocolPolicy.HTTPS_ONLY,
                origin_ssl_protocols=[aws_cloudfront.OriginSslPolicy.TLS_V1_2],
                read_timeout=Duration.seconds(READ_TIMEOUT),
            )
        balancers = aws_elasticloadbalancingv2.ApplicationLoadBalancer
        balancer = balancers.from_application_load_balancer_attributes(
            self,
            "LoadBalancer",
            load_balancer_arn=config.balancer,
            security_group_id=config.balancer_group,
            load_balancer_dns_name=config.domains[0],
        )
        return aws_cloudfront_origins.VpcOrigin.with_application_load_balancer(
            balancer,
            vpc_origin_name=account_wide_name(self, "Origin", longest=LONGEST_EDGE),
            domain_name=config.domains[0],
            custom_headers=headers,
            protocol_policy=aws_cloudfront.OriginProtocolPolicy.HTTPS_ONLY,
            origin_ssl_protocols=[aws_cloudfront.OriginSslPolicy.TLS_V1_2],
            read_timeout=Duration.seconds(READ_TIMEOUT),
        )
