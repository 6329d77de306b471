# SPDX-License-Identifier: Apache-2.0
"""A room on real servers, in this process, with every request counted."""

from __future__ import annotations

import time
import uuid
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field
from importlib import resources
from typing import Any
from unittest import mock

import redis

from tests.support import servers
from tests.support.fakes.admission import MemoryAlarms
from tests.support.fakes.event_bus import MemoryEventBus
from tests.support.fakes.gate_keys import MemoryGateKeys
from tests.support.fakes.keys import MemoryKeys
from tests.support.faults import FaultInjector
from tests.support.in_memory_room import in_use, one_key, settings
from waiting_room.adapters.dynamodb.admission import DynamoAdmissionStates
from waiting_room.adapters.dynamodb.audit_log import DynamoAuditLog
from waiting_room.adapters.dynamodb.counters import DynamoCounters
from waiting_room.adapters.dynamodb.events import DynamoEvents
from waiting_room.adapters.dynamodb.history import DynamoHistory
from waiting_room.adapters.dynamodb.outcome_counts import CountRows
from waiting_room.adapters.dynamodb.outcomes import DynamoOutcomes
from waiting_room.adapters.dynamodb.positions import DynamoPositions
from waiting_room.adapters.dynamodb.public_keys import DynamoPublicKeys
from waiting_room.adapters.dynamodb.serving_log import DynamoServingLog
from waiting_room.adapters.dynamodb.straight_through import DynamoStraightThrough
from waiting_room.adapters.page_html import clean_html
from waiting_room.adapters.redis import counters
from waiting_room.adapters.redis.counters import RedisCounters, connect
from waiting_room.domain.gate.root_keys import RootKeys
from waiting_room.domain.records import Join, Outcome
from waiting_room.domain.room_settings import KEY_CACHE, CountersStore, RoomSettings
from waiting_room.use_cases.events import directory
from waiting_room.use_cases.events.event_documents import EventDocuments, build_event_documents
from waiting_room.use_cases.events.event_records import EventRecords, build_event_records
from waiting_room.use_cases.room import Room, Stores, build_room


def kept_registry() -> AbstractContextManager[object]:
    """Let no copy of the registry age while the context lasts."""
    return mock.patch.object(directory, "REGISTRY_CACHE", 86_400.0)


@dataclass
class RealRoom:
    """Rooms on one Valkey and one table server; ``requests`` counts by kind.

    With the options IN_TABLES the counters are in the tables, and there is no Valkey.
    """

    dynamodb_url: str
    valkey: Any  # servers.Valkey; None with IN_TABLES
    options: dict[str, Any] = field(default_factory=dict)
    clock: Callable[[], float] = time.time
    requests: Counter[str] = field(default_factory=Counter)

    names: dict[str, str] = field(default_factory=dict)
    event_id: str = field(default_factory=lambda: f"Event-{uuid.uuid4().hex[:8]}")

    def __post_init__(self) -> None:
        self.dynamodb = self._client(attempts=3)
        self.single = self._client(attempts=1)
        if not self.names:
            self.names = servers.create_tables(self.dynamodb, f"wr-{uuid.uuid4().hex[:8]}")
        self.keys = FaultInjector(MemoryKeys(one_key()))
        self.gate_keys = FaultInjector(MemoryGateKeys(RootKeys(), self.clock))
        self.events = FaultInjector(MemoryEventBus())
        self._publish()
        self.requests.clear()
        self.room = self.new_room()

    def _publish(self) -> None:
        """Publish the key of this run, as a set-up would."""
        published = self.public_keys()
        if not (stands := published.refresh()).keys:
            published.save(in_use(self.keys.load()), stands)

    def _client(self, attempts: int) -> Any:
        client = servers.aws_client("dynamodb", self.dynamodb_url, attempts)

        def count(request: Any, **_: Any) -> None:
            target = request.headers["X-Amz-Target"].decode().split(".")[1]
            self.requests["dynamodb"] += 1
            self.requests[target] += 1

        client.meta.events.register("before-send.dynamodb.*", count)
        return client

    @property
    def in_tables(self) -> bool:
        """Return whether the counters are in the tables."""
        return self.settings.counters_store is CountersStore.DYNAMODB

    def counters(self) -> Any:
        """Counters with a connection of their own, as a process has."""
        if self.in_tables:
            log = DynamoServingLog(self.dynamodb, self.single, self.names["SERVING_LOG_TABLE"])
            return DynamoCounters(CountRows(self.dynamodb, self.names["COUNTERS_TABLE"]), log)
        return self._redis_counters()

    def deliver(self, outcomes: Sequence[Outcome], room: Room | None = None) -> None:
        """Deliver outcomes to each reader of the stream of the tokens table, in ``room``."""
        made = room or self.new_room()
        made.publisher.publish_outcomes(outcomes)
        if self.in_tables:
            made.counters.count_delivered(outcomes)

    def _redis_counters(self) -> RedisCounters:
        """Counters in Redis.

        The server knows the scripts, as it does after the first call of any function. A server that
        is away gets them with the first call.
        """
        client = connect("127.0.0.1", self.valkey.port)
        with suppress(redis.ConnectionError, redis.TimeoutError):
            for script in (resources.files("waiting_room.adapters.redis") / "lua").iterdir():
                client.script_load(counters.source(script.name.removesuffix(".lua")))
        real: Callable[..., Any] = client.execute_command

        def count(*args: Any, **options: Any) -> Any:
            self.requests["redis"] += 1
            return real(*args, **options)

        client.execute_command = count  # type: ignore[method-assign]
        return RedisCounters(client)

    def public_keys(self, keep: float = KEY_CACHE) -> DynamoPublicKeys:
        """The published keys with a copy of their own, as a process has."""
        log = self.names["SERVING_LOG_TABLE"]
        return DynamoPublicKeys(self.dynamodb, log, time.monotonic, keep)

    def new_room(self) -> Room:
        """Another process on the same servers."""
        return build_room(self.settings, self.new_stores(), self.clock, time.sleep)

    def event_documents(self, room: Room | None = None) -> EventDocuments:
        """The use case of the event routes, in the process of ``room`` or in another one."""
        return build_event_documents(
            room or self.new_room(), self.new_stores(), self.clock, clean_html
        )

    @property
    def settings(self) -> RoomSettings:
        """The settings of each process."""
        return settings(EVENT_ID=self.event_id, **self.options)

    def new_stores(self) -> Stores:
        """Stores with connections of their own, as a process has."""
        positions, tokens, log = (
            self.names[key]
            for key in ("QUEUE_POSITIONS_TABLE", "TOKENS_TABLE", "SERVING_LOG_TABLE")
        )
        self.log = DynamoServingLog(self.dynamodb, self.single, log)
        self.positions = DynamoPositions(self.dynamodb, positions, log)
        self.outcomes = DynamoOutcomes(self.dynamodb, tokens)
        return Stores(
            self.counters(),
            self.positions,
            self.outcomes,
            self.log,
            self.keys,
            self.public_keys(self.settings.signing_key_cache),
            self.events,
            DynamoEvents(self.dynamodb, self.names["EVENTS_TABLE"]),
            DynamoAdmissionStates(self.dynamodb, self.names["EVENTS_TABLE"]),
            MemoryAlarms(),
            DynamoAuditLog(self.dynamodb, self.names["EVENTS_TABLE"], log),
            DynamoHistory(self.dynamodb, self.names["EVENTS_TABLE"]),
            DynamoStraightThrough(self.dynamodb, self.single, log),
            self.gate_keys,
        )

    def records(self) -> EventRecords:
        """The use case of audit log and history."""
        return build_event_records(self.room, self.new_stores(), self.clock)

    def joins(self, count: int) -> list[Join]:
        """Accepted joins, in order of arrival."""
        at = self.clock()
        return [
            Join(str(uuid.uuid4()), at + index / 1000, str(uuid.uuid4())) for index in range(count)
        ]

    def counted(self, call: Callable[[], Any]) -> Counter[str]:
        """Return the requests of a call by a warm function, which has a copy of the registry.

        The copy does not age meanwhile, however long a busy machine takes.
        """
        self.room.directory.refresh()
        with kept_registry():
            self.requests.clear()
            call()
            return Counter(self.requests)
