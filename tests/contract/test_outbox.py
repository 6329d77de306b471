# SPDX-License-Identifier: Apache-2.0
"""The outbox: what a function inside the VPC writes, the function outside sends, at least once."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import apps.workers.app
from infrastructure.blueprint.resources import OUTBOX
from tests.support import servers
from tests.support.fakes.join_queue import MemoryJoinQueue
from waiting_room.adapters import outbox as module
from waiting_room.adapters.outbox import (
    Outbox,
    OutboxBus,
    OutboxJoinQueue,
    OutboxMessage,
    OutboxSender,
    message_of_item,
)
from waiting_room.domain.errors import Unavailable
from waiting_room.domain.ports.join_queue import DeadLetter, Receipt

NOW = 1_800_000_000.25
TEXT = st.text(max_size=20)
LETTERS = st.lists(st.builds(DeadLetter, TEXT, TEXT, TEXT, TEXT, st.integers(0, 2**41)), max_size=5)
CALLS = st.lists(
    st.one_of(
        st.tuples(st.just("publish"), TEXT, st.lists(st.dictionaries(TEXT, TEXT), max_size=4)),
        st.tuples(st.just("send_to_dead_letters"), LETTERS),
        st.tuples(
            st.just("deliver_again_after"),
            st.dictionaries(
                st.builds(Receipt, TEXT, st.integers(1, 99)), st.integers(0, 900), max_size=4
            ),
        ),
        st.tuples(st.just("request_step"), TEXT, st.integers(0, 60)),
    ),
    max_size=8,
)


class Rows:
    """The client of a table in memory; it does not accept a write while ``broken``."""

    def __init__(self) -> None:
        self.items: list[dict[str, Any]] = []
        self.broken = False

    def put_item(self, *, TableName: str, Item: dict[str, Any]) -> None:
        assert TableName == "outbox"
        size = sum(len(name) + len(*value.values()) for name, value in Item.items())
        assert Item["parts"]["S"].isascii()
        assert size < 400_000, "DynamoDB's limit"
        if self.broken:
            raise Unavailable("the table")
        self.items.append(Item)

    def batch(self) -> dict[str, Any]:
        """The rows as the stream delivers them."""
        return {
            "Records": [
                {"eventName": "INSERT", "dynamodb": {"SequenceNumber": str(at), "NewImage": item}}
                for at, item in enumerate(self.items)
            ]
        }


class Bus:
    """A bus in memory; it rejects the events of a type."""

    def __init__(self, rejected: str | None = None) -> None:
        self.published: list[tuple[str, list[Any]]] = []
        self.rejected = rejected

    def publish(self, detail_type: str, details: Any) -> None:
        if detail_type == self.rejected:
            raise Unavailable("the event bus did not accept every event")
        self.published.append((detail_type, list(details)))


def sender(bus: Bus, queue: Any, monkeypatch: pytest.MonkeyPatch, now: float = NOW) -> None:
    made = OutboxSender(bus, queue, lambda: now)
    monkeypatch.setattr(apps.workers.app, "outbox_sender", lambda: made)


@given(CALLS, st.integers(1, 200))
@settings(max_examples=60, deadline=None)
def test_what_is_written_is_sent_as_if_it_had_been_sent_at_once(
    calls: list[tuple[Any, ...]], most: int
) -> None:
    rows, direct, later = Rows(), (Bus(), MemoryJoinQueue()), (Bus(), MemoryJoinQueue())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "MOST_BYTES", most)
        box = Outbox(rows, "outbox", lambda: NOW)
        for name, *given_values in calls:
            for bus, queue in (direct, (OutboxBus(box), OutboxJoinQueue(box))):
                getattr(bus if name == "publish" else queue, name)(*given_values)
        sender(*later, patch)
        assert apps.workers.app.send_outbox(rows.batch(), None) == {"batchItemFailures": []}
    for ours, theirs in zip(direct, later, strict=True):
        assert flat(ours) == flat(theirs)
    assert all(int(item["ttl"]["N"]) == int(NOW) + module.KEEP for item in rows.items)


def flat(port: Bus | MemoryJoinQueue) -> Any:
    """What a port got; one call may be divided."""
    if isinstance(port, Bus):
        return [(kind, detail) for kind, details in port.published for detail in details]
    return port.buried, port.due, port.steps


def test_a_step_is_due_at_the_time_at_which_it_was_requested(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rows, queue = Rows(), MemoryJoinQueue()
    OutboxJoinQueue(Outbox(rows, "outbox", lambda: NOW)).request_step("sale", 10)
    for later in (0.2, 3.5, 99):
        sender(Bus(), queue, monkeypatch, NOW + later)
        apps.workers.app.send_outbox(rows.batch(), None)
    assert queue.steps == [("sale", 10), ("sale", 7), ("sale", 0)]


def test_the_time_of_a_further_delivery_is_that_of_its_request(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rows, queue = Rows(), MemoryJoinQueue()
    box = OutboxJoinQueue(Outbox(rows, "outbox", lambda: NOW))
    box.deliver_again_after({Receipt("soon"): 2, Receipt("later", 5): 32})
    for later, soon, late in ((0.2, 2, 32), (1.5, 1, 31), (20, 0, 12)):
        sender(Bus(), queue, monkeypatch, NOW + later)
        apps.workers.app.send_outbox(rows.batch(), None)
        assert queue.due == {Receipt("soon"): soon, Receipt("later", 5): late}


def test_an_event_that_the_bus_rejects_comes_again_and_does_not_delay_joins(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rows, bus, queue = Rows(), Bus(rejected="second"), MemoryJoinQueue()
    outbox = Outbox(rows, "outbox", lambda: NOW)
    for kind in ("first", "second", "third"):
        OutboxBus(outbox).publish(kind, [{}])
    OutboxJoinQueue(outbox).deliver_again_after({Receipt("h"): 2})
    OutboxJoinQueue(outbox).request_step("sale", 1)
    sender(bus, queue, monkeypatch)
    left = apps.workers.app.send_outbox(rows.batch(), None)
    assert left == {"batchItemFailures": [{"itemIdentifier": "1"}]}
    assert [kind for kind, _ in bus.published] == ["first"]
    assert (queue.due, queue.steps) == ({Receipt("h"): 2}, [("sale", 1)])
    bus.rejected = None
    again = {"Records": rows.batch()["Records"][1:]}  # the stream begins with the failed one
    assert apps.workers.app.send_outbox(again, None) == {"batchItemFailures": []}
    assert [kind for kind, _ in bus.published] == ["first", "second", "third"]


def test_invalid_joins_come_again_but_times_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = Rows()
    box = OutboxJoinQueue(Outbox(rows, "outbox", lambda: NOW))
    box.request_step("sale", 1)
    box.deliver_again_after({Receipt("h"): 2})
    box.send_to_dead_letters([DeadLetter("m", "body", "no JSON")])

    class Away(MemoryJoinQueue):
        def send_to_dead_letters(self, letters: Any) -> frozenset[str]:
            return frozenset(one.message_id for one in letters)

        def request_step(self, event_id: str, seconds: int) -> None:
            raise Unavailable("the join queue")

        def deliver_again_after(self, receipts: Any) -> None:
            raise Unavailable("the join queue")

    sender(Bus(), Away(), monkeypatch)
    left = apps.workers.app.send_outbox(rows.batch(), None)
    assert left == {"batchItemFailures": [{"itemIdentifier": "2"}]}


@pytest.mark.parametrize("character", ["a", '"', "é", "\U0001f389", "\ud800"])
@pytest.mark.parametrize("length", [1, 262_144])
def test_the_longest_invalid_join_fits_into_a_row(character: str, length: int) -> None:
    rows = Rows()
    letters = [DeadLetter("m1", character * length, "r" * 9_000), DeadLetter("m2", "{}", "r")]
    assert OutboxJoinQueue(Outbox(rows, "outbox", lambda: NOW)).send_to_dead_letters(letters) == (
        frozenset()
    )
    written = [part for item in rows.items for part in message_of_item(item).parts]
    assert [one["message_id"] for one in written] == ["m1", "m2"]
    body = written[0]["body"]
    assert body
    assert letters[0].body.startswith(body)
    assert len(body) == length or len(body) > 10_000


def test_a_table_that_accepts_nothing_is_unavailable_and_keeps_the_joins_in_the_queue() -> None:
    rows = Rows()
    rows.broken = True
    box = Outbox(rows, "outbox", lambda: NOW)
    queue = OutboxJoinQueue(box)
    for call in (
        lambda: OutboxBus(box).publish("kind", [{}]),
        lambda: queue.request_step("sale", 1),
        lambda: queue.deliver_again_after({Receipt("h"): 2}),
    ):
        with pytest.raises(Unavailable):
            call()
    assert queue.send_to_dead_letters([DeadLetter("m", "b", "r")]) == {"m"}


@pytest.mark.parametrize("image", [{}, {"kind": {"S": "events"}, "parts": {"S": "{"}}])
def test_an_invalid_row_is_skipped(image: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    rows, bus = Rows(), Bus()
    OutboxBus(Outbox(rows, "outbox", lambda: NOW)).publish("kind", [{}])
    bad = {"eventName": "INSERT", "dynamodb": {"SequenceNumber": "7", "NewImage": image}}
    gone = {"eventName": "REMOVE", "dynamodb": {"SequenceNumber": "8"}}
    sender(bus, MemoryJoinQueue(), monkeypatch)
    batch = {"Records": [bad, gone, *rows.batch()["Records"]]}
    assert apps.workers.app.send_outbox(batch, None) == {"batchItemFailures": []}
    assert bus.published == [("kind", [{}])]


@pytest.fixture(scope="module")
def client(moto_url: str) -> Any:
    return servers.aws_client("dynamodb", moto_url)


def test_a_row_of_dynamodb_is_the_message(client: Any) -> None:
    name = f"outbox-{uuid.uuid4().hex[:8]}"
    servers.create_table(client, OUTBOX, name)
    box = Outbox(client, name, lambda: NOW)
    message = OutboxMessage("events", {"detail_type": "é", "details": [{"n": 1}]})
    box.add(message)
    (item,) = client.scan(TableName=name)["Items"]
    assert message_of_item(item) == message
    with pytest.raises(Unavailable, match="ResourceNotFoundException"):
        Outbox(client, f"{name}-gone", lambda: NOW).add(message)
