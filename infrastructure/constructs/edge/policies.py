# SPDX-License-Identifier: Apache-2.0
"""Policies of CloudFront: those of a room, or those that the rooms of an account share."""

from __future__ import annotations

from collections.abc import Mapping

from aws_cdk import Duration, aws_cloudfront
from constructs import Construct

from infrastructure.blueprint.gate_paths import ROOM_HEADERS, SHARED_HEADERS, RoomPath
from infrastructure.blueprint.resources import (
    CACHED_PATHS_HEADERS,
    FORWARDED_COOKIES,
    FORWARDED_HEADERS,
    CacheRule,
)
from infrastructure.constructs.names import account_wide_name

YEAR = 365

Shared = Mapping[str, str]  # the id of each policy of ``blueprint/edge_policies.py``; or empty


def cache_policy(
    scope: Construct, name: str, rule: CacheRule | RoomPath, given: str | None = None
) -> aws_cloudfront.ICachePolicy:
    """Return the policy of a rule: the ``given`` id, or a new policy."""
    if given:
        return aws_cloudfront.CachePolicy.from_cache_policy_id(scope, name, given)
    key, by_accept = _key(rule)
    queries, headers = aws_cloudfront.CacheQueryStringBehavior, aws_cloudfront.CacheHeaderBehavior
    return aws_cloudfront.CachePolicy(
        scope,
        name,
        cache_policy_name=account_wide_name(scope, name),
        comment=f"Waiting room: {rule.pattern if isinstance(rule, RoomPath) else rule.path}",
        min_ttl=Duration.seconds(rule.shortest),
        default_ttl=Duration.seconds(rule.shortest),
        max_ttl=Duration.seconds(rule.longest),
        query_string_behavior=queries.allow_list(*key) if key else queries.none(),
        header_behavior=headers.allow_list("Accept") if by_accept else headers.none(),
        cookie_behavior=aws_cloudfront.CacheCookieBehavior.none(),
        enable_accept_encoding_gzip=False,
        enable_accept_encoding_brotli=False,
    )


def _key(rule: CacheRule | RoomPath) -> tuple[tuple[str, ...], bool]:
    """Return the query members in the cache key, and whether the class of Accept is in it."""
    return (rule.query, rule.by_accept) if isinstance(rule, RoomPath) else (rule.key, False)


def address(scope: Construct, given: str | None = None) -> aws_cloudfront.IOriginRequestPolicy:
    """Return the policy of cached paths: headers forwarded beside the cache key.

    They are the client address, and the requested headers of a preflight.
    """
    if given:
        return _existing(scope, "Address", given)
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


def forwarded(scope: Construct, given: str | None = None) -> aws_cloudfront.IOriginRequestPolicy:
    """Return the policy of other paths: an allow list, so a caller cannot set headers of AWS."""
    if given:
        return _existing(scope, "Forwarded", given)
    return aws_cloudfront.OriginRequestPolicy(
        scope,
        "Forwarded",
        origin_request_policy_name=account_wide_name(scope, "Forwarded"),
        comment="Waiting room: headers that the public API reads",
        header_behavior=aws_cloudfront.OriginRequestHeaderBehavior.allow_list(*FORWARDED_HEADERS),
        cookie_behavior=aws_cloudfront.OriginRequestCookieBehavior.allow_list(*FORWARDED_COOKIES),
        query_string_behavior=aws_cloudfront.OriginRequestQueryStringBehavior.all(),
    )


def room_forwarded(
    scope: Construct, name: str, given: str | None = None
) -> aws_cloudfront.IOriginRequestPolicy:
    """Return the policy of the session routes of a protected host."""
    if given:
        return _existing(scope, name, given)
    return aws_cloudfront.OriginRequestPolicy(
        scope,
        name,
        origin_request_policy_name=account_wide_name(scope, name),
        comment="Waiting room: what its session routes read; the edge removes other cookies",
        header_behavior=aws_cloudfront.OriginRequestHeaderBehavior.allow_list(*ROOM_HEADERS),
        cookie_behavior=aws_cloudfront.OriginRequestCookieBehavior.all(),
        query_string_behavior=aws_cloudfront.OriginRequestQueryStringBehavior.all(),
    )


def room_shared(
    scope: Construct, name: str, given: str | None = None
) -> aws_cloudfront.IOriginRequestPolicy:
    """Return the policy of the cached paths of a protected host."""
    if given:
        return _existing(scope, name, given)
    return aws_cloudfront.OriginRequestPolicy(
        scope,
        name,
        origin_request_policy_name=account_wide_name(scope, name),
        comment="Waiting room: address and host; no cookie, so that requests are collapsed",
        header_behavior=aws_cloudfront.OriginRequestHeaderBehavior.allow_list(*SHARED_HEADERS),
        cookie_behavior=aws_cloudfront.OriginRequestCookieBehavior.none(),
        query_string_behavior=aws_cloudfront.OriginRequestQueryStringBehavior.none(),
    )


def _existing(scope: Construct, name: str, given: str) -> aws_cloudfront.IOriginRequestPolicy:
    return aws_cloudfront.OriginRequestPolicy.from_origin_request_policy_id(scope, name, given)


def security_headers(
    scope: Construct, given: str | None = None
) -> aws_cloudfront.IResponseHeadersPolicy:
    """Return the policy of the headers of the public API."""
    if given:
        policies = aws_cloudfront.ResponseHeadersPolicy
        return policies.from_response_headers_policy_id(scope, "Headers", given)
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
