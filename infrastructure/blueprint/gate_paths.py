# SPDX-License-Identifier: Apache-2.0
"""Paths of the room on a protected host, for the CDK stacks and the local edge.

Each behaviour of the distribution has a path pattern, an origin and a rule of the cache. The first
pattern that matches decides. Plain data without a CDK import.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from waiting_room.domain.gate.rules import OWN_PATHS

ORIGIN_HEADER = "x-waiting-room-origin"  # the gate's secret, by which the site knows its requests
# Headers that the edge forwards to the room; CloudFront allows at most ten.
ROOM_HEADERS = (
    "Accept",
    "Accept-Language",
    "Content-Type",
    "Origin",
    "Sec-Fetch-Dest",
    "Sec-Fetch-Site",
    "Sec-Purpose",
    "User-Agent",  # rules of AWS WAF read it
    "x-client-address",
    "x-waiting-room-host",
)
SHARED_HEADERS = ("x-client-address", "x-waiting-room-host")


class Target(StrEnum):
    """Origin of a path: the entrance, the public API, or the files of the waiting page."""

    ENTRANCE = "entrance"
    PUBLIC = "public"
    PAGE = "page"


@dataclass(frozen=True)
class RoomPath:
    """A path pattern below OWN_PATHS.

    ``query`` are the members in the cache key. ``shortest`` and ``longest`` are the TTLs in
    seconds; 0 and 0: not cached. A cached path gets no cookies and accepts no POST.
    """

    path: str
    target: Target
    query: tuple[str, ...] = ()
    shortest: int = 0
    longest: int = 0
    by_accept: bool = False  # the class of Accept is in the cache key

    @property
    def pattern(self) -> str:
        """The path pattern of the behaviour."""
        return f"{OWN_PATHS}{self.path}"

    @property
    def policy_output(self) -> str:
        """The output with the cache policy of a cached path, such as ``EnterCachePolicy``."""
        return f"{self.path.strip('/_*').title()}CachePolicy"


# A cached path forwards no cookies, so the edge sends POST /enter on to /join (307).
ENTER = RoomPath("/enter", Target.ENTRANCE, ("event",), 1, 1, by_accept=True)
ROOM_PATHS = (
    ENTER,
    RoomPath("/join", Target.ENTRANCE),
    RoomPath("/wait", Target.ENTRANCE),
    RoomPath("/session", Target.ENTRANCE),
    RoomPath("/renew", Target.ENTRANCE),
    RoomPath("/leave", Target.ENTRANCE),
    RoomPath("/status", Target.PUBLIC, ("event_id",), 1, 5),
    RoomPath("/page", Target.PUBLIC, ("event_id",), 1, 5),  # the policy of /status
    RoomPath("/queue_*", Target.PUBLIC, ("event_id", "request_id"), 0, 5),
    RoomPath("/assign_queue_num", Target.PUBLIC),
    RoomPath("/generate_token", Target.PUBLIC),
)
PAGE_PATH = RoomPath("/*", Target.PAGE)
