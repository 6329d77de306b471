# SPDX-License-Identifier: Apache-2.0
"""Items of the table of the counters; ``outcome_counts`` describes the rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from waiting_room.adapters.dynamodb.items import SHARDS, Item, number, to_item
from waiting_room.domain.counters.outcome_counts import SPAN, Block, Ends, Totals
from waiting_room.domain.limits import CLOCK_STEP, ROW_LIFE

TOTALS, JOBS = "totals", "jobs"
NUMBERS = (
    "version", "tokens", "completed", "abandoned", "open", "dead", "sessions", "over",
    "folded_through", "first_moved_at",
)  # fmt: skip


def totals_key(event_id: str, generation: int) -> Item:
    """Return the key of the totals of a generation."""
    return to_item({"id": f"{event_id}#{generation}", "entry": TOTALS})


def jobs_key(event_id: str) -> Item:
    """Return the key of the times of the minute jobs; no generation is 0."""
    return to_item({"id": f"{event_id}#0", "entry": JOBS})


def block_key(event_id: str, generation: int, block: int) -> Item:
    """Return the key of a block of positions."""
    shard = f"{event_id}#{generation}#{block % SHARDS}"
    return to_item({"id": shard, "entry": f"block#{block:012d}"})


def ends_entry(span: int) -> str:
    """Return the sort key of a row of ends."""
    return f"ends#{span:012d}"


def id_of(item: Item) -> tuple[str, str]:
    """Return the key of an item."""
    return item["id"]["S"], item["entry"]["S"]


def totals_of(item: Item) -> Totals:
    """Return the totals in an item; those of a missing row are 0."""
    return Totals(**{name: number(item, name) for name in NUMBERS})


def totals_item(totals: Totals) -> Item:
    """Return the attributes of the totals."""
    return to_item({name: getattr(totals, name) for name in NUMBERS})


def block_of(item: Item) -> Block:
    """Return the block in an item; that of a missing row is empty."""

    def binary(name: str) -> bytearray:
        return bytearray(item[name]["B"]) if name in item else bytearray()

    return Block(number(item, "version"), binary("taken"), binary("ended"), binary("until"))


def block_item(block: Block, ttl: int) -> Item:
    """Return the attributes of a block but its version."""
    found: Item = {"ttl": {"N": str(ttl)}}
    for name in ("taken", "ended", "until"):
        if value := getattr(block, name):
            found[name] = {"B": bytes(value)}
    return found


def ends_of(item: Item) -> dict[int, Ends]:
    """Return the ends in a row of them, by second."""
    start = int(item["entry"]["S"].rpartition("#")[2]) * SPAN
    found: dict[int, Ends] = {}
    for name, value in item.items():
        if name[0] in "ts" and name[1:].isdigit():
            at, count = start + int(name[1:]), int(value["N"])
            tokens, sessions = (count, 0) if name[0] == "t" else (0, count)
            found[at] = found.get(at, Ends()).plus(tokens, sessions)
    return found


def ends_updates(
    event_id: str, generation: int, ends: Mapping[int, Ends]
) -> Iterator[dict[str, Any]]:
    """Yield an update for each row of ends."""
    spans: dict[int, dict[str, int]] = {}
    for at, one in ends.items():
        counts = spans.setdefault(at // SPAN, {})
        counts |= {f"t{at % SPAN}": one.tokens} if one.tokens else {}
        counts |= {f"s{at % SPAN}": one.sessions} if one.sessions else {}
    for span, counts in spans.items():
        if not counts:
            continue
        yield {
            "Key": to_item({"id": f"{event_id}#{generation}", "entry": ends_entry(span)}),
            "UpdateExpression": "SET #ttl = :ttl ADD "
            + ", ".join(f"#{name} :{name}" for name in counts),
            "ExpressionAttributeNames": {"#ttl": "ttl", **{f"#{name}": name for name in counts}},
            "ExpressionAttributeValues": to_item(
                {
                    ":ttl": (span + 1) * SPAN + ROW_LIFE + CLOCK_STEP,
                    **{f":{name}": count for name, count in counts.items()},
                }
            ),
        }
