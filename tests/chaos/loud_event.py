# SPDX-License-Identifier: Apache-2.0
"""An event that is reset, flooded and wrongly operated, beside another one."""

from __future__ import annotations

import random
import time
import uuid
from collections import Counter
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress

from tests.support.join_worker import process
from tests.support.real_stores import RealRoom
from waiting_room.domain.actors import UNKNOWN
from waiting_room.domain.errors import RoomError
from waiting_room.domain.records import Join

THREADS = 3
FLOOD, MADE_UP = 100, 40  # joins of one batch


class LoudEvent:
    """Calls that disturb an event; each is one of ``calls``, as the seed decides."""

    def __init__(self, real: RealRoom, seed: int) -> None:
        self.event_id, self.done = f"loud-{uuid.uuid4().hex[:8]}", Counter[str]()
        self.unexpected: list[str] = []
        self._real, self._dice = real, random.Random(seed + 1)
        self._rooms = [real.new_room() for _ in range(THREADS)]
        self._documents = [real.event_documents() for _ in range(THREADS)]
        self._documents[0].put(self.event_id, {}, None, actor=UNKNOWN)

    def company(self) -> list[Join]:
        """Joins of the loud event and of made-up events, for a batch with the quiet event's."""
        return [*joins_of(self.event_id, 20), *made_up(self._dice, 10)]

    def start(self, pool: ThreadPoolExecutor, count: int) -> list[Future[None]]:
        """Start ``count`` calls at once."""
        return [
            pool.submit(self._call, number % THREADS, self._dice.randrange(2**32))
            for number in range(count)
        ]

    def _call(self, worker: int, seed: int) -> None:
        dice = random.Random(seed)
        call = dice.choice(
            (self._reset, self._flood, self._made_up, self._wrong_document, self._rejected_action,
             self._act, self._delete, self._move)
        )  # fmt: skip
        try:
            with suppress(RoomError):  # most of these calls are refused
                call(worker, dice)
        except Exception as error:
            self.unexpected.append(f"{call.__name__}: {type(error).__name__}: {error}")
        self.done[call.__name__.strip("_")] += 1

    def _reset(self, worker: int, _: random.Random) -> None:
        self._rooms[worker].control.reset(self.event_id)

    def _flood(self, worker: int, _: random.Random) -> None:
        process(self._rooms[worker], joins_of(self.event_id, FLOOD))

    def _made_up(self, worker: int, dice: random.Random) -> None:
        room, joins = self._rooms[worker], made_up(dice, MADE_UP)
        process(room, joins)
        for join in joins[:10]:
            for call in (
                lambda one=join: room.metrics.status_page(one.event_id),
                lambda one=join: room.positions.queue_number(one.event_id, one.request_id),
                lambda one=join: room.tokens.issue(one.event_id, one.request_id),
            ):
                try:
                    call()
                except RoomError:
                    continue
                self.unexpected.append("a made-up event has a response")

    def _wrong_document(self, worker: int, dice: random.Random) -> None:
        content = dice.choice(
            ({"titel": "x"}, {"schedule": {"opens_at": "noon"}}, {"title": "x" * 101},
             {"control": {"paused_at": 1}}, {"lanes": []}, {"title": "stale"})
        )  # fmt: skip
        self._documents[worker].put(self.event_id, content, 999, actor=UNKNOWN)

    def _rejected_action(self, worker: int, dice: random.Random) -> None:
        action = dice.choice(("explode", "resume", "drain", "pause"))
        self._documents[worker].act(self.event_id, action, actor=UNKNOWN)

    def _act(self, worker: int, dice: random.Random) -> None:
        action = dice.choice(("open", "open", "pause", "close", "pass_through", "queue"))
        self._documents[worker].act(self.event_id, action, actor=UNKNOWN)

    def _delete(self, worker: int, _: random.Random) -> None:
        documents = self._documents[worker]
        for call in (
            lambda: documents.act(self.event_id, "close", actor=UNKNOWN),
            lambda: documents.delete(self.event_id, None, actor=UNKNOWN),
            lambda: documents.put(self.event_id, {}, None, actor=UNKNOWN),
        ):
            with suppress(RoomError):  # another thread was first
                call()

    def _move(self, worker: int, dice: random.Random) -> None:
        by = dice.choice((1_000_000, -1_000_000, 50, 0, 10**7))
        self._rooms[worker].control.increment(self.event_id, by)


def joins_of(event_id: str, count: int) -> list[Join]:
    """Joins that the queue has just accepted, in their order."""
    at = time.time()
    return [
        Join(str(uuid.uuid4()), at + number / 1e5, str(uuid.uuid4()), "", event_id)
        for number in range(count)
    ]


def made_up(dice: random.Random, count: int) -> list[Join]:
    """Joins of events that do not exist."""
    return [joins_of(f"made-up-{dice.randrange(10**6)}", 1)[0] for _ in range(count)]
