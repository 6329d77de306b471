# SPDX-License-Identifier: Apache-2.0
"""Entrance of the sites behind a gate: lead a visitor into the queue or straight through."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from waiting_room.domain.errors import Unavailable, UnknownEvent
from waiting_room.domain.events.document import StoredEvent, is_gated
from waiting_room.domain.events.phase import phase_of
from waiting_room.domain.gate.straight_through import (
    LINE_INTERVAL,
    allows_straight_through,
    has_headroom,
    needs_line,
)
from waiting_room.domain.limits import EVENT_ID
from waiting_room.domain.records import EventState, Position
from waiting_room.use_cases.gate.refill import HeadroomRefill, Refill

if TYPE_CHECKING:
    from waiting_room.domain.gate.credentials import GateSession
    from waiting_room.domain.ports.admission import AdmissionStates
    from waiting_room.domain.ports.clock import Clock
    from waiting_room.domain.ports.events import EventDocuments
    from waiting_room.domain.ports.gate_keys import GateKeySource
    from waiting_room.domain.ports.positions import Positions
    from waiting_room.domain.ports.serving_log import ServingLog
    from waiting_room.domain.ports.straight_through import StraightThrough
    from waiting_room.use_cases.gate.session_issuing import SessionIssuer

DOCUMENT_CACHE = 1.0  # s for which a warm function uses its copy of a document
MAX_DOCUMENTS = 1_000  # documents that a function keeps
STATE_CACHE = 1.0  # s for which it uses its copy of a state row
PAUSE, WAITS = 0.1, 5  # s between reads, and reads, while another caller makes a refill
TRIES = 5  # attempts to take a position; each learns the current state
RETRY_AFTER, MAX_RETRY_AFTER = 10, 600  # s after which a client that has to wait asks again


class Way(StrEnum):
    """Decision of the entrance."""

    GO = "go"
    WAIT = "wait"


@dataclass(frozen=True, slots=True)
class Entry:
    """The decision for visitors who arrive now; ``retry_after`` is in seconds."""

    way: Way
    retry_after: int = RETRY_AFTER


@dataclass(frozen=True, eq=False, repr=False)
class EntranceStores:
    """Stores with which the entrance gives positions."""

    log: ServingLog
    straight_through: StraightThrough
    positions: Positions
    admission: AdmissionStates


class GatedEvents:
    """Documents of the events that are behind a gate, at most DOCUMENT_CACHE seconds old."""

    def __init__(self, documents: EventDocuments, clock: Clock) -> None:
        self._documents, self._clock = documents, clock
        self._copies: dict[str, tuple[float, StoredEvent | None]] = {}

    def get(self, event_id: str) -> StoredEvent:
        """Return the document of an event; raises UnknownEvent unless it is behind a gate."""
        began = self._clock()
        read_at, found = self._copies.get(event_id, (0.0, None))
        if not 0 <= began - read_at < DOCUMENT_CACHE:
            found = self._documents.read(event_id) if EVENT_ID.fullmatch(event_id) else None
            if len(self._copies) >= MAX_DOCUMENTS:
                self._copies.clear()
            self._copies[event_id] = began, found
        if found is None or not is_gated(found.document):
            raise UnknownEvent("no event behind a gate has this id")
        return found


class Entrance:
    """The entrance. One instance serves all invocations of a warm function.

    ``new_id`` returns a request id.
    """

    def __init__(
        self,
        events: GatedEvents,
        keys: GateKeySource,
        stores: EntranceStores,
        sessions: SessionIssuer,
        clock: Clock,
        new_id: Callable[[], str],
        pause: Callable[[float], None],
    ) -> None:
        self.events, self.keys, self.clock = events, keys, clock
        self._stores, self._sessions, self._new_id = stores, sessions, new_id
        self._refill = HeadroomRefill(stores.admission, stores.log, clock)
        self._pause = pause
        self._copies: dict[str, tuple[float, EventState]] = {}

    def enter(self, event_id: str, *, counts: bool = True) -> Entry:
        """Return the decision for visitors who arrive now; raises UnknownEvent.

        A visitor who has to wait stops later ones from going straight through, unless the request
        ``counts`` for no visitor.
        """
        event = self.events.get(event_id)
        if allows_straight_through(event.document, self.clock()):
            state = self._state(event_id)
            if has_headroom(state) or self._refill.is_possible(event, state):
                return Entry(Way.GO)
        return self._wait(event) if counts else Entry(Way.WAIT)

    def go(self, event_id: str) -> GateSession | Entry:
        """Give a visitor a position, a token and a session, if no visitor waits.

        Otherwise return the decision to wait. Raises UnknownEvent, and Unavailable when a write
        got no response. The position then stays unused, or its session ends by itself.
        """
        event = self.events.get(event_id)
        if not allows_straight_through(event.document, self.clock()):
            return self._wait(event)
        state = self._take(event)
        if state is None:
            return self._wait(event)
        row = Position(event_id, state.generation, self._new_id(), state.queue, int(self.clock()))
        if self._stores.positions.insert([row])[row.request_id] != row:
            raise Unavailable("the row of a position was not written")
        return self._sessions.issue(row, event.document)

    def _take(self, event: StoredEvent) -> EventState | None:
        """Take the next position; return the state with it, or None if visitors have to wait.

        The copy of the state saves a refused write while it is certain that visitors wait.
        """
        state, refilled = self._state(event.event_id), False
        for _ in range(TRIES):
            if state.line or state.shut:
                return None
            if state.queue >= state.serving:
                result = Refill.NONE if refilled else self._refill.run(event, state)
                refilled = True
                if result is Refill.NONE:
                    return None
                if result is Refill.BUSY:
                    state = self._wait_for_refill(state)
                    continue
            taking = self._stores.straight_through.take(state)
            self._keep(taking.state)
            if taking.position:
                self._refill.run_early(event, taking.state)
                return taking.state
            state = taking.state
        return None

    def _wait_for_refill(self, state: EventState) -> EventState:
        """Return the state once the refill of another caller is in it, or after WAITS pauses.

        Otherwise visitors who arrive together would set ``line``, which stops the refill.
        """
        for _ in range(WAITS):
            self._pause(PAUSE)
            state = self._keep(self._stores.log.read(state.event_id))
            if state.queue < state.serving or state.line or state.shut:
                break
        return state

    def _wait(self, event: StoredEvent) -> Entry:
        """Return the decision to wait; set ``line``, at most once in LINE_INTERVAL seconds.

        In a phase without joins no visitor waits.
        """
        now = int(self.clock())
        opens_at = event.document["schedule"]["opens_at"] or 0
        if phase_of(event.document, now).accepts_joins:
            state = self._state(event.event_id)
            if needs_line(state, now):
                self._stores.straight_through.set_line(
                    event.event_id, state.generation, now, LINE_INTERVAL
                )
                self._keep(replace(state, line=now))
        return Entry(Way.WAIT, min(max(RETRY_AFTER, opens_at - now), MAX_RETRY_AFTER))

    def _state(self, event_id: str) -> EventState:
        """Return the state row, at most STATE_CACHE seconds old."""
        read_at, found = self._copies.get(event_id, (0.0, None))
        if found is None or not 0 <= self.clock() - read_at < STATE_CACHE:
            found = self._keep(self._stores.log.read(event_id))
        return found

    def _keep(self, state: EventState) -> EventState:
        if len(self._copies) >= MAX_DOCUMENTS:
            self._copies.clear()
        self._copies[state.event_id] = self.clock(), state
        return state
