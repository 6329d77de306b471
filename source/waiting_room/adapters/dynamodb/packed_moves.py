# SPDX-License-Identifier: Apache-2.0
"""Serving moves as texts: the latest one of a row, and those before it packed into one text.

A row, of the state or of the log, has its latest move in the attribute ``move``. The attribute
``moves`` has those before it, if there are any; releases that do not know it read the latest one.

A packed text is a JSON array: version of the first move, position before it, its time, names, then
five values for each move: change of the serving counter, seconds since the previous move, mark,
index of the reason and of the actor in the names. Each move continues the one before.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

from waiting_room.adapters.dynamodb.items import Item, text
from waiting_room.domain.records import ServingMove

MOST = 64  # moves of one text, so that a reader can compute which rows contain a version
HEX = re.compile(r"(?:[0-9a-f]{16}|[0-9a-f]{32})")
VALUES = 5  # of one move


def pack(moves: Sequence[ServingMove]) -> str:
    """Return the text of moves, at least one, each of which continues the one before."""
    first = moves[0]
    names: dict[str, int] = {}
    values: list[Any] = []
    at = first.at
    for move in moves:
        reason, actor = (names.setdefault(name, len(names)) for name in (move.reason, move.actor))
        values += (move.current - move.previous, move.at - at, _short(move.mark), reason, actor)
        at = move.at
    packed = [first.version, first.previous, first.at, list(names), *values]
    return json.dumps(packed, separators=(",", ":"), ensure_ascii=False)


def unpack(packed: str) -> list[ServingMove]:
    """Return the moves of a text."""
    version, previous, at, names, *values = json.loads(packed)
    moves = []
    for index in range(0, len(values), VALUES):
        change, seconds, mark, reason, actor = values[index : index + VALUES]
        at += seconds
        current = previous + change
        moves.append(
            ServingMove(version, previous, current, at, names[reason], _long(mark), names[actor])
        )
        version, previous = version + 1, current
    return moves


def runs(moves: Sequence[ServingMove]) -> Iterator[Sequence[ServingMove]]:
    """Divide moves into parts that ``pack`` can contain."""
    start = 0
    for index in range(1, len(moves) + 1):
        if index == len(moves) or index - start == MOST or not _continues(*moves[index - 1 :][:2]):
            yield moves[start:index]
            start = index


def moves_of_row(item: Item) -> list[ServingMove]:
    """Return the moves in a row, oldest first."""
    moves = unpack(text(item, "moves")) if "moves" in item else []
    return [*moves, move_of(text(item, "move"))] if "move" in item else moves


def move_text(move: ServingMove) -> str:
    """Return the attribute ``move`` of a row."""
    text = f"{move.version}:{move.previous}:{move.current}:{move.at}:{move.mark}:{move.reason}"
    return f"{text}|{move.actor}" if move.actor else text


def move_of(written: str) -> ServingMove:
    """Return the move in the attribute ``move`` of a row."""
    version, previous, current, at, mark, rest = written.split(":", 5)
    reason, _, actor = rest.partition("|")
    return ServingMove(int(version), int(previous), int(current), int(at), reason, mark, actor)


def _continues(before: ServingMove, after: ServingMove) -> bool:
    return (after.version, after.previous) == (before.version + 1, before.current)


def _short(mark: str) -> str:
    if not HEX.fullmatch(mark):
        return f":{mark}"
    return base64.urlsafe_b64encode(bytes.fromhex(mark)).decode().rstrip("=")


def _long(short: str) -> str:
    if short.startswith(":"):
        return short[1:]
    return base64.urlsafe_b64decode(short + "=" * (-len(short) % 4)).hex()
