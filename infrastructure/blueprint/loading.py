# SPDX-License-Identifier: Apache-2.0
"""Stores that the function of a view builds at init, for ``STORES_AT_INIT``.

A view that is not listed builds a store at the first request that uses it. Only stores that the
usual request of the view needs are listed: loading a client library takes longer than the request.
"""

from __future__ import annotations

from infrastructure.blueprint.permissions import Resource

SETTING = "STORES_AT_INIT"
_TOKEN = ("positions", "counters", "outcomes", "documents", "log", "keys", "public_keys")
PUBLIC = {
    "queue_num": ("positions",),
    "serving_num": ("counters",),
    "waiting_num": ("counters",),
    "status": ("counters", "documents"),
    "page": ("documents",),
    "queue_pos_expiry": ("positions", "counters", "documents"),
    "generate_token": _TOKEN,
    "public_key": ("public_keys", "documents"),
    "jwks": ("public_keys",),
    "ended_sessions": ("outcomes", "log", "documents"),
}
PRIVATE = {
    "increment_serving_counter": ("counters", "documents", "log", "event_bus"),
    "generate_token": _TOKEN,
    "update_session": ("counters", "documents", "positions", "outcomes"),
}
# Resources that a store reads: a view that builds the store has a grant to one of them.
RESOURCES = {
    "positions": (Resource.POSITIONS,),
    "counters": (Resource.COUNTERS, Resource.COUNTERS_TABLE),
    "outcomes": (Resource.TOKENS,),
    "documents": (Resource.EVENTS,),
    "log": (Resource.SERVING_LOG,),
    "keys": (Resource.SIGNING_KEYS,),
    "public_keys": (Resource.SERVING_LOG,),
    "event_bus": (Resource.BUS,),
}


def with_stores(
    environment: dict[str, dict[str, str]], stores: dict[str, tuple[str, ...]]
) -> dict[str, dict[str, str]]:
    """Return the environment of each view, with the setting for those in ``stores``."""
    views = {*environment, *stores}
    return {
        view: environment.get(view, {})
        | ({SETTING: ",".join(stores[view])} if view in stores else {})
        for view in sorted(views)
    }
