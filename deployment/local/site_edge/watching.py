# SPDX-License-Identifier: Apache-2.0
"""The watchdog of the shop's events: it asks the room behind the local edge, each minute."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from typing import Any

from deployment.local.site_edge.distribution import Origin
from deployment.local.site_edge.function_events import ViewerRequest
from infrastructure.blueprint.gate_paths import Target
from waiting_room.adapters.http.room_probes import Fetch, HttpRoomProbes
from waiting_room.domain.ports.edge_store import EdgeStore
from waiting_room.domain.ports.events import EventDocuments
from waiting_room.use_cases.gate.room_watch import RoomWatch, WatchedEvents

logger = logging.getLogger(__name__)


def fetch_from(origins: Mapping[Target, Origin]) -> Fetch:
    """Return requests to the origins of the local edge; the address of an API is its target."""

    async def fetch(api: str, target: str, headers: Mapping[str, str]) -> tuple[int, bytes]:
        path, _, query = target.partition("?")
        sent = tuple(pair for pair in headers.items() if pair[0] != "x-api-key")  # the origin's
        request = ViewerRequest("GET", path, query, sent, (), b"", "127.0.0.1")
        reply = await origins[Target(api)](request)
        return reply.status, reply.body

    return fetch


class Watching:
    """The function ``watch_room`` on this machine: ``handle`` is called by a schedule."""

    def __init__(
        self, documents: EventDocuments, store: EdgeStore, origins: Mapping[Target, Origin]
    ) -> None:
        probes = HttpRoomProbes(Target.PUBLIC, Target.ENTRANCE, lambda: "", fetch_from(origins))
        events = WatchedEvents(documents, time.time)
        self._watch = RoomWatch(events, probes, store, time.time, time.sleep, _report)

    def handle(self, _event: dict[str, Any], _context: Any) -> None:
        """Watch for one minute, or until there is a verdict."""
        self._watch.run()


def _report(count: int) -> None:
    logger.warning("GateOpened: the watchdog has opened the gate of %d events", count)
