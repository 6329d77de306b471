# SPDX-License-Identifier: Apache-2.0
"""Builds the room and its adapters from the settings, each on first use and never at import.

A Lambda function pays only for what its route touches: ``queue_num`` never imports Redis,
``serving_num`` never imports botocore.
"""

from __future__ import annotations

import os
import time
from functools import cache
from typing import TYPE_CHECKING, Any

from waiting_room.domain.room_settings import CountersStore, RoomSettings
from waiting_room.runtime.settings.room import read_room_settings
from waiting_room.use_cases.room import Room, Stores, build_room

if TYPE_CHECKING:
    from collections.abc import Callable


class LazyAdapter:
    """Placeholder for an adapter, which is built when a method is first used."""

    def __init__(self, build: Callable[[], Any]) -> None:
        self._build = build

    def __getattr__(self, name: str) -> Any:
        return getattr(build(self), name)


def build(adapter: Any) -> Any:
    """Return the real adapter of a ``LazyAdapter``; build it at the first call."""
    known = vars(adapter)
    if "_built" not in known:
        known["_built"] = known["_build"]()
    return known["_built"]


@cache
def settings() -> RoomSettings:
    """Return the settings of this function, read once from its environment."""
    return read_room_settings(os.environ)


@cache
def room() -> Room:
    """Return the room of this function."""
    return build_room(settings(), stores(settings()), time.time, time.sleep)


@cache
def stores(chosen: RoomSettings) -> Stores:
    """Return the real adapters, each built on first use."""
    return Stores(
        counters=LazyAdapter(lambda: _counters(chosen)),
        positions=LazyAdapter(lambda: _positions(chosen)),
        outcomes=LazyAdapter(lambda: _outcomes(chosen)),
        log=LazyAdapter(lambda: _serving_log(chosen)),
        keys=LazyAdapter(lambda: _keys(chosen)),
        public_keys=LazyAdapter(lambda: _public_keys(chosen)),
        event_bus=LazyAdapter(lambda: _event_bus(chosen)),
        documents=LazyAdapter(lambda: _documents(chosen)),
        admission=LazyAdapter(lambda: _admission(chosen)),
        alarms=LazyAdapter(_alarms),
        audit=LazyAdapter(lambda: _audit_log(chosen)),
        history=LazyAdapter(lambda: _history(chosen)),
        straight_through=LazyAdapter(lambda: _straight_through(chosen)),
        gate_keys=LazyAdapter(lambda: _gate_keys(chosen)),
    )


@cache
def joins_queue() -> Any:
    """Return the join queue, for its worker."""
    if settings().outbox_table:
        from waiting_room.adapters.outbox import OutboxJoinQueue

        return OutboxJoinQueue(_outbox(settings()))
    return _sqs_queue(settings())


def edge_alarms() -> Any:
    """Return the alarms of the region of CloudFront's metrics."""
    from waiting_room.adapters.aws import client
    from waiting_room.adapters.cloudwatch_alarm import CloudWatchAlarms
    from waiting_room.domain.events.alarms import EDGE_REGION

    return CloudWatchAlarms(client("cloudwatch", region=EDGE_REGION))


@cache
def outbox_sender() -> Any:
    """Return the sender of the outbox, for the worker outside the VPC."""
    from waiting_room.adapters.outbox import OutboxSender

    return OutboxSender(_eventbridge(settings()), _sqs_queue(settings()), time.time)


def _outbox(chosen: RoomSettings) -> Any:
    from waiting_room.adapters.aws import client
    from waiting_room.adapters.outbox import Outbox

    return Outbox(client("dynamodb"), chosen.outbox_table, time.time)


def _sqs_queue(chosen: RoomSettings) -> Any:
    from waiting_room.adapters.aws import client
    from waiting_room.adapters.join_queue import SqsJoinQueue

    return SqsJoinQueue(client("sqs"), chosen.joins_queue, chosen.dead_letters)


def _counters(chosen: RoomSettings) -> Any:
    if chosen.counters_store is CountersStore.DYNAMODB:
        from waiting_room.adapters.aws import client
        from waiting_room.adapters.dynamodb.counters import DynamoCounters
        from waiting_room.adapters.dynamodb.outcome_counts import CountRows

        rows = CountRows(client("dynamodb"), chosen.counters_table)
        return DynamoCounters(rows, stores(chosen).log)
    return _redis_counters(chosen)


def _redis_counters(chosen: RoomSettings) -> Any:
    from waiting_room.adapters.redis.counters import RedisCounters, connect

    password = None
    if chosen.redis_secret:
        from waiting_room.adapters.aws import client
        from waiting_room.adapters.cached_secret import secret_text

        password = lambda: secret_text(client("secretsmanager"), chosen.redis_secret)  # noqa: E731
    return RedisCounters(
        connect(chosen.redis_host, chosen.redis_port, tls=chosen.redis_tls, password=password)
    )


def _positions(chosen: RoomSettings) -> Any:
    from waiting_room.adapters.aws import client
    from waiting_room.adapters.dynamodb.positions import DynamoPositions

    return DynamoPositions(client("dynamodb"), chosen.positions_table, chosen.serving_log_table)


def _outcomes(chosen: RoomSettings) -> Any:
    from waiting_room.adapters.aws import client
    from waiting_room.adapters.dynamodb.outcomes import DynamoOutcomes

    return DynamoOutcomes(client("dynamodb"), chosen.tokens_table)


def _serving_log(chosen: RoomSettings) -> Any:
    from waiting_room.adapters.aws import client
    from waiting_room.adapters.dynamodb.serving_log import DynamoServingLog

    single = LazyAdapter(lambda: client("dynamodb", attempts=1))  # only the worker reserves
    return DynamoServingLog(client("dynamodb"), single, chosen.serving_log_table)


def _straight_through(chosen: RoomSettings) -> Any:
    from waiting_room.adapters.aws import client
    from waiting_room.adapters.dynamodb.straight_through import DynamoStraightThrough

    single = LazyAdapter(lambda: client("dynamodb", attempts=1))  # only the entrance takes
    return DynamoStraightThrough(client("dynamodb"), single, chosen.serving_log_table)


def _keys(chosen: RoomSettings) -> Any:
    from waiting_room.adapters.aws import client
    from waiting_room.adapters.secrets_manager import SecretsManagerKeys

    return SecretsManagerKeys(
        client("secretsmanager"), chosen.signing_secret, time.monotonic, chosen.signing_key_cache
    )


def _gate_keys(chosen: RoomSettings) -> Any:
    from waiting_room.runtime.gate_keys import gate_keys

    return gate_keys(chosen)


def _public_keys(chosen: RoomSettings) -> Any:
    from waiting_room.adapters.aws import client
    from waiting_room.adapters.dynamodb.public_keys import DynamoPublicKeys

    return DynamoPublicKeys(
        client("dynamodb"), chosen.serving_log_table, time.monotonic, chosen.signing_key_cache
    )


def _event_bus(chosen: RoomSettings) -> Any:
    if chosen.outbox_table:
        from waiting_room.adapters.outbox import OutboxBus

        return OutboxBus(_outbox(chosen))
    return _eventbridge(chosen)


def _eventbridge(chosen: RoomSettings) -> Any:
    from waiting_room.adapters.aws import client
    from waiting_room.adapters.event_bus import EventBridgeBus

    return EventBridgeBus(client("events"), chosen.event_bus)


def _documents(chosen: RoomSettings) -> Any:
    from waiting_room.adapters.aws import client
    from waiting_room.adapters.dynamodb.events import DynamoEvents

    return DynamoEvents(client("dynamodb"), chosen.events_table)


def _admission(chosen: RoomSettings) -> Any:
    from waiting_room.adapters.aws import client
    from waiting_room.adapters.dynamodb.admission import DynamoAdmissionStates

    return DynamoAdmissionStates(client("dynamodb"), chosen.events_table)


def _alarms() -> Any:
    from waiting_room.adapters.aws import client
    from waiting_room.adapters.cloudwatch_alarm import CloudWatchAlarms

    return CloudWatchAlarms(client("cloudwatch"))


def _audit_log(chosen: RoomSettings) -> Any:
    from waiting_room.adapters.aws import client
    from waiting_room.adapters.dynamodb.audit_log import DynamoAuditLog

    return DynamoAuditLog(client("dynamodb"), chosen.events_table, chosen.serving_log_table)


def _history(chosen: RoomSettings) -> Any:
    from waiting_room.adapters.aws import client
    from waiting_room.adapters.dynamodb.history import DynamoHistory

    return DynamoHistory(client("dynamodb"), chosen.events_table)
