# SPDX-License-Identifier: Apache-2.0
"""Joins and positions; the lessons under *Queue*."""

from __future__ import annotations

import json
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.world import EVENT, START, World, outcome_of
from waiting_room import queue
from waiting_room.errors import InvalidInput
from waiting_room.messages import read_joins


def record(body: str, request_id: object = None, at: int = START) -> dict[str, object]:
    return {
        "messageId": str(uuid.uuid4()),
        "body": body,
        "attributes": {"SentTimestamp": str(at * 1000)},
        "messageAttributes": {"apigw_request_id": {"stringValue": request_id or str(uuid.uuid4())}},
    }


def test_earlier_joins_get_smaller_numbers_whatever_the_order_of_delivery() -> None:
    world = World()
    joins = [world.join(START + index) for index in range(20)]
    world.room.assign(EVENT, joins[::-1])
    assert [world.position(join.request_id) for join in joins] == list(range(1, 21))


def test_a_redelivered_message_keeps_its_place_and_takes_no_other() -> None:  # lessons 1, 2
    world = World()
    join = world.join()
    world.room.assign(EVENT, [join])
    for seconds in (1, 100, 4000):
        world.clock.now += seconds
        assert world.room.assign(EVENT, [join]) == queue.Assignment()
        assert world.position(join.request_id) == 1
    assert world.position(world.visitors(1)[0]) == 2


def test_a_message_that_comes_again_after_days_leaves_a_hole_and_no_second_place() -> None:
    world = World()
    join = world.join()
    world.room.assign(EVENT, [join])
    world.memory.lose()
    world.waiting()
    assert world.room.assign(EVENT, [join]) == queue.Assignment(0, frozenset(), 1)
    assert (world.position(join.request_id), world.waiting()) == (1, 1)


def test_the_next_visitor_never_gets_the_place_of_a_message_that_could_not_be_deleted() -> None:
    world = World()  # lesson 1: the row is written, the batch fails, others come first
    first, second = world.join(), world.join()
    world.positions.fail("insert", "after")
    assert outcome_of(lambda: world.room.assign(EVENT, [first])) == "Unavailable"
    world.clock.now += 100
    world.room.assign(EVENT, [second, first])
    assert world.position(first.request_id) == 1
    assert world.position(second.request_id) == 2


def test_junk_takes_no_number_and_is_set_aside_alone() -> None:  # lesson 3
    good = record(json.dumps({"event_id": EVENT}))
    junk = [
        record("{"),
        record("[]"),
        record('"Sample"'),
        record(json.dumps({"event_id": "Other"})),
        record(json.dumps({"event_id": EVENT}), request_id="1; drop"),
        record(json.dumps({"event_id": EVENT, "client_secret_hash": "x"})),
        record("\x00"),
        record("[" * 100_000),
        {"messageId": "bare", "body": "{}", "attributes": {}},
    ]
    joins, dead = read_joins({"Records": [*junk, good]}, EVENT)
    assert [join.message_id for join in joins] == [good["messageId"]]
    assert dead == {record["messageId"] for record in junk}
    world = World()
    world.room.assign(EVENT, joins)
    assert world.position(joins[0].request_id) == 1


def test_only_what_failed_comes_again() -> None:  # lesson 5
    world = World()
    joins = [world.join(START + index) for index in range(3)]
    real = world.positions.store.insert

    def one_fails(rows):  # type: ignore[no-untyped-def]
        return {**real(rows[:1] + rows[2:]), rows[1].request_id: None}

    world.positions.store.insert = one_fails
    answer = world.room.assign(EVENT, joins)
    assert (answer.retry, answer.assigned) == (frozenset({joins[1].message_id}), 2)
    world.positions.store.insert = real
    world.clock.now += 180
    assert world.room.assign(EVENT, [joins[1]]).assigned == 1
    assert world.position(joins[1].request_id) == 4
    assert world.waiting() == 3  # the place that was reserved in vain is a hole


def test_one_request_twice_in_a_batch_is_one_place() -> None:
    world = World()
    join = world.join()
    again = queue.Join(join.request_id, join.sent_at + 1, "other-message")
    assert world.room.assign(EVENT, [again, join]).assigned == 1
    assert world.waiting() == 1


def test_joins_go_on_while_the_counters_are_away() -> None:
    world = World()
    for _ in range(4):
        world.counters.fail("*", "before")
    joins = [world.join(), world.join()]
    assert world.room.assign(EVENT, joins).assigned == 2
    world.counters.plan.clear()
    world.minute()
    assert world.waiting() == 2


def test_a_join_that_another_worker_may_hold_comes_again_later() -> None:
    world = World()
    join = world.join()
    world.visitors(1)
    world.counters.claim(EVENT, [join.request_id], int(world.clock.now))
    assert world.room.assign(EVENT, [join]).retry == {join.message_id}
    world.clock.now += 180
    assert world.room.assign(EVENT, [join]).assigned == 1


@given(st.text())
def test_only_a_lower_case_uuid_is_a_request_id(text: str) -> None:
    assert outcome_of(lambda: queue.check_request_id(text)) == "InvalidInput"


@pytest.mark.parametrize("suffix", ["\n", " ", "\x00", "0"])
def test_a_request_id_is_matched_as_a_whole(suffix: str) -> None:
    good = str(uuid.uuid4())
    assert queue.check_request_id(good) == good
    for bad in (
        good + suffix,
        suffix + good,
        good.upper().replace("-", "-A")[:36],
        None,
        5,
        [good],
    ):
        with pytest.raises(InvalidInput):
            queue.check_request_id(bad)


def test_the_arabic_digits_of_a_uuid_are_refused() -> None:
    with pytest.raises(InvalidInput):
        queue.check_request_id("٠" * 8 + "-0000-0000-0000-000000000000")


def test_a_redriven_join_keeps_the_time_at_which_it_was_sent_first() -> None:
    def sent(at: str | None) -> float:
        one = record('{"event_id": "Sample"}', at=2000)
        if at is not None:
            one["messageAttributes"]["sent_at_ms"] = {"stringValue": at}  # type: ignore[index]
        joins, _ = read_joins({"Records": [one]}, "Sample")
        return joins[0].sent_at

    assert sent(None) == 2000
    assert sent("1500250") == 1500.25
    assert sent("9999999") == 2000, "nobody joins in the future"
