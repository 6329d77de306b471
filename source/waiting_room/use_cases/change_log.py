# SPDX-License-Identifier: Apache-2.0
"""Change log: one line of JSON for each change, with actor, change, old and new value.

It holds no request id and no address; position and generation identify a visitor.
"""

from __future__ import annotations

import json
import logging
from typing import Any

from waiting_room.domain.actors import Actor
from waiting_room.domain.records import ServingMove

Value = str | int | bool | None | dict[str, Any] | list[str]

logger = logging.getLogger("waiting_room.changes")
logger.setLevel(logging.INFO)  # Lambda's root logger would drop it


def record(
    event_id: str, change: str, actor: Actor, before: Value, after: Value, **where: int | str
) -> None:
    """Log a change. ``where`` adds members, such as the position."""
    line = {
        "change": change,
        "event_id": event_id,
        "kind": actor.kind.value,
        "who": actor.who,
        "before": before,
        "after": after,
        **where,
    }
    logger.info("%s", json.dumps(line))


def record_move(event_id: str, actor: Actor, generation: int, move: ServingMove) -> None:
    """Log a move of the serving counter."""
    record(
        event_id, "serving_counter", actor, move.previous, move.current,
        generation=generation, reason=move.reason,
    )  # fmt: skip
