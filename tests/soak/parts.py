# SPDX-License-Identifier: Apache-2.0
"""The processes of the room, their memory and open files; the rows that they hold."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
from botocore.config import Config
from botocore.session import Session

from deployment.load_test.processor import PARTS
from deployment.local.config import DEAD_LETTERS, PREFIX, QUEUE
from infrastructure.blueprint.resources import POSITIONS, TOKENS
from tests.soak.observations import Result, Row, Tables, Told
from tests.soak.samples import Size
from tests.support.local_stack import RunningRoom

PROC = Path("/proc")


def processes(parent: int) -> dict[str, int]:
    """The pid of each part that is a child of ``parent``."""
    found = {"starter": parent}
    for folder in PROC.glob("[0-9]*"):
        try:
            stat = (folder / "stat").read_text().rpartition(")")[2].split()
            command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:  # it has just ended
            continue
        if int(stat[1]) == parent:
            found |= {name: int(folder.name) for mark, name in PARTS.items() if mark in command}
    return found


def size(part: str, pid: int, at: float) -> Size | None:
    """What a process takes now; None when it is gone."""
    try:
        pages = int((PROC / str(pid) / "statm").read_text().split()[1])
        files = len(os.listdir(PROC / str(pid) / "fd"))
    except OSError:
        return None
    return Size(at, part, pid, pages * os.sysconf("SC_PAGE_SIZE") / 1_048_576, files)


class Stored:
    """Reads the tables, the queues and the API of the room of this machine."""

    def __init__(self, room: RunningRoom) -> None:
        self._room = room
        self._dead_letters: set[str] = set()

    def read(self) -> tuple[Tables, Told]:
        """Tables first, then what the API says of them."""
        figures = self._room.private("GET", "/metrics").raise_for_status().json()
        rows = [
            Row(
                item["id"]["S"].rpartition("#")[2],
                int(item["generation"]["N"]),
                int(item["position"]["N"]),
            )
            for item in self._items(POSITIONS.name)
        ]
        results = [
            Result(
                item.get("request_id", {}).get("S", ""),
                int(item["shard"]["S"].split("#")[-2]),
                int(item["position"]["N"]),
                item["kind"]["S"],
                item.get("session_status", {}).get("S", ""),
                int(item.get("expires_at", {}).get("N", "0")),
            )
            for item in self._items(TOKENS.name)
        ]
        tables = Tables(figures["generation"], rows, results, self._dead(), self._queued())
        waiting = self._room.ask("/waiting_num").raise_for_status().json()["waiting_num"]
        return tables, Told(figures, waiting, self._ended())

    def _client(self, service: str) -> Any:
        endpoints = self._room.endpoints
        return Session().create_client(
            service,
            endpoint_url=endpoints["aws_endpoint_url"],
            region_name=endpoints["region"],
            aws_access_key_id=endpoints["access_key_id"],
            aws_secret_access_key=endpoints["secret_access_key"],
            config=Config(read_timeout=60),
        )

    def _items(self, table: str) -> Iterator[dict[str, Any]]:
        pages = self._client("dynamodb").get_paginator("scan").paginate(
            TableName=f"{PREFIX}-{table}"
        )  # fmt: skip
        for page in pages:
            yield from page["Items"]

    def _queued(self) -> int:
        sqs = self._client("sqs")
        counts = sqs.get_queue_attributes(
            QueueUrl=sqs.get_queue_url(QueueName=QUEUE)["QueueUrl"], AttributeNames=["All"]
        )["Attributes"]
        names = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")
        return sum(int(counts[name]) for name in names)

    def _dead(self) -> set[str]:
        """All dead letters so far, whole."""
        sqs = self._client("sqs")
        url = sqs.get_queue_url(QueueName=DEAD_LETTERS)["QueueUrl"]
        while messages := sqs.receive_message(
            QueueUrl=url,
            MaxNumberOfMessages=10,
            VisibilityTimeout=120,  # not again in this reading
            MessageAttributeNames=["All"],
            MessageSystemAttributeNames=["All"],
        ).get("Messages"):
            self._dead_letters |= {
                json.dumps({"id": one["MessageId"], "body": one["Body"],
                            "attributes": one.get("MessageAttributes", {})}, default=str)
                for one in messages
            }  # fmt: skip
        return self._dead_letters

    def _ended(self) -> list[str]:
        """All pages."""
        found: list[str] = []
        after = ""
        while True:
            params = {"event_id": self._room.event_id} | ({"next_token": after} if after else {})
            url = f"{self._room.endpoints['public_api']}/ended_sessions"
            answer = httpx.get(url, params=params, timeout=30).raise_for_status().json()
            found += answer["request_ids"]
            after = answer.get("next_token") or ""
            if not after:
                return found
