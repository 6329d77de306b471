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
    position = target.position(visitor) or 0
    serving = int(target.room.ask("/serving_num").json()["serving_counter"])
    target.room.serve(max(1, position + ahead - serving))
    return visitor


def _token(target: Target, visitor: str) -> tuple[int, bool]:
    """The answer, and whether the tables say that it was given too early or too late."""
    status = target.room.token(visitor).status_code
    position, generation = target.row(visitor)
    state = target.state()
    wrong = generation != state.generation or position > state.serving
    return status, status == 200 and wrong


def _new_line(target: Target) -> Attempt:
    _served(target, 10)
    with refused(target):
        reset = target.room.private("POST", "/reset_initial_state").status_code
        visitor = target.join()
        place = target.position(visitor)
        status, early = _token(target, visitor)
    return Attempt(
        FAULT, "reset while the counters take no write, then join and ask",
        f"reset {reset}, position {place}, {_said(target, status)}", early,
    )  # fmt: skip


def _old_line(target: Target) -> Attempt:
    visitor = _served(target, 5)
    with refused(target):
        reset = target.room.private("POST", "/reset_initial_state").status_code
        status, late = _token(target, visitor)
    return Attempt(
        FAULT, "reset while the counters take no write, then ask with a place of the old line",
        f"reset {reset}, {_said(target, status)}", late,
    )  # fmt: skip


def _moved_back(target: Target) -> Attempt:
    visitor = _served(target, 0)
    with refused(target):
        back = target.room.private("POST", "/increment_serving_counter", {"increment_by": -1})
        status, early = _token(target, visitor)
    return Attempt(
        FAULT, "a move back while the counters take no write, then ask from above it",
        f"move {back.status_code}, {_said(target, status)}", early,
    )  # fmt: skip


def _said(target: Target, status: int) -> str:
    state = target.state()
    return f"token {status} while line {state.generation} is served up to {state.serving}"
