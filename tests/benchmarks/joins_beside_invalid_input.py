# SPDX-License-Identifier: Apache-2.0
"""Valid joins alone, and with an invalid message beside each, A B B A in one run.

*A steady load*: joins arrive at a rate, and so do invalid messages, in one queue with one worker;
measured is at which rate the joins get their positions. *One worker, as fast as it can*: batches
that are full; the joins of a batch are placed before its junk is sent away, so both times are
given. Lambda adds workers where one is not enough.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from types import SimpleNamespace
from typing import Any

import apps.workers.app
from deployment.local.workers.event_sources import QueueBatches, sqs_record
from infrastructure.blueprint.resources import Function
from tests.benchmarks.tables import (
    number_setting,
    percentile,
    room_on,
    servers_of_a_room,
    table,
)
from tests.support.in_memory_room import settings
from tests.support.real_stores import RealRoom
from tests.support.servers import aws_client, moto_server
from waiting_room.adapters.join_queue import SqsJoinQueue

RATE = number_setting("RATE", 50)  # valid joins a second of the steady load
SECONDS = number_setting("SECONDS", 15)  # of each of its four legs
SIZE = number_setting("SIZE", 500)  # valid joins of a full batch
ROUNDS = number_setting("ROUNDS", 3)  # times A B B A of full batches
JUNK = ("-", "junk", "{}", '{"event_id":"Other"}', '{"event_id":1}', "[" * 200)
ARN = "arn:aws:sqs:eu-central-1:123456789012:joins"
LEGS = (False, True, True, False)
Legs = dict[bool, list[tuple[float, float]]]


class Line:
    """The queue, its worker, and when each join had its place."""

    def __init__(self, real: RealRoom, url: str) -> None:
        self.real = real
        self.sqs = aws_client("sqs", url)
        self.joins = self.sqs.create_queue(QueueName="joins")["QueueUrl"]
        self.dead = self.sqs.create_queue(QueueName="dead")["QueueUrl"]
        self.join = json.dumps({"event_id": real.event_id})
        chosen, queue = (
            settings(EVENT_ID=real.event_id),
            SqsJoinQueue(self.sqs, self.joins, self.dead),
        )
        self.placed: dict[str, float] = {}

        class Assigner:
            @staticmethod
            def assign(event_id: str, joins: Any) -> Any:
                answer = real.room.workers.assignment.assign(event_id, joins)
                now = time.perf_counter()
                again = answer.retry
                self.placed |= {one.message_id: now for one in joins if one.message_id not in again}
                return answer

        apps.workers.app.room = lambda: SimpleNamespace(assignment=Assigner)  # type: ignore[assignment,return-value]
        apps.workers.app.settings = lambda: chosen  # type: ignore[assignment]
        apps.workers.app.joins_queue = lambda: queue  # type: ignore[assignment]

    def bodies(self, count: int, junk: bool) -> list[str]:
        """Joins, with an invalid message after each when asked."""
        if not junk:
            return [self.join] * count
        mixed = ((self.join, JUNK[number % len(JUNK)]) for number in range(count))
        return [body for pair in mixed for body in pair]

    def send(self, bodies: list[str]) -> list[str]:
        """Send messages; answers the ids of the joins among them."""
        ids: list[str] = []
        for start in range(0, len(bodies), 10):
            part = bodies[start : start + 10]
            entries = [{"Id": str(index), "MessageBody": body} for index, body in enumerate(part)]
            answer = self.sqs.send_message_batch(QueueUrl=self.joins, Entries=entries)
            ids += [
                one["MessageId"]
                for one in answer["Successful"]
                if part[int(one["Id"])] == self.join
            ]
        return ids

    def steady(self, junk: bool) -> tuple[float, float]:
        """Joins placed a second, and the wait of 95 in 100."""
        function = Function("assign_positions", 30, 0, batch_size=1000, batch_window=1)
        step = QueueBatches(self.sqs, self.joins, apps.workers.app.assign_positions, function, ARN)
        over = threading.Event()

        def work() -> None:
            while not over.is_set():
                step()

        worker = threading.Thread(target=work)
        worker.start()
        sent: dict[str, float] = {}
        started = time.perf_counter()
        for tick in range(SECONDS * 5):
            time.sleep(max(0.0, started + tick / 5 - time.perf_counter()))
            now = time.perf_counter()
            sent |= dict.fromkeys(self.send(self.bodies(RATE // 5, junk)), now)
        deadline = time.perf_counter() + 60
        while not sent.keys() <= self.placed.keys() and time.perf_counter() < deadline:
            time.sleep(0.05)
        over.set()
        worker.join()
        assert sent.keys() <= self.placed.keys(), "joins got no position"
        waits = [self.placed[one] - at for one, at in sent.items()]
        spent = max(self.placed[one] for one in sent) - started
        return len(sent) / spent, percentile(waits, 0.95)

    def full(self, junk: bool) -> tuple[float, float]:
        """Joins a second of a full batch, until they are placed, and by the whole call."""
        ids = self.send(self.bodies(SIZE, junk))
        found: list[dict[str, Any]] = []
        while len(found) < SIZE * (1 + junk):
            found += self.sqs.receive_message(
                QueueUrl=self.joins, MaxNumberOfMessages=10, MessageAttributeNames=["All"],
                MessageSystemAttributeNames=["All"], VisibilityTimeout=600,
            ).get("Messages", [])  # fmt: skip
        for start in range(0, len(found), 10):
            entries = [
                {"Id": str(index), "ReceiptHandle": one["ReceiptHandle"]}
                for index, one in enumerate(found[start : start + 10])
            ]
            self.sqs.delete_message_batch(QueueUrl=self.joins, Entries=entries)
        event = {"Records": [sqs_record(one, ARN) for one in found]}
        started = time.perf_counter()
        assert apps.workers.app.assign_positions(event, None) == {"batchItemFailures": []}
        done = time.perf_counter()
        return SIZE / (self.placed[ids[0]] - started), SIZE / (done - started)


def main() -> None:
    """Print the rates side by side."""
    logging.disable(logging.WARNING)
    with servers_of_a_room() as (valkey, url, name), moto_server() as sqs_url:
        line = Line(room_on(valkey, url), sqs_url)
        line.full(True)
        steady: Legs = {False: [], True: []}
        full: Legs = {False: [], True: []}
        for junk in LEGS:
            steady[junk].append(line.steady(junk))
        for junk in LEGS * ROUNDS:
            full[junk].append(line.full(junk))
    where = f"Valkey, {name} and moto's SQS on this machine"
    table(
        f"Joins without and with an invalid message for each join: one worker, {where}",
        ["measurement", "without invalid messages", "with them", "with / without"],
        [
            _row(f"{RATE} joins a second: positions/s", steady, 0),
            _row(f"{RATE} joins a second: p95 of the wait, s", steady, 1),
            _row(f"full batches of {SIZE} joins: positions/s, assignment only", full, 0),
            _row(f"full batches of {SIZE} joins: positions/s, whole call", full, 1),
        ],
        name="joins-beside-invalid-input",
    )


def _row(what: str, legs: Legs, which: int) -> list[Any]:
    alone, beside = (percentile([one[which] for one in legs[junk]], 0.5) for junk in (False, True))
    return [what, alone, beside, beside / alone]


if __name__ == "__main__":
    main()
