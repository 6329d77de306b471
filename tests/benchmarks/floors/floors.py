# SPDX-License-Identifier: Apache-2.0
"""Each operation beside its floor: the minimum set of calls, by botocore and redis-py alone.

A floor makes the calls that decide the operation, with keys and conditions, and no room around
them. Both sides run in turn, in the order A B B A, in one process and on the same servers.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from itertools import count
from statistics import median
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.hashes import SHA256

import apps.private_api.app
import apps.public_api.app
from tests.benchmarks.tables import number_setting, room_on, servers_of_a_room, table
from tests.support import servers
from tests.support.in_memory_room import settings
from tests.support.lambda_proxy_events import proxy_event
from tests.support.real_stores import RealRoom
from waiting_room.adapters.redis.counters import connect

ROUNDS = number_setting("ROUNDS", 9)  # of A B B A
CALLS = 10  # of one side in one turn
JOINS = 100  # of one batch of the join worker
Call = Callable[[], Any]
GOALS = {  # the greatest ratio of processor time to the floor
    "token, first": 1.1,
}


class Floors:
    """The minimum calls of each operation, on keys of their own in the tables of a room."""

    def __init__(self, real: RealRoom, url: str) -> None:
        self.aws = servers.aws_client("dynamodb", url)
        self.redis = connect("127.0.0.1", real.valkey.port)
        self.names, self.event = real.names, f"Floor-{uuid.uuid4().hex[:8]}"
        self.numbers = count(1)
        key = real.keys.load().keys[0]
        self.key = jwt.PyJWK(dict(key.jwk), algorithm="RS256").key
        self.redis.hset(self.event, mapping={"generation": 1, "version": 1, "serving": 5})
        self.script = self.redis.register_script(
            "return redis.call('HMGET', KEYS[1], 'generation', 'version', 'serving', 'queue')"
        )
        self.apply = self.redis.register_script(
            "redis.call('HSET', KEYS[1], 'version', ARGV[1], 'serving', ARGV[2]) return 1"
        )
        self._put("SERVING_LOG_TABLE", entry={"S": "state"}, version={"N": "1"})
        self.request = str(uuid.uuid4())
        shard = {"S": f"{self.event}#1#0"}
        self._put(
            "QUEUE_POSITIONS_TABLE",
            id={"S": self.request},
            position={"N": "1"},
            shard=shard,
        )

    def _put(self, table_name: str, **item: Any) -> None:
        item["event_id"] = {"S": self.event}
        self.aws.put_item(TableName=self.names[table_name], Item=item)

    def numbers_of_redis(self) -> None:
        """One round trip."""
        self.script([self.event], [])

    def queue_num(self) -> None:
        """One read of the position."""
        self.aws.get_item(
            TableName=self.names["QUEUE_POSITIONS_TABLE"],
            Key={"id": {"S": self.request}},
        )

    def increment(self) -> None:
        """One conditional write of the state row, and one round trip."""
        number = next(self.numbers)
        self.aws.update_item(
            TableName=self.names["SERVING_LOG_TABLE"],
            Key={"event_id": {"S": self.event}, "entry": {"S": "state"}},
            UpdateExpression="SET serving = :serving",
            ConditionExpression="version = :version",
            ExpressionAttributeValues={":serving": {"N": str(number)}, ":version": {"N": "1"}},
            ReturnValues="ALL_NEW",
        )
        self.apply([self.event], [number, number])

    def token(self) -> None:
        """Read the position, check it, write the outcome, count it, sign three tokens."""
        self.queue_num()
        self.script([self.event], [])
        self.aws.put_item(
            TableName=self.names["TOKENS_TABLE"],
            Item={**self._place(), "kind": {"S": "token"}, "request_id": {"S": self.request}},
            ConditionExpression="attribute_not_exists(request_id)",
        )
        self.apply([self.event], [1, 1])
        for _ in range(3):
            self.key.sign(b"x" * 400, padding.PKCS1v15(), SHA256())

    def update_session(self) -> None:
        """One conditional write of the outcome, and one round trip."""
        self.aws.update_item(
            TableName=self.names["TOKENS_TABLE"],
            Key=self._place(),
            UpdateExpression="SET ended_at = :now",
            ConditionExpression="attribute_not_exists(ended_at)",
            ExpressionAttributeValues={":now": {"N": "1"}},
        )
        self.apply([self.event], [1, 1])

    def _place(self) -> dict[str, Any]:
        return {"shard": {"S": f"{self.event}#1"}, "position": {"N": str(next(self.numbers))}}

    def assign(self) -> None:
        """Lease, reserve one range, insert 25 rows a request, update the counters."""
        self.script([self.event], [])
        self.increment()
        for _ in range(JOINS // 25):
            self.aws.batch_execute_statement(Statements=[self._row() for _ in range(25)])

    def _row(self) -> dict[str, Any]:
        name = self.names["QUEUE_POSITIONS_TABLE"]
        shard, number = f"{self.event}#1#0", next(self.numbers)
        values = [{"S": str(uuid.uuid4())}, {"S": shard}, {"N": str(number)}, {"N": "1"}]
        return {
            "Statement": f"INSERT INTO \"{name}\" VALUE {{'id': ?, 'shard': ?, "
            "'position': ?, 'entry_time': ?}",
            "Parameters": values,
        }


def pairs(real: RealRoom, floors: Floors) -> Iterator[tuple[str, Call, Call]]:
    """Yield each operation with the call of the room and its floor."""
    public, private = apps.public_api.app.app, apps.private_api.app.app
    event, enough = real.event_id, 2 * CALLS * (2 * ROUNDS + 1)
    joins = real.joins(enough)
    for start in range(0, enough, 100):
        real.room.workers.assignment.assign(event, joins[start : start + 100])
    real.room.control.increment(event, enough)
    one, both = {"event_id": event}, {"event_id": event, "request_id": joins[0].request_id}

    def get(path: str, query: dict[str, str]) -> Call:
        return lambda: public(proxy_event("GET", path, query=query), None)

    def post(path: str, body: Callable[[], object], app: Any = private) -> Call:
        return lambda: app(proxy_event("POST", path, body=body()), None)

    new = iter([join.request_id for join in joins[: enough // 2]])
    open_ = iter(list(enumerate([join.request_id for join in joins], 1))[enough // 2 :])
    for _, request_id in list(enumerate([join.request_id for join in joins]))[enough // 2 :]:
        real.room.tokens.issue(event, request_id)

    def ended() -> dict[str, Any]:
        position, request_id = next(open_)
        return {**one, "request_id": request_id, "status": 1, "queue_position": position}

    yield "serving_num", get("/serving_num", one), floors.numbers_of_redis
    yield "waiting_num", get("/waiting_num", one), floors.numbers_of_redis
    yield "queue_num", get("/queue_num", both), floors.queue_num
    yield (
        "increment",
        post("/increment_serving_counter", lambda: {**one, "increment_by": 1}),
        floors.increment,
    )
    yield (
        "token, first",
        post("/generate_token", lambda: {**one, "request_id": next(new)}, public),
        floors.token,
    )
    yield "update_session with a position", post("/update_session", ended), floors.update_session
    yield (
        f"assign {JOINS}",
        lambda: real.room.workers.assignment.assign(event, real.joins(JOINS)),
        floors.assign,
    )


def measure(call: Call, calls: int) -> tuple[float, float]:
    """Return ms of time and of processor time of one call."""
    wall, used = time.perf_counter(), time.process_time()
    for _ in range(calls):
        answer = call()
        assert not isinstance(answer, dict) or answer["statusCode"] == 200, answer
    return (
        (time.perf_counter() - wall) * 1000 / calls,
        (time.process_time() - used) * 1000 / calls,
    )


def main() -> None:
    """Print the table."""
    rows: list[list[Any]] = []
    with servers_of_a_room() as (valkey, url, name):
        real = room_on(valkey, url)
        for module in (apps.public_api.app, apps.private_api.app):
            module.room = lambda: real.room  # type: ignore[assignment]
        apps.private_api.app.settings = settings  # type: ignore[assignment]
        for what, ours, floor in pairs(real, Floors(real, url)):
            calls = 2 if what.startswith("assign") else CALLS
            sides: list[list[tuple[float, float]]] = [[], []]
            for side in (ours, floor):
                measure(side, 2)
            for _ in range(ROUNDS):
                for side in (0, 1, 1, 0):
                    sides[side].append(measure((ours, floor)[side], calls))
            room, least = ([median(run[part] for run in side) for part in (0, 1)] for side in sides)
            ratios = [room[part] / least[part] for part in (0, 1)]
            rows.append([what, *room, *least, *ratios, GOALS.get(what, "-")])
    table(
        f"Operations and their floors: ms, {name} and Valkey on this machine",
        [
            "operation",
            "room",
            "room, processor",
            "floor",
            "floor, processor",
            "ratio",
            "ratio, processor",
            "goal",
        ],
        rows,
        name="floors",
    )


if __name__ == "__main__":
    main()
