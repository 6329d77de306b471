# SPDX-License-Identifier: Apache-2.0
"""The workers, called as Lambda calls them."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest

import apps.workers.app
from tests.support.in_memory_room import EVENT, InMemoryRoom, outcome_of, settings
from waiting_room.domain.published_keys import Publication
from waiting_room.domain.signing_keys import KeySet


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> InMemoryRoom:
    made = InMemoryRoom({"ENABLE_EVENTS_GENERATION": "true"})
    monkeypatch.setattr(apps.workers.app, "room", lambda: made.room)
    monkeypatch.setattr(apps.workers.app, "settings", settings)
    monkeypatch.setattr(apps.workers.app, "joins_queue", lambda: made.joins_queue)
    return made


JOIN = json.dumps({"event_id": EVENT})


def message(world: InMemoryRoom, body: str, received: int = 1) -> dict[str, Any]:
    return {
        "messageId": str(uuid.uuid4()),
        "receiptHandle": f"handle-{uuid.uuid4()}",
        "body": body,
        "attributes": {
            "SentTimestamp": str(int(world.clock.now * 1000)),
            "ApproximateReceiveCount": str(received),
        },
        "messageAttributes": {},
    }


def assign(*records: Any) -> set[str]:
    """The ids of the messages that must come again."""
    answer = apps.workers.app.assign_positions({"Records": list(records)}, None)
    return {one["itemIdentifier"] for one in answer["batchItemFailures"]}


def test_a_message_that_can_be_no_join_is_received_once_and_no_more(world: InMemoryRoom) -> None:
    good, bad = message(world, JOIN), message(world, "junk")
    assert assign(bad, good) == set()
    assert world.position(good["messageId"]) == 1
    (letter,) = world.joins_queue.store.buried
    assert (letter.message_id, letter.body) == (bad["messageId"], "junk")
    assert letter.reason == "the join is not valid JSON"
    assert world.joins_queue.store.due == {}


def test_a_dead_letter_that_was_not_taken_comes_again(world: InMemoryRoom) -> None:
    good, bad = message(world, JOIN), message(world, "junk")
    world.joins_queue.store.send_to_dead_letters = lambda letters: frozenset(
        one.message_id for one in letters
    )
    assert assign(bad, good) == {bad["messageId"]}
    assert world.position(good["messageId"]) == 1


def test_joins_get_their_places_before_junk_goes_to_the_dead_letters(world: InMemoryRoom) -> None:
    good, bad = message(world, JOIN), message(world, "junk")
    seen: list[int] = []
    world.joins_queue.store.send_to_dead_letters = lambda _: (
        seen.append(world.log.read(EVENT).queue) or frozenset()
    )
    assign(bad, good)
    assert seen == [1]


def test_a_batch_of_junk_alone_reserves_nothing(world: InMemoryRoom) -> None:
    assert assign(message(world, "{}"), message(world, "[]")) == set()
    assert world.log.read(EVENT).queue == 0


def test_joins_that_got_no_place_come_again_within_seconds(world: InMemoryRoom) -> None:
    first, second = message(world, JOIN), message(world, JOIN, received=3)
    junk = message(world, "junk")
    world.positions.fail("insert", "before")
    assert assign(first, second, junk) == {first["messageId"], second["messageId"]}
    due = {receipt.handle: wait for receipt, wait in world.joins_queue.store.due.items()}
    assert due == {first["receiptHandle"]: 2, second["receiptHandle"]: 8}
    assert [one.message_id for one in world.joins_queue.store.buried] == [junk["messageId"]]


def test_without_an_answer_of_the_queue_joins_come_again_when_it_says(world: InMemoryRoom) -> None:
    one = message(world, JOIN)
    world.positions.fail("insert", "before")
    world.joins_queue.fail("deliver_again_after", "before")
    assert assign(one) == {one["messageId"]}


@pytest.mark.parametrize("count", [None, "", "many", 5, "9" * 5000, {}])
def test_an_odd_count_of_receives_keeps_nothing_from_coming_again(
    world: InMemoryRoom, count: Any
) -> None:
    one, other = message(world, JOIN), message(world, JOIN)
    one["attributes"]["ApproximateReceiveCount"] = count
    del other["receiptHandle"]
    world.positions.fail("insert", "before")
    assert assign(one, other) == {one["messageId"], other["messageId"]}


def stream_record(name: str, **changed: Any) -> dict[str, Any]:
    image = {
        "event_id": {"S": EVENT}, "generation": {"N": "1"}, "position": {"N": "1"},
        "request_id": {"S": "r"}, "kind": {"S": "token"}, "at": {"N": "1"},
        "expires_at": {"N": "1800003600"}, "session_status": {"S": "open"}, **changed,
    }  # fmt: skip
    return {"eventName": name, "dynamodb": {"NewImage": image}}


def test_the_stream_becomes_events(world: InMemoryRoom) -> None:
    world.room.workers.setup.run()
    records = [
        stream_record("INSERT"),
        stream_record("INSERT", kind={"S": "expired"}, position={"N": "2"}),
        stream_record("MODIFY", session_status={"S": "abandoned"}),
        {"eventName": "REMOVE", "dynamodb": {}},
    ]
    assert apps.workers.app.publish_events({"Records": records}, None) == {"batchItemFailures": []}
    assert world.published == [
        ("token_generated", {"event_id": EVENT, "request_id": "r"}),
        ("session_updated", {"event_id": EVENT, "request_id": "r", "status": "abandoned"}),
    ]
    assert world.room.metrics.counts(EVENT).tokens == 1


def test_a_bus_that_does_not_take_events_gets_them_again(world: InMemoryRoom) -> None:
    world.events.fail("publish", "before")
    records = {"Records": [stream_record("INSERT")]}
    assert outcome_of(lambda: apps.workers.app.publish_events(records, None)) == "Unavailable"
    apps.workers.app.publish_events(records, None)
    assert len(world.published) == 1


def test_the_minute_reports_as_an_embedded_metric(
    world: InMemoryRoom, capsys: pytest.CaptureFixture[str]
) -> None:
    world.visitors(3)
    apps.workers.app.report_metrics({}, None)
    metric = json.loads(capsys.readouterr().out.strip().splitlines()[-1])
    assert metric["Waiting"] == [3.0]
    assert metric["EventId"] == EVENT
    assert metric["_aws"]["CloudWatchMetrics"][0]["Namespace"] == "WaitingRoom"


def test_set_up_may_run_again_and_keeps_the_key(world: InMemoryRoom) -> None:
    key = world.keys.load().keys[0].key_id
    for _ in range(2):
        assert apps.workers.app.set_up({}, None) == {"status": "ready"}
    assert world.room.keys.public_key(EVENT)["kid"] == key


def test_set_up_makes_the_first_key(world: InMemoryRoom) -> None:
    world.keys.store._keys = KeySet(())
    world.public_keys.store._publication = Publication()
    apps.workers.app.set_up({}, None)
    assert len(world.keys.load().keys) == 1


SCHEDULED = {"version": "0", "source": "aws.events", "detail-type": "Scheduled Event", "detail": {}}


@pytest.mark.parametrize("event", [{}, SCHEDULED])
def test_a_rotation_adds_a_key(world: InMemoryRoom, event: dict[str, Any]) -> None:
    assert len(apps.workers.app.rotate_keys(event, None)["key_ids"]) == 2


@pytest.mark.parametrize("event", [{"revoke": "k"}, {"revok": "k"}, [], None, "revoke", {"a": 1}])
def test_a_rotation_with_a_payload_changes_no_key_and_says_what_does(
    world: InMemoryRoom, event: Any
) -> None:
    before = world.keys.load(), world.public_keys.load()
    answer = apps.workers.app.rotate_keys(event, None)
    assert list(answer) == ["error"]
    assert "POST /rotate_keys" in answer["error"]
    assert (world.keys.load(), world.public_keys.load()) == before


def test_the_sweep_answers_how_far_it_is(world: InMemoryRoom) -> None:
    assert apps.workers.app.sweep_positions({}, None) == {"swept": 0}
