# SPDX-License-Identifier: Apache-2.0
"""The MaxSize inlet."""

from __future__ import annotations

import json
import threading
import uuid
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.inlet_room import (
    CountingRoom,
    InletHarness,
    sns,
)
from waiting_room.domain.errors import InvalidInput, Unavailable
from waiting_room.inlet.exit_notices import ExitNotice, parse_exit_notice
from waiting_room.inlet.strategies import RoomMetrics, max_size

counts = st.integers(0, 100_000)


def ids(count: int) -> list[str]:
    return [str(uuid.uuid4()) for _ in range(count)]


def max_size_harness(size: int = 100, **figures: int) -> InletHarness:
    return InletHarness(
        {"INLET_STRATEGY": "MaxSize", "MAX_SIZE": size}, room=CountingRoom(RoomMetrics(**figures))
    )


def test_each_departure_makes_room_for_one() -> None:
    left = ids(3)
    harness = max_size_harness(serving=100, queue=300, tokens=100, active=100)
    harness.room.sessions = set(left)
    event = sns({"completed": left[:2]}, {"abandoned": left[2:]})
    assert harness.inlet.run_max_size(event).by == 3


def test_every_record_of_an_event_is_handled() -> None:
    harness = max_size_harness(serving=50, queue=90, tokens=50, active=50)
    event = sns({"exited": 1}, {"exited": 2}, {"exited": 4})
    assert harness.inlet.run_max_size(event).by == 7


def test_warm_calls_do_not_add_up() -> None:
    harness = max_size_harness(serving=50, queue=90, tokens=50, active=50)
    assert harness.inlet.run_max_size(sns({"exited": 3})).by == 3
    assert harness.inlet.run_max_size(sns({"exited": 1})).by == 1


def test_over_capacity_nothing_is_sent() -> None:
    harness = max_size_harness(100, serving=130, queue=200, tokens=130, active=130)
    assert harness.inlet.run_max_size(sns({"exited": 1})).by == 0
    assert harness.room.increments == []


def test_an_empty_room_opens_by_itself() -> None:
    harness = max_size_harness(100)
    assert harness.inlet.run_max_size({"source": "aws.events"}).by == 100
    assert harness.inlet.run_max_size({"source": "aws.events"}).by == 0


def test_a_room_that_emptied_opens_by_a_message_alone() -> None:
    harness = max_size_harness(100, serving=40, queue=40, tokens=40, active=0)
    assert harness.inlet.run_max_size(sns({"exited": 0})).by == 100


def test_the_schedule_gives_on_the_places_of_those_who_never_came() -> None:
    harness = max_size_harness(100, serving=100, queue=400, tokens=60, active=60)
    assert harness.inlet.run_max_size({}).by == 0
    harness.room.metrics_now = RoomMetrics(serving=100, queue=400, tokens=60, active=60, expired=40)
    assert harness.inlet.run_max_size({}).by == 40


def test_a_message_delivered_twice_raises_once() -> None:
    left = ids(5)
    harness = max_size_harness(serving=100, queue=300, tokens=100, active=100)
    harness.room.sessions = set(left)
    event = sns({"completed": left}, ids=["m-1"])
    assert harness.inlet.run_max_size(event).by == 5
    assert harness.inlet.run_max_size(event).by == 0
    exited = sns({"exited": 5}, ids=["m-2"])
    harness.room.metrics_now = RoomMetrics(serving=105, queue=300, tokens=105, active=95)
    assert harness.inlet.run_max_size(exited).by == 5
    assert harness.inlet.run_max_size(exited).by == 0


@pytest.mark.parametrize("failing", [1, 2])
def test_a_message_whose_run_failed_counts_each_visitor_once_at_its_retry(
    monkeypatch: pytest.MonkeyPatch, failing: int
) -> None:
    left = ids(6)
    harness = max_size_harness(serving=100, queue=300, tokens=100, active=100)
    harness.room.sessions = set(left)
    end, calls = harness.room.end_sessions, []

    def unanswered(*args: Any) -> int:
        calls.append(args)
        answer = end(*args)
        if len(calls) == failing:
            raise Unavailable("no answer")
        return answer

    monkeypatch.setattr(harness.room, "end_sessions", unanswered)
    event = sns({"completed": left[:3], "abandoned": left[3:]}, ids=["m-1"])
    with pytest.raises(Unavailable):
        harness.inlet.run_max_size(event)
    assert harness.room.increments == []
    assert harness.inlet.run_max_size(event).by == 6
    assert harness.inlet.run_max_size(event).by == 0
    assert harness.room.increments == [6]


def test_one_message_delivered_to_two_runs_at_once_counts_once() -> None:
    left = ids(10)
    harness = max_size_harness(50, serving=100, queue=300, tokens=100, active=50)
    harness.room.sessions = set(left)
    both = threading.Barrier(2)
    event = sns({"completed": left}, ids=["m-1"])
    runs = [
        threading.Thread(target=lambda: (both.wait(), harness.another().run_max_size(event)))
        for _ in range(2)
    ]
    for run in runs:
        run.start()
    for run in runs:
        run.join()
    assert sum(harness.room.increments) == 10


def test_an_id_sent_again_in_another_message_is_not_counted() -> None:
    left = ids(5)
    harness = max_size_harness(serving=100, queue=300, tokens=100, active=100)
    harness.room.sessions = set(left)
    assert harness.inlet.run_max_size(sns({"completed": left}, ids=["m-1"])).by == 5
    assert harness.inlet.run_max_size(sns({"completed": left}, ids=["m-2"])).by == 0


@pytest.mark.parametrize(
    "message",
    [
        "", "{", "[]", "3", '"x"', "null", "[" * 100_000, '{"exited": NaN}',
        '{"exited": 1, "exited": 2}',
    ],
)  # fmt: skip
def test_a_bad_message_is_left_out_and_the_others_count(message: str) -> None:
    harness = max_size_harness(serving=50, queue=90, tokens=50, active=50)
    with pytest.raises(InvalidInput):
        parse_exit_notice(message)
    assert harness.inlet.run_max_size(sns(message, {"exited": 2})).by == 2


@pytest.mark.parametrize(
    ("exited", "counted"),
    [
        ("3", 3), ("3.0", 3), ('"3"', 3), ('" 3 "', 3), ("null", 0), ("0", 0), ('"1000000"', 10**6),
    ],
)  # fmt: skip
def test_a_number_may_be_a_text(exited: str, counted: int) -> None:
    assert parse_exit_notice(f'{{"exited": {exited}}}') == ExitNotice(counted)


@pytest.mark.parametrize(
    ("name", "value", "fault"),
    [
        ("exited", value, "exited must be a whole number from 0 to 1000000")
        for value in ("-1", "true", "1.5", "10000000", '"ten"', '"-1"', '"1.5"', "[]", "{}", '""')
    ]
    + [
        (name, value, f"{name} must be a list of request ids")
        for name in ("completed", "abandoned")
        for value in ('"secret-id"', "3", "{}", "true")
    ],
)
def test_a_member_that_cannot_be_meant_leaves_itself_out_alone(
    name: str, value: str, fault: str, caplog: pytest.LogCaptureFixture
) -> None:
    left = ids(2)
    good: dict[str, object] = {"exited": 2, "completed": left[:1], "abandoned": left[1:]}
    del good[name]
    message = json.dumps(good)[:-1] + f', "{name}": {value}}}'
    assert parse_exit_notice(message).faults == (fault,)
    harness = max_size_harness(serving=100, queue=300, tokens=100, active=100)
    harness.room.sessions = set(left)
    opened = harness.inlet.run_max_size(sns(message)).by
    assert opened == (2 if name == "exited" else 1)
    assert fault in caplog.text
    assert "secret-id" not in caplog.text


def test_who_is_named_is_among_those_who_exited() -> None:
    left = ids(3)
    harness = max_size_harness(serving=50, queue=300, tokens=50, active=50)
    harness.room.sessions = set(left)
    assert harness.inlet.run_max_size(sns({"exited": 5, "completed": left})).by == 5
    harness.clock.now += 61
    more = ids(2)
    harness.room.sessions = set(more)
    assert harness.inlet.run_max_size(sns({"exited": 1, "abandoned": more})).by == 2


def test_ids_that_cannot_be_are_left_out() -> None:
    good = ids(2)
    sent = '{"completed": ["%s", 7, null, "../x", "%s"], "abandoned": ["%s", "%s"]}'
    found = parse_exit_notice(sent % (good[0], good[0], good[0], good[1]))
    assert (found.completed, found.abandoned) == ((good[0],), (good[1],))
    assert found.faults == ("3 entries of completed are not request ids",)
    upper = parse_exit_notice(f'{{"completed": ["{good[0].upper()}", "{good[0]}"]}}')
    assert upper == ExitNotice(completed=(good[0],))


@given(st.integers(1, 10_000), counts, counts, counts, counts, counts, st.booleans())
def test_max_size_never_goes_above_what_is_free(
    size: int, active: int, outstanding: int, exited: int, ended: int, queue: int, fill: bool
) -> None:
    figures = RoomMetrics(serving=active + outstanding, tokens=active, active=active, queue=queue)
    increment = max_size(size, figures, exited + ended, exited, fill=fill).by
    assert 0 <= increment <= max(0, size - active)
    assert increment == 0 or active - exited + outstanding + increment <= size


def test_two_messages_at_once_open_what_both_freed() -> None:
    left = ids(40)
    harness = max_size_harness(100, serving=100, queue=300, tokens=100, active=100)
    harness.room.sessions = set(left)
    both = threading.Barrier(2)
    runs = [
        threading.Thread(target=lambda part=part: (both.wait(), harness.another().run_max_size(
            sns({"completed": part}))))
        for part in (left[:20], left[20:])
    ]  # fmt: skip
    for run in runs:
        run.start()
    for run in runs:
        run.join()
    assert sum(harness.room.increments) == 40
