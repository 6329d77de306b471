# SPDX-License-Identifier: Apache-2.0
"""Local event sources of the workers: ``python -m deployment.local.workers.runner READY_FD``.

Runs the functions of ``source/apps/workers`` and, with an inlet strategy, of ``source/apps/inlet``.
Queue, stream, topic and schedules start them as on AWS. Bus events are written to a file.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

from botocore.config import Config as ClientConfig
from botocore.session import Session

from deployment.local import config
from deployment.local.workers.event_sources import Poller, QueueBatches, StreamBatches, sns_event
from deployment.local.workers.schedules import Schedule
from infrastructure.blueprint.resources import (
    ASSIGN,
    COUNT_OUTCOMES,
    INLETS,
    MAX_SIZE_INLET,
    PUBLISH,
    ROTATE,
    TOKENS,
    WORKERS,
    Function,
    rotation,
)
from waiting_room.adapters.aws import share_clients
from waiting_room.adapters.dynamodb.items import MAX_CONCURRENT_REQUESTS

BUS_EVENTS = Function("bus_events", 10, 0, batch_size=10)
OTHERS = 9  # pollers and schedules besides assign_positions
EXIT_NOTICES = Function("max_size_inlet", MAX_SIZE_INLET.timeout, 0, batch_size=10)


def main(ready_fd: int) -> None:
    """Run until SIGTERM."""
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    from apps.workers import app as workers

    share_clients(MAX_CONCURRENT_REQUESTS * (int(os.environ["ASSIGN_WORKERS"]) + OTHERS))
    workers.set_up({}, None)
    minute = float(os.environ["SCHEDULE_MINUTE_SECONDS"])
    running: list[Poller | Schedule] = [*pollers(workers), *schedules(workers, minute)]
    with os.fdopen(ready_fd, "w") as pipe:
        pipe.write("ready\n")
    stop.wait()
    for one in running:
        one.stop()
    for one in running:
        if isinstance(one, Poller):
            one.join()


def pollers(workers: Any) -> list[Poller]:
    """Return the pollers of the queues and the stream."""
    session: Any = Session()
    limits = ClientConfig(connect_timeout=2, read_timeout=10, retries={"total_max_attempts": 2})

    def batches(queue: str, handler: Any, function: Function) -> QueueBatches:
        sqs = session.create_client("sqs", config=limits)
        url = sqs.get_queue_url(QueueName=queue)["QueueUrl"]
        arn = f"arn:aws:sqs:{sqs.meta.region_name}:123456789012:{queue}"
        return QueueBatches(sqs, url, handler, function, arn)

    dynamodb = session.create_client("dynamodb", config=limits)
    table = dynamodb.describe_table(TableName=os.environ[TOKENS.setting])["Table"]
    streams = session.create_client("dynamodbstreams", config=limits)
    publish = StreamBatches(streams, table["LatestStreamArn"], workers.publish_events, PUBLISH)
    found = [
        Poller(
            f"assign_positions {number + 1}",
            batches(config.QUEUE, workers.assign_positions, ASSIGN),
        )
        for number in range(int(os.environ["ASSIGN_WORKERS"]))
    ]
    if config.has_table_counters(os.environ):
        counting = session.create_client("dynamodbstreams", config=limits)
        stream, count = table["LatestStreamArn"], workers.count_outcomes
        found.append(
            Poller("count_outcomes", StreamBatches(counting, stream, count, COUNT_OUTCOMES))
        )
    found += [
        Poller("publish_events", publish),
        Poller("bus events", batches(config.BUS_EVENTS, EventFile().append, BUS_EVENTS)),
    ]
    if os.environ.get("INLET_STRATEGY") == "MaxSize":
        inlet = inlet_app()

        def max_size(event: dict[str, Any], context: Any) -> Any:
            return inlet.max_size_inlet(sns_event(event), context)

        found.append(Poller("max_size_inlet", batches(config.EXIT_NOTICES, max_size, EXIT_NOTICES)))
    return found


def schedules(workers: Any, minute: float) -> list[Schedule]:
    """Return the schedules of the functions."""
    found = [
        Schedule(function, getattr(workers, function.name), minute)
        for function in WORKERS
        if function.schedule
    ]
    keys = replace(ROTATE, schedule=rotation(int(os.environ["KEY_ROTATION_DAYS"])))
    if keys.schedule:
        found.append(Schedule(keys, workers.rotate_keys, minute))
    strategy = os.environ.get("INLET_STRATEGY", "")
    if strategy:
        function = INLETS[strategy]
        found.append(Schedule(function, getattr(inlet_app(), function.name), 60.0))
    return found


def inlet_app() -> Any:
    """Return the app of the inlets with the credentials of their role, as Lambda sets them."""
    from botocore.credentials import Credentials

    from apps.inlet import app
    from waiting_room.adapters.http import signed_client

    keys = Credentials(os.environ[config.INLET_KEY_ID], os.environ[config.INLET_SECRET])
    signed_client.credentials = lambda: keys
    return app


class EventFile:
    """A file with the bus events, one JSON object per line."""

    def __init__(self) -> None:
        self._path = Path(os.environ["BUS_EVENTS_FILE"])

    def append(self, event: dict[str, Any], _context: Any) -> None:
        """Append the bus events of a batch."""
        with self._path.open("a") as file:
            for record in event["Records"]:
                bus_event = json.loads(record["body"])
                line = {name: bus_event.get(name) for name in ("time", "detail-type", "detail")}
                file.write(json.dumps(line) + "\n")


if __name__ == "__main__":
    main(int(sys.argv[1]))
