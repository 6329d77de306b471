# SPDX-License-Identifier: Apache-2.0
"""Builds the writer of the gate's store on first use. It has no counters, so it needs no VPC."""

from __future__ import annotations

import os
import time
from functools import cache

from waiting_room.adapters.aws import client
from waiting_room.adapters.dynamodb.events import DynamoEvents
from waiting_room.adapters.dynamodb.serving_log import DynamoServingLog
from waiting_room.adapters.edge_store import CloudFrontStore
from waiting_room.runtime.gate_keys import gate_keys
from waiting_room.runtime.settings.environment import text
from waiting_room.runtime.settings.room import read_room_settings
from waiting_room.use_cases.gate.gate_sources import GateSources
from waiting_room.use_cases.gate.store_writer import GateStoreWriter


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
    store = CloudFrontStore(client("cloudfront-keyvaluestore"), text(os.environ, "GATE_STORE_ARN"))
    return GateStoreWriter(sources, store, time.time)
