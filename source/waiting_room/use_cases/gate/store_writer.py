# SPDX-License-Identifier: Apache-2.0
"""Write the rules and states of all gated events to the store of the edge."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from waiting_room.domain.gate.opening import with_openings
from waiting_room.domain.gate.store import store_items
from waiting_room.domain.gate.store_plan import plan_updates
from waiting_room.domain.retry import TooManyConflicts, retry_on_conflict

if TYPE_CHECKING:
    from waiting_room.domain.ports.clock import Clock
    from waiting_room.domain.ports.edge_store import EdgeStore
    from waiting_room.use_cases.gate.gate_sources import GateSources

logger = logging.getLogger("waiting_room")


class GateStoreWriter:
    """Makes the store equal to the events. One instance serves all invocations of a function.

    Each run compares all events with the whole store, so a lost stream record is corrected by the
    next run. A run without a change makes no call to the store, or, if it verifies, one or two. An
    opening of the watchdog stays until its end, unless its event may not be open any more.
    """

    def __init__(self, sources: GateSources, store: EdgeStore, clock: Clock) -> None:
        self._sources, self._store, self._clock = sources, store, clock
        self._version, self._stored = "", dict[str, str]()  # as known after the last run

    def run(self, *, verify: bool = False) -> int:
        """Write what differs; return the number of items written or deleted.

        ``verify`` also finds a change of the store by others, and deletes parts of rules that are
        not used any more. Raises TooManyConflicts, Unavailable.
        """
        self._sources.keys.refresh()  # the copy of a warm function can lack a new or revoked key
        wanted = store_items(self._sources.all(), self._sources.keys)
        if not verify and self._version and not plan_updates(self._stored, self._kept(wanted)):
            return 0
        for attempt in retry_on_conflict(self._clock):
            self._read()
            with attempt:
                return self._write(self._kept(wanted), sweep=verify)
        raise TooManyConflicts  # by retry_on_conflict, after the last attempt

    def _kept(self, wanted: dict[str, str]) -> dict[str, str]:
        return with_openings(self._stored, wanted, self._clock())

    def _read(self) -> None:
        """Read the store, unless it still has the version of the last run."""
        version = self._store.version()
        if version != self._version:
            self._version, self._stored = "", self._store.items()
            self._version = version

    def _write(self, wanted: dict[str, str], *, sweep: bool) -> int:
        updates = plan_updates(self._stored, wanted, sweep=sweep)
        count = 0
        for update in updates:
            version, self._version = self._version, ""  # unknown until the call returns
            self._version = self._store.update(update.puts, update.deletes, version)
            for key in update.deletes:
                del self._stored[key]
            self._stored.update(update.puts)
            count += len(update.puts) + len(update.deletes)
        if count:
            logger.info("store of the gate updated in %d calls", len(updates))
        return count
