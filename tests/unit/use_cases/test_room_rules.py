# SPDX-License-Identifier: Apache-2.0
"""Rules of the room's parts that need its stores: who writes, who waits, what is asked again."""

from __future__ import annotations

import io
import secrets
from dataclasses import replace
from typing import Any

import pytest

from tests.support.in_memory_room import EVENT, InMemoryRoom, outcome_of
from waiting_room.domain.errors import Conflict, CountersLost, InvalidInput, Unavailable
from waiting_room.domain.records import EventState, Outcome, OutcomeKind, ServingMove, SessionStatus
from waiting_room.gate import asgi, wsgi
from waiting_room.gate.decision import MAX_FORM
from waiting_room.gate.responses import Response
from waiting_room.use_cases import event_control, expiry_sweep, position_assignment
from waiting_room.use_cases.counter_recovery import RecoveringCounters
from waiting_room.use_cases.event_state import EventStates


def counters_of(in_memory_room: InMemoryRoom) -> RecoveringCounters:
    """Counters that recover, on the room's stores."""
    return RecoveringCounters(
        in_memory_room.counters,
        in_memory_room.log,
        in_memory_room.outcomes,
        in_memory_room.clock,
        lambda _: None,
    )


def states_of(in_memory_room: InMemoryRoom) -> tuple[EventStates, list[float]]:
    """State rows on the room's stores, and the seconds that a writer waits."""
    waited: list[float] = []
    return EventStates(
        in_memory_room.log, counters_of(in_memory_room), in_memory_room.clock, waited.append
    ), waited


def moved(state: EventState) -> EventState:
    version = state.version + 1
    move = ServingMove(version, state.serving, state.serving + 1, 5, "operator")
    return replace(state, serving=state.serving + 1, version=version, move=move)


# --- writers ----------------------------------------------------------------------------------


def test_colliding_writers_part_by_a_wait_that_grows_to_a_bound(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    in_memory_room = InMemoryRoom()
    states, waited = states_of(in_memory_room)
    monkeypatch.setattr(secrets, "randbelow", lambda most: most // 2)
    writes: list[int] = []

    def others_first(before: EventState, after: EventState) -> None:
        writes.append(1)
        raise Conflict

    in_memory_room.log.store.write = others_first
    with pytest.raises(Unavailable) as raised:
        states.update(EVENT, moved)
    assert raised.value.retry_after == 1
    assert len(writes) == 12
    assert waited == pytest.approx([0.005 * 2 ** min(attempt, 6) for attempt in range(12)])


def test_a_writer_that_meets_its_own_write_is_done() -> None:
    in_memory_room = InMemoryRoom()
    states, waited = states_of(in_memory_room)
    real = in_memory_room.log.store.write

    def made_and_lost(before: EventState, after: EventState) -> None:
        real(before, after)
        raise Conflict

    in_memory_room.log.store.write = made_and_lost
    assert states.update(EVENT, moved).serving == 1
    assert waited == []
    assert in_memory_room.room.metrics.counts(EVENT).serving == 1


def test_what_another_writer_overtook_is_left_to_the_next_minute() -> None:
    in_memory_room = InMemoryRoom()
    states, _ = states_of(in_memory_room)
    before = in_memory_room.log.read(EVENT)
    stands = moved(before)
    assert states.try_update(before, stands) == stands
    assert (
        states.try_update(before, replace(before, holes=9))
        == in_memory_room.log.read(EVENT)
        == stands
    )


def test_a_copy_that_is_not_behind_is_believed_without_a_look_at_the_table() -> None:
    in_memory_room = InMemoryRoom()
    in_memory_room.visitors(2)
    in_memory_room.serve(1)
    counters = counters_of(in_memory_room)
    in_memory_room.log.calls.clear()
    assert counters.counts(EVENT, 0).serving == 1
    counters.position_status(EVENT, 1, generation=1)
    assert in_memory_room.log.calls == []
    in_memory_room.log.store.read = lambda _: EventState(EVENT, generation=2)
    in_memory_room.counters.store.apply = lambda *_: None
    with pytest.raises(Unavailable) as raised:
        counters.position_status(EVENT, 1, generation=2)
    assert raised.value.retry_after == 1


@pytest.mark.parametrize(("losses", "answer"), [(11, "ok"), (12, "Unavailable")])
def test_an_announcement_meets_lost_counters_twelve_times_at_most(losses: int, answer: str) -> None:
    in_memory_room = InMemoryRoom()
    in_memory_room.serve(3)
    states, _ = states_of(in_memory_room)
    asked: list[int] = []

    def lost(*_: Any) -> None:
        asked.append(1)
        if len(asked) <= 2 * losses:  # each try asks twice: without moves, then with them
            raise CountersLost

    in_memory_room.counters.store.apply = lost
    in_memory_room.counters.store.revoke_rebuild_leases = lambda _: False
    before = in_memory_room.log.read(EVENT)
    assert outcome_of(lambda: states.announce_lowering(before)) == answer
    assert in_memory_room.log.read(EVENT).lowering == before.version + 1


def test_ending_the_rebuilds_under_way_is_enough_of_an_announcement() -> None:
    in_memory_room = InMemoryRoom()
    in_memory_room.serve(3)
    states, _ = states_of(in_memory_room)

    def lost(*_: Any) -> None:
        raise CountersLost

    ended: list[str] = []
    in_memory_room.counters.store.apply = lost
    in_memory_room.counters.store.revoke_rebuild_leases = lambda event: not ended.append(event)  # type: ignore[func-returns-value]
    states.announce_lowering(in_memory_room.log.read(EVENT))
    assert ended == [EVENT]


def test_an_announcement_that_nobody_takes_says_when_to_come_again() -> None:
    in_memory_room = InMemoryRoom()
    in_memory_room.serve(3)
    states, _ = states_of(in_memory_room)

    def lost(*_: Any) -> None:
        raise CountersLost

    in_memory_room.counters.store.apply = lost
    in_memory_room.counters.store.revoke_rebuild_leases = lambda _: False
    with pytest.raises(Unavailable, match="lost repeatedly") as raised:
        states.announce_lowering(in_memory_room.log.read(EVENT))
    assert raised.value.retry_after == 1


# --- operators --------------------------------------------------------------------------------


@pytest.mark.parametrize(("later", "again"), [(49, 3), (50, 6)])
def test_a_repeated_call_is_known_among_the_last_fifty_moves(later: int, again: int) -> None:
    in_memory_room = InMemoryRoom()

    def call(call_id: str) -> int:
        return in_memory_room.room.control.increment(EVENT, 3, call_id=call_id)

    call("mine")
    for number in range(later):
        call(f"other-{number}")
    stands = 3 * (later + 1)
    assert call("mine") == stands + again - 3
    assert event_control.LOOK_BACK == 50


def test_a_call_without_an_id_is_made_each_time() -> None:
    in_memory_room = InMemoryRoom()
    assert [in_memory_room.serve(2), in_memory_room.serve(2)] == [2, 4]


def test_a_message_is_plain_text_of_500_characters_and_the_later_one_stands() -> None:
    in_memory_room = InMemoryRoom()
    for message in ("", "x" * 500, "two\nlines", "é"):
        assert in_memory_room.room.control.set_message(EVENT, message) == message
    for wrong in ("x" * 501, "a\vb", "\x00", 5, None):
        with pytest.raises(InvalidInput, match="message"):
            in_memory_room.room.control.set_message(EVENT, wrong)
    in_memory_room.clock.now -= 100  # a clock that is behind
    before = in_memory_room.log.read_with_details(EVENT)[1].message_at
    in_memory_room.room.control.set_message(EVENT, "later")
    assert in_memory_room.room.metrics.counts(EVENT).message == "later"
    assert in_memory_room.log.read_with_details(EVENT)[1].message_at > before


def test_a_reset_that_others_overtake_is_tried_twelve_times() -> None:
    in_memory_room = InMemoryRoom()
    tries: list[int] = []

    def others_first(before: EventState, after: EventState) -> None:
        tries.append(1)
        raise Conflict

    in_memory_room.log.store.reset = others_first
    with pytest.raises(Unavailable) as raised:
        in_memory_room.room.control.reset(EVENT)
    assert (len(tries), raised.value.retry_after) == (12, 1)


def test_only_tokens_of_the_stream_are_counted() -> None:
    in_memory_room = InMemoryRoom()
    in_memory_room.visitors(3)
    rows = [
        Outcome(EVENT, 1, 1, "a", OutcomeKind.TOKEN, 5, int(in_memory_room.clock.now) + 60),
        Outcome(EVENT, 1, 2, "b", OutcomeKind.EXPIRED, 5),
        Outcome(EVENT, 1, 3, "c", OutcomeKind.TOKEN, 5, int(in_memory_room.clock.now) + 60,
                status=SessionStatus.COMPLETED),
    ]  # fmt: skip
    for _ in range(2):
        in_memory_room.room.publisher.publish_outcomes(rows)
        counts = in_memory_room.room.metrics.counts(EVENT)
        assert (counts.tokens, counts.active, counts.completed) == (2, 1, 1)


def test_the_bus_is_told_of_tokens_and_of_ends_and_of_nothing_else() -> None:
    in_memory_room = InMemoryRoom({"ENABLE_EVENTS_GENERATION": "true"})
    rows = [
        Outcome(EVENT, 1, 1, "a", OutcomeKind.TOKEN, 5, 60),
        Outcome(EVENT, 1, 2, "b", OutcomeKind.EXPIRED, 5),
        Outcome(EVENT, 1, 3, "c", OutcomeKind.TOKEN, 5, 60, status=SessionStatus.ABANDONED),
    ]
    told = len(in_memory_room.published)
    in_memory_room.room.publisher.publish_outcomes(rows)
    assert in_memory_room.published[told:] == [
        ("token_generated", {"event_id": EVENT, "request_id": "a"}),
        ("session_updated", {"event_id": EVENT, "request_id": "c", "status": "abandoned"}),
    ]
    told = len(in_memory_room.published)
    in_memory_room.room.publisher.publish_outcomes(rows[1:2])
    assert len(in_memory_room.published) == told
    in_memory_room.room.publisher.serving_counter_changed(
        EVENT, ServingMove(1, 3, 3, 5, "operator")
    )
    assert len(in_memory_room.published) == told


def test_the_bus_is_told_what_the_sweep_gave_on() -> None:
    in_memory_room = InMemoryRoom(
        {"ENABLE_EVENTS_GENERATION": "true", "INCR_SVC_ON_QUEUE_POSITION_EXPIRY": "true"}
    )
    in_memory_room.visitors(9)
    in_memory_room.serve(4)
    told = len(in_memory_room.published)
    for seconds in (91, 91, 901):
        in_memory_room.minute(seconds)
    assert [kind for kind, _ in in_memory_room.published[told:]] == [
        "serving_counter_changed", "automatic_serving_counter_incr"
    ]  # fmt: skip
    assert in_memory_room.published[-1][1] == {
        "previous_serving_counter_position": 4, "increment_by": 4,
        "current_serving_counter_position": 8,
    }  # fmt: skip


# --- the minute worker ------------------------------------------------------------------------


def ready(count: int) -> InMemoryRoom:
    """So many visitors are served and audited, and their time is over in the next second."""
    in_memory_room = InMemoryRoom()
    in_memory_room.visitors(count)
    in_memory_room.serve(count)
    served = in_memory_room.clock.now
    for _ in range(2):
        in_memory_room.clock.now += 91
        in_memory_room.room.workers.reconciliation.run(EVENT)
    in_memory_room.clock.now = served + 900
    return in_memory_room


def test_a_turn_is_swept_in_the_second_after_its_last_one() -> None:
    in_memory_room = ready(3)
    assert in_memory_room.room.workers.expiry_sweep.run(EVENT).expired_through == 0
    in_memory_room.clock.now += 1
    assert in_memory_room.room.workers.expiry_sweep.run(EVENT).expired_through == 3


@pytest.mark.parametrize(("steps", "expired_through"), [(1, 3), (2, 6), (50, 7)])
def test_a_sweep_goes_step_by_step_and_leaves_the_rest_to_the_next_minute(
    monkeypatch: pytest.MonkeyPatch, steps: int, expired_through: int
) -> None:
    monkeypatch.setattr(expiry_sweep, "SWEEP_STEP", 3)
    monkeypatch.setattr(expiry_sweep, "SWEEP_STEPS", steps)
    in_memory_room = ready(7)
    in_memory_room.clock.now += 1
    before = in_memory_room.log.read(EVENT)
    assert in_memory_room.room.workers.expiry_sweep.run(EVENT).expired_through == expired_through
    after = in_memory_room.log.read(EVENT)
    assert (after.expired_through, after.expired) == (expired_through, expired_through)
    assert after.version == before.version, "it moves nothing"


def test_a_sweep_stays_below_what_the_audit_passed_and_what_is_served() -> None:
    in_memory_room = ready(4)
    in_memory_room.visitors(3)
    in_memory_room.serve(2)
    in_memory_room.clock.now += 2000
    assert in_memory_room.room.workers.expiry_sweep.run(EVENT).expired_through == 4, (
        "the audit has not passed 5"
    )
    for _ in range(2):
        in_memory_room.clock.now += 91
        in_memory_room.room.workers.reconciliation.run(EVENT)
    assert in_memory_room.room.workers.expiry_sweep.run(EVENT).expired_through == 6, (
        "7 is not served"
    )


def test_a_sweep_that_is_overtaken_goes_on_from_what_stands() -> None:
    in_memory_room = ready(4)
    in_memory_room.clock.now += 1
    real = in_memory_room.log.store.write

    def overtaken(before: EventState, after: EventState) -> None:
        in_memory_room.log.store.write = real
        real(before, moved(before))
        raise Conflict

    in_memory_room.log.store.write = overtaken
    state = in_memory_room.room.workers.expiry_sweep.run(EVENT)
    assert (state.expired_through, state.serving) == (4, 5)


def test_an_announced_write_whose_writer_died_is_overtaken_once() -> None:
    in_memory_room = InMemoryRoom()
    in_memory_room.serve(3)
    states, _ = states_of(in_memory_room)
    before = in_memory_room.log.read(EVENT)
    states.announce_lowering(before)
    state = in_memory_room.room.workers.reconciliation.run(EVENT)
    assert (state.version, state.serving) == (before.version + 1, 3)
    assert state.move is not None
    assert state.move.reason == "audit"
    assert in_memory_room.room.workers.reconciliation.run(EVENT).version == before.version + 1


def test_the_audit_watches_a_range_once_there_is_one_and_closes_it_later() -> None:
    in_memory_room = InMemoryRoom()
    assert in_memory_room.room.workers.reconciliation.run(EVENT).pending_since == 0, (
        "nothing to watch"
    )
    in_memory_room.visitors(3)
    first = in_memory_room.room.workers.reconciliation.run(EVENT)
    assert (first.pending_through, first.reconciled_through, first.pending_since) == (
        3,
        0,
        int(in_memory_room.clock.now),
    )
    in_memory_room.clock.now += 90
    assert in_memory_room.room.workers.reconciliation.run(EVENT).reconciled_through == 0
    in_memory_room.clock.now += 1
    assert in_memory_room.room.workers.reconciliation.run(EVENT).reconciled_through == 3


# --- the worker of joins ----------------------------------------------------------------------


def test_a_reservation_that_resets_overtake_is_tried_twelve_times() -> None:
    in_memory_room = InMemoryRoom()
    tries: list[int] = []

    def reset_meanwhile(*_: Any) -> None:
        tries.append(1)
        raise Conflict

    in_memory_room.log.store.reserve = reset_meanwhile
    with pytest.raises(Unavailable) as raised:
        in_memory_room.room.workers.assignment.assign(EVENT, [in_memory_room.join()])
    assert (len(tries), raised.value.retry_after) == (12, 1)


def test_a_join_of_before_a_reset_gets_a_row_that_says_so_and_no_place() -> None:
    in_memory_room = InMemoryRoom()
    late = in_memory_room.join()
    in_memory_room.clock.now += 1
    in_memory_room.room.control.reset(EVENT)
    in_memory_room.log.calls.clear()
    given = in_memory_room.room.workers.assignment.assign(EVENT, [late])
    assert (given.assigned, given.holes, given.retry) == (0, 0, frozenset())
    assert "reserve" not in in_memory_room.log.calls
    row = in_memory_room.positions.store.get(EVENT, late.request_id)
    assert (row.position, row.generation, row.entry_time) == (0, 1, int(in_memory_room.clock.now))


def test_no_joins_ask_for_nothing() -> None:
    in_memory_room = InMemoryRoom()
    assert in_memory_room.room.workers.assignment.assign(EVENT, []).assigned == 0
    assert "acquire_join_leases" not in in_memory_room.counters.calls
    assert in_memory_room.positions.calls == []


def test_rows_without_an_answer_are_remembered_up_to_a_bound(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(position_assignment, "MAX_UNCONFIRMED", 2)
    in_memory_room = InMemoryRoom()
    joins = [in_memory_room.join(in_memory_room.clock.now + number / 10) for number in range(3)]
    in_memory_room.positions.fail("insert", "before")
    assert (
        outcome_of(lambda: in_memory_room.room.workers.assignment.assign(EVENT, joins))
        == "Unavailable"
    )
    in_memory_room.clock.now += 2
    assert in_memory_room.room.workers.assignment.assign(EVENT, joins).assigned == 3
    unused = in_memory_room.log.read_with_details(EVENT)[1].unused_positions
    assert unused == (2, 3), "the reconciliation finds the first"


# --- requests as servers hand them over -------------------------------------------------------


def scope(**changes: Any) -> dict[str, Any]:
    return {"type": "http", "method": "PUT", "path": "/a", "headers": [], **changes}


def test_an_asgi_request_is_read_as_it_was_sent() -> None:
    headers = [(b"A", b"1"), (b"a", b"2"), (b"Cookie", b"x=1"), (b"cookie", b"y=2")]
    visit = asgi.read_request(scope(headers=headers, query_string=b"q=1", raw_path=b"/%61"))
    assert visit.headers == {"a": "1,2", "cookie": "x=1; y=2"}
    assert (visit.method, visit.path, visit.query) == ("PUT", "/a", "q=1")
    assert (visit.mount, visit.raw) == ("", "/%61")
    socket = asgi.read_request({"type": "websocket", "path": "/a", "headers": []})
    assert (socket.method, socket.query, socket.raw) == ("GET", "", "")


@pytest.mark.parametrize(
    ("root", "path", "raw", "read", "sent"),
    [
        ("/m", "/m/a", b"/m/%61", "/m/a", "/m/%61"), ("/m/", "/m", b"", "/m", "/m"),
        ("/m", "/a", b"/%61", "/m/a", "/m/%61"), ("/m", "/mx", b"", "/m/mx", ""),
        ("", "/a", b"/b", "/a", ""), (None, "/a", None, "/a", ""),
    ],
)  # fmt: skip
def test_the_prefix_of_an_asgi_server_is_a_part_of_the_path(
    root: str | None, path: str, raw: bytes | None, read: str, sent: str
) -> None:
    visit = asgi.read_request(scope(root_path=root, path=path, raw_path=raw))
    assert (visit.path, visit.raw) == (read, sent)


def environ(body: bytes = b"", **changes: Any) -> dict[str, Any]:
    return {"REQUEST_METHOD": "POST", "wsgi.input": io.BytesIO(body), **changes}


def test_a_wsgi_request_is_read_as_it_was_sent() -> None:
    visit = wsgi.read_request(environ(
        SCRIPT_NAME="/m/", PATH_INFO="/\xc3\xa9", QUERY_STRING="q", CONTENT_TYPE="t",
        HTTP_X_A="1", RAW_URI="/m/%C3%A9?x", REQUEST_URI="/other",
    ))  # fmt: skip
    assert (visit.path, visit.mount, visit.query) == ("/m/é", "/m", "q")
    assert visit.raw == "/m/%C3%A9"
    assert (visit.headers["x-a"], visit.headers["content-type"]) == ("1", "t")
    bare = wsgi.read_request(environ())
    assert (bare.path, bare.raw, bare.headers) == ("/", "", {"content-type": ""})


@pytest.mark.parametrize(
    ("body", "changes", "found"),
    [
        (b"abc", {"CONTENT_LENGTH": "2"}, b"ab"), (b"abc", {"CONTENT_LENGTH": "9"}, b"abc"),
        (b"abc", {}, b""), (b"abc", {"CONTENT_LENGTH": ""}, b""),
        (b"abc", {"CONTENT_LENGTH": "123456789"}, b"abc"), (b"abc", {"CONTENT_LENGTH": "0"}, b""),
        (b"abc", {"CONTENT_LENGTH": "1234567890"}, 400), (b"abc", {"CONTENT_LENGTH": "-1"}, 400),
        (b"abc", {"CONTENT_LENGTH": "\xb2"}, 400), (b"abc", {"HTTP_TRANSFER_ENCODING": "c"}, 411),
        (b"abc", {"HTTP_TRANSFER_ENCODING": "c", "wsgi.input_terminated": True}, b"abc"),
        (b"x" * 20_000, {"CONTENT_LENGTH": "20000"}, b"x" * (MAX_FORM + 1)),
        (b"x" * 20_000, {"HTTP_TRANSFER_ENCODING": "c", "wsgi.input_terminated": True},
         b"x" * (MAX_FORM + 1)),
    ],
)  # fmt: skip
def test_a_wsgi_form_is_read_up_to_what_shows_that_it_is_too_large(
    body: bytes, changes: dict[str, Any], found: bytes | int
) -> None:
    read = wsgi._body(environ(body, **changes))
    assert (read.status if isinstance(read, Response) else read) == found


class Broken:
    def __init__(self, error: Exception) -> None:
        self.error = error

    def read(self, _: int) -> bytes:
        raise self.error


@pytest.mark.parametrize("error", [OSError(), ValueError(), EOFError()])
def test_a_form_that_breaks_off_is_refused(error: Exception) -> None:
    read = wsgi._body({**environ(CONTENT_LENGTH="5"), "wsgi.input": Broken(error)})
    assert isinstance(read, Response)
    assert read.status == 400


@pytest.mark.parametrize(
    ("changes", "asks"),
    [
        ({}, False), ({"HTTP_UPGRADE": "h2c"}, False), ({"HTTP_UPGRADE": "WebSocket"}, True),
        ({"HTTP_SEC_WEBSOCKET_KEY": ""}, True), ({"wsgi.websocket": None}, True),
    ],
)  # fmt: skip
def test_each_sign_of_a_websocket_is_one(changes: dict[str, Any], asks: bool) -> None:
    assert wsgi._is_websocket(environ(**changes)) is asks
