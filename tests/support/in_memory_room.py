# SPDX-License-Identifier: Apache-2.0
"""A room in memory, with a settable clock and stores that can fail."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from tests.support.fakes.admission import MemoryAdmissionStates, MemoryAlarms
from tests.support.fakes.audit import MemoryAuditLog, MemoryHistory
from tests.support.fakes.counters import MemoryCounters
from tests.support.fakes.event_bus import MemoryEventBus
from tests.support.fakes.events import MemoryEvents
from tests.support.fakes.gate_keys import MemoryGateKeys
from tests.support.fakes.join_queue import MemoryJoinQueue
from tests.support.fakes.keys import MemoryKeys, MemoryPublicKeys
from tests.support.fakes.outcomes import MemoryOutcomes
from tests.support.fakes.positions import MemoryPositions
from tests.support.fakes.serving_log import MemoryServingLog
from tests.support.fakes.table_counters import MemoryTableCounters
from tests.support.faults import FaultInjector
from waiting_room.adapters.page_html import clean_html
from waiting_room.domain.gate.root_keys import RootKeys
from waiting_room.domain.published_keys import Publication, PublishedKey
from waiting_room.domain.records import Join, Outcome
from waiting_room.domain.room_settings import CountersStore, RoomSettings
from waiting_room.domain.signing_keys import KeySet, new_jwk
from waiting_room.runtime.settings.room import read_room_settings
from waiting_room.use_cases.events.event_documents import EventDocuments, build_event_documents
from waiting_room.use_cases.events.event_records import EventRecords, build_event_records
from waiting_room.use_cases.gate.gate_sources import GateSources
from waiting_room.use_cases.room import Room, Stores, build_room

EVENT = "Sample"
START = 1_800_000_000
COMPLETE = {  # an environment that every part starts with
    "EVENT_ID": "Sample",
    "WAITING_ROOM_EVENT_ID": "Sample",
    "ISSUER": "https://room.example",
    "TOKEN_ISSUER": "https://room.example",
    "PUBLIC_API_ENDPOINT": "https://room.example/api",
    "PRIVATE_API_ENDPOINT": "https://private.example/api",
    "AWS_REGION": "eu-central-1",
    "SERVING_LOG_TABLE": "log",
    "OPENID_ISSUER": "https://openid.example",
    "WAITING_ROOM_URL": "https://wait.example",
    "OPENID_CLIENT_SECRET_ID": "secret",
    "OPENID_REDIRECT_URIS": "https://site.example/callback",
    "OPENID_CODES_TABLE": "codes",
    "SIGNING_KEYS_SECRET": "keys",
}
# Options of a room whose counters are in tables.
IN_TABLES = {"COUNTERS_STORE": "dynamodb", "COUNTERS_TABLE": "counters"}
ISSUER = "https://room.example/api"
_JWK: dict[str, str] = {}


def one_jwk() -> dict[str, str]:
    """A key made once a run: making one takes long."""
    if not _JWK:
        _JWK.update(new_jwk())
    return dict(_JWK)


def one_key() -> KeySet:
    """A secret with the key that is made once a run; it signs since ever."""
    return KeySet(()).added(one_jwk(), 0)


def in_use(keys: KeySet) -> Publication:
    """The publication of keys that sign."""
    found = tuple(PublishedKey(key.public, key.signs_from) for key in keys.keys)
    return Publication(found, version=1)


def settings(**env: Any) -> RoomSettings:
    """Settings as a deployment would give them."""
    return _read(frozenset((key, str(value)) for key, value in env.items()))


@lru_cache
def _read(env: frozenset[tuple[str, str]]) -> RoomSettings:
    """State machines start a room thousands of times, with the same few settings."""
    return read_room_settings({"EVENT_ID": EVENT, "TOKEN_ISSUER": ISSUER, **dict(env)})


@dataclass
class Clock:
    """Clock that tests move."""

    now: float = START

    def __call__(self) -> float:
        return self.now


@dataclass
class InMemoryRoom:
    """A room, its stores and its clock."""

    options: Mapping[str, Any] = field(default_factory=dict)
    clock: Clock = field(default_factory=Clock)

    def __post_init__(self) -> None:
        log = MemoryServingLog()
        self.log = FaultInjector(log)
        self.memory: Any = MemoryCounters()
        if settings(**self.options).counters_store is CountersStore.DYNAMODB:
            self.memory = MemoryTableCounters(self.log)
        self.counters = FaultInjector(self.memory)
        self.positions, self.outcomes = (
            FaultInjector(MemoryPositions(log)),
            FaultInjector(MemoryOutcomes()),
        )
        self.keys = FaultInjector(MemoryKeys(one_key()))
        self.public_keys = FaultInjector(MemoryPublicKeys(in_use(one_key())))
        self.gate_keys = FaultInjector(MemoryGateKeys(RootKeys(), self.clock))
        self.events = FaultInjector(MemoryEventBus())
        documents = MemoryEvents()
        self.documents = FaultInjector(documents)
        self.audit = FaultInjector(MemoryAuditLog(documents, log))
        self.history = FaultInjector(MemoryHistory())
        self.admission = FaultInjector(MemoryAdmissionStates())
        self.alarms, self.edge_alarms = MemoryAlarms(), MemoryAlarms()
        self.joins_queue = FaultInjector(MemoryJoinQueue())
        self.room = self.new_room()

    def new_room(self) -> Room:
        """Another process on the same stores."""
        return build_room(settings(**self.options), self.stores, self.clock, self.pause)

    @property
    def stores(self) -> Stores:
        """The stores of each process."""
        return Stores(
            self.counters, self.positions, self.outcomes, self.log, self.keys,
            self.public_keys, self.events, self.documents, self.admission, self.alarms,
            self.audit, self.history, self.log, self.gate_keys,
        )  # fmt: skip

    def deliver(self, rows: Sequence[Outcome], extended: Sequence[Outcome] = ()) -> None:
        """Deliver rows of the stream of the tokens table to each of its readers."""
        self.room.publisher.publish_outcomes(rows, extended)
        if settings(**self.options).counters_store is CountersStore.DYNAMODB:
            self.room.counters.count_delivered([*rows, *extended])

    def pause(self, seconds: float) -> None:
        """Let time pass."""
        self.clock.now += seconds

    @property
    def event_documents(self) -> EventDocuments:
        """The use case of the event routes."""
        return build_event_documents(self.room, self.stores, self.clock, clean_html)

    @property
    def gate_sources(self) -> GateSources:
        """The use case of the gate's configuration."""
        chosen = self.stores
        return GateSources(chosen.documents, self.room.directory.all, chosen.log, chosen.gate_keys)

    @property
    def event_records(self) -> EventRecords:
        """The use case of audit log and history."""
        return build_event_records(self.room, self.stores, self.clock)

    @property
    def published(self) -> list[tuple[str, Mapping[str, object]]]:
        """Return the events on the bus."""
        found: list[tuple[str, Mapping[str, object]]] = self.events.store.published
        return found

    def join(self, sent_at: float | None = None, secret_hash: str = "") -> Join:
        """An accepted join that waits in the queue."""
        at = self.clock.now if sent_at is None else sent_at
        return Join(str(uuid.uuid4()), at, str(uuid.uuid4()), secret_hash)

    def visitors(self, count: int) -> list[str]:
        """Add visitors with the next positions; return their request ids."""
        joins = [self.join(self.clock.now + index / 1000) for index in range(count)]
        self.clock.now += 1
        assert not self.room.workers.assignment.assign(EVENT, joins).retry
        return [join.request_id for join in joins]

    def position(self, request_id: str) -> int:
        """Return the position of a visitor."""
        return self.new_room().positions.queue_number(EVENT, request_id).position

    def serve(self, by: int) -> int:
        """Raise the serving counter."""
        return self.room.control.increment(EVENT, by)

    def token(self, request_id: str, **options: Any) -> dict[str, Any]:
        """The visitor's token set."""
        return self.room.tokens.issue(EVENT, request_id, **options)

    def waiting(self) -> int:
        """The waiting number."""
        return self.room.metrics.counts(EVENT).waiting

    def minute(self, seconds: int = 60) -> None:
        """Let a minute pass and the minute workers run."""
        self.clock.now += seconds
        self.room.workers.reconciliation.run(EVENT)
        self.room.workers.expiry_sweep.run(EVENT)


def outcome_of(call: Callable[[], Any]) -> str:
    """Return the name of the error that a call raises, or "ok"."""
    try:
        call()
    except Exception as error:
        return type(error).__name__
    return "ok"
