# SPDX-License-Identifier: Apache-2.0
"""Behaviours of the room's own paths on a protected host, and their policies.

A site owner's distribution uses the same policies; ``docs/gate-edge.md`` has the table.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aws_cdk import Duration, aws_cloudfront
from constructs import Construct

from infrastructure.blueprint.gate_paths import (
    PAGE_PATH,
    ROOM_HEADERS,
    ROOM_PATHS,
    SHARED_HEADERS,
    RoomPath,
    Target,
)
from infrastructure.constructs.edge.gate_functions import GateFunctions
from infrastructure.constructs.names import account_wide_name
from waiting_room.domain.gate.decision import HANDOVER

HTTPS = aws_cloudfront.ViewerProtocolPolicy.REDIRECT_TO_HTTPS


class RoomPaths(Construct):
    """``behaviors`` by path pattern, in the order in which they have to be tried.

    ``origins`` has the origin of each target, ``page_headers`` the headers of the page's files.
    """

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        functions: GateFunctions,
        origins: Mapping[Target, aws_cloudfront.IOrigin],
        page_headers: aws_cloudfront.IResponseHeadersPolicy,
    ) -> None:
        super().__init__(scope, name)
        self._functions, self._origins = functions, origins
        self._policies: dict[tuple[Any, ...], aws_cloudfront.CachePolicy] = {}
        self.forwarded = aws_cloudfront.OriginRequestPolicy(
            self,
            "Forwarded",
            origin_request_policy_name=account_wide_name(self, "Forwarded"),
            comment="Waiting room: what its session routes read; the edge removes other cookies",
            header_behavior=aws_cloudfront.OriginRequestHeaderBehavior.allow_list(*ROOM_HEADERS),
            cookie_behavior=aws_cloudfront.OriginRequestCookieBehavior.all(),
            query_string_behavior=aws_cloudfront.OriginRequestQueryStringBehavior.all(),
        )
        self.shared = aws_cloudfront.OriginRequestPolicy(
            self,
            "Shared",
            origin_request_policy_name=account_wide_name(self, "Shared"),
            comment="Waiting room: address and host; no cookie, so that requests are collapsed",
            header_behavior=aws_cloudfront.OriginRequestHeaderBehavior.allow_list(*SHARED_HEADERS),
            cookie_behavior=aws_cloudfront.OriginRequestCookieBehavior.none(),
            query_string_behavior=aws_cloudfront.OriginRequestQueryStringBehavior.none(),
        )
        self.behaviors = {
            HANDOVER: self._handover(),
            **{one.pattern: self._behavior(one) for one in ROOM_PATHS},
            PAGE_PATH.pattern: self._page(page_headers),
        }

    def _behavior(self, path: RoomPath) -> aws_cloudfront.BehaviorOptions:
        is_enter = path.by_accept
        return aws_cloudfront.BehaviorOptions(
            origin=self._origins[path.target],
            viewer_protocol_policy=HTTPS,
            allowed_methods=(
                aws_cloudfront.AllowedMethods.ALLOW_GET_HEAD_OPTIONS
                if path.longest and not is_enter
                else aws_cloudfront.AllowedMethods.ALLOW_ALL
            ),
            cache_policy=(
                self.cache_policy(path)
                if path.longest
                else aws_cloudfront.CachePolicy.CACHING_DISABLED
            ),
            origin_request_policy=self.shared if path.longest else self.forwarded,
            function_associations=self._functions.enter if is_enter else self._functions.room,
            compress=False,  # responses are smaller than the minimum that CloudFront compresses
        )

    def _handover(self) -> aws_cloudfront.BehaviorOptions:
        """The gate responds itself: no request reaches the origin."""
        return aws_cloudfront.BehaviorOptions(
            origin=self._origins[Target.PAGE],
            viewer_protocol_policy=HTTPS,
            cache_policy=aws_cloudfront.CachePolicy.CACHING_DISABLED,
            function_associations=self._functions.handover,
        )

    def _page(
        self, headers: aws_cloudfront.IResponseHeadersPolicy
    ) -> aws_cloudfront.BehaviorOptions:
        return aws_cloudfront.BehaviorOptions(
            origin=self._origins[Target.PAGE],
            viewer_protocol_policy=HTTPS,
            cache_policy=aws_cloudfront.CachePolicy.CACHING_OPTIMIZED,
            response_headers_policy=headers,
            function_associations=self._functions.page,
            compress=True,
        )

    def cache_policy(self, path: RoomPath) -> aws_cloudfront.CachePolicy:
        """Return the policy of a cached path; equal rules share one: an account has twenty."""
        key = (path.query, path.shortest, path.longest, path.by_accept)
        if key not in self._policies:
            headers = aws_cloudfront.CacheHeaderBehavior
            name = f"Keep{path.longest}{''.join(path.query).title().replace('_', '')}"
            self._policies[key] = aws_cloudfront.CachePolicy(
                self,
                name,
                cache_policy_name=account_wide_name(self, name),
                comment=f"Waiting room: {path.pattern}",
                min_ttl=Duration.seconds(path.shortest),
                default_ttl=Duration.seconds(path.shortest),
                max_ttl=Duration.seconds(path.longest),
                query_string_behavior=aws_cloudfront.CacheQueryStringBehavior.allow_list(
                    *path.query
                ),
                header_behavior=headers.allow_list("Accept") if path.by_accept else headers.none(),
                cookie_behavior=aws_cloudfront.CacheCookieBehavior.none(),
                enable_accept_encoding_gzip=False,
                enable_accept_encoding_brotli=False,
            )
        return self._policies[key]
