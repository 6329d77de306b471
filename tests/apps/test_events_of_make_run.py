# SPDX-License-Identifier: Apache-2.0
"""The events at the start of `make run`, against the private API of a room in memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from apps.command_line.api_client import RoomApi
from apps.command_line.connection import Options
from deployment.local import events
from tests.support.app_pool import AppPool
from tests.support.in_memory_room import EVENT, InMemoryRoom

ENDPOINTS = {
    "private_api": "http://127.0.0.1:9001", "public_api": "http://127.0.0.1:9000",
    "region": "eu-central-1", "access_key_id": "KEY", "secret_access_key": "secret",
}  # fmt: skip


class Start:
    """The part of a start that concerns the events."""

    def __init__(self, room: InMemoryRoom, folder: Path) -> None:
        self.pool, self.said, self.clock = AppPool(), list[str](), room.clock
        self.options = Options(folder=folder, pool=self.pool, clock=room.clock)
        self.api: RoomApi = self.options.local_room(ENDPOINTS)

    def examples(self) -> None:
        events.create_missing(self.options, self.api, events.examples(self.clock()))

    def file(self, documents: dict[str, Any]) -> None:
        events.apply(self.options, self.api, "file.yaml", documents, self.said.append)

    def phases(self) -> dict[str, str]:
        return {one["event_id"]: one["phase"] for one in self.api.events()}


@pytest.fixture
def start(served_room: InMemoryRoom, tmp_path: Path) -> Start:
    return Start(served_room, tmp_path)


def test_a_second_start_leaves_the_examples_as_they_are(start: Start) -> None:
    own = start.api.event(EVENT)
    start.examples()
    assert start.phases() == {EVENT: "open", "SpringTour": "scheduled", "WinterSale": "closed"}
    assert start.api.event(EVENT) == own
    start.api.act("SpringTour", "close")
    start.api.act("WinterSale", "open")
    start.api.patch("WinterSale", {"schedule": {"opens_at": None, "closes_at": None}}, 2)
    before = [start.api.event(one) for one in start.phases()]
    start.pool.changes = 0
    start.examples()
    assert [start.api.event(one) for one in start.phases()] == before
    assert start.pool.changes == 0


def test_a_file_is_applied_again_without_a_change(start: Start) -> None:
    documents = {"Sale": {"title": "Sale"}, EVENT: {"title": "Own"}}
    start.file(documents)
    assert start.phases() == {EVENT: "open", "Sale": "open"}
    assert start.api.event(EVENT)["title"] == "Own"
    start.pool.changes = 0
    start.file(documents)
    assert (start.pool.changes, start.said) == (0, [])


def test_a_file_never_reopens_a_stopped_event(start: Start) -> None:
    now = int(start.clock())
    start.file({"Sale": {"schedule": {"opens_at": now - 20, "closes_at": now - 10}}, "Held": {}})
    start.api.act("Held", "pause")
    before = start.api.event("Sale"), start.api.event("Held")
    later = {"schedule": {"opens_at": now - 20, "closes_at": None}}
    start.file({"Sale": later, "Held": {"mode": "pass_through"}, "New": {}})
    assert (start.api.event("Sale"), start.api.event("Held")) == before
    assert start.phases()["New"] == "open"
    assert [one.partition(":")[0] for one in start.said] == [
        "Sale stays as it is", "Held stays as it is",
    ]  # fmt: skip


def test_an_event_that_the_room_refuses_is_named(start: Start) -> None:
    start.api.create("Sale", {"schedule": {"closes_at": 2_000_000_000}})
    with pytest.raises(events.EventsError, match=r"EVENTS: file\.yaml: Sale: schedule\.closes_at"):
        start.file({"Sale": {"schedule": {"opens_at": 2_100_000_000}}})


def test_the_table_has_ten_events_and_the_number_of_the_others(start: Start) -> None:
    start.file({f"E{number:02}": {"title": f"Title {number}"} for number in range(12)})
    found = list(events.lines(start.api, start.clock()))
    assert len(found) == 12
    assert "Title 3" in "\n".join(found)
    assert found[10] == "and 3 more"
    assert ".venv/bin/waiting-room" in found[11]
