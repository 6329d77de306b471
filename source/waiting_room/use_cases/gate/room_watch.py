# SPDX-License-Identifier: Apache-2.0
"""Watchdog of the room: open the gate of an event for a limited time while the room has a fault."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING

from waiting_room.domain.errors import Unavailable
from waiting_room.domain.gate.opening import OPEN_FOR, openable, opened, opening_changes
from waiting_room.domain.gate.store_plan import plan_updates
from waiting_room.domain.gate.watchdog import (
    STEP,
    Probe,
    Reading,
    Verdict,
    WatchFailed,
    verdict,
)
from waiting_room.domain.retry import TooManyConflicts, retry_on_conflict

if TYPE_CHECKING:
    from waiting_room.domain.events.registry import RegistryEntry
    from waiting_room.domain.ports.clock import Clock
    from waiting_room.domain.ports.edge_store import EdgeStore
    from waiting_room.domain.ports.events import EventDocuments
    from waiting_room.domain.ports.room_probes import RoomProbes

PAGE = 100  # documents in one read
MAX_WATCHED = 100  # events that one run can probe in time

logger = logging.getLogger("waiting_room")


class WatchedEvents:
    """Events that the watchdog may open. A warm function reads a changed document only."""

    def __init__(self, documents: EventDocuments, clock: Clock) -> None:
        self._documents, self._clock = documents, clock
        self._registry: Mapping[str, RegistryEntry] | None = None
        self._chosen: dict[str, tuple[int, bool]] = {}  # version and choice of each document

    def openable(self) -> list[str] | None:
        """Return the events in the order of their ids, by the last copy if there is no response.

        None without any copy.
        """
        try:
            self._read()
        except Unavailable as error:
            logger.warning("the events were not read: %s", error)
        if self._registry is None:
            return None
        now = self._clock()
        return sorted(
            event_id
            for event_id, entry in self._registry.items()
            if self._chosen.get(event_id, (0, False))[1] and entry.phase(now).serves
        )

    def _read(self) -> None:
        registry = self._documents.registry()
        gated = {one: entry.version for one, entry in registry.items() if entry.gated}
        stale = [one for one, version in gated.items() if self._version(one) != version]
        found = {one: self._chosen[one] for one in gated if one not in stale}
        for start in range(0, len(stale), PAGE):
            for stored in self._documents.read_many(stale[start : start + PAGE]):
                is_open = stored.document["session"]["when_unreachable"] == "open"
                found[stored.event_id] = stored.version, is_open
        self._registry, self._chosen = registry, found

    def _version(self, event_id: str) -> int | None:
        return self._chosen[event_id][0] if event_id in self._chosen else None


class RoomWatch:
    """The watchdog. One instance serves all invocations of a warm function, once a minute.

    A run needs nothing of an earlier one. Each call of the store costs money: a run makes one while
    an event is lost, and when openings may be left from before: after a fault, or in a new
    environment. ``report`` gets the number of events that are open, unless it is 0.
    """

    def __init__(
        self,
        events: WatchedEvents,
        probes: RoomProbes,
        store: EdgeStore,
        clock: Clock,
        pause: Callable[[float], None],
        report: Callable[[int], None],
    ) -> None:
        self._events, self._probes, self._store = events, probes, store
        self._clock, self._pause, self._report = clock, pause, report
        self._knows_store = False  # no opening is left in the store

    def run(self) -> dict[str, int]:
        """Probe the room, then open and close; return the events that are open with their ends.

        Raises Unavailable and TooManyConflicts of the store, and WatchFailed.
        """
        events = self._events.openable()
        if events is None:
            events = openable(self._store.items(), self._clock())
        if not events:
            return {}
        watched = events[:MAX_WATCHED]
        lost, refused, had_fault = self._watch(watched)
        self._knows_store &= not had_fault
        found: dict[str, int] = {}
        if not self._knows_store:
            found = self._write(lost)
            self._knows_store = not lost
        if found:
            self._report(len(found))
        _raise_unwatched(events, watched, refused)
        return found

    def _watch(self, watched: Sequence[str]) -> tuple[list[str], list[str], bool]:
        """Probe until there is a verdict about each event.

        Return the events that are lost, those whose probes were refused, and whether there was any
        fault.
        """
        probes: dict[str, list[Probe]] = {event_id: [] for event_id in watched}
        refused: list[str] = []
        undecided, began, rounds = list(watched), self._clock(), 0
        while undecided:
            readings = self._probes(undecided)
            at = self._clock()
            for event_id in undecided:
                probes[event_id].append(Probe(at, readings[event_id]))
                if readings[event_id] is Reading.REFUSED:
                    refused.append(event_id)
            undecided = [one for one in undecided if verdict(probes[one]) is Verdict.UNDECIDED]
            rounds += 1
            if undecided:
                self._pause(max(0.0, began + rounds * STEP - self._clock()))
        lost = [one for one in watched if verdict(probes[one]) is Verdict.LOST]
        had_fault = any(one.reading is Reading.FAULT for each in probes.values() for one in each)
        return lost, refused, had_fault

    def _write(self, lost: Collection[str]) -> dict[str, int]:
        """Open the lost events and close all others; return those that are open.

        The first read is enough if nothing is to be written, for example while an opening lasts.
        """
        items, now = self._store.items(), int(self._clock())
        if not opening_changes(items, lost, now):
            return opened(items, now)
        for attempt in retry_on_conflict(self._clock):
            version, items = self._store.version(), self._store.items()
            with attempt:
                now = int(self._clock())
                changes = opening_changes(items, lost, now)
                wanted = {**items, **changes}
                for update in plan_updates(items, wanted):
                    version = self._store.update(update.puts, update.deletes, version)
                _log(opened(items, now), opened(wanted, now))
                return opened(wanted, now)
        raise TooManyConflicts  # by retry_on_conflict, after the last attempt


def _log(before: Mapping[str, int], after: Mapping[str, int]) -> None:
    if renewed := [one for one, until in after.items() if before.get(one) != until]:
        logger.error("the room does not respond: the gate is open for %d s for the events %s",
                     OPEN_FOR, _listed(renewed))  # fmt: skip
    if ended := [one for one in before if one not in after]:
        logger.warning("the gate is closed again for the events %s", _listed(ended))


def _listed(event_ids: Sequence[str]) -> str:
    return ", ".join(event_ids)


def _raise_unwatched(events: Sequence[str], watched: Sequence[str], refused: Sequence[str]) -> None:
    """Raise WatchFailed, and with it the alarm, if an event has no watchdog."""
    reasons = []
    if len(watched) < len(events):
        reasons.append(
            f"{len(events)} events have when_unreachable: open, and the watchdog probes at most"
            f" {MAX_WATCHED}: set closed for the others"
        )
    if refused:
        reasons.append(
            "the room rejects the requests of the watchdog: see the statuses in the lines above"
        )
    if reasons:
        # The error log of the function hides the text of an error.
        sentences = ". ".join(reasons)
        logger.error("no watchdog: %s", sentences)
        raise WatchFailed(sentences)
