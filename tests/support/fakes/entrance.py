# SPDX-License-Identifier: Apache-2.0
"""An entrance on the stores of a room."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable

from tests.support.fakes.gate_keys import MemoryGateKeys
from waiting_room.use_cases.gate.entrance import Entrance, EntranceStores, GatedEvents
from waiting_room.use_cases.gate.session_issuing import SessionIssuer
from waiting_room.use_cases.room import Stores


def entrance_of(
    stores: Stores, clock: Callable[[], float], pause: Callable[[float], None] = time.sleep
) -> Entrance:
    """Return the entrance of another process."""
    return Entrance(
        GatedEvents(stores.documents, clock),
        MemoryGateKeys(clock=clock),
        EntranceStores(stores.log, stores.straight_through, stores.positions, stores.admission),
        SessionIssuer(stores.outcomes, "https://room.example/api", lambda _: "key", clock),
        clock,
        lambda: str(uuid.uuid4()),
        pause,
    )
