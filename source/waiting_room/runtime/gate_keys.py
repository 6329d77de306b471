# SPDX-License-Identifier: Apache-2.0
"""Builds the keys of the gate, for functions with and without the room's other adapters."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from waiting_room.adapters.aws import client
from waiting_room.adapters.gate_keys import SecretsManagerGateKeys

if TYPE_CHECKING:
    from waiting_room.domain.room_settings import RoomSettings


def gate_keys(chosen: RoomSettings) -> SecretsManagerGateKeys:
    """Return the keys of the gate: the GateKeyStore port."""
    return SecretsManagerGateKeys(
        client("secretsmanager"),
        chosen.gate_secret,
        time.monotonic,
        chosen.signing_key_cache,
        time.time,
    )
