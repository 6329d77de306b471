# SPDX-License-Identifier: Apache-2.0
"""The room: its stores, its use cases, and how they are put together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, cast

from waiting_room.domain.room_settings import CountersStore, RoomSettings
from waiting_room.domain.signing_keys import new_jwk
from waiting_room.use_cases.audit_recorder import AuditRecorder
from waiting_room.use_cases.event_metrics import EventMetrics
from waiting_room.use_cases.event_publishing import EventPublisher
from waiting_room.use_cases.event_state import EventStates
from waiting_room.use_cases.events.directory import EventDirectory
from waiting_room.use_cases.generation_cache import GenerationCache
from waiting_room.use_cases.key_rotation import KeyDelays, SigningKeys
from waiting_room.use_cases.position_lookup import PositionLookup
from waiting_room.use_cases.token_issuing import TokenIssuer
from waiting_room.use_cases.visitor_sessions import VisitorSessions

if TYPE_CHECKING:
    from waiting_room.domain.ports.admission import AdmissionStates, Alarms
    from waiting_room.domain.ports.audit import AuditLog
    from waiting_room.domain.ports.clock import Clock
    from waiting_room.domain.ports.counters import RebuildableCounters, TableCounterStore
    from waiting_room.domain.ports.event_bus import EventBus
    from waiting_room.domain.ports.events import EventDocuments as EventStore
    from waiting_room.domain.ports.gate_keys import GateKeyStore
    from waiting_room.domain.ports.history import History
    from waiting_room.domain.ports.outcomes import Outcomes
    from waiting_room.domain.ports.positions import Positions
    from waiting_room.domain.ports.serving_log import ServingLog
    from waiting_room.domain.ports.signing_keys import KeyStore, PublicKeys
    from waiting_room.domain.ports.straight_through import StraightThrough
    from waiting_room.use_cases.counters.room_counters import RoomCounters
    from waiting_room.use_cases.event_control import EventControl
    from waiting_room.use_cases.workers import Workers


@dataclass(frozen=True, eq=False, repr=False)
class Stores:
    """Adapters of a room."""

    counters: RebuildableCounters | TableCounterStore
    positions: Positions
    outcomes: Outcomes
    log: ServingLog
    keys: KeyStore
    public_keys: PublicKeys
    event_bus: EventBus
    documents: EventStore
    admission: AdmissionStates
    alarms: Alarms
    audit: AuditLog
    history: History
    straight_through: StraightThrough
    gate_keys: GateKeyStore


@dataclass(frozen=True, eq=False, repr=False)
class Room:
    """The use cases. One instance serves all invocations of a warm function."""

    positions: PositionLookup
    tokens: TokenIssuer
    metrics: EventMetrics
    sessions: VisitorSessions
    keys: SigningKeys
    publisher: EventPublisher
    directory: EventDirectory
    recorder: AuditRecorder
    counters: RoomCounters
    build_control: Callable[[], EventControl]
    build_workers: Callable[[], Workers]

    @cached_property
    def control(self) -> EventControl:
        """The use cases of operators, imported and built on first use."""
        return self.build_control()

    @cached_property
    def workers(self) -> Workers:
        """The use cases of the workers, imported and built on first use."""
        return self.build_workers()


def build_room(
    settings: RoomSettings,
    stores: Stores,
    clock: Clock,
    pause: Callable[[float], None] = lambda _: None,
) -> Room:
    """Create the use cases; only ``RoomCounters`` gets the store of the counters."""
    positions, outcomes, log = stores.positions, stores.outcomes, stores.log
    counters = _room_counters(settings, stores, clock, pause)
    events = EventDirectory(settings, stores.documents, clock)
    states = EventStates(log, counters, clock, pause)
    generations = GenerationCache()
    publisher = EventPublisher(settings, stores.event_bus, counters)
    delays = KeyDelays(settings.key_activation_delay, settings.public_key_max_age)
    keys = SigningKeys(settings, stores.keys, stores.public_keys, clock, delays, new_jwk)
    recorder = AuditRecorder(stores.audit, clock)
    lookup = PositionLookup(events, positions, counters, generations, clock)

    def control() -> EventControl:
        from waiting_room.use_cases.event_control import EventControl

        return EventControl(events, log, counters, states, generations, publisher, recorder, clock)

    def workers() -> Workers:
        from waiting_room.use_cases.workers import build_workers

        return build_workers(
            settings,
            stores,
            events,
            counters,
            states,
            publisher,
            keys,
            control(),
            clock,
            pause,
        )

    return Room(
        positions=lookup,
        tokens=TokenIssuer(settings, events, lookup, outcomes, counters, keys, clock),
        metrics=EventMetrics(events, counters, publisher, clock),
        sessions=VisitorSessions(
            events, positions, outcomes, log, counters, lookup, recorder, generations, clock
        ),
        keys=keys,
        publisher=publisher,
        directory=events,
        recorder=recorder,
        counters=counters,
        build_control=control,
        build_workers=workers,
    )


def _room_counters(
    settings: RoomSettings, stores: Stores, clock: Clock, pause: Callable[[float], None]
) -> RoomCounters:
    """Return the counters; those of a store that can lose them are rebuilt from the tables."""
    if settings.counters_store is CountersStore.DYNAMODB:
        from waiting_room.use_cases.counters.table_counters import TableCounters

        return TableCounters(cast("TableCounterStore", stores.counters), stores.log)
    from waiting_room.use_cases.counter_recovery import RecoveringCounters

    copy = cast("RebuildableCounters", stores.counters)
    return RecoveringCounters(copy, stores.log, stores.outcomes, clock, pause)
