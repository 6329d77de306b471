# SPDX-License-Identifier: Apache-2.0
"""The workers, called as Lambda calls them."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest

import workers.app
from tests.world import EVENT, World, outcome_of, settings


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    made = World({"ENABLE_EVENTS_GENERATION": "true"})
    monkeypatch.setattr(workers.app, "room", lambda: made.room)
    monkeypatch.setattr(workers.app, "settings", settings)
    return made


def message(world: World, body: str, request_id: str) -> dict[str, Any]:
    return {
        "messageId": str(uuid.uuid4()),
        "body": body,
        "attributes": {"SentTimestamp": str(int(world.clock.now * 1000))},
        "messageAttributes": {"apigw_request_id": {"stringValue": request_id}},
    }


def test_a_batch_gives_places_and_names_what_must_come_again(world: World) -> None:
    good, bad = str(uuid.uuid4()), str(uuid.uuid4())
    records = [
        message(world, json.dumps({"event_id": EVENT}), good),
        message(world, "junk", bad),
    ]
    answer = workers.app.assign_positions({"Records": records}, None)
    assert answer == {"batchItemFailures": [{"itemIdentifier": records[1]["messageId"]}]}
    assert world.position(good) == 1


def test_a_batch_of_junk_alone_reserves_nothing(world: World) -> None:
    record = message(world, "{}", "x")
    assert workers.app.assign_positions({"Records": [record]}, None)["batchItemFailures"]
    assert world.log.read(EVENT).queue == 0


def stream_record(name: str, **changed: Any) -> dict[str, Any]:
    image = {
        "event_id": {"S": EVENT}, "generation": {"N": "1"}, "position": {"N": "1"},
        "request_id": {"S": "r"}, "kind": {"S": "token"}, "at": {"N": "1"},
        "expires_at": {"N": "1800003600"}, "session_status": {"S": "open"}, **changed,
    }  # fmt: skip
    return {"eventName": name, "dynamodb": {"NewImage": image}}


def test_the_stream_becomes_events(world: World) -> None:
    world.room.set_up()
    records = [
        stream_record("INSERT"),
        stream_record("INSERT", kind={"S": "expired"}, position={"N": "2"}),
        stream_record("MODIFY", session_status={"S": "abandoned"}),
        {"eventName": "REMOVE", "dynamodb": {}},
    ]
    assert workers.app.publish_events({"Records": records}, None) == {"batchItemFailures": []}
    assert world.published == [
        ("token_generated", {"event_id": EVENT, "request_id": "r"}),
        ("session_updated", {"event_id": EVENT, "request_id": "r", "status": "abandoned"}),
    ]
    assert world.room.counts(EVENT).tokens == 1


def test_a_bus_that_does_not_take_events_gets_them_again(world: World) -> None:
    world.events.fail("publish", "before")
    records = {"Records": [stream_record("INSERT")]}
    assert outcome_of(lambda: workers.app.publish_events(records, None)) == "Unavailable"
    workers.app.publish_events(records, None)
    assert len(world.published) == 1


def test_the_minute_reports_as_an_embedded_metric(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.visitors(3)
    workers.app.report_metrics({}, None)
    metric = json.loads(capsys.readouterr().out.strip().splitlines()[-1])
    assert metric["Waiting"] == [3.0]
    assert metric["EventId"] == EVENT
    assert metric["_aws"]["CloudWatchMetrics"][0]["Namespace"] == "WaitingRoom"


def test_set_up_may_run_again_and_keeps_the_key(world: World) -> None:
    key = world.keys.load().keys[0].key_id
    for _ in range(2):
        assert workers.app.set_up({}, None) == {"status": "ready"}
    assert world.room.public_key(EVENT)["kid"] == key


def test_set_up_makes_the_first_key(world: World) -> None:
    world.keys.store._keys = None
    workers.app.set_up({}, None)
    assert len(world.keys.load().keys) == 1


def test_a_rotation_adds_a_key(world: World) -> None:
    assert len(workers.app.rotate_keys({}, None)["key_ids"]) == 2
    assert workers.app.sweep_positions({}, None) == {"swept": 0}
