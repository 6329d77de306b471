# SPDX-License-Identifier: Apache-2.0
"""The store of the shop's edge, and the writer that runs again and again instead of by a stream."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping

from deployment.local.edge_store import LocalEdgeStore
from waiting_room.domain.retry import TooManyConflicts
from waiting_room.runtime.safe_traceback import safe_traceback
from waiting_room.use_cases.gate.gate_sources import GateSources
from waiting_room.use_cases.gate.store_writer import GateStoreWriter

STEP = 1.0  # s between two runs of the writer

logger = logging.getLogger(__name__)


class StoreWriting:
    """Writes the gated events to a store with a delay of ``delay`` seconds.

    The edge sees the first content at once, as if the store was created with it. Before the first
    event is gated there is no content, so the gate is closed.
    """

    def __init__(self, sources: GateSources, delay: float) -> None:
        self._sources, self._created = sources, False
        self.store = LocalEdgeStore(lambda: time.time() if self._created else 0.0, delay)
        self._writer = GateStoreWriter(sources, self.store, time.time)

    def seen(self) -> Mapping[str, str]:
        """Return the items as the edge sees them now."""
        return self.store.seen()

    def step(self) -> None:
        """Write what differs. Raises what the stores raise."""
        if self._created or self._sources.all():
            self._writer.run()
            self._created = True

    def run(self, stop: threading.Event) -> None:
        """Write again and again until ``stop`` is set."""
        while not stop.wait(STEP):
            try:
                self.step()
            except TooManyConflicts:
                logger.warning("the store of the shop's edge was not written")
            except Exception as error:
                logger.error("the store of the shop's edge was not written: %s",
                             safe_traceback(error))  # fmt: skip
