# SPDX-License-Identifier: Apache-2.0
"""Joins and positions; the lessons under *Queue*."""

from __future__ import annotations

import json
import uuid
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.in_memory_room import EVENT, START, InMemoryRoom, outcome_of
from waiting_room.domain.errors import InvalidInput, Unavailable
from waiting_room.domain.joins import Assignment, Join, check_request_id, seconds_until_again
from waiting_room.runtime.lambda_events import read_joins

ROLE = "AROAREDRIVE"


def record(
    body: str, message_id: object = None, at: int = START, sender: str = "AROAAPI:api", **more: str
) -> dict[str, Any]:
    return {
        "messageId": message_id or str(uuid.uuid4()),
        "body": body,
        "attributes": {"SentTimestamp": str(at * 1000), "SenderId": sender},
        "messageAttributes": {name: {"stringValue": value} for name, value in more.items()},
    }


def test_earlier_joins_get_smaller_numbers_whatever_the_order_of_delivery() -> None:
    in_memory_room = InMemoryRoom()
    joins = [in_memory_room.join(START + index) for index in range(20)]
    in_memory_room.room.workers.assignment.assign(EVENT, joins[::-1])
    assert [in_memory_room.position(join.request_id) for join in joins] == list(range(1, 21))


def test_a_redelivered_message_keeps_its_place_and_takes_no_other() -> None:  # lessons 1, 2
    in_memory_room = InMemoryRoom()
    join = in_memory_room.join()
    in_memory_room.room.workers.assignment.assign(EVENT, [join])
    for seconds in (1, 100, 4000):
        in_memory_room.clock.now += seconds
        assert in_memory_room.room.workers.assignment.assign(EVENT, [join]) == Assignment()
        assert in_memory_room.position(join.request_id) == 1
    assert in_memory_room.position(in_memory_room.visitors(1)[0]) == 2


def test_a_message_that_comes_again_after_days_leaves_a_hole_and_no_second_place() -> None:
    in_memory_room = InMemoryRoom()
    join = in_memory_room.join()
    in_memory_room.room.workers.assignment.assign(EVENT, [join])
    in_memory_room.memory.lose()
    in_memory_room.waiting()
    assert in_memory_room.room.workers.assignment.assign(EVENT, [join]) == Assignment(
        0, frozenset(), 1
    )
    assert (in_memory_room.position(join.request_id), in_memory_room.waiting()) == (1, 1)


def test_the_next_visitor_never_gets_the_place_of_a_message_that_could_not_be_deleted() -> None:
    in_memory_room = (
        InMemoryRoom()
    )  # lesson 1: the row is written, the batch fails, others come first
    first, second = in_memory_room.join(), in_memory_room.join()
    in_memory_room.positions.fail("insert", "after")
    assert (
        outcome_of(lambda: in_memory_room.room.workers.assignment.assign(EVENT, [first]))
        == "Unavailable"
    )
    in_memory_room.clock.now += 100
    in_memory_room.room.workers.assignment.assign(EVENT, [second, first])
    assert in_memory_room.position(first.request_id) == 1
    assert in_memory_room.position(second.request_id) == 2


def test_junk_takes_no_number_and_is_set_aside_alone() -> None:  # lesson 3
    good = record(json.dumps({"event_id": EVENT}))
    junk = [
        record("{"),
        record("[]"),
        record('"Sample"'),
        record(json.dumps({"event_id": "Other event"})),
        record(json.dumps({"event_id": EVENT}), message_id="1; drop"),
        record(json.dumps({"event_id": EVENT, "client_secret_hash": "x"})),
        record("\x00"),
        record("[" * 100_000),
        {"messageId": "bare", "body": "{}", "attributes": {}},
    ]
    joins, dead = read_joins({"Records": [*junk, good]}, EVENT)
    assert [join.message_id for join in joins] == [good["messageId"]]
    assert [letter.message_id for letter in dead] == [record["messageId"] for record in junk]
    assert all(letter.reason for letter in dead)
    in_memory_room = InMemoryRoom()
    in_memory_room.room.workers.assignment.assign(EVENT, joins)
    assert in_memory_room.position(joins[0].request_id) == 1


def test_only_what_failed_comes_again() -> None:  # lesson 5
    in_memory_room = InMemoryRoom()
    joins = [in_memory_room.join(START + index) for index in range(3)]
    real = in_memory_room.positions.store.insert

    def one_fails(rows):  # type: ignore[no-untyped-def]
        return {**real(rows[:1] + rows[2:]), rows[1].request_id: None}

    in_memory_room.positions.store.insert = one_fails
    answer = in_memory_room.room.workers.assignment.assign(EVENT, joins)
    assert (answer.retry, answer.assigned) == (frozenset({joins[1].message_id}), 2)
    in_memory_room.positions.store.insert = real
    in_memory_room.clock.now += 180
    assert in_memory_room.room.workers.assignment.assign(EVENT, [joins[1]]).assigned == 1
    assert in_memory_room.position(joins[1].request_id) == 4
    assert in_memory_room.waiting() == 3  # the place that was reserved in vain is a hole


def test_one_request_twice_in_a_batch_is_one_place() -> None:
    in_memory_room = InMemoryRoom()
    join = in_memory_room.join()
    again = Join(join.request_id, join.sent_at + 1, "other-message")
    assert in_memory_room.room.workers.assignment.assign(EVENT, [again, join]).assigned == 1
    assert in_memory_room.waiting() == 1


def test_joins_go_on_while_the_counters_are_away() -> None:
    in_memory_room = InMemoryRoom()
    for _ in range(4):
        in_memory_room.counters.fail("*", "before")
    joins = [in_memory_room.join(), in_memory_room.join()]
    assert in_memory_room.room.workers.assignment.assign(EVENT, joins).assigned == 2
    in_memory_room.counters.plan.clear()
    in_memory_room.minute()
    assert in_memory_room.waiting() == 2


def test_a_join_that_another_worker_may_hold_comes_again_later() -> None:
    in_memory_room = InMemoryRoom()
    join = in_memory_room.join()
    in_memory_room.visitors(1)
    in_memory_room.counters.acquire_join_leases(
        EVENT, [join.request_id], int(in_memory_room.clock.now)
    )
    assert in_memory_room.room.workers.assignment.assign(EVENT, [join]).retry == {join.message_id}
    in_memory_room.clock.now += 180
    assert in_memory_room.room.workers.assignment.assign(EVENT, [join]).assigned == 1


def test_a_reservation_without_an_answer_is_made_again_and_its_range_is_unused() -> None:
    in_memory_room = InMemoryRoom()
    for when, first in (("after", 5), ("before", 9)):
        joins = [in_memory_room.join() for _ in range(4)]
        in_memory_room.log.fail("reserve", when)
        in_memory_room.clock.now += 1
        assert in_memory_room.room.workers.assignment.assign(EVENT, joins).assigned == 4
        places = sorted(in_memory_room.position(join.request_id) for join in joins)
        assert places == list(range(first, first + 4))
    assert in_memory_room.waiting() == 8, (
        "no number without a visitor waits, not for a minute either"
    )
    assert in_memory_room.log.read_with_details(EVENT)[1].unused_positions == (1, 2, 3, 4)


def test_joins_of_a_failed_batch_get_their_places_two_seconds_later() -> None:
    for method, fails in (("reserve", 2), ("insert", 1)):
        for when in ("before", "after"):
            in_memory_room = InMemoryRoom()
            joins = [in_memory_room.join() for _ in range(3)]
            for _ in range(fails):
                getattr(in_memory_room, {"reserve": "log", "insert": "positions"}[method]).fail(
                    method, when
                )
            assert (
                outcome_of(
                    lambda w=in_memory_room, j=joins: w.room.workers.assignment.assign(EVENT, j)
                )
                == "Unavailable"
            )
            in_memory_room.clock.now += seconds_until_again(1)
            assert not in_memory_room.room.workers.assignment.assign(EVENT, joins).retry, (
                method,
                when,
            )
            places = sorted(in_memory_room.position(join.request_id) for join in joins)
            assert places == list(range(places[0], places[0] + 3))


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_number_whose_row_had_no_answer_waits_no_longer_than_its_visitor(when: str) -> None:
    in_memory_room = InMemoryRoom()
    joins = [in_memory_room.join() for _ in range(3)]
    in_memory_room.positions.fail("insert", when)
    assert (
        outcome_of(lambda: in_memory_room.room.workers.assignment.assign(EVENT, joins))
        == "Unavailable"
    )
    in_memory_room.clock.now += 2
    in_memory_room.room.workers.assignment.assign(EVENT, joins)
    assert in_memory_room.waiting() == 3
    details = in_memory_room.log.read_with_details(EVENT)[1]
    assert details.unused_positions == ((1, 2, 3) if when == "before" else ())
    in_memory_room.minute()
    in_memory_room.minute(180)
    assert in_memory_room.waiting() == 3, "the audit counts none of them twice"


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(
                [
                    "reserve",
                    "insert",
                    "acquire_join_leases",
                    "release_join_leases",
                    "add_unused_positions",
                    "apply",
                ]
            ),
            st.sampled_from(["before", "after"]),
            st.integers(1, 4),
        ),
        max_size=12,
    )
)
def test_whatever_has_no_answer_nobody_has_two_places_and_none_is_counted_twice(
    plan: list[tuple[str, str, int]],
) -> None:
    in_memory_room, workers = InMemoryRoom(), 2
    rooms = [in_memory_room.new_room() for _ in range(workers)]
    waiting: list[Join] = []
    everybody: list[Join] = []
    for step, (method, when, joins) in enumerate([*plan, *[("", "", 1)] * 8]):
        new = [in_memory_room.join() for _ in range(joins)] if method else []
        everybody += new
        waiting += new
        store = {
            "reserve": in_memory_room.log,
            "add_unused_positions": in_memory_room.log,
            "insert": in_memory_room.positions,
        }
        if method:
            store.get(method, in_memory_room.counters).fail(method, when)
        with suppress(Unavailable):
            again = rooms[step % workers].workers.assignment.assign(EVENT, waiting).retry
            waiting = [join for join in waiting if join.message_id in again]
        in_memory_room.clock.now += 61
    assert not waiting
    places = [in_memory_room.position(join.request_id) for join in everybody]
    assert len(set(places)) == len(everybody)
    for store in (in_memory_room.log, in_memory_room.positions, in_memory_room.counters):
        store.plan.clear()
    for _ in range(3):
        in_memory_room.minute(180)
    assert in_memory_room.waiting() == len(everybody)


@given(st.text())
def test_only_a_uuid_is_a_request_id(text: str) -> None:
    assert outcome_of(lambda: check_request_id(text)) == "InvalidInput"


@pytest.mark.parametrize("suffix", ["\n", " ", "\x00", "0"])
def test_a_request_id_is_matched_as_a_whole(suffix: str) -> None:
    good = str(uuid.uuid4())
    assert check_request_id(good) == check_request_id(good.upper()) == good
    for bad in (
        good + suffix,
        suffix + good,
        good.upper().replace("-", "-A")[:36],
        None,
        5,
        [good],
    ):
        with pytest.raises(InvalidInput):
            check_request_id(bad)


def test_the_arabic_digits_of_a_uuid_are_refused() -> None:
    with pytest.raises(InvalidInput):
        check_request_id("٠" * 8 + "-0000-0000-0000-000000000000")


JOIN = '{"event_id": "Sample"}'
FIRST = "0f6c3b9e-6d5c-4b0a-9a3e-2f0d1c7b8a90"


def redriven(at: str, sender: str = f"{ROLE}:redrive", first: str = FIRST) -> dict[str, Any]:
    return record(JOIN, at=2000, sender=sender, first_request_id=first, first_sent_at_ms=at)


def test_a_redriven_join_keeps_the_id_and_the_time_that_it_had_first() -> None:
    def read(one: dict[str, Any]) -> tuple[str, float]:
        joins, dead = read_joins({"Records": [one]}, EVENT, ROLE)
        assert not dead
        return joins[0].request_id, joins[0].sent_at

    plain = record(JOIN, at=2000)
    assert read(plain) == (plain["messageId"], 2000)
    assert read(redriven("1500250")) == (FIRST, 1500.25)
    assert read(redriven("9999999")) == (FIRST, 2000), "nobody joins in the future"


@pytest.mark.parametrize(
    "sender",
    [
        "AROAAPI:api",
        f"{ROLE}",
        f"{ROLE}X:redrive",
        f"x{ROLE}:redrive",
        "AIDASOMEBODY",
        "",
        ":redrive",
    ],
)
def test_nobody_but_the_redrive_role_says_what_the_first_id_was(sender: str) -> None:
    for role in (ROLE, ""):
        joins, dead = read_joins({"Records": [redriven("1500", sender)]}, EVENT, role)
        assert not joins
        assert "accepted from RedriveRole only" in dead[0].reason


@pytest.mark.parametrize(
    ("first", "at"),
    [
        ("no-uuid", "1500"),
        (FIRST, "soon"),
        (FIRST, "-1"),
        (FIRST, "9" * 30),
    ],
)
def test_a_redrive_that_says_nonsense_is_a_dead_letter(first: str, at: str) -> None:
    one = redriven(at, first=first)
    joins, dead = read_joins({"Records": [one]}, EVENT, ROLE)
    assert (joins, dead[0].message_id) == ([], one["messageId"])


def test_other_attributes_change_nothing() -> None:
    odd = {"apigw_request_id": FIRST, "sent_at_ms": "1", "reason": "x", "SenderId": f"{ROLE}:me"}
    one = record(JOIN, **odd)
    joins, dead = read_joins({"Records": [one]}, EVENT, ROLE)
    assert not dead
    assert (joins[0].request_id, joins[0].sent_at) == (one["messageId"], START)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (f'{{"event_id": "Other", "event_id": "{EVENT}"}}', "event_id may be given once"),
        (f'{{"event_id": "{EVENT}"}} trailing', "not valid JSON"),
        (f'\ufeff{{"event_id": "{EVENT}"}}', "not valid JSON"),
        (f'{{"event_id": "{EVENT}"}}\x00', "not valid JSON"),
        (f'{{"event_id": "{EVENT}", "x": NaN}}', "x must be a number"),
        (f'{{"event_id": "{EVENT}", "x": {"9" * 5000}}}', "x must be a number"),
        (f'{{"event_id": "{EVENT}\\ud800"}}', "event_id must not contain an unpaired surrogate"),
        (f'{{"event_id": "{EVENT}\\u0000"}}', "event_id must be 1 to 64 letters"),
        ('{"event_id": ["Sample"]}', "a text of at most"),
        (f'{{"event_id": "{EVENT}", "client_secret_hash": "{"a" * 64}\\n"}}', "hexadecimal"),
        (f'{{"event_id": "{EVENT}", "client_secret_hash": null}}', "hexadecimal"),
        (f'{{"event_id": "{EVENT}", "x": "{"x" * 257}"}}', "256"),
        (f'{{"event_id": "{EVENT}", "x": {{}}}}', "a number"),
        (json.dumps({"event_id": EVENT} | {f"x{n}": n for n in range(8)}), "8 members"),
        (json.dumps({"event_id": EVENT}) + " " * 16_384, "16384"),
        ("[" * 9_000, "not valid JSON"),
    ],
)
def test_a_dead_letter_says_why(body: str, reason: str) -> None:
    one = record(body)
    joins, dead = read_joins({"Records": [one]}, EVENT)
    assert not joins
    assert reason in dead[0].reason
    assert (dead[0].body, dead[0].request_id) == (body, one["messageId"])
    assert dead[0].sent_at_ms == START * 1000


def test_other_members_are_ignored() -> None:
    more = {"a": "x" * 256, "b": 1e300, "c": None, "d": True, "e": "\x00"}
    joins, dead = read_joins({"Records": [record(json.dumps({"event_id": EVENT} | more))]}, EVENT)
    assert len(joins) == 1
    assert not dead


def test_a_join_that_got_no_place_comes_again_soon_and_then_less_often() -> None:
    waits = [seconds_until_again(count) for count in range(1, 12)]
    assert waits == [2, 4, 8, 16, 32, 64, 128, 180, 180, 180, 180]
    assert seconds_until_again(0) >= 1
    assert seconds_until_again(10**9) == 180
    claims = 60  # seconds that a dead worker's claim stands: long before the receives are used up
    assert sum(waits[:6]) > claims
