# SPDX-License-Identifier: Apache-2.0
"""Each port as its twin in memory and as its real stores; one suite holds them together."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any

import pytest

from tests.contract.fed_counters import fed_counters
from tests.support import servers
from tests.support.fakes.audit import MemoryAuditLog, MemoryHistory
from tests.support.fakes.counters import MemoryCounters
from tests.support.fakes.events import MemoryEvents
from tests.support.fakes.outcomes import MemoryOutcomes
from tests.support.fakes.positions import MemoryPositions
from tests.support.fakes.serving_log import MemoryServingLog
from waiting_room.adapters.dynamodb.audit_log import DynamoAuditLog
from waiting_room.adapters.dynamodb.events import DynamoEvents
from waiting_room.adapters.dynamodb.history import DynamoHistory
from waiting_room.adapters.dynamodb.outcomes import DynamoOutcomes
from waiting_room.adapters.dynamodb.positions import DynamoPositions
from waiting_room.adapters.dynamodb.serving_log import DynamoServingLog
from waiting_room.adapters.dynamodb.straight_through import DynamoStraightThrough
from waiting_room.adapters.redis.counters import RedisCounters
from waiting_room.domain.ports.audit import AuditLog
from waiting_room.domain.ports.counters import Counters
from waiting_room.domain.ports.events import EventDocuments
from waiting_room.domain.ports.history import History
from waiting_room.domain.ports.outcomes import Outcomes
from waiting_room.domain.ports.positions import Positions
from waiting_room.domain.ports.serving_log import ServingLog
from waiting_room.domain.ports.straight_through import StraightThrough


@dataclass(frozen=True)
class Tables:
    """The stores that stand on tables."""

    positions: Positions
    outcomes: Outcomes
    log: ServingLog
    events: EventDocuments
    audit: AuditLog
    history: History
    straight: StraightThrough


@pytest.fixture
def event_id() -> str:
    """An event that no other test uses."""
    return f"Event-{uuid.uuid4().hex[:8]}"


@pytest.fixture(params=["memory", "valkey"])
def counters(request: pytest.FixtureRequest) -> Counters:
    """The counters, without any event."""
    if request.param == "memory":
        return MemoryCounters()
    if request.param == "valkey":
        return RedisCounters(request.getfixturevalue("valkey").client())
    stored: Counters = request.getfixturevalue(f"{request.param}_counters")
    return stored


@pytest.fixture(scope="session")
def moto_counters(moto_url: str) -> Counters:
    """The counters in tables of moto."""
    return fed_counters(moto_url)


@pytest.fixture(scope="session")
def dynamodb_local_counters(dynamodb_local_url: str) -> Counters:
    """The counters in tables of DynamoDB Local."""
    return fed_counters(dynamodb_local_url)


@pytest.fixture(scope="session")
def moto_tables(moto_url: str) -> Tables:
    """The stores on moto."""
    return on_server(moto_url)


@pytest.fixture(scope="session")
def dynamodb_local_tables(dynamodb_local_url: str) -> Tables:
    """The stores on DynamoDB Local."""
    return on_server(dynamodb_local_url)


@pytest.fixture(params=["memory", "moto", "dynamodb_local"])
def tables(request: pytest.FixtureRequest) -> Tables:
    """The stores on each kind of table."""
    if request.param == "memory":
        log, events = MemoryServingLog(), MemoryEvents()
        audit = MemoryAuditLog(events, log)
        return Tables(
            MemoryPositions(log), MemoryOutcomes(), log, events, audit, MemoryHistory(), log
        )
    tables: Tables = request.getfixturevalue(f"{request.param}_tables")
    return tables


def on_server(url: str) -> Tables:
    """Make the tables on a server; answers the stores."""
    client: Any = servers.aws_client("dynamodb", url)
    single: Any = servers.aws_client("dynamodb", url, attempts=1)
    names = servers.create_tables(client, f"wr-{uuid.uuid4().hex[:8]}")
    positions, tokens, log = (
        names[key] for key in ("QUEUE_POSITIONS_TABLE", "TOKENS_TABLE", "SERVING_LOG_TABLE")
    )
    return Tables(
        DynamoPositions(client, positions, log),
        DynamoOutcomes(client, tokens),
        DynamoServingLog(client, single, log),
        DynamoEvents(client, names["EVENTS_TABLE"]),
        DynamoAuditLog(client, names["EVENTS_TABLE"], log),
        DynamoHistory(client, names["EVENTS_TABLE"]),
        DynamoStraightThrough(client, single, log),
    )
