# SPDX-License-Identifier: Apache-2.0
"""Requests to AWS and Redis per operation and for a whole visit, counted at the clients.

The figures of the AWS solution v1.1.15 are those of its documented behaviour, in calls.
"""

from __future__ import annotations

from tests.benchmarks.tables import room_on, servers_of_a_room, table

BATCH = 250  # joins that one worker call took; what a busy queue hands out
SECONDS = 600  # a wait
POLLS = 120  # of one visitor in that time, one every five seconds
# AWS solution v1.1.15: what its documentation and code paths state, per call
THEIRS = {
    "join, per visitor": 3.0,  # 1 Redis + 1 DynamoDB + 1 SQS delete
    "position": 1.0,
    "serving number": 1.0,
    "waiting number": 4.0,
    "first token": 9.0,
    "token again": 9.0,
    "end a session": 3.0,
}


def main() -> None:
    """Print both tables."""
    with servers_of_a_room() as (valkey, url, _name):
        real = room_on(valkey, url)
        event = real.event_id
        real.room.assign(event, real.joins(1))
        joins = real.joins(BATCH)
        rows = []

        def count(name: str, call, share: float = 1.0) -> float:  # type: ignore[no-untyped-def]
            cost = real.counted(call)
            ours = (cost["redis"] + cost["dynamodb"]) * share
            theirs = THEIRS.get(name)
            rows.append(
                [
                    name,
                    cost["redis"] * share,
                    cost["dynamodb"] * share,
                    ours,
                    "-" if theirs is None else theirs,
                ]
            )
            return ours

        request = joins[0].request_id
        per_join = count("join, per visitor", lambda: real.room.assign(event, joins), 1 / BATCH)
        real.room.queue_number(event, request)
        position = count("position", lambda: real.room.queue_number(event, request))
        count("serving number", lambda: real.room.counts(event))
        count("waiting number", lambda: real.room.counts(event))
        status = count("status", lambda: real.room.status(event))
        count("raise the counter", lambda: real.room.increment_serving_counter(event, BATCH))
        first = count("first token", lambda: real.room.generate_token(event, request))
        count("token again", lambda: real.room.generate_token(event, request))
        end = count("end a session", lambda: real.room.update_session(event, request, 1))
        count("active tokens", lambda: real.room.counts(event))
        count("reset", lambda: real.room.reset_initial_state(event))
        table(
            f"Calls per operation: a worker's batch is {BATCH} joins",
            ["operation", "Redis", "DynamoDB", "both", "AWS solution"],
            rows,
        )
        visits = []
        for crowd in (1, 1_000, 100_000):
            polls = min(POLLS, SECONDS / crowd)  # the edge asks once a second for everybody
            mine = per_join + position + polls * status + first + end
            theirs = 3 + 1 + polls * (1 + 4) + 9 + 3
            visits.append([crowd, mine, theirs, theirs / mine])
        table(
            "Calls of a visit: join, ten minutes of polls through the same edge cache, token, end",
            ["visitors at once", "here", "AWS solution", "ratio"],
            visits,
        )


if __name__ == "__main__":
    main()
