# SPDX-License-Identifier: Apache-2.0
"""CloudFront in front of the public API: a cache that obeys the Cache-Control of responses.

It adds the API key, which the API requires, and the client address that AWS WAF counts by.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from aws_cdk import Duration, Fn, aws_cloudfront, aws_cloudfront_origins
from constructs import Construct

from infrastructure.blueprint.edge_policies import ADDRESS, FORWARDED, HEADERS, api_policy
from infrastructure.blueprint.gateway_responses import STAGE
from infrastructure.blueprint.resources import (
    ERROR_TTLS,
    CacheRule,
)
from infrastructure.constructs.edge.custom_domain import (
    add_records,
    address_of,
    domain_options,
)
from infrastructure.constructs.edge.policies import (
    Shared,
    address,
    cache_policy,
    forwarded,
    security_headers,
)
from infrastructure.constructs.names import LONGEST_EDGE, account_wide_name
from infrastructure.parameters.domains import CustomDomain

# Set at the edge by SET_ADDRESS; a caller cannot set it. An IPv4 address, or an IPv6 /64.
ADDRESS_HEADER = "x-client-address"
SET_ADDRESS = Path(__file__).with_name("set_address.js")


class ApiDistribution(Construct):
    """The distribution of a stage; browsers call its ``address``.

    ``rules`` hold the cache key and the TTLs of a path. All other paths are not cached.
    ``shared`` holds the ids of policies of another stack; without them it creates its own.
    """

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        stage_address: str,
        api_key: str,
        rules: Sequence[CacheRule],
        domain: CustomDomain | None = None,
        shared: Shared | None = None,
    ) -> None:
        super().__init__(scope, name)
        self._policies: dict[str, aws_cloudfront.ICachePolicy] = {}
        self._shared = shared or {}
        self._domain = domain
        self._headers = security_headers(self, self._shared.get(HEADERS))
        self._address = address(self, self._shared.get(ADDRESS))
        self._set_address = aws_cloudfront.FunctionAssociation(
            function=_set_address(self),
            event_type=aws_cloudfront.FunctionEventType.VIEWER_REQUEST,
        )
        origin = aws_cloudfront_origins.HttpOrigin(
            Fn.select(2, Fn.split("/", stage_address)),
            origin_path=f"/{STAGE}",
            custom_headers={"x-api-key": api_key},
            protocol_policy=aws_cloudfront.OriginProtocolPolicy.HTTPS_ONLY,
            origin_ssl_protocols=[aws_cloudfront.OriginSslPolicy.TLS_V1_2],
            read_timeout=Duration.seconds(30),
        )
        self.distribution = aws_cloudfront.Distribution(
            self,
            "Distribution",
            comment="Waiting room: public API",
            http_version=aws_cloudfront.HttpVersion.HTTP2_AND_3,
            default_behavior=self._passing(origin),
            additional_behaviors={rule.path: self._keeping(origin, rule) for rule in rules},
            error_responses=[
                aws_cloudfront.ErrorResponse(http_status=status, ttl=Duration.seconds(seconds))
                for status, seconds in ERROR_TTLS.items()
            ],
            **domain_options(self, domain),
        )
        add_records(self, self.distribution, domain)

    @property
    def address(self) -> str:
        """Return the address of the public API, without a final slash."""
        return address_of(self.distribution, self._domain)

    def _passing(self, origin: aws_cloudfront.IOrigin) -> aws_cloudfront.BehaviorOptions:
        return aws_cloudfront.BehaviorOptions(
            origin=origin,
            viewer_protocol_policy=aws_cloudfront.ViewerProtocolPolicy.HTTPS_ONLY,
            allowed_methods=aws_cloudfront.AllowedMethods.ALLOW_ALL,
            cache_policy=aws_cloudfront.CachePolicy.CACHING_DISABLED,
            origin_request_policy=forwarded(self, self._shared.get(FORWARDED)),
            response_headers_policy=self._headers,
            function_associations=[self._set_address],
            compress=False,
        )

    def _keeping(
        self, origin: aws_cloudfront.IOrigin, rule: CacheRule
    ) -> aws_cloudfront.BehaviorOptions:
        return aws_cloudfront.BehaviorOptions(
            origin=origin,
            viewer_protocol_policy=aws_cloudfront.ViewerProtocolPolicy.HTTPS_ONLY,
            allowed_methods=aws_cloudfront.AllowedMethods.ALLOW_GET_HEAD_OPTIONS,
            cache_policy=self._policy(rule),
            origin_request_policy=self._address,
            response_headers_policy=self._headers,
            function_associations=[self._set_address],
            compress=False,  # responses are smaller than the minimum that CloudFront compresses
        )

    def _policy(self, rule: CacheRule) -> aws_cloudfront.ICachePolicy:
        """Return the policy of a rule; equal rules share one because of the account's quota."""
        name = api_policy(rule)
        if name not in self._policies:
            self._policies[name] = cache_policy(self, name, rule, self._shared.get(name))
        return self._policies[name]


def _set_address(scope: Construct) -> aws_cloudfront.Function:
    return aws_cloudfront.Function(
        scope,
        "SetAddress",
        function_name=account_wide_name(scope, "SetAddress", longest=LONGEST_EDGE),
        comment="Sets the client address that rate limits count by",
        code=aws_cloudfront.FunctionCode.from_inline(SET_ADDRESS.read_text(encoding="utf-8")),
        runtime=aws_cloudfront.FunctionRuntime.JS_2_0,
    )
