# SPDX-License-Identifier: Apache-2.0
"""Seconds until a join has its position: alone, behind a crowd of one event, behind made-up ids.

``python -m tests.benchmarks.fair_queue`` starts the one-machine room. JOINS is the size of the
crowd. The crowd is sent to the join queue directly, faster than the worker assigns positions, with
the group that the join integration sets. No part of `make bench`: it takes minutes.
"""

from __future__ import annotations

import json
import tempfile
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from deployment.local.config import QUEUE
from tests.benchmarks.tables import number_setting, table
from tests.support.local_stack import RunningRoom, running_room
from tests.support.servers import aws_client

JOINS = number_setting("JOINS", 50_000)
MEASURED = number_setting("MEASURED", 3)  # joins of the quiet event in each row
SENDERS, BATCH = 4, 10
PATIENCE = 600.0  # s
POLL = 0.05  # s
CROWDED = "Sample"


def main() -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as folder, running_room(Path(folder)) as room:
        sqs = aws_client("sqs", room.endpoints["aws_endpoint_url"])
        url = str(sqs.get_queue_url(QueueName=QUEUE)["QueueUrl"])
        quiet = create_event(room)
        crowds: dict[str, Callable[[int], str] | None] = {
            "no other joins": None,
            f"{JOINS:,} joins of one event": lambda _: CROWDED,
            f"{JOINS:,} joins of made-up events": lambda number: f"made-up-{number}",
        }
        rows = []
        for title, event_of in crowds.items():
            if event_of:
                send(sqs, url, event_of)
            for _ in range(MEASURED):
                waiting = backlog(sqs, url)
                rows.append([title, waiting, seconds_to_position(room, quiet)])
            wait_until_empty(sqs, url)
        table(
            "Seconds from a join of a quiet event to its position",
            ["crowd", "joins in the queue before", "seconds"],
            rows,
        )


def create_event(room: RunningRoom) -> str:
    """Create an event at run time; return its id."""
    event_id = f"quiet-{uuid.uuid4().hex[:8]}"
    url, body = f"{room.endpoints['private_api']}/events/{event_id}", "{}"
    answer = room.call("PUT", url, body)
    assert answer.status_code == 201, answer.text
    return event_id


def send(sqs: Any, url: str, event_of: Callable[[int], str]) -> None:
    """Send JOINS joins; ``event_of`` returns the event of a number."""

    def batch(first: int) -> None:
        entries = []
        for number in range(first, min(first + BATCH, JOINS)):
            event_id = event_of(number)
            body = json.dumps({"event_id": event_id, "client_secret_hash": ""})
            entries.append({"Id": str(number), "MessageBody": body, "MessageGroupId": event_id})
        sent = sqs.send_message_batch(QueueUrl=url, Entries=entries)
        assert not sent.get("Failed"), sent

    with ThreadPoolExecutor(SENDERS) as threads:
        list(threads.map(batch, range(0, JOINS, BATCH)))


def backlog(sqs: Any, url: str) -> int:
    """Return the number of joins that wait in the queue."""
    name = "ApproximateNumberOfMessages"
    found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=[name])
    return int(found["Attributes"][name])


def seconds_to_position(room: RunningRoom, event_id: str) -> float:
    """Join as a browser does; return the seconds until ``/queue_num`` returns a position."""
    started = time.monotonic()
    answer = room.public("POST", "/assign_queue_num", json={"event_id": event_id})
    assert answer.status_code == 200, answer.text
    asked = {"event_id": event_id, "request_id": answer.json()["api_request_id"]}
    while (answer := room.public("GET", "/queue_num", params=asked)).status_code == 202:
        assert time.monotonic() - started < PATIENCE, "no position"
        time.sleep(POLL)
    assert answer.status_code == 200, answer.text
    return time.monotonic() - started


def wait_until_empty(sqs: Any, url: str) -> None:
    """Wait until the worker has taken all joins."""
    end = time.monotonic() + PATIENCE
    while backlog(sqs, url) and time.monotonic() < end:
        time.sleep(1)


if __name__ == "__main__":
    main()
