# SPDX-License-Identifier: Apache-2.0
"""Duration of a rebuild with many rows: active tokens, and positions that never settle.

Of an event beyond WRITTEN tokens only the rows are written that a rebuild from the checkpoint
reads; the counters, and so the checkpoint, know all of them.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterable
from typing import Any

from tests.chaos.report import Result
from tests.chaos.servers import room_at
from tests.support.real_stores import RealRoom
from waiting_room.adapters.dynamodb.items import insert_if_absent
from waiting_room.adapters.dynamodb.outcome_items import item_of
from waiting_room.domain import counter_snapshot
from waiting_room.domain.counter_snapshot import LiveToken
from waiting_room.domain.records import Position, SessionStatus
from waiting_room.domain.tokens import issue

STEP = 5_000
MOVE = 500  # positions of one increment
WRITTEN = 100_000  # tokens whose rows are all written; more would take this machine an hour


def run(tables_url: str, valkey: Any, *, sizes: Iterable[int], seed: int = 0) -> list[Result]:
    """One event that grows; each size is lost with and without its checkpoint."""
    real = room_at(tables_url, valkey, ENABLE_QUEUE_POSITION_EXPIRY=False)
    found, rows = [], 0
    for size in sizes:
        if size > WRITTEN:
            found.append(lose(huge(tables_url, valkey, size), size, "from the checkpoint"))
            found[-1].seed = seed
            continue
        rows = fill(real, rows, size)
        if counter_snapshot.needs_checkpoint(real.log.read(real.event_id)):
            found.append(lose(real, size, "all rows read: no checkpoint yet"))
            real.new_room().workers.reconciliation.run(real.event_id)
            more(real, rows)
            rows += 1
            found.append(lose(real, size, "from the checkpoint"))
        else:
            found.append(lose(real, size, "all rows read"))
        for one in found[-2:]:
            one.seed = seed
    return found


def huge(tables_url: str, valkey: Any, size: int) -> RealRoom:
    """An event of which the tables hold the last rows only."""
    real = room_at(tables_url, valkey, ENABLE_QUEUE_POSITION_EXPIRY=False)
    last = size - counter_snapshot.READ_AT_ONCE
    real.log.reserve(real.event_id, last, real.log.read(real.event_id))
    real.room.control.increment(real.event_id, last)
    fill(real, last, size)
    counters, dies = real.counters(), int(real.clock()) + 36_000
    real.room.metrics.counts(real.event_id)
    for first in range(1, last + 1, STEP):
        rows = [
            LiveToken(position, dies + position % 600, SessionStatus.OPEN)
            for position in range(first, min(first + STEP, last + 1))
        ]
        counters.recount(real.event_id, 1, rows, 0)
    real.room.workers.reconciliation.run(real.event_id)
    return real


def fill(real: RealRoom, given: int, wanted: int) -> int:
    """Let there be ``wanted`` tokens that live, one on each position; written directly."""
    now = int(real.clock())
    while given < wanted:
        count = min(STEP, wanted - given)
        real.log.reserve(real.event_id, count, real.log.read(real.event_id))
        rows = [
            Position(real.event_id, 1, str(uuid.uuid4()), given + index + 1, now)
            for index in range(count)
        ]
        tokens = [
            issue(row, key_id="k" * 43, issuer="i" * 70, validity=36_000, now=now) for row in rows
        ]
        taken, failed = insert_if_absent(
            real.dynamodb, real.names["TOKENS_TABLE"], [item_of(row) for row in tokens], "tokens"
        )
        assert not taken
        assert not failed
        for _ in range(0, count, MOVE):
            real.room.control.increment(real.event_id, min(MOVE, count))
        given += count
    valkey_flush(real)
    return given


def more(real: RealRoom, given: int) -> None:
    """One more token after the checkpoint."""
    fill_one = [Position(real.event_id, 1, str(uuid.uuid4()), given + 1, int(real.clock()))]
    real.log.reserve(real.event_id, 1, real.log.read(real.event_id))
    real.outcomes.put_if_absent(
        issue(fill_one[0], key_id="k", issuer="i", validity=3600, now=int(real.clock()))
    )
    real.room.control.increment(real.event_id, 1)


def valkey_flush(real: RealRoom) -> None:
    """Lose the counters."""
    real.valkey.client().flushall()


def lose(real: RealRoom, size: int, how: str) -> Result:
    """Lose the counters; measure the time until a status response, and check its numbers."""
    found = Result(f"rebuild with {size:,} tokens, {how}", 1, "loss")
    state = real.log.read(real.event_id)
    room = real.new_room()
    valkey_flush(real)
    real.requests.clear()
    started, spent = time.monotonic(), time.process_time()
    counts = room.metrics.counts(real.event_id)
    found.recovery = time.monotonic() - started
    spent = time.process_time() - spent
    found.notes = f"{real.requests['dynamodb']} requests, {spent:.1f} s on one core"
    if counts.serving != state.serving or counts.queue != state.queue:
        found.wrong.append(f"serving {counts.serving}, queue {counts.queue}: not as in {state}")
    if counts.tokens != state.queue or counts.active != state.queue:
        found.wrong.append(f"{counts.tokens} tokens, {counts.active} active of {state.queue}")
    return found
