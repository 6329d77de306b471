# SPDX-License-Identifier: Apache-2.0
"""Checkpoints of the counters as rows of the serving log: two slots that are written in turn.

A checkpoint is compressed and cut into rows below DynamoDB's limit. A slot with incomplete rows
(its writer stopped, or is still writing) is skipped, and the other slot is used.
"""

from __future__ import annotations

import json
import zlib
from base64 import b64decode, b64encode
from dataclasses import asdict
from typing import Any

from waiting_room.adapters.aws import translate_errors
from waiting_room.adapters.dynamodb.items import Item, number, query_all, to_item
from waiting_room.domain.counter_snapshot import Checkpoint, TokenTally
from waiting_room.domain.limits import ROW_LIFE
from waiting_room.domain.records import Segment

WHAT = "the serving log"
PIECE = 350_000  # bytes of a row; DynamoDB accepts 409,600
SLOTS = 2


def save(client: Any, table: str, event_id: str, checkpoint: Checkpoint) -> None:
    """Replace the older of the two checkpoints."""
    content = zlib.compress(_written(checkpoint))
    pieces = [content[start : start + PIECE] for start in range(0, len(content), PIECE)]
    found = query(client, table, event_id)
    sequence = max((number(item, "sequence") for item in found), default=0) + 1
    for index, piece in enumerate(pieces):
        row: Item = {
            **to_item(
                {
                    "event_id": event_id,
                    "entry": f"checkpoint#{sequence % SLOTS}#{index:03d}",
                    "generation": checkpoint.generation,
                    "sequence": sequence,
                    "parts": len(pieces),
                    "ttl": checkpoint.at + ROW_LIFE,
                }
            ),
            "content": {"B": piece},
        }
        with translate_errors(WHAT):
            client.put_item(TableName=table, Item=row)


def load(client: Any, table: str, event_id: str, generation: int) -> Checkpoint | None:
    """Return the latest complete checkpoint of a generation; None without one."""
    slots: dict[int, list[Item]] = {}
    for item in query(client, table, event_id, content=True):
        if number(item, "generation") == generation:
            slots.setdefault(number(item, "sequence"), []).append(item)
    for _, rows in sorted(slots.items(), reverse=True):
        if len(rows) == number(rows[0], "parts"):
            return _read(zlib.decompress(b"".join(row["content"]["B"] for row in rows)))
    return None


def query(client: Any, table: str, event_id: str, *, content: bool = False) -> list[Item]:
    """Return the rows of both slots, in order; their ``sequence`` only, without ``content``."""
    names = {"#event": "event_id", "#entry": "entry"}
    request: dict[str, Any] = {}
    if not content:
        names["#sequence"] = "sequence"
        request["ProjectionExpression"] = "#sequence"
    return list(
        query_all(
            client,
            WHAT,
            TableName=table,
            KeyConditionExpression="#event = :event AND begins_with(#entry, :prefix)",
            ExpressionAttributeNames=names,
            ExpressionAttributeValues=to_item({":event": event_id, ":prefix": "checkpoint#"}),
            ConsistentRead=True,
            **request,
        )
    )


def _written(checkpoint: Checkpoint) -> bytes:
    content = asdict(checkpoint)
    content["segments"] = [[part.first, part.last, part.at] for part in checkpoint.segments]
    for name in ("taken", "ended"):
        content["tally"][name] = b64encode(content["tally"][name]).decode()
    if not content["tally"]["sessions"]:
        del content["tally"]["sessions"]
    return json.dumps(content).encode()


def _read(text: bytes) -> Checkpoint:
    content = json.loads(text)
    tally = content.pop("tally")
    for name in ("taken", "ended"):
        tally[name] = b64decode(tally[name])
    for name in ("live", "sessions"):
        tally[name] = tuple((first, second) for first, second in tally.get(name, ()))
    content["segments"] = tuple(Segment(*part) for part in content["segments"])
    return Checkpoint(tally=TokenTally(**tally), **content)
