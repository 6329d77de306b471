# SPDX-License-Identifier: Apache-2.0
"""Finding 4: a token before its turn, while the counters answer and take no write."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tests.attack.report import Attempt
from tests.attack.target import Target

FAULT = "early token"


def run(target: Target) -> list[Attempt]:
    """Resets and moves back that the counters are not told of."""
    return [_new_line(target), _old_line(target), _moved_back(target)]


@contextmanager
def refused(target: Target) -> Iterator[None]:
    """The counter server lacks a replica: it answers reads and refuses writes."""
    client = target.valkey()
    client.config_set("min-replicas-to-write", 1)
    try:
        yield
    finally:
        client.config_set("min-replicas-to-write", 0)


def _served(target: Target, ahead: int) -> str:
    """A visitor of the line that stands, up to whose number and more the counter was raised."""
    visitor = target.join()
    position = target.place(visitor) or 0
    serving = int(target.room.ask("/serving_num").json()["serving_counter"])
    target.room.serve(max(1, position + ahead - serving))
    return visitor


def _token(target: Target, visitor: str) -> tuple[int, bool]:
    answer = target.room.token(visitor)
    return answer.status_code, answer.status_code == 200


def _new_line(target: Target) -> Attempt:
    _served(target, 10)
    with refused(target):
        reset = target.room.private("POST", "/reset_initial_state").status_code
        visitor = target.join()
        place = target.place(visitor)
        status, got = _token(target, visitor)
    return Attempt(
        FAULT, "reset while the counters take no write, then join and ask",
        f"reset {reset}, position {place}, token {status}", got,
    )  # fmt: skip


def _old_line(target: Target) -> Attempt:
    visitor = _served(target, 5)
    with refused(target):
        reset = target.room.private("POST", "/reset_initial_state").status_code
        gone = target.until(lambda: target.room.ask("/queue_num", visitor).status_code == 410, 8)
        status, got = _token(target, visitor)
    return Attempt(
        FAULT, "reset while the counters take no write, then ask with a place of the old line",
        f"reset {reset}, place {'410' if gone else 'stands'}, token {status}", gone and got,
    )  # fmt: skip


def _moved_back(target: Target) -> Attempt:
    visitor = _served(target, 0)
    with refused(target):
        back = target.room.private("POST", "/increment_serving_counter", {"increment_by": -1})
        status, got = _token(target, visitor)
    return Attempt(
        FAULT, "a move back while the counters take no write, then ask from above it",
        f"move {back.status_code}, token {status}", back.status_code == 200 and got,
    )  # fmt: skip
