# SPDX-License-Identifier: Apache-2.0
"""Builds the entrance and its adapters on first use. It has no counters, so it needs no VPC."""

from __future__ import annotations

import os
import time
import uuid
from functools import cache
from typing import TYPE_CHECKING

from waiting_room.runtime.gate_keys import gate_keys
from waiting_room.runtime.settings.entrance import EntranceSettings, read_entrance_settings
from waiting_room.runtime.settings.room import read_room_settings
from waiting_room.use_cases.gate.entrance import Entrance, EntranceStores, GatedEvents
from waiting_room.use_cases.gate.gate_sessions import GateSessions
from waiting_room.use_cases.gate.plain_room import PlainRoom
from waiting_room.use_cases.gate.session_issuing import SessionIssuer

if TYPE_CHECKING:
    from waiting_room.domain.ports.access_tokens import AccessTokens


@cache
def entrance_settings() -> EntranceSettings:
    """Return the settings of this function, read once from its environment."""
    return read_entrance_settings(os.environ)


@cache
def entrance() -> Entrance:
    """Return the entrance of this function."""
    from waiting_room.adapters.aws import client
    from waiting_room.adapters.dynamodb.admission import DynamoAdmissionStates
    from waiting_room.adapters.dynamodb.events import DynamoEvents
    from waiting_room.adapters.dynamodb.positions import DynamoPositions
    from waiting_room.adapters.dynamodb.serving_log import DynamoServingLog
    from waiting_room.adapters.dynamodb.straight_through import DynamoStraightThrough

    chosen, dynamodb = read_room_settings(os.environ), client("dynamodb")
    single, log = client("dynamodb", attempts=1), chosen.serving_log_table
    return Entrance(
        GatedEvents(DynamoEvents(dynamodb, chosen.events_table), time.time),
        gate_keys(chosen),
        EntranceStores(
            DynamoServingLog(dynamodb, single, log),
            DynamoStraightThrough(dynamodb, single, log),
            DynamoPositions(dynamodb, chosen.positions_table, log),
            DynamoAdmissionStates(dynamodb, chosen.events_table),
        ),
        _session_issuer(),
        time.time,
        lambda: str(uuid.uuid4()),
        time.sleep,
    )


@cache
def gate_sessions() -> GateSessions:
    """Return the use case of the sessions at gates."""
    from waiting_room.adapters.aws import client
    from waiting_room.adapters.dynamodb.outcomes import DynamoOutcomes
    from waiting_room.adapters.dynamodb.positions import DynamoPositions
    from waiting_room.adapters.dynamodb.serving_log import DynamoServingLog

    chosen, dynamodb = read_room_settings(os.environ), client("dynamodb")
    return GateSessions(
        entrance().events,
        entrance().keys,
        DynamoOutcomes(dynamodb, chosen.tokens_table),
        DynamoPositions(dynamodb, chosen.positions_table, chosen.serving_log_table),
        DynamoServingLog(dynamodb, dynamodb, chosen.serving_log_table),
        _Tokens(),
        time.time,
    )


@cache
def plain_room() -> PlainRoom:
    """Return the use case for clients without scripts."""
    from waiting_room.adapters.aws import client
    from waiting_room.adapters.dynamodb.positions import DynamoPositions
    from waiting_room.adapters.dynamodb.serving_log import DynamoServingLog
    from waiting_room.adapters.join_sender import SqsJoinSender

    chosen, dynamodb = read_room_settings(os.environ), client("dynamodb")
    log = chosen.serving_log_table
    return PlainRoom(
        entrance().events,
        entrance().keys,
        SqsJoinSender(client("sqs"), chosen.joins_queue),
        DynamoPositions(dynamodb, chosen.positions_table, log),
        DynamoServingLog(dynamodb, dynamodb, log),
        _session_issuer(),
        time.time,
    )


@cache
def _session_issuer() -> SessionIssuer:
    """Return the use case that issues tokens and sessions."""
    from waiting_room.adapters.aws import client
    from waiting_room.adapters.dynamodb.outcomes import DynamoOutcomes
    from waiting_room.adapters.dynamodb.public_keys import DynamoPublicKeys

    chosen, dynamodb = read_room_settings(os.environ), client("dynamodb")
    published = DynamoPublicKeys(
        dynamodb, chosen.serving_log_table, time.monotonic, chosen.signing_key_cache
    )
    return SessionIssuer(
        DynamoOutcomes(dynamodb, chosen.tokens_table),
        chosen.issuer,
        lambda now: published.load().public_key(now)["kid"],
        time.time,
    )


@cache
def _access_tokens() -> AccessTokens:
    """Return the verification of tokens."""
    from waiting_room.adapters.access_tokens import PublishedKeys, VerifiedTokens
    from waiting_room.adapters.aws import client
    from waiting_room.adapters.dynamodb.public_keys import DynamoPublicKeys

    chosen = read_room_settings(os.environ)
    stored = DynamoPublicKeys(
        client("dynamodb"), chosen.serving_log_table, time.monotonic, chosen.signing_key_cache
    )
    return VerifiedTokens(PublishedKeys(stored, time.monotonic), chosen.issuer, time.time)


class _Tokens:
    """The AccessTokens port; only its use loads the library for signatures."""

    def request_id(self, event_id: str, token: str) -> str:
        """Return the request id of a valid access token of an event."""
        return _access_tokens().request_id(event_id, token)
