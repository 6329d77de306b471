# SPDX-License-Identifier: Apache-2.0
"""The room that is attacked, and what an attacker has: a browser, raw bytes, other credentials."""

from __future__ import annotations

import random
import socket
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import httpx
import redis
from botocore.session import Session

from deployment.local import config
from tests.support import servers
from tests.support.local_stack import RunningRoom
from waiting_room.adapters.dynamodb.positions import DynamoPositions
from waiting_room.adapters.dynamodb.serving_log import DynamoServingLog
from waiting_room.domain.records import EventState

ANSWER_SECONDS = 20  # for one answer; the slowest that the room promises is 9
PLACE_SECONDS = 30  # for a join that waits in a queue full of junk
ADDRESS = "203.0.113."  # addresses that nobody has (RFC 5737); the attacker claims to have one


@dataclass
class Target:
    """A running room. ``ids`` and ``addresses`` are what its logs must not contain."""

    room: RunningRoom
    dice: random.Random
    ids: set[str] = field(default_factory=set)
    addresses: set[str] = field(default_factory=set)

    def uuid(self) -> str:
        """A request id that the attacker would like to have."""
        chosen = str(uuid.UUID(int=self.dice.getrandbits(128), version=4))
        self.ids.add(chosen)
        return chosen

    def address(self) -> str:
        """An address that the attacker claims to have."""
        chosen = f"{ADDRESS}{self.dice.randrange(1, 255)}"
        self.addresses.add(chosen)
        return chosen

    def join(self, **body: Any) -> str:
        """A visitor joins; the request id."""
        request_id = self.room.join(**body)
        self.ids.add(request_id)
        return request_id

    def position(self, request_id: str, seconds: float = PLACE_SECONDS) -> int | None:
        """The position of a request, None when it has none in time."""
        end = time.monotonic() + seconds
        while True:
            answer = self.room.ask("/queue_num", request_id)
            if answer.status_code == 200:
                return int(answer.json()["queue_number"])
            if time.monotonic() > end:
                return None
            time.sleep(0.2)

    def post(self, path: str, content: bytes, **headers: str) -> httpx.Response:
        """A POST of the public API with any bytes."""
        sent = {"Content-Type": "application/json", **headers}
        return self.room.public("POST", path, content=content, headers=sent, timeout=ANSWER_SECONDS)

    def raw(self, door: str, request: bytes) -> int:
        """The status that bytes on a connection are answered with; 0 without an answer."""
        found = urlsplit(self.room.endpoints[door])
        try:
            with socket.create_connection(
                (found.hostname, found.port or 80), timeout=ANSWER_SECONDS
            ) as line:
                line.sendall(request)
                head = line.recv(64)
        except OSError:
            return 0
        parts = head.split(b" ", 2)
        return int(parts[1]) if len(parts) > 1 and parts[1].isdigit() else 0

    def sqs(self) -> tuple[Any, str]:
        """The queue of joins by credentials that are not the room's; its address."""
        client = Session().create_client(
            "sqs",
            endpoint_url=self.room.endpoints["aws_endpoint_url"],
            region_name=self.room.endpoints["region"],
            aws_access_key_id=f"AKIAATTACKER{self.dice.randrange(10_000):04}",
            aws_secret_access_key="not the room's",
        )
        return client, str(client.get_queue_url(QueueName=config.QUEUE)["QueueUrl"])

    def queued(self, name: str) -> int:
        """Messages in a queue: waiting, in flight or delayed."""
        client, _ = self.sqs()
        url = client.get_queue_url(QueueName=name)["QueueUrl"]
        found = client.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        return sum(int(value) for key, value in found.items() if "NumberOfMessages" in key)

    def state(self) -> EventState:
        """Read the event's state row from DynamoDB, independent of the counters."""
        client = self._dynamodb()
        return DynamoServingLog(client, client, _table("SERVING_LOG_TABLE")).read(
            self.room.event_id
        )

    def row(self, request_id: str) -> tuple[int, int]:
        """A visitor's position and generation, by the tables; zeros without one."""
        tables = (_table("QUEUE_POSITIONS_TABLE"), _table("SERVING_LOG_TABLE"))
        row = DynamoPositions(self._dynamodb(), *tables).get(self.room.event_id, request_id)
        return (row.position, row.generation) if row else (0, 0)

    def _dynamodb(self) -> Any:
        return servers.aws_client("dynamodb", self.room.endpoints["aws_endpoint_url"])

    def valkey(self) -> redis.Redis:
        """The counter server, as somebody inside the network reaches it."""
        return redis.Redis.from_url(self.room.endpoints["redis_url"], socket_timeout=5)

    def until(self, holds: Callable[[], bool], seconds: float) -> bool:
        """Wait at most ``seconds`` until ``holds`` is true; return whether it became true."""
        end = time.monotonic() + seconds
        while not holds():
            if time.monotonic() > end:
                return False
            time.sleep(0.2)
        return True


def _table(setting: str) -> str:
    return config.DEFAULTS[setting]
