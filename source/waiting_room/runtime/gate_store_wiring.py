# SPDX-License-Identifier: Apache-2.0
"""Builds the writer of the gate's store and the watchdog on first use.

They have no counters, so they need no VPC. The client of the store is built when it is used: the
library that signs its calls is large, and most runs of the watchdog make none.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from functools import cache

from waiting_room.adapters.aws import client
from waiting_room.adapters.cached_secret import CachedSecret
from waiting_room.adapters.dynamodb.events import DynamoEvents
from waiting_room.adapters.dynamodb.serving_log import DynamoServingLog
from waiting_room.adapters.edge_store import CloudFrontStore
from waiting_room.adapters.http.room_probes import HttpRoomProbes
from waiting_room.adapters.metric_line import emit_total
from waiting_room.runtime.gate_keys import gate_keys
from waiting_room.runtime.settings.environment import address, stack_name, text
from waiting_room.runtime.settings.room import read_room_settings
from waiting_room.use_cases.gate.gate_sources import GateSources
from waiting_room.use_cases.gate.room_watch import RoomWatch, WatchedEvents
from waiting_room.use_cases.gate.store_writer import GateStoreWriter

KEY_CACHE = 300  # s for which the watchdog uses its copy of the API key


@cache
def store_writer() -> GateStoreWriter:
    """Return the writer of this function."""
    chosen = read_room_settings(os.environ)
    dynamodb = client("dynamodb")
    documents = DynamoEvents(dynamodb, chosen.events_table)
    log = DynamoServingLog(dynamodb, dynamodb, chosen.serving_log_table)
    sources = GateSources(
        documents, lambda: documents.registry(consistent=True), log, gate_keys(chosen)
    )
    return GateStoreWriter(sources, _store(), time.time)


@cache
def room_watch() -> RoomWatch:
    """Return the watchdog of this function."""
    env = os.environ
    stack = stack_name(env)
    documents = DynamoEvents(client("dynamodb"), text(env, "EVENTS_TABLE"))
    key = CachedSecret(
        client("secretsmanager"), text(env, "GATE_API_KEY_SECRET"), str, time.monotonic, KEY_CACHE
    )
    probes = HttpRoomProbes(
        address(env, "WATCHED_PUBLIC_API"), address(env, "WATCHED_ENTRANCE"), key.load
    )
    return RoomWatch(
        WatchedEvents(documents, time.time),
        probes,
        _LateStore(),
        time.time,
        time.sleep,
        lambda count: emit_total("GateOpened", count, time.time(), stack),
    )


@cache
def _store() -> CloudFrontStore:
    return CloudFrontStore(client("cloudfront-keyvaluestore"), text(os.environ, "GATE_STORE_ARN"))


class _LateStore:
    """The EdgeStore port; its client is built with the first call."""

    def version(self) -> str:
        return _store().version()

    def items(self) -> dict[str, str]:
        return _store().items()

    def update(self, puts: Mapping[str, str], deletes: Sequence[str], version: str) -> str:
        return _store().update(puts, deletes, version)
