# SPDX-License-Identifier: Apache-2.0
"""Policies of CloudFront that are the same in all rooms of an account, by name.

An account has few of each kind, so rooms can share those of one stack. Plain data without a CDK
import.
"""

from __future__ import annotations

from collections.abc import Sequence

from infrastructure.blueprint.gate_paths import ROOM_PATHS, RoomPath
from infrastructure.blueprint.resources import CACHE_RULES, CacheRule

ADDRESS, FORWARDED, HEADERS = "Address", "Forwarded", "ApiHeaders"  # of the public API
ROOM_FORWARDED, ROOM_SHARED = "RoomForwarded", "RoomShared"  # of a protected host


def api_policy(rule: CacheRule) -> str:
    """Return the name of the cache policy of a path of the public API."""
    return _name(rule.key, rule.shortest, rule.longest)


def room_policy(path: RoomPath) -> str:
    """Return the name of the cache policy of a cached path of a protected host."""
    by_accept = "ByAccept" if path.by_accept else ""
    return f"{_name(path.query, path.shortest, path.longest)}{by_accept}"


def cache_policies() -> dict[str, CacheRule | RoomPath]:
    """Return a rule for each cache policy; rules with equal policies share one name."""
    found: dict[str, CacheRule | RoomPath] = {
        room_policy(one): one for one in ROOM_PATHS if one.longest
    }
    return {**found, **{api_policy(rule): rule for rule in CACHE_RULES}}


def policy_names() -> tuple[str, ...]:
    """Return the names of all shared policies, sorted."""
    others = (ADDRESS, FORWARDED, HEADERS, ROOM_FORWARDED, ROOM_SHARED)
    return tuple(sorted((*cache_policies(), *others)))


def _name(query: Sequence[str], shortest: int, longest: int) -> str:
    kept = f"{shortest}To{longest}" if shortest else f"{longest}"
    return f"Keep{kept}{''.join(query).title().replace('_', '')}"
