# SPDX-License-Identifier: Apache-2.0
"""CloudFront in front of the public API: a cache that obeys the Cache-Control of responses.

It adds the API key, which the API requires, and the client address that AWS WAF counts by.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from aws_cdk import Duration, Fn, aws_cloudfront, aws_cloudfront_origins
from constructs import Construct

from infrastructure.blueprint.gateway_responses import STAGE
from infrastructure.blueprint.resources import (
    CACHED_PATHS_HEADERS,
    ERROR_TTLS,
    FORWARDED_COOKIES,
    FORWARDED_HEADERS,
    CacheRule,
)
from infrastructure.constructs.names import account_wide_name

# Set at the edge by SET_ADDRESS; a caller cannot set it. An IPv4 address, or an IPv6 /64.
ADDRESS_HEADER = "x-client-address"
SET_ADDRESS = Path(__file__).with_name("set_address.js")
YEAR = 365


class ApiDistribution(Construct):
    """The distribution of a stage; browsers call its ``address``.

    ``rules`` hold the cache key and the TTLs of a path. All other paths are not cached.
    """

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        stage_address: str,
        api_key: str,
        rules: Sequence[CacheRule],
    ) -> None:
        super().__init__(scope, name)
        self._policies: dict[tuple[object, ...], aws_cloudfront.CachePolicy] = {}
        self._headers = _security_headers(self)
        self._address = _address(self)
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
        )

    @property
    def address(self) -> str:
        """Return the address of the public API, without a final slash."""
        return f"https://{self.distribution.distribution_domain_name}"

    def _passing(self, origin: aws_cloudfront.IOrigin) -> aws_cloudfront.BehaviorOptions:
        return aws_cloudfront.BehaviorOptions(
            origin=origin,
            viewer_protocol_policy=aws_cloudfront.ViewerProtocolPolicy.HTTPS_ONLY,
            allowed_methods=aws_cloudfront.AllowedMethods.ALLOW_ALL,
            cache_policy=aws_cloudfront.CachePolicy.CACHING_DISABLED,
            origin_request_policy=_forwarded(self),
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

    def _policy(self, rule: CacheRule) -> aws_cloudfront.CachePolicy:
        """Return the policy of a rule; equal rules share one because of the account's quota."""
        key = (rule.key, rule.longest, rule.shortest)
        if key not in self._policies:
            kept = f"{rule.shortest}To{rule.longest}" if rule.shortest else f"{rule.longest}"
            name = f"Keep{kept}{''.join(rule.key).title().replace('_', '')}"
            self._policies[key] = _cache_policy(self, name, rule)
        return self._policies[key]


def _cache_policy(scope: Construct, name: str, rule: CacheRule) -> aws_cloudfront.CachePolicy:
    queries = aws_cloudfront.CacheQueryStringBehavior
    return aws_cloudfront.CachePolicy(
        scope,
        name,
        cache_policy_name=account_wide_name(scope, name),
        comment=f"Waiting room: {rule.path}",
        min_ttl=Duration.seconds(rule.shortest),
        default_ttl=Duration.seconds(rule.shortest),
        max_ttl=Duration.seconds(rule.longest),
        query_string_behavior=queries.allow_list(*rule.key) if rule.key else queries.none(),
        header_behavior=aws_cloudfront.CacheHeaderBehavior.none(),
        cookie_behavior=aws_cloudfront.CacheCookieBehavior.none(),
        enable_accept_encoding_gzip=False,
        enable_accept_encoding_brotli=False,
    )


def _set_address(scope: Construct) -> aws_cloudfront.Function:
    return aws_cloudfront.Function(
        scope,
        "SetAddress",
        function_name=account_wide_name(scope, "SetAddress", longest=64),
        comment="Sets the client address that rate limits count by",
        code=aws_cloudfront.FunctionCode.from_inline(SET_ADDRESS.read_text(encoding="utf-8")),
        runtime=aws_cloudfront.FunctionRuntime.JS_2_0,
    )


def _address(scope: Construct) -> aws_cloudfront.OriginRequestPolicy:
    """Return the policy of cached paths: headers forwarded beside the cache key.

    They are the client address, and the requested headers of a preflight.
    """
    return aws_cloudfront.OriginRequestPolicy(
        scope,
        "Address",
        origin_request_policy_name=account_wide_name(scope, "Address"),
        comment="Waiting room: client address, requested headers of a preflight",
        header_behavior=aws_cloudfront.OriginRequestHeaderBehavior.allow_list(
            *CACHED_PATHS_HEADERS
        ),
        cookie_behavior=aws_cloudfront.OriginRequestCookieBehavior.none(),
        query_string_behavior=aws_cloudfront.OriginRequestQueryStringBehavior.none(),
    )


def _forwarded(scope: Construct) -> aws_cloudfront.OriginRequestPolicy:
    """Return the policy of other paths: an allow list, so a caller cannot set headers of AWS."""
    return aws_cloudfront.OriginRequestPolicy(
        scope,
        "Forwarded",
        origin_request_policy_name=account_wide_name(scope, "Forwarded"),
        comment="Waiting room: headers that the public API reads",
        header_behavior=aws_cloudfront.OriginRequestHeaderBehavior.allow_list(*FORWARDED_HEADERS),
        cookie_behavior=aws_cloudfront.OriginRequestCookieBehavior.allow_list(*FORWARDED_COOKIES),
        query_string_behavior=aws_cloudfront.OriginRequestQueryStringBehavior.all(),
    )


def _security_headers(scope: Construct) -> aws_cloudfront.ResponseHeadersPolicy:
    return aws_cloudfront.ResponseHeadersPolicy(
        scope,
        "Headers",
        response_headers_policy_name=account_wide_name(scope, "Headers"),
        comment="Waiting room: public API",
        security_headers_behavior=aws_cloudfront.ResponseSecurityHeadersBehavior(
            content_type_options=aws_cloudfront.ResponseHeadersContentTypeOptions(override=True),
            frame_options=aws_cloudfront.ResponseHeadersFrameOptions(
                frame_option=aws_cloudfront.HeadersFrameOption.DENY, override=True
            ),
            referrer_policy=aws_cloudfront.ResponseHeadersReferrerPolicy(
                referrer_policy=aws_cloudfront.HeadersReferrerPolicy.NO_REFERRER, override=True
            ),
            strict_transport_security=aws_cloudfront.ResponseHeadersStrictTransportSecurity(
                access_control_max_age=Duration.days(YEAR), include_subdomains=True, override=True
            ),
        ),
    )
