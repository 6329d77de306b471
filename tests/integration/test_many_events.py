# SPDX-License-Identifier: Apache-2.0
"""A hundred events whose joins arrive at once, on real servers."""

from __future__ import annotations

import random
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor

from tests.support.join_worker import process
from tests.support.real_stores import RealRoom
from waiting_room.domain.actors import UNKNOWN
from waiting_room.domain.records import Join

EVENTS, WORKERS, BATCH = 100, 4, 100
MOST = 12  # joins of one event; the events have from 1 to MOST


def test_a_hundred_events_give_their_joins_exactly_one_to_n(real: RealRoom) -> None:
    """Batches mix the events, some come twice, and four workers process them at once."""
    dice = random.Random(15)
    prefix = uuid.uuid4().hex[:8]
    sizes = {f"{prefix}-{number:03d}": 1 + number % MOST for number in range(EVENTS)}
    create(real, list(sizes))
    at = real.clock() + 0.001
    joins = [
        Join(str(uuid.uuid4()), at + number / 1000, str(uuid.uuid4()), "", event_id)
        for event_id, size in sizes.items()
        for number in range(size)
    ]
    dice.shuffle(joins)
    batches = [joins[start : start + BATCH] for start in range(0, len(joins), BATCH)]
    todo = batches + batches[::3]
    dice.shuffle(todo)
    retry = work(real, todo)
    assert not process(real.new_room(), retry)
    for event_id, size in sizes.items():
        mine = [join for join in joins if join.event_id == event_id]
        rows = real.positions.get_many(event_id, [join.request_id for join in mine])
        assert sorted(row.position for row in rows.values()) == list(range(1, size + 1)), event_id
        counts = real.room.metrics.counts(event_id)
        assert (counts.queue, counts.holes, counts.waiting) == (size, 0, size)
        for batch in batches:
            order = sorted((j for j in batch if j.event_id == event_id), key=lambda j: j.sent_at)
            positions = [rows[join.request_id].position for join in order]
            assert positions == sorted(positions), "an earlier join has a later position"
    status = real.counted(lambda: [real.room.metrics.status_page(event_id) for event_id in sizes])
    one = real.counted(lambda: real.room.metrics.status_page(real.event_id))
    assert (status["redis"], status["dynamodb"]) == (EVENTS * one["redis"], 0), "/status"


def create(real: RealRoom, event_ids: list[str]) -> None:
    """Create events by several operators at once."""

    def put(part: list[str]) -> None:
        documents = real.event_documents()
        for event_id in part:
            documents.put(event_id, {"title": event_id}, None, actor=UNKNOWN)

    with ThreadPoolExecutor(WORKERS) as pool:
        list(pool.map(put, (event_ids[number::WORKERS] for number in range(WORKERS))))
    assert set(event_ids) <= set(real.room.directory.refresh())


def work(real: RealRoom, todo: list[list[Join]]) -> list[Join]:
    """Process batches by several workers at once; return the joins to deliver again."""
    lock = threading.Lock()
    retry: list[Join] = []

    def run(_: int) -> None:
        room = real.new_room()
        while True:
            with lock:
                if not todo:
                    return
                batch = todo.pop()
            again = process(room, batch)
            with lock:
                retry.extend(one for one in batch if one.message_id in again)

    with ThreadPoolExecutor(WORKERS) as pool:
        list(pool.map(run, range(WORKERS)))
    return retry
