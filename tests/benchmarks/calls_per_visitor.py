# SPDX-License-Identifier: Apache-2.0
"""Requests to AWS and Redis per operation and for a whole visit, counted at the clients.

The figures of the AWS solution v1.1.15 are those of its documented behaviour, in calls; an
operation for which it states none has a dash.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.benchmarks.tables import number_setting, room_on, servers_of_a_room, table
from tests.support.real_stores import RealRoom

BATCH = number_setting("BATCH", 250)  # joins that one worker call took; what a busy queue hands out
SECONDS = 600  # a wait of ten minutes
POLLS = 120  # of one visitor in that time, one every five seconds
# AWS solution v1.1.15: calls to Redis and to AWS together
THEIRS: dict[str, float] = {
    "join, per visitor": 3,  # a counter, a row, a message deleted
    "waiting number": 4,
    "first token": 9,  # with expiry on; the secret is read each time
}
READS_ALL = "one read for each MB of all tokens"
REBUILDS = "three tables dropped and made again, minutes"


def main() -> None:
    """Print both tables."""
    with servers_of_a_room() as (valkey, url, _name):
        real = room_on(valkey, url)
        cost = operations(real)
    table(
        f"Requests per operation; a batch of the join worker has {BATCH} joins",
        ["operation", "Redis", "AWS", "total", "AWS solution v1.1.15"],
        [[name, *parts, sum(parts), theirs_of(name)] for name, parts in cost.items()],
        name="calls-per-operation",
    )
    table(
        "Requests per visitor: join, position, ten minutes of polls, token, end of the session",
        ["visitors at once", "this room", "AWS solution v1.1.15", "AWS solution / this room"],
        visits({name: sum(parts) for name, parts in cost.items()}),
        name="calls-per-visit",
    )


def operations(real: RealRoom) -> dict[str, tuple[float, float]]:
    """Requests to Redis and to AWS of each operation, warm."""
    event, joins = real.event_id, real.joins(BATCH)
    real.room.workers.assignment.assign(event, real.joins(1))
    request = joins[0].request_id
    found: dict[str, tuple[float, float]] = {}

    def count(name: str, call: Callable[[], Any], share: float = 1) -> None:
        # the signing keys are read once a minute by a warm function: the memory of this room
        cost = real.counted(call)
        found[name] = (cost["redis"] * share, cost["dynamodb"] * share)

    # SQS deletes a batch's messages itself, ten a call, for no function's time; theirs is our own
    count("join, per visitor", lambda: real.room.workers.assignment.assign(event, joins), 1 / BATCH)
    real.room.positions.queue_number(event, request)
    count("position", lambda: real.room.positions.queue_number(event, request))
    count("serving number", lambda: real.room.metrics.counts(event))
    count("waiting number", lambda: real.room.metrics.counts(event))
    count("status (all that a page polls)", lambda: real.room.metrics.status_page(event))
    count("raise the counter", lambda: real.room.control.increment(event, BATCH))
    count("time to expiry", lambda: real.room.tokens.time_to_expiry(event, request))
    count("first token", lambda: real.room.tokens.issue(event, request))
    count("token again", lambda: real.room.tokens.issue(event, request))
    count("end a session", lambda: real.room.sessions.end(event, request, 1))
    count("active tokens", lambda: real.room.metrics.counts(event))
    count("reset", lambda: real.room.control.reset(event))
    return found


def theirs_of(name: str) -> str:
    """The AWS solution's figure as it goes into the table."""
    if name == "active tokens":
        return READS_ALL
    if name == "reset":
        return REBUILDS
    return f"{THEIRS[name]:.0f}" if name in THEIRS else "-"


def visits(ours: dict[str, float]) -> list[list[Any]]:
    """Whole visits where more or fewer share the edge's answers, each kept for a second.

    Both pages ask every five seconds; here for ``status``, there for serving and waiting number.
    What the AWS solution does not state (position, serving number, end of a session) counts as
    ours does.
    """
    theirs = {**ours, **THEIRS}
    rows: list[list[Any]] = []
    once = ours["position"] + ours["end a session"]
    for crowd in (1, 1_000, 100_000):
        polls = min(POLLS, SECONDS / crowd)
        mine = ours["join, per visitor"] + ours["first token"] + once
        mine += polls * ours["status (all that a page polls)"]
        other = theirs["join, per visitor"] + theirs["first token"] + once
        other += polls * (theirs["serving number"] + theirs["waiting number"])
        rows.append([crowd, mine, other, other / mine])
    return rows


if __name__ == "__main__":
    main()
