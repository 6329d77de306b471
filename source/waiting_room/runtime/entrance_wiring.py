# SPDX-License-Identifier: Apache-2.0
"""Builds the entrance and its adapters on first use. It has no counters, so it needs no VPC."""

from __future__ import annotations

import os
import time
from functools import cache

from waiting_room.domain.errors import NoKeysYet
from waiting_room.domain.gate.credentials import GateKeys
from waiting_room.runtime.settings.entrance import EntranceSettings, read_entrance_settings
from waiting_room.runtime.settings.room import read_room_settings
from waiting_room.use_cases.gate.entrance import Entrance, GatedEvents


@cache
def entrance_settings() -> EntranceSettings:
    """Return the settings of this function, read once from its environment."""
    return read_entrance_settings(os.environ)


@cache
def entrance() -> Entrance:
    """Return the entrance of this function."""
    from waiting_room.adapters.aws import client
    from waiting_room.adapters.dynamodb.events import DynamoEvents

    chosen = read_room_settings(os.environ)
    documents = DynamoEvents(client("dynamodb"), chosen.events_table)
    return Entrance(GatedEvents(documents, time.time), _NoKeys(), time.time)


class _NoKeys:
    """Source of keys until the set-up function stores some."""

    def keys(self, _event_id: str) -> GateKeys:
        """Raise NoKeysYet."""
        raise NoKeysYet
