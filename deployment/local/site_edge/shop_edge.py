# SPDX-License-Identifier: Apache-2.0
"""The local distribution in front of the ticket shop, and the scripts of its functions."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from deployment.local.config import STAGE
from deployment.local.shop.site import make_shop
from deployment.local.site_edge.distribution import ATTEMPTS, Behaviour, Distribution, Origin
from deployment.local.site_edge.engine import Engine, write_scripts
from deployment.local.site_edge.origins import asgi_origin
from infrastructure.assets import edge
from infrastructure.blueprint.gate_paths import (
    ENTER,
    PAGE_PATH,
    ROOM_HEADERS,
    ROOM_PATHS,
    SHARED_HEADERS,
    RoomPath,
    Target,
)
from waiting_room.domain.gate.decision import HANDOVER
from waiting_room.domain.gate.rules import OWN_PATHS

GATE, ROOM, PAGE, RESPONSE = "gate", "room", "page", "response"
LOOK = 1.0  # s between two looks at the store


def write_functions(root: Path, folder: Path) -> None:
    """Build the functions as they are published, and write them to a folder. Raises SitesError."""
    write_scripts(folder, {GATE: edge.cloudfront_function(root), **edge.room_functions(root)})


class ShopEdge:
    """ASGI application: the shop, and below ``/_waiting-room/`` page, entrance and public API.

    ``visible`` returns the items of the store that have reached the edge. ``origins`` are those of
    the room. ``clock`` is that of the functions; None: the clock of the machine.
    """

    def __init__(
        self,
        functions: Path,
        visible: Callable[[], Mapping[str, str]],
        *,
        page: Any,
        entrance: Any,
        public_api: Any,
        api_key: str = "",
        shop: Any = None,
        monotonic: Callable[[], float] = time.monotonic,
        clock: Callable[[], float] | None = None,
    ) -> None:
        self._engine = Engine(functions, (GATE, ROOM, PAGE, RESPONSE), clock)
        self._visible, self._monotonic = visible, monotonic
        self._items: Mapping[str, str] | None = None
        self._looked_at = 0.0
        self.origins = origins = {
            Target.ENTRANCE: asgi_origin(entrance, add=f"/{STAGE}"),
            Target.PUBLIC: asgi_origin(
                public_api, add=f"/{STAGE}", headers=(("x-api-key", api_key),)
            ),
            Target.PAGE: asgi_origin(page, remove=OWN_PATHS),
        }
        site = asgi_origin(shop or make_shop())
        self.distribution = Distribution(
            self._engine,
            (
                Behaviour(HANDOVER, site, GATE),  # the gate responds itself
                *(_room(one, origins[one.target]) for one in ROOM_PATHS),
                Behaviour(PAGE_PATH.pattern, origins[Target.PAGE], PAGE),
                Behaviour("*", site, GATE, RESPONSE),
            ),
            monotonic,
        )

    async def __call__(self, scope: Mapping[str, Any], receive: Any, send: Any) -> None:
        """Serve an ASGI connection."""
        await self.look()
        await self.distribution(scope, receive, send)

    async def look(self) -> None:
        """Give the engine the items that have become visible; at most once in LOOK seconds."""
        now = self._monotonic()
        if self._items is not None and now - self._looked_at < LOOK:
            return
        self._looked_at = now
        items = self._visible()
        if items != self._items:
            self._items = items
            await self._engine.fill(items)

    async def stop(self) -> None:
        """End the process of the functions."""
        await self._engine.stop()


def _room(path: RoomPath, origin: Origin) -> Behaviour:
    """Return the behaviour of a path of the room, as the stack of the gate has it."""
    shared = path.longest > 0
    accept = ("accept",) if path.by_accept else ()
    headers = (*SHARED_HEADERS, *accept) if shared else ROOM_HEADERS
    return Behaviour(
        path.pattern,
        origin,
        ROOM,
        RESPONSE if path == ENTER else "",
        key=(*path.query, *accept) if shared else (),
        min_ttl=path.shortest,
        max_ttl=path.longest,
        headers=tuple(name.lower() for name in headers),
        attempts=1 if path.target is Target.ENTRANCE and not shared else ATTEMPTS,
        reads_only=shared and path != ENTER,
    )
