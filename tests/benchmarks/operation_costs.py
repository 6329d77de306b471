# SPDX-License-Identifier: Apache-2.0
"""What each operation costs, measured at its clients: requests, DynamoDB units, processor time.

``python -m tests.benchmarks.operation_costs`` prints the tables and writes the file that the
capacity model reads (``deployment/capacity/operations.json``); a test compares it with the code. It
measures with the counters in Redis, and in DynamoDB (profile serverless).
"""

from __future__ import annotations

import json
import os
import platform
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, date, datetime
from itertools import count
from typing import Any

import apps.public_api.app
import apps.workers.app
from deployment.capacity.operations import FILE
from tests.benchmarks import straight_through
from tests.benchmarks.tables import percentile, room_on, servers_of_a_room, table
from tests.support.fakes.entrance import entrance_of
from tests.support.in_memory_room import IN_TABLES, ISSUER, settings
from tests.support.lambda_proxy_events import proxy_event
from tests.support.real_stores import RealRoom
from waiting_room.adapters.access_tokens import PublishedKeys, VerifiedTokens
from waiting_room.adapters.dynamodb.positions import _item
from waiting_room.adapters.outbox import Outbox, OutboxBus
from waiting_room.domain.gate.credentials import GateSession
from waiting_room.domain.records import OutcomeKind, Position
from waiting_room.use_cases.gate.gate_sessions import GateSessions

BATCHES = (100, 1_000)
ROUNDS = 60
INCREMENTS = 24  # about two blocks of moves
READS = ("GetItem", "BatchGetItem", "Query")


@dataclass(frozen=True)
class Cost:
    """Of one call: requests, DynamoDB units, milliseconds of processor time here."""

    redis: int
    dynamodb: int
    read_units: float
    write_units: float
    cpu_ms: float


class Meter:
    """Counts the units that DynamoDB says a call consumed."""

    def __init__(self, real: RealRoom) -> None:
        self._real = real
        self.read, self.write, self._is_on = 0.0, 0.0, False
        for client in (real.dynamodb, real.single):
            client.meta.events.register("provide-client-params.dynamodb.*", _ask_for_units)
            client.meta.events.register("after-call.dynamodb.*", self._note)

    def _note(self, parsed: Mapping[str, Any], model: Any, **_: Any) -> None:
        if not self._is_on:  # ``counted`` refreshes the registry before the call
            return
        said = parsed.get("ConsumedCapacity") or []
        units = sum(
            one.get("CapacityUnits", 0.0) for one in (said if isinstance(said, list) else [said])
        )
        if model.name in READS:
            self.read += units
        else:
            self.write += units

    def cost(self, call: Callable[[], object], times: int = 1) -> Cost:
        """The average cost of a call; processor time is the median's."""
        requests: dict[str, int] = {"redis": 0, "dynamodb": 0}
        self.read = self.write = 0.0
        spent = []

        def measured() -> None:
            started, self._is_on = time.process_time(), True
            try:
                call()
            finally:
                self._is_on = False
                spent.append((time.process_time() - started) * 1000)

        for _ in range(times):
            found = self._real.counted(measured)
            for name in requests:
                requests[name] += found[name]
        return Cost(
            redis=round(requests["redis"] / times),
            dynamodb=round(requests["dynamodb"] / times),
            read_units=round(self.read / times, 2),
            write_units=round(self.write / times, 2),
            cpu_ms=round(percentile(spent, 0.5), 2),
        )


def _ask_for_units(params: dict[str, Any], model: Any, **_: Any) -> None:
    if "ReturnConsumedCapacity" in model.input_shape.members:
        params["ReturnConsumedCapacity"] = "TOTAL"


def measure(real: RealRoom, rounds: int = ROUNDS) -> dict[str, Cost]:
    """The cost of each operation, by name."""
    room, event = real.room, real.event_id
    for module in (apps.public_api.app, apps.workers.app):
        module.room = lambda: room  # type: ignore[assignment]
    chosen = settings(EVENT_ID=event, **real.options)
    apps.workers.app.settings = lambda: chosen  # type: ignore[assignment]
    meter = Meter(real)
    room.workers.assignment.assign(event, real.joins(2))
    found = {
        f"join_batch_{size}": meter.cost(
            lambda size=size: _assign(real, size), max(2, rounds // 20)
        )
        for size in BATCHES
    }
    row = found["row"] = meter.cost(lambda: _put_row(real), 3)
    for size in BATCHES:  # DynamoDB Local does not say what a batch of statements consumed
        batch = found[f"join_batch_{size}"]
        units = batch.write_units + size * row.write_units
        found[f"join_batch_{size}"] = replace(batch, write_units=units)
    joins = real.joins(rounds * 3)
    room.workers.assignment.assign(event, joins)
    ids = iter(join.request_id for join in joins)
    known = next(ids)

    def get(path: str, status: int = 200, **query: str) -> Callable[[], object]:
        call = proxy_event("GET", path, query={"event_id": event, **query})
        return lambda: _answered(call, status)

    def token(request_id: Callable[[], str]) -> Callable[[], object]:
        def ask() -> None:
            body = {"event_id": event, "request_id": request_id()}
            _answered(proxy_event("POST", "/generate_token", body=body), 200)

        return ask

    get("/queue_num", request_id=known)()
    found["queue_num"] = meter.cost(get("/queue_num", request_id=known), rounds)
    unknown = str(uuid.uuid4())
    found["queue_num_202"] = meter.cost(get("/queue_num", 202, request_id=unknown), rounds)
    found["status"] = meter.cost(get("/status"), rounds)
    room.control.increment(event, 3 * (len(joins) + 9_000))
    found["increment"] = meter.cost(lambda: room.control.increment(event, 1), INCREMENTS)
    token(lambda: known)()
    found["token"] = meter.cost(token(lambda: next(ids)), rounds)
    found["token_again"] = meter.cost(token(lambda: known), rounds)
    rows = [row for row in real.outcomes.in_range(event, 1, 1, 10_000) if row.is_token]
    found["publish_five"] = meter.cost(lambda: room.publisher.publish_outcomes(rows[:5]), 3)
    if real.in_tables:
        fives = iter([rows[start : start + 5] for start in range(0, len(rows), 5)])
        found["count_five"] = meter.cost(
            lambda: room.counters.count_delivered(next(fives)), min(3, len(rows) // 5)
        )
    outbox = OutboxBus(Outbox(real.dynamodb, real.names["OUTBOX_TABLE"], time.time))
    five = [{"event_id": event, "request_id": row.request_id} for row in rows[:5]]
    found["outbox_row"] = meter.cost(lambda: outbox.publish("token_generated", five), 3)
    completed = iter([row.request_id for row in rows])
    found["session"] = meter.cost(
        lambda: room.sessions.end(event, next(completed), 1),
        min(20, rounds // 2),
    )
    assert all(row.kind is OutcomeKind.TOKEN for row in rows)
    found |= _gate(real, meter, rounds)
    entry = found["go"]  # its row is written by a batch of statements, too
    found["go"] = replace(entry, write_units=entry.write_units + row.write_units)
    _minute(real)
    found["idle_minute"] = meter.cost(lambda: _minute(real), 3)
    return found


def _gate(real: RealRoom, meter: Meter, rounds: int) -> dict[str, Cost]:
    """The cost of what the entrance does for an event behind a gate, by name.

    ``enter`` reads anew at each call, because the edge calls it once a second. The others share the
    copies of a warm function.
    """
    event, room = straight_through.event(real, "gate"), real.new_room()
    room.control.increment(event, 100_000)
    ticks, ahead = count(step=2), [0.0]
    shared = entrance_of(real.new_stores(), lambda: time.time() + next(ticks))
    found = {"enter": meter.cost(lambda: shared.enter(event), rounds)}

    def clock() -> float:
        return time.time() + ahead[0]

    stores = real.new_stores()
    entrance, entered = entrance_of(stores, clock), list[GateSession]()

    def go() -> None:
        session = entrance.go(event)
        assert isinstance(session, GateSession), session
        entered.append(session)

    go()
    found["go"] = meter.cost(go, rounds)
    joins = real.joins(rounds + 1)
    room.workers.assignment.assign(event, joins)
    tokens = iter([room.tokens.issue(event, one.request_id)["access_token"] for one in joins])
    verified = VerifiedTokens(PublishedKeys(stores.public_keys, time.monotonic), ISSUER, clock)
    sessions = GateSessions(
        entrance.events, entrance.keys, stores.outcomes, stores.positions, stores.log, verified,
        clock,
    )  # fmt: skip
    ahead[0] = 2.0  # after the second in which the tokens were issued
    sessions.begin(event, next(tokens))
    found["begin_session"] = meter.cost(lambda: sessions.begin(event, next(tokens)), rounds)
    due = iter(entered)
    ahead[0] = entered[0].expires - time.time() - 120  # the sessions are valid and due
    sessions.renew(next(due))
    found["renew"] = meter.cost(lambda: sessions.renew(next(due)), rounds)
    return found


def _answered(event: dict[str, Any], status: int) -> None:
    answer = apps.public_api.app.app(event, None)
    assert answer["statusCode"] == status, answer["body"]


def _assign(real: RealRoom, size: int) -> None:
    """A worker's call, from the queue's messages on."""
    now = str(int(time.time() * 1000))
    records = [
        {
            "messageId": str(uuid.uuid4()),
            "body": json.dumps({"event_id": real.event_id}),
            "attributes": {"SentTimestamp": now},
        }
        for _ in range(size)
    ]
    answer = apps.workers.app.assign_positions({"Records": records}, None)
    assert answer == {"batchItemFailures": []}


def _put_row(real: RealRoom) -> None:
    """A visitor's row as the worker writes it: with its place in the index."""
    row = Position(real.event_id, 1, str(uuid.uuid4()), 1_000_000, int(time.time()))
    real.dynamodb.put_item(TableName=real.names["QUEUE_POSITIONS_TABLE"], Item=_item(row))


def _minute(real: RealRoom) -> None:
    real.room.workers.reconciliation.run(real.event_id)
    real.room.workers.expiry_sweep.run(real.event_id)
    counts = real.room.metrics.report(real.event_id)
    idle = replace(counts, latest=())  # no visitor was served in the minute
    real.room.workers.history.record(real.event_id, idle)


def main() -> None:
    """Measure, print, write."""
    with servers_of_a_room() as (valkey, url, name):
        if name == "moto":
            raise SystemExit("Units come from DynamoDB Local: install Java, then make install.")
        costs = measure(room_on(valkey, url))
        in_tables = measure(room_on(None, url, **IN_TABLES))
    columns = list(Cost.__dataclass_fields__)
    for title, found in (
        (f"Cost of each operation: at its clients, with Valkey and {name}", costs),
        (f"Cost of each operation in tables: at its clients, with {name}", in_tables),
    ):
        table(
            title,
            ["operation", *columns],
            [[operation, *asdict(cost).values()] for operation, cost in found.items()],
        )
    kept = {
        "measured_on": date.isoformat(datetime.now(UTC).date()),
        "machine": f"{os.cpu_count()} cores, {platform.machine()}, "
        f"Python {platform.python_version()}",
        "command": "python -m tests.benchmarks.operation_costs",
        "operations": {operation: asdict(cost) for operation, cost in costs.items()},
        "in_tables": {operation: asdict(cost) for operation, cost in in_tables.items()},
    }
    FILE.write_text(json.dumps(kept, indent=1) + "\n")
    print(f"\nwritten: {FILE.name}")


if __name__ == "__main__":
    main()
