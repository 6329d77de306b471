# SPDX-License-Identifier: Apache-2.0
"""The workers, called as Lambda calls them."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest

import apps.workers.app
from tests.support.in_memory_room import EVENT, InMemoryRoom, outcome_of, settings
from waiting_room.domain.actors import UNKNOWN
from waiting_room.domain.errors import Unavailable
from waiting_room.domain.published_keys import Publication
from waiting_room.domain.records import EventState
from waiting_room.domain.signing_keys import KeySet
from waiting_room.use_cases.event_metrics import EventMetrics
from waiting_room.use_cases.minute_jobs import MinuteJobs


@pytest.fixture
def in_memory_room(monkeypatch: pytest.MonkeyPatch) -> InMemoryRoom:
    made = InMemoryRoom({"ENABLE_EVENTS_GENERATION": "true"})
    monkeypatch.setattr(apps.workers.app, "room", lambda: made.room)
    monkeypatch.setattr(apps.workers.app, "settings", settings)
    monkeypatch.setattr(apps.workers.app, "joins_queue", lambda: made.joins_queue)
    return made


JOIN = json.dumps({"event_id": EVENT})


def message(in_memory_room: InMemoryRoom, body: str, received: int = 1) -> dict[str, Any]:
    return {
        "messageId": str(uuid.uuid4()),
        "receiptHandle": f"handle-{uuid.uuid4()}",
        "body": body,
        "attributes": {
            "SentTimestamp": str(int(in_memory_room.clock.now * 1000)),
            "ApproximateReceiveCount": str(received),
        },
        "messageAttributes": {},
    }


def assign(*records: Any) -> set[str]:
    """The ids of the messages that must come again."""
    answer = apps.workers.app.assign_positions({"Records": list(records)}, None)
    return {one["itemIdentifier"] for one in answer["batchItemFailures"]}


def test_a_message_that_can_be_no_join_is_received_once_and_no_more(
    in_memory_room: InMemoryRoom,
) -> None:
    good, bad = message(in_memory_room, JOIN), message(in_memory_room, "junk")
    assert assign(bad, good) == set()
    assert in_memory_room.position(good["messageId"]) == 1
    (letter,) = in_memory_room.joins_queue.store.buried
    assert (letter.message_id, letter.body) == (bad["messageId"], "junk")
    assert letter.reason == "the join is not valid JSON"
    assert in_memory_room.joins_queue.store.due == {}


def test_a_dead_letter_that_was_not_taken_comes_again(in_memory_room: InMemoryRoom) -> None:
    good, bad = message(in_memory_room, JOIN), message(in_memory_room, "junk")
    in_memory_room.joins_queue.store.send_to_dead_letters = lambda letters: frozenset(
        one.message_id for one in letters
    )
    assert assign(bad, good) == {bad["messageId"]}
    assert in_memory_room.position(good["messageId"]) == 1


def test_joins_get_their_places_before_junk_goes_to_the_dead_letters(
    in_memory_room: InMemoryRoom,
) -> None:
    good, bad = message(in_memory_room, JOIN), message(in_memory_room, "junk")
    seen: list[int] = []
    in_memory_room.joins_queue.store.send_to_dead_letters = lambda _: (
        seen.append(in_memory_room.log.read(EVENT).queue) or frozenset()
    )
    assign(bad, good)
    assert seen == [1]


def test_a_batch_of_junk_alone_reserves_nothing(in_memory_room: InMemoryRoom) -> None:
    assert assign(message(in_memory_room, "{}"), message(in_memory_room, "[]")) == set()
    assert in_memory_room.log.read(EVENT).queue == 0


def test_joins_that_got_no_place_come_again_within_seconds(in_memory_room: InMemoryRoom) -> None:
    first, second = message(in_memory_room, JOIN), message(in_memory_room, JOIN, received=3)
    junk = message(in_memory_room, "junk")
    in_memory_room.positions.fail("insert", "before")
    assert assign(first, second, junk) == {first["messageId"], second["messageId"]}
    due = {receipt.handle: wait for receipt, wait in in_memory_room.joins_queue.store.due.items()}
    assert due == {first["receiptHandle"]: 2, second["receiptHandle"]: 8}
    assert [one.message_id for one in in_memory_room.joins_queue.store.buried] == [
        junk["messageId"]
    ]


def test_without_an_answer_of_the_queue_joins_come_again_when_it_says(
    in_memory_room: InMemoryRoom,
) -> None:
    one = message(in_memory_room, JOIN)
    in_memory_room.positions.fail("insert", "before")
    in_memory_room.joins_queue.fail("deliver_again_after", "before")
    assert assign(one) == {one["messageId"]}


@pytest.mark.parametrize("count", [None, "", "many", 5, "9" * 5000, {}])
def test_an_odd_count_of_receives_keeps_nothing_from_coming_again(
    in_memory_room: InMemoryRoom, count: Any
) -> None:
    one, other = message(in_memory_room, JOIN), message(in_memory_room, JOIN)
    one["attributes"]["ApproximateReceiveCount"] = count
    del other["receiptHandle"]
    in_memory_room.positions.fail("insert", "before")
    assert assign(one, other) == {one["messageId"], other["messageId"]}


def stream_record(name: str, **changed: Any) -> dict[str, Any]:
    image = {
        "event_id": {"S": EVENT}, "generation": {"N": "1"}, "position": {"N": "1"},
        "request_id": {"S": "r"}, "kind": {"S": "token"}, "at": {"N": "1"},
        "expires_at": {"N": "1800003600"}, "session_status": {"S": "open"}, **changed,
    }  # fmt: skip
    return {"eventName": name, "dynamodb": {"NewImage": image}}


def test_the_stream_becomes_events(in_memory_room: InMemoryRoom) -> None:
    in_memory_room.room.workers.setup.run()
    in_memory_room.published.clear()
    records = [
        stream_record("INSERT"),
        stream_record("INSERT", kind={"S": "expired"}, position={"N": "2"}),
        stream_record("MODIFY", session_status={"S": "abandoned"}),
        {"eventName": "REMOVE", "dynamodb": {}},
    ]
    assert apps.workers.app.publish_events({"Records": records}, None) == {"batchItemFailures": []}
    assert in_memory_room.published == [
        ("token_generated", {"event_id": EVENT, "request_id": "r"}),
        ("session_updated", {"event_id": EVENT, "request_id": "r", "status": "abandoned"}),
    ]
    assert in_memory_room.room.metrics.counts(EVENT).tokens == 1


def test_a_bus_that_does_not_take_events_gets_them_again(in_memory_room: InMemoryRoom) -> None:
    in_memory_room.events.fail("publish", "before")
    records = {"Records": [stream_record("INSERT")]}
    assert outcome_of(lambda: apps.workers.app.publish_events(records, None)) == "Unavailable"
    apps.workers.app.publish_events(records, None)
    assert len(in_memory_room.published) == 1


def test_the_minute_reports_as_an_embedded_metric(
    in_memory_room: InMemoryRoom, capsys: pytest.CaptureFixture[str]
) -> None:
    in_memory_room.visitors(3)
    apps.workers.app.report_metrics({}, None)
    (line,) = (one for one in capsys.readouterr().out.splitlines() if "_aws" in one)
    metric = json.loads(line)
    assert metric["Waiting"] == [3.0]
    assert "EventId" not in metric, "the sum over all events; those of each event are an option"
    assert metric["Stack"] == "local"
    assert metric["_aws"]["CloudWatchMetrics"][0]["Namespace"] == "WaitingRoom"
    apps.workers.app.report_metrics({}, None)
    assert "_aws" not in capsys.readouterr().out, "nothing changed since the last minute"


def test_the_metrics_of_each_event_are_an_option(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = InMemoryRoom({"METRICS_PER_EVENT": "true"})
    monkeypatch.setattr(apps.workers.app, "room", lambda: made.room)
    monkeypatch.setattr(apps.workers.app, "settings", settings)
    made.visitors(3)
    apps.workers.app.report_metrics({}, None)
    lines = [json.loads(one) for one in capsys.readouterr().out.splitlines() if "_aws" in one]
    assert [one.get("EventId") for one in lines] == [None, EVENT]
    assert all(one["Waiting"] == [3.0] for one in lines)


def test_set_up_may_run_again_and_keeps_the_key(in_memory_room: InMemoryRoom) -> None:
    key = in_memory_room.keys.load().keys[0].key_id
    for _ in range(2):
        assert apps.workers.app.set_up({}, None) == {"status": "ready"}
    assert in_memory_room.room.keys.public_key()["kid"] == key


def test_set_up_makes_the_first_key(in_memory_room: InMemoryRoom) -> None:
    in_memory_room.keys.store._keys = KeySet(())
    in_memory_room.public_keys.store._publication = Publication()
    apps.workers.app.set_up({}, None)
    assert len(in_memory_room.keys.load().keys) == 1


SCHEDULED = {"version": "0", "source": "aws.events", "detail-type": "Scheduled Event", "detail": {}}


@pytest.mark.parametrize("event", [{}, SCHEDULED])
def test_a_rotation_adds_a_key(in_memory_room: InMemoryRoom, event: dict[str, Any]) -> None:
    assert len(apps.workers.app.rotate_keys(event, None)["key_ids"]) == 2


@pytest.mark.parametrize("event", [{"revoke": "k"}, {"revok": "k"}, [], None, "revoke", {"a": 1}])
def test_a_rotation_with_a_payload_changes_no_key_and_says_what_does(
    in_memory_room: InMemoryRoom, event: Any
) -> None:
    before = in_memory_room.keys.load(), in_memory_room.public_keys.load()
    answer = apps.workers.app.rotate_keys(event, None)
    assert list(answer) == ["error"]
    assert "POST /rotate_keys" in answer["error"]
    assert (in_memory_room.keys.load(), in_memory_room.public_keys.load()) == before


def test_the_check_of_the_keys_fails_with_the_fault(in_memory_room: InMemoryRoom) -> None:
    apps.workers.app.set_up({}, None)
    assert apps.workers.app.check_keys(SCHEDULED, None) == {"status": "complete"}
    in_memory_room.public_keys.store._publication = Publication()
    with pytest.raises(Unavailable, match="keys: no published key can sign tokens; the secret has"):
        apps.workers.app.check_keys(SCHEDULED, None)


def test_the_sweep_answers_how_far_it_is(in_memory_room: InMemoryRoom) -> None:
    assert apps.workers.app.sweep_positions({}, None) == {"swept": 0}


def step_request(in_memory_room: InMemoryRoom, event_id: str) -> dict[str, Any]:
    value = {"stringValue": event_id, "dataType": "String"}
    return {**message(in_memory_room, JOIN), "messageAttributes": {"admission_step": value}}


def admission_of_the_event(in_memory_room: InMemoryRoom, **members: Any) -> None:
    in_memory_room.room.workers.setup.run()
    content = {"admission": members}
    in_memory_room.event_documents.patch(EVENT, content, None, actor=UNKNOWN)


def test_a_queue_that_begins_is_served_every_ten_seconds_before_the_next_minute(
    in_memory_room: InMemoryRoom,
) -> None:
    admission_of_the_event(in_memory_room, strategy="rate", per_minute=6)
    queue = in_memory_room.joins_queue.store
    assert assign(*(message(in_memory_room, JOIN) for _ in range(3))) == set()
    assert in_memory_room.log.read(EVENT).serving == 1
    for served in (2, 3):
        ((event_id, seconds),) = queue.steps
        queue.steps.clear()
        in_memory_room.clock.now += seconds
        assert assign(step_request(in_memory_room, event_id)) == set()
        assert in_memory_room.log.read(EVENT).serving == served
    assert queue.steps == []  # nobody waits


def test_the_requests_end_when_the_minute_worker_makes_the_steps(
    in_memory_room: InMemoryRoom,
) -> None:
    admission_of_the_event(in_memory_room, strategy="rate", per_minute=6)
    assign(*(message(in_memory_room, JOIN) for _ in range(30)))
    queue = in_memory_room.joins_queue.store
    queue.steps.clear()
    in_memory_room.clock.now += 9.5
    in_memory_room.new_room().workers.admission.run_minute(lambda: 11.0)
    in_memory_room.clock.now += 0.7
    assert assign(step_request(in_memory_room, EVENT)) == set()
    assert queue.steps == []
    assert in_memory_room.log.read(EVENT).serving == 2


def test_a_request_for_a_step_gets_no_position(in_memory_room: InMemoryRoom) -> None:
    joined = message(in_memory_room, JOIN)
    assert assign(step_request(in_memory_room, "Other"), joined) == set()
    assert in_memory_room.log.read(EVENT).queue == 1
    assert in_memory_room.joins_queue.store.buried == []


def test_a_request_that_cannot_be_sent_is_left_to_the_minute_worker(
    in_memory_room: InMemoryRoom, caplog: pytest.LogCaptureFixture
) -> None:
    admission_of_the_event(in_memory_room, strategy="rate", per_minute=6)

    def fail(*_: object) -> None:
        raise Unavailable("the join queue did not respond")

    in_memory_room.joins_queue.store.request_step = fail
    assert assign(*(message(in_memory_room, JOIN) for _ in range(3))) == set()
    assert "the function admit makes it" in caplog.text


def test_the_minute_functions_of_admission_return_what_they_did(
    in_memory_room: InMemoryRoom,
) -> None:
    admission_of_the_event(in_memory_room, strategy="rate", alarm="cpu")
    in_memory_room.visitors(3)
    assert apps.workers.app.admit({}, None) == {"admitted": 3}
    assert apps.workers.app.read_alarms({}, None) == {"watched": 1}


@pytest.mark.parametrize("job", ["sweep_positions", "report_metrics"])
def test_a_failure_of_one_event_does_not_stop_the_jobs_of_the_others(
    in_memory_room: InMemoryRoom, job: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_memory_room.room.workers.setup.run()
    in_memory_room.event_documents.put("AFirst", {}, None, actor=UNKNOWN)
    visited: list[str] = []

    def visit(event_id: str, *_: object) -> object:
        visited.append(event_id)
        if event_id == "AFirst":
            raise Unavailable("throttled")
        return in_memory_room.room.metrics.counts(event_id)

    monkeypatch.setattr(MinuteJobs, "run", lambda _, *given: visit(*given) and EventState(EVENT))
    monkeypatch.setattr(EventMetrics, "report", lambda _, event_id: visit(event_id))
    with pytest.raises(Unavailable):
        getattr(apps.workers.app, job)({}, None)
    assert visited == ["AFirst", EVENT]
