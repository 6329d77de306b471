# SPDX-License-Identifier: Apache-2.0
"""Behaviours of the room's own paths on a protected host, and their policies.

A site owner's distribution uses the same policies; ``docs/gate-edge.md`` has the table.
"""

from __future__ import annotations

from collections.abc import Mapping

from aws_cdk import aws_cloudfront
from constructs import Construct

from infrastructure.blueprint.edge_policies import ROOM_FORWARDED, ROOM_SHARED, room_policy
from infrastructure.blueprint.gate_paths import (
    PAGE_PATH,
    ROOM_PATHS,
    RoomPath,
    Target,
)
from infrastructure.constructs.edge.gate_functions import GateFunctions
from infrastructure.constructs.edge.policies import (
    Shared,
    cache_policy,
    room_forwarded,
    room_shared,
)
from waiting_room.domain.gate.decision import HANDOVER

HTTPS = aws_cloudfront.ViewerProtocolPolicy.REDIRECT_TO_HTTPS


class RoomPaths(Construct):
    """``behaviors`` by path pattern, in the order in which they have to be tried.

    ``origins`` has the origin of each target, ``page_headers`` the headers of the page's files.
    ``shared`` holds the ids of policies of another stack; without them it creates its own.
    """

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        functions: GateFunctions,
        origins: Mapping[Target, aws_cloudfront.IOrigin],
        page_headers: aws_cloudfront.IResponseHeadersPolicy,
        shared: Shared | None = None,
    ) -> None:
        super().__init__(scope, name)
        self._functions, self._origins = functions, origins
        self._policies: dict[str, aws_cloudfront.ICachePolicy] = {}
        self._shared = shared or {}
        self.forwarded = room_forwarded(self, "Forwarded", self._shared.get(ROOM_FORWARDED))
        self.shared = room_shared(self, "Shared", self._shared.get(ROOM_SHARED))
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

    def cache_policy(self, path: RoomPath) -> aws_cloudfront.ICachePolicy:
        """Return the policy of a cached path; equal rules share one: an account has twenty."""
        key = room_policy(path)
        if key not in self._policies:
            name = f"Keep{path.longest}{''.join(path.query).title().replace('_', '')}"
            self._policies[key] = cache_policy(self, name, path, self._shared.get(key))
        return self._policies[key]
