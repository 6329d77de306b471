# SPDX-License-Identifier: Apache-2.0
"""A room on real servers whose every call goes through injected faults."""

from __future__ import annotations

import time

from tests.support import servers
from tests.support.fakes.admission import MemoryAlarms
from tests.support.faults import Faults, FaultyClient, FaultyPort, faulty_redis, throttle
from tests.support.in_memory_room import settings
from tests.support.real_stores import RealRoom
from waiting_room.adapters.aws import AWS_ATTEMPTS
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
from waiting_room.adapters.redis.counters import RedisCounters, connect
from waiting_room.domain.room_settings import KEY_CACHE
from waiting_room.use_cases.room import Room, Stores, build_room


def faulty_room(real: RealRoom, faults: Faults) -> Room:
    """Another process on the servers of ``real``, whose every call goes through ``faults``."""
    positions, tokens, log = (
        real.names[key] for key in ("QUEUE_POSITIONS_TABLE", "TOKENS_TABLE", "SERVING_LOG_TABLE")
    )
    plain, once = real.dynamodb, real.single
    if faults.throttled:
        plain, once = (
            throttle(servers.aws_client("dynamodb", real.dynamodb_url, attempts), faults)
            for attempts in (AWS_ATTEMPTS, 1)
        )
    client, single = FaultyClient(plain, faults), FaultyClient(once, faults, repeats=False)
    serving_log = DynamoServingLog(client, single, log)
    counters: RedisCounters | DynamoCounters
    if real.in_tables:
        counters = DynamoCounters(CountRows(client, real.names["COUNTERS_TABLE"]), serving_log)
    else:
        counters = RedisCounters(faulty_redis(connect("127.0.0.1", real.valkey.port), faults))
    return build_room(
        settings(EVENT_ID=real.event_id, **real.options),
        Stores(
            counters,
            DynamoPositions(client, positions, log),
            DynamoOutcomes(client, tokens),
            serving_log,
            FaultyPort(real.keys, faults),  # type: ignore[arg-type]
            DynamoPublicKeys(client, log, time.monotonic, KEY_CACHE),
            FaultyPort(real.events, faults),  # type: ignore[arg-type]
            DynamoEvents(client, real.names["EVENTS_TABLE"]),
            DynamoAdmissionStates(client, real.names["EVENTS_TABLE"]),
            MemoryAlarms(),
            DynamoAuditLog(client, real.names["EVENTS_TABLE"], log),
            DynamoHistory(client, real.names["EVENTS_TABLE"]),
            DynamoStraightThrough(client, single, log),
            FaultyPort(real.gate_keys, faults),  # type: ignore[arg-type]
        ),
        real.clock,
        time.sleep,
    )
