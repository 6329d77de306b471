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

from waiting_room.domain.room_settings import Settings
from waiting_room.use_cases.room import Room, Stores

if TYPE_CHECKING:
    from collections.abc import Callable


class OnFirstUse:
    """Stands for an adapter until one of its methods is asked for."""

    def __init__(self, build: Callable[[], Any]) -> None:
        self._build = build

    def __getattr__(self, name: str) -> Any:
        if "_built" not in self.__dict__:
            self._built = self._build()
        return getattr(self._built, name)


@cache
def settings() -> Settings:
    """The settings of this function, read once from its environment."""
    return Settings.from_env(os.environ)


@cache
def room() -> Room:
    """The room of this function."""
    return Room(settings(), stores(settings()), time.time, time.sleep)


def stores(chosen: Settings) -> Stores:
    """The real adapters, each built when first used."""
    return Stores(
        counters=OnFirstUse(lambda: _counters(chosen)),
        positions=OnFirstUse(lambda: _positions(chosen)),
        outcomes=OnFirstUse(lambda: _outcomes(chosen)),
        log=OnFirstUse(lambda: _serving_log(chosen)),
        keys=OnFirstUse(lambda: _keys(chosen)),
        public_keys=OnFirstUse(lambda: _public_keys(chosen)),
        events=OnFirstUse(lambda: _events(chosen)),
    )


@cache
def joins_queue() -> Any:
    """The queue of joins, as its worker uses it."""
    from waiting_room.adapters.aws import client
    from waiting_room.adapters.join_queue import SqsJoins

    return SqsJoins(client("sqs"), settings().joins_queue, settings().dead_letters)


def _counters(chosen: Settings) -> Any:
    from waiting_room.adapters.redis.counters import RedisCounters, connect

    password = None
    if chosen.redis_secret:
        from waiting_room.adapters.aws import client
        from waiting_room.adapters.secrets_manager import secret_text

        password = lambda: secret_text(client("secretsmanager"), chosen.redis_secret)  # noqa: E731
    return RedisCounters(
        connect(chosen.redis_host, chosen.redis_port, tls=chosen.redis_tls, password=password)
    )


def _positions(chosen: Settings) -> Any:
    from waiting_room.adapters.aws import client
    from waiting_room.adapters.dynamodb.positions import DynamoPositions

    return DynamoPositions(client("dynamodb"), chosen.positions_table, chosen.serving_log_table)


def _outcomes(chosen: Settings) -> Any:
    from waiting_room.adapters.aws import client
    from waiting_room.adapters.dynamodb.outcomes import DynamoOutcomes

    return DynamoOutcomes(client("dynamodb"), chosen.tokens_table)


def _serving_log(chosen: Settings) -> Any:
    from waiting_room.adapters.aws import client
    from waiting_room.adapters.dynamodb.serving_log import DynamoServingLog

    single = OnFirstUse(lambda: client("dynamodb", attempts=1))  # only the worker reserves
    return DynamoServingLog(client("dynamodb"), single, chosen.serving_log_table)


def _keys(chosen: Settings) -> Any:
    from waiting_room.adapters.aws import client
    from waiting_room.adapters.secrets_manager import SecretsKeys

    return SecretsKeys(
        client("secretsmanager"), chosen.signing_secret, time.monotonic, chosen.signing_key_cache
    )


def _public_keys(chosen: Settings) -> Any:
    from waiting_room.adapters.aws import client
    from waiting_room.adapters.dynamodb.public_keys import DynamoPublicKeys

    return DynamoPublicKeys(
        client("dynamodb"), chosen.serving_log_table, time.monotonic, chosen.signing_key_cache
    )


def _events(chosen: Settings) -> Any:
    from waiting_room.adapters.aws import client
    from waiting_room.adapters.event_bus import EventBridgeEvents

    return EventBridgeEvents(client("events"), chosen.event_bus)
