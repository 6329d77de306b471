# SPDX-License-Identifier: Apache-2.0
"""What every kind of table store does."""

from __future__ import annotations

import uuid
from dataclasses import replace
from typing import Any

import pytest

from tests.contract.conftest import Tables
from tests.support.fakes import serving_log as memory_log
from tests.support.fakes.outcomes import MemoryOutcomes
from tests.support.fakes.serving_log import MemoryServingLog
from waiting_room.adapters.dynamodb import checkpoints, outcomes, serving_log
from waiting_room.domain import serving_counter
from waiting_room.domain.counter_snapshot import Checkpoint, LiveToken, TokenTally
from waiting_room.domain.errors import Conflict
from waiting_room.domain.ports.outcomes import ENDED_SHARDS
from waiting_room.domain.ports.serving_log import Attempt
from waiting_room.domain.records import (
    Ending,
    EventState,
    Outcome,
    OutcomeKind,
    Position,
    Segment,
    SessionStatus,
    StateDetails,
)

NOW = 1_800_000_000


def place(event_id: str, position: int, generation: int = 1, secret: str = "") -> Position:
    return Position(event_id, generation, str(uuid.uuid4()), position, NOW, secret)


def token(row: Position, expires_at: int = NOW + 60) -> Outcome:
    return Outcome(
        row.event_id, row.generation, row.position, row.request_id, OutcomeKind.TOKEN, NOW,
        expires_at, "https://room.example/api", "key-1",
    )  # fmt: skip


def expiry(row: Position) -> Outcome:
    return Outcome(
        row.event_id, row.generation, row.position, row.request_id, OutcomeKind.EXPIRED, NOW
    )


def test_rows_come_back_as_they_were_written(tables: Tables, event_id: str) -> None:
    rows = [place(event_id, position, secret="ab" * 32) for position in range(1, 61)]
    assert tables.positions.insert(rows) == {row.request_id: row for row in rows}
    assert tables.positions.get(event_id, rows[3].request_id) == rows[3]
    assert tables.positions.get_many(event_id, [row.request_id for row in rows]) == {
        row.request_id: row for row in rows
    }
    assert tables.positions.get(event_id, str(uuid.uuid4())) is None
    assert tables.positions.get_many(event_id, [str(uuid.uuid4())]) == {}


def test_a_row_that_stands_is_never_written_over(tables: Tables, event_id: str) -> None:
    first = place(event_id, 1)
    tables.positions.insert([first])
    other = place(event_id, 3)
    again = replace(first, position=2, entry_time=NOW + 5)
    stands = tables.positions.insert([again, other])
    assert stands == {first.request_id: first, other.request_id: other}
    assert tables.positions.get(event_id, first.request_id) == first


def test_the_generation_comes_with_the_row(tables: Tables, event_id: str) -> None:
    row = place(event_id, 1)
    tables.positions.insert([row])
    ask = tables.positions.get_with_generation
    assert ask(event_id, row.request_id, known_generation=None) == (1, row)
    tables.log.reset(tables.log.read(event_id), tables.log.read(event_id).next_generation(NOW))
    assert ask(event_id, row.request_id, known_generation=None) == (2, row)
    assert ask(event_id, row.request_id, known_generation=7) == (7, row)
    assert ask(event_id, str(uuid.uuid4()), known_generation=None) == (2, None)


def test_a_range_of_positions_is_read_of_one_generation_only(tables: Tables, event_id: str) -> None:
    rows = [place(event_id, position) for position in range(1, 41)]
    tables.positions.insert([*rows, place(event_id, 7, generation=2), place(event_id, 0)])
    found = sorted(tables.positions.in_range(event_id, 1, 5, 37), key=lambda row: row.position)
    assert found == rows[4:37]
    assert list(tables.positions.in_range(event_id, 1, 5, 4)) == []
    assert tables.positions.count(event_id, 1, 5, 37) == len(found)
    assert tables.positions.count(event_id, 1, 5, 4) == 0


def test_one_number_of_one_line_is_one_row(tables: Tables, event_id: str) -> None:
    """What a look-up by queue number reads, from the one shard of the index that has the number."""
    rows = [place(event_id, number) for number in (1, 999, 1_000, 1_001, 123_456)]
    tables.positions.insert([*rows, replace(place(event_id, 7), generation=2)])
    for row in rows:
        (found,) = tables.positions.in_range(event_id, 1, row.position, row.position)
        assert (found.request_id, found.position) == (row.request_id, row.position)
        assert found.client_secret_hash == ""
    for number in (2, 7, 998, 10**15 - 1):
        assert list(tables.positions.in_range(event_id, 1, number, number)) == []


def test_the_first_outcome_of_a_position_stands(tables: Tables, event_id: str) -> None:
    row = place(event_id, 4)
    first = token(row)
    assert tables.outcomes.get(event_id, 1, 4) is None
    assert tables.outcomes.put_if_absent(first) == first
    assert (
        tables.outcomes.put_if_absent(replace(first, expires_at=NOW + 999, key_id="other")) == first
    )
    assert tables.outcomes.put_if_absent(expiry(row)) == first
    assert tables.outcomes.get(event_id, 1, 4) == first


def test_expiries_leave_tokens_alone_and_may_be_repeated(tables: Tables, event_id: str) -> None:
    rows = [place(event_id, position) for position in range(1, 41)]
    stands = tables.outcomes.put_if_absent(token(rows[4]))
    assert tables.outcomes.put_expired([expiry(row) for row in rows]) == [stands]
    assert tables.outcomes.put_expired([expiry(row) for row in rows[:2]]) == []
    assert tables.outcomes.put_if_absent(token(rows[0])) == expiry(rows[0])
    kinds = {row.position: row.kind for row in tables.outcomes.in_range(event_id, 1, 1, 40)}
    assert kinds.pop(5) is OutcomeKind.TOKEN
    assert set(kinds.values()) == {OutcomeKind.EXPIRED}
    assert len(kinds) == 39


def test_only_an_open_session_of_a_token_ends(tables: Tables, event_id: str) -> None:
    for position in (1, 2, 3):
        tables.outcomes.put_if_absent(token(place(event_id, position)))
    tables.outcomes.put_if_absent(expiry(place(event_id, 4)))
    end = tables.outcomes.end_session
    first = end(event_id, 1, 1, SessionStatus.COMPLETED, NOW, "first")
    assert first.done
    assert first.outcome
    assert first.outcome.status is SessionStatus.COMPLETED
    assert tables.outcomes.get(event_id, 1, 1) == first.outcome
    assert end(event_id, 1, 1, SessionStatus.COMPLETED, NOW, "first") == first
    assert end(event_id, 1, 1, SessionStatus.ABANDONED, NOW, "second") == Ending(
        False, first.outcome
    )
    late = end(event_id, 1, 2, SessionStatus.ABANDONED, NOW + 60, "third")
    assert late == Ending(True, tables.outcomes.get(event_id, 1, 2))
    assert late.outcome
    assert (late.outcome.status, late.outcome.ended_at) == (SessionStatus.ABANDONED, NOW + 60)
    assert end(event_id, 1, 2, SessionStatus.ABANDONED, NOW + 61, "again") == Ending(
        False, late.outcome
    )
    counted = {row.position: row.status for row in tables.outcomes.tokens(event_id, 1, 1, 4)}
    assert counted == {1: SessionStatus.COMPLETED, 2: SessionStatus.OPEN, 3: SessionStatus.OPEN}
    unused = end(event_id, 1, 4, SessionStatus.ABANDONED, NOW, "fourth")
    assert unused == Ending(False, tables.outcomes.get(event_id, 1, 4))
    assert end(event_id, 1, 9, SessionStatus.ABANDONED, NOW, "fifth") == Ending(False)


def test_a_session_of_another_request_is_not_ended(tables: Tables, event_id: str) -> None:
    row = tables.outcomes.put_if_absent(token(place(event_id, 1)))
    end = tables.outcomes.end_session
    other = end(event_id, 1, 1, SessionStatus.COMPLETED, NOW, "mark", row.request_id + "x")
    assert other == Ending(False, row)
    assert end(event_id, 1, 2, SessionStatus.COMPLETED, NOW, "mark", row.request_id) == Ending(
        False
    )
    assert tables.outcomes.get(event_id, 1, 1) == row
    for _ in range(2):  # a repeated call succeeds again
        own = end(event_id, 1, 1, SessionStatus.COMPLETED, NOW, "mark", row.request_id)
        assert own == Ending(True, tables.outcomes.get(event_id, 1, 1))


def test_a_session_is_extended_and_never_shortened(tables: Tables, event_id: str) -> None:
    extend = tables.outcomes.extend_session
    first = tables.outcomes.put_if_absent(token(place(event_id, 1)))
    assert first.session_until is None
    begun = extend(event_id, 1, 1, NOW + 900, NOW + 59)
    assert begun == replace(first, session_until=NOW + 900)
    assert begun == tables.outcomes.get(event_id, 1, 1)
    assert extend(event_id, 1, 1, NOW + 900, NOW + 59) == begun
    assert extend(event_id, 1, 1, NOW + 899, NOW + 59) == begun
    later = extend(event_id, 1, 1, NOW + 1800, NOW + 899)
    assert later == replace(first, session_until=NOW + 1800)
    assert extend(event_id, 1, 1, NOW + 9000, NOW + 1800) == later
    assert extend(event_id, 1, 9, NOW + 900, NOW) is None


def test_no_session_is_extended_without_a_valid_token_or_after_its_end(
    tables: Tables, event_id: str
) -> None:
    extend, end = tables.outcomes.extend_session, tables.outcomes.end_session
    over = tables.outcomes.put_if_absent(token(place(event_id, 1)))
    assert extend(event_id, 1, 1, NOW + 900, NOW + 60) == over
    expired = tables.outcomes.put_if_absent(expiry(place(event_id, 2)))
    assert extend(event_id, 1, 2, NOW + 900, NOW) == expired
    begun = tables.outcomes.put_if_absent(
        replace(token(place(event_id, 3)), session_until=NOW + 900)
    )
    assert tables.outcomes.get(event_id, 1, 3) == begun
    ended = end(event_id, 1, 3, SessionStatus.COMPLETED, NOW + 5, "mark").outcome
    assert ended == replace(begun, status=SessionStatus.COMPLETED, ended_at=NOW + 5)
    assert extend(event_id, 1, 3, NOW + 1800, NOW + 6) == ended


def test_expired_tokens_are_paged_and_each_comes_once(tables: Tables, event_id: str) -> None:
    rows = [place(event_id, position) for position in range(1, 51)]
    for row in rows[:40]:
        tables.outcomes.put_if_absent(token(row, NOW + row.position))
    for row in rows[40:]:
        tables.outcomes.put_if_absent(expiry(row))
    tables.outcomes.end_session(event_id, 1, 2, SessionStatus.COMPLETED, NOW, "mark")
    found: list[str] = []
    mark = None
    for _ in range(100):
        page, mark = tables.outcomes.expired_page(event_id, 1, NOW + 30, 7, mark)
        assert len(page) <= 7
        found += [row.request_id for row in page]
        if mark is None:
            break
    assert sorted(found) == sorted(row.request_id for row in rows[:30] if row.position != 2)


def test_a_page_of_expired_tokens_looks_at_a_bounded_number_of_rows(
    tables: Tables, event_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if isinstance(tables.outcomes, MemoryOutcomes):
        pytest.skip("memory reads no pages")
    monkeypatch.setattr(outcomes, "PAGE_ROWS", 1)
    monkeypatch.setattr(outcomes, "PAGE_READS", 3)
    tables.outcomes.put_expired(
        [expiry(place(event_id, position)) for position in range(16, 176, 16)]
    )
    tables.outcomes.put_if_absent(token(place(event_id, 176), NOW))
    page, mark = tables.outcomes.expired_page(event_id, 1, NOW, 5, None)
    assert (page, mark) == ([], (0, 48))
    pages = 1
    found: list[Outcome] = []
    while mark:
        page, mark = tables.outcomes.expired_page(event_id, 1, NOW, 5, mark)
        found += page
        pages += 1
    assert [row.position for row in found] == [176]
    assert 4 <= pages <= 10


def test_ended_sessions_are_known_until_their_token_dies(tables: Tables, event_id: str) -> None:
    rows = [place(event_id, position) for position in range(1, 25)]
    for row in rows:
        tables.outcomes.put_if_absent(token(row, NOW + 100 + row.position))
    tables.outcomes.put_if_absent(expiry(place(event_id, 25)))
    for row in rows[:20]:
        status = SessionStatus.ABANDONED if row.position % 2 else SessionStatus.COMPLETED
        tables.outcomes.end_session(event_id, 1, row.position, status, NOW, "mark")
    ended = {row.request_id for row in rows[:20]}
    assert sorted(ended_ids(tables, event_id, 1, NOW)) == sorted(ended)
    late = {row.request_id for row in rows[5:20]}
    assert set(ended_ids(tables, event_id, 1, NOW + 105)) == late
    assert ended_ids(tables, event_id, 2, NOW) == []


def ended_ids(
    tables: Tables, event_id: str, generation: int, now: int, limit: int = 1000
) -> list[str]:
    """Request ids of all pages."""
    found: list[str] = []
    mark: tuple[int, int] | None = None
    for _ in range(1000):
        page, mark = tables.outcomes.ended_page(event_id, generation, now, limit, mark)
        assert len(page) <= limit
        found += page
        if mark is None:
            return found
        assert page, "a page with a mark is full"
    raise AssertionError("pages without end")


def end_many(tables: Tables, event_id: str, count: int) -> list[str]:
    """Sessions that ended: two of three tokens end in the same second; answers request ids."""
    rows = [place(event_id, position) for position in range(1, count + 1)]
    for row in rows:
        tables.outcomes.put_if_absent(token(row, NOW + 100 + row.position % 3 // 2))
        tables.outcomes.end_session(event_id, 1, row.position, SessionStatus.COMPLETED, NOW, "m")
    return [row.request_id for row in rows]


def test_a_reservation_without_an_answer_is_found_by_the_next_of_its_worker(
    tables: Tables, event_id: str
) -> None:
    state = tables.log.read(event_id)
    tables.log.reserve(event_id, 4, state, Attempt(3, "earlier"))
    tables.log.reserve(event_id, 5, state, Attempt(3, "lost"))  # 5 to 9; nobody is told
    tables.log.reserve(event_id, 2, state, Attempt(4, "other"))
    found = tables.log.reserve(event_id, 3, state, Attempt(3, "next", "lost", 5))
    assert (found.state.queue, found.unused) == (14, range(5, 10))
    again = tables.log.reserve(event_id, 1, state, Attempt(3, "last", "lost", 5))
    assert not again.unused, "found once"


def test_a_reservation_that_was_never_made_is_not_found(tables: Tables, event_id: str) -> None:
    state = tables.log.read(event_id)
    for slot, lost in ((3, "never"), (4, "never"), (3, "")):
        assert not tables.log.reserve(event_id, 2, state, Attempt(slot, "t", lost, 9)).unused
    assert tables.log.reserve(event_id, 1, state).state.queue == 7


def test_a_reset_forgets_reservations_without_an_answer(tables: Tables, event_id: str) -> None:
    state = tables.log.read(event_id)
    tables.log.reserve(event_id, 5, state, Attempt(3, "lost"))
    after = EventState(event_id, 2, reset_at=5.0)
    tables.log.reset(tables.log.read(event_id), after)
    found = tables.log.reserve(event_id, 3, after, Attempt(3, "next", "lost", 5))
    assert (found.state.queue, found.unused) == (3, range(0))


@pytest.mark.parametrize("limit", [1, 2, 3, 5, 7, 19, 20, 21])
def test_every_ended_session_is_in_one_page(tables: Tables, event_id: str, limit: int) -> None:
    ids = end_many(tables, event_id, 20)
    found = ended_ids(tables, event_id, 1, NOW, limit)
    assert sorted(found) == sorted(ids)


def test_sessions_that_end_between_two_pages_are_in_the_later_ones(
    tables: Tables, event_id: str
) -> None:
    ids = end_many(tables, event_id, 8)
    first, mark = tables.outcomes.ended_page(event_id, 1, NOW, 3, None)
    late = place(event_id, 11)  # the last shard
    tables.outcomes.put_if_absent(token(late, NOW + 500))
    tables.outcomes.end_session(event_id, 1, 11, SessionStatus.COMPLETED, NOW, "m")
    found = list(first)
    while mark:
        page, mark = tables.outcomes.ended_page(event_id, 1, NOW, 3, mark)
        found += page
    assert sorted(found) == sorted([*ids, late.request_id])


def test_a_mark_whose_token_is_dead_goes_on_at_its_shard(tables: Tables, event_id: str) -> None:
    """A verifier may be slow, and a caller may make marks up: neither is an error."""
    ids = end_many(tables, event_id, 8)
    in_last = {ids[2], ids[6]}  # positions 3 and 7
    page, mark = tables.outcomes.ended_page(event_id, 1, NOW, 10, (NOW, 7))
    assert (set(page), mark) == (in_last, None)
    page, mark = tables.outcomes.ended_page(event_id, 1, NOW, 10, (0, 3))
    assert (set(page), mark) == (in_last, None)
    page, mark = tables.outcomes.ended_page(event_id, 1, NOW, 10, (10**12 - 1, 10**15 - 1))
    assert (page, mark) == ([], None)


def test_a_page_of_ended_sessions_makes_a_few_queries_however_many_there_are(
    tables: Tables, event_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if isinstance(tables.outcomes, MemoryOutcomes):
        pytest.skip("memory makes no queries")
    asked: list[int] = []
    query = tables.outcomes._client.query  # type: ignore[attr-defined]

    def counted(**request: Any) -> Any:
        asked.append(request["Limit"])
        return query(**request)

    monkeypatch.setattr(tables.outcomes._client, "query", counted)  # type: ignore[attr-defined]
    for count in (0, 1, 40):
        if count:
            end_many(tables, event_id, count)
        asked.clear()
        mark: tuple[int, int] | None = None
        pages = 0
        while True:
            before = len(asked)
            _, mark = tables.outcomes.ended_page(event_id, 1, NOW, 10, mark)
            pages += 1
            assert len(asked) - before <= ENDED_SHARDS <= 4
            if mark is None:
                break
        assert pages <= count // 10 + 1 + 1
        assert max(asked) <= 10


def test_ranges_are_exclusive_and_follow_one_another(tables: Tables, event_id: str) -> None:
    state = tables.log.read(event_id)
    assert tables.log.reserve(event_id, 5, state).state.queue == 5
    assert tables.log.reserve(event_id, 3, state).state.queue == 8
    assert tables.log.read(event_id).queue == 8


def test_a_reservation_of_a_line_that_was_reset_is_refused(tables: Tables, event_id: str) -> None:
    old = tables.log.read(event_id)
    tables.log.reset(old, old.next_generation(NOW + 0.25))
    with pytest.raises(Conflict):
        tables.log.reserve(event_id, 1, old)
    fresh = tables.log.read(event_id)
    assert (fresh.generation, fresh.queue, fresh.reset_at) == (2, 0, NOW + 0.25)
    assert tables.log.reserve(event_id, 1, fresh).state.queue == 1
    with pytest.raises(Conflict):
        tables.log.reset(old, old.next_generation(NOW + 1))


def test_a_write_needs_what_it_was_decided_on_and_leaves_the_queue_alone(
    tables: Tables, event_id: str
) -> None:
    before = tables.log.read(event_id)
    tables.log.reserve(event_id, 9, before)
    after = replace(
        serving_counter.move(before, 4, NOW, "operator"),
        expired_through=1,
        expired=1,
        reconciled_through=2,
        holes=1,
    )
    tables.log.write(before, after)
    assert tables.log.read(event_id) == replace(after, queue=9)
    with pytest.raises(Conflict):
        tables.log.write(before, serving_counter.move(before, 1, NOW, "operator"))
    sweep_only = replace(after, expired_through=3)
    tables.log.write(after, sweep_only)
    with pytest.raises(Conflict):
        tables.log.write(after, serving_counter.move(after, 1, NOW, "operator"))


def test_every_move_is_in_the_log_in_order(tables: Tables, event_id: str) -> None:
    state = tables.log.read(event_id)
    assert tables.log.moves(state) == []
    moves = []
    for index in range(6):
        after = serving_counter.move(state, 2, NOW + index, "operator")
        tables.log.write(state, after)
        moves.append(after.move)
        state = after
    assert tables.log.moves(state) == moves
    assert tables.log.moves(state, 4) == moves[4:]


def test_nothing_came_after_the_version_that_stands(tables: Tables, event_id: str) -> None:
    before = tables.log.read(event_id)
    after = serving_counter.move(before, 2, NOW, "operator")
    tables.log.write(before, after)
    assert tables.log.moves(after, 1) == tables.log.moves(after, 7) == []


def test_the_latest_move_is_the_states_own(tables: Tables, event_id: str) -> None:
    """It needs no row of its own, so a state that was read before another writer stays whole."""
    before = tables.log.read(event_id)
    one = serving_counter.move(before, 2, NOW, "operator")
    assert tables.log.moves(one) == [one.move]
    tables.log.write(before, one)
    two = serving_counter.move(one, 3, NOW, "operator")
    tables.log.write(one, two)
    assert tables.log.moves(one) == [one.move]
    mine = serving_counter.move(one, 9, NOW, "operator")
    assert tables.log.moves(mine) == [one.move, mine.move]


def test_moves_that_only_swept_positions_need_are_left_out(tables: Tables, event_id: str) -> None:
    state = tables.log.read(event_id)
    for by, at in ((4, NOW), (4, NOW + 9), (4, NOW + 400), (4, NOW + 800), (4, NOW + 801)):
        after = serving_counter.move(state, by, at, "operator")
        tables.log.write(state, after)
        state = after
    for swept, after_version, first in ((0, 0, 1), (4, 0, 2), (9, 0, 3), (9, 3, 4), (20, 0, 3)):
        found = tables.log.moves(replace(state, expired_through=swept), after_version)
        assert [move.version for move in found] == list(range(first, 6)), (swept, after_version)


def test_moves_of_another_generation_are_not_seen(tables: Tables, event_id: str) -> None:
    state = tables.log.read(event_id)
    for index in range(3):
        after = serving_counter.move(state, 2, NOW + index, "operator")
        tables.log.write(state, after)
        state = after
    tables.log.reset(state, state.next_generation(NOW))
    state = tables.log.read(event_id)
    after = serving_counter.move(state, 1, NOW, "operator")
    tables.log.write(state, after)
    assert tables.log.moves(after) == [after.move]


def test_an_event_without_rows_has_no_details(tables: Tables, event_id: str) -> None:
    assert tables.log.read_with_details(event_id) == (EventState(event_id), StateDetails())


def test_unused_positions_are_kept_until_they_are_removed(tables: Tables, event_id: str) -> None:
    state = tables.log.read(event_id)
    tables.log.reserve(event_id, 10, state)
    log = tables.log
    assert log.add_unused_positions(event_id, 1, [3]) == StateDetails(unused_positions=(3,))
    assert log.add_unused_positions(event_id, 1, [8, 3]) == StateDetails(unused_positions=(3, 8))
    log.remove_unused_positions(event_id, 1, [3, 4])
    state, details = log.read_with_details(event_id)
    assert (state.queue, details) == (10, StateDetails(unused_positions=(8,)))
    log.remove_unused_positions(event_id, 1, [8])
    assert log.read_with_details(event_id)[1] == StateDetails()
    assert log.add_unused_positions(event_id, 1, [9]) == StateDetails(unused_positions=(9,))


def test_the_message_stands_beside_other_writes(tables: Tables, event_id: str) -> None:
    state = tables.log.read(event_id)
    tables.log.set_message(event_id, 1, "Grüße 🎟", NOW + 0.5)
    tables.log.add_unused_positions(event_id, 1, [3])
    tables.log.write(state, serving_counter.move(state, 1, NOW, "operator"))
    after, details = tables.log.read_with_details(event_id)
    assert after == tables.log.read(event_id)
    assert after.serving == 1
    assert details == StateDetails("Grüße 🎟", NOW + 0.5, (3,))


def test_an_earlier_message_does_not_replace_a_later_one(tables: Tables, event_id: str) -> None:
    tables.log.set_message(event_id, 1, "two", NOW + 0.2)
    for text, at in (("one", NOW + 0.1), ("other", NOW + 0.2)):
        with pytest.raises(Conflict):
            tables.log.set_message(event_id, 1, text, at)
    tables.log.set_message(event_id, 1, "two", NOW + 0.2)  # the client sent its write twice
    assert tables.log.read_with_details(event_id)[1] == StateDetails("two", NOW + 0.2)
    tables.log.set_message(event_id, 1, "", NOW + 0.3)
    assert tables.log.read_with_details(event_id)[1] == StateDetails("", NOW + 0.3)


def test_a_reset_ends_the_message_and_the_unused_positions(tables: Tables, event_id: str) -> None:
    before = tables.log.read(event_id)
    tables.log.set_message(event_id, 1, "one", NOW + 5.0)
    tables.log.add_unused_positions(event_id, 1, [3])
    after = before.next_generation(NOW + 6.0)
    tables.log.reset(before, after)
    assert tables.log.read_with_details(event_id) == (after, StateDetails())
    tables.log.set_message(event_id, 2, "two", NOW + 1.0)  # by a clock that is behind
    added = tables.log.add_unused_positions(event_id, 2, [1])
    assert added == StateDetails(unused_positions=(1,))
    for late in (
        lambda: tables.log.set_message(event_id, 1, "late", NOW + 9.0),
        lambda: tables.log.add_unused_positions(event_id, 1, [4]),
        lambda: tables.log.remove_unused_positions(event_id, 1, [1]),
    ):
        with pytest.raises(Conflict):
            late()
    details = tables.log.read_with_details(event_id)[1]
    assert details == StateDetails("two", NOW + 1.0, (1,))


def test_tokens_are_read_without_the_rest_of_their_rows(tables: Tables, event_id: str) -> None:
    rows = [place(event_id, position) for position in range(1, 41)]
    for row in rows[:30]:
        tables.outcomes.put_if_absent(token(row, NOW + row.position))
    tables.outcomes.put_expired([expiry(row) for row in rows[30:]])
    tables.outcomes.extend_session(event_id, 1, 7, NOW + 99, NOW)
    tables.outcomes.end_session(event_id, 1, 7, SessionStatus.ABANDONED, NOW + 98, "mark")
    tables.outcomes.extend_session(event_id, 1, 8, NOW + 99, NOW)
    found = sorted(tables.outcomes.tokens(event_id, 1, 3, 35), key=lambda row: row.position)
    assert found == [
        LiveToken(
            position,
            NOW + position,
            SessionStatus.ABANDONED if position == 7 else SessionStatus.OPEN,
            NOW + 99 if position == 8 else 0,
        )
        for position in range(3, 31)
    ]


def test_the_latest_whole_checkpoint_comes_back(
    tables: Tables, event_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoints, "PIECE", 100)
    assert tables.log.checkpoint(event_id, 1) is None
    kept = [
        Checkpoint(
            1, version, NOW + version, (Segment(1, version, NOW), Segment(version + 1, 50, NOW)),
            TokenTally(
                3, bytes(range(256)) * 4, b"\x01", ((NOW, version), (NOW + 5, 1)), 9, 2, version
            ),
        )
        for version in (1, 2, 3)
    ]  # fmt: skip
    for checkpoint in kept:
        tables.log.save_checkpoint(event_id, checkpoint)
        assert tables.log.checkpoint(event_id, 1) == checkpoint
    assert tables.log.checkpoint(event_id, 2) is None


def test_a_checkpoint_whose_writer_died_is_passed_over(
    tables: Tables, event_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if isinstance(tables.log, MemoryServingLog):
        pytest.skip("memory writes a checkpoint whole")
    monkeypatch.setattr(checkpoints, "PIECE", 100)
    rows = bytes(uuid.uuid4().bytes[0] for _ in range(600))
    first, second, third = (
        Checkpoint(1, version, NOW, (), TokenTally(taken=rows)) for version in (1, 2, 3)
    )
    for checkpoint in (first, second):
        tables.log.save_checkpoint(event_id, checkpoint)
    client, put, calls = tables.log._client, tables.log._client.put_item, []

    def dies(**request: object) -> object:
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return put(**request)

    monkeypatch.setattr(client, "put_item", dies)
    with pytest.raises(KeyboardInterrupt):
        tables.log.save_checkpoint(event_id, third)
    assert tables.log.checkpoint(event_id, 1) == second


def test_only_so_many_unused_positions_are_kept(
    tables: Tables, event_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for adapter in (memory_log, serving_log):
        monkeypatch.setattr(adapter, "MAX_UNUSED_POSITIONS", 5)
    tables.log.read(event_id)
    added = tables.log.add_unused_positions(event_id, 1, [1, 2, 3])
    assert added.unused_positions == (1, 2, 3)
    added = tables.log.add_unused_positions(event_id, 1, range(4, 20))
    assert added.unused_positions == tuple(range(1, 9))
    with pytest.raises(Conflict):
        tables.log.add_unused_positions(event_id, 1, [30])


def test_a_reset_is_of_what_stands(tables: Tables, event_id: str) -> None:
    before = tables.log.read(event_id)
    tables.log.write(before, serving_counter.move(before, 1, NOW, "operator"))
    with pytest.raises(Conflict):
        tables.log.reset(before, before.next_generation(NOW))
    stands = tables.log.read(event_id)
    assert (stands.generation, stands.serving) == (1, 1)
    tables.log.reset(stands, stands.next_generation(NOW))
    assert tables.log.read(event_id).generation == 2


def test_no_other_writer_takes_an_announcement_back(tables: Tables, event_id: str) -> None:
    before = tables.log.read(event_id)
    tables.log.write(before, replace(before, lowering=1))
    tables.log.write(
        before, replace(before, pending_through=1, pending_since=NOW)
    )  # read before it
    assert tables.log.read(event_id).lowering == 1
    assert tables.log.reserve(event_id, 2, before).state.lowering == 1
    state = tables.log.read(event_id)
    tables.log.write(state, serving_counter.move(state, 2, NOW, "operator"))
    assert tables.log.read(event_id).lowering == 1
    tables.log.reset(tables.log.read(event_id), tables.log.read(event_id).next_generation(NOW))
    assert tables.log.read(event_id).lowering == 0


def test_nothing_is_written_for_an_event_without_a_record(tables: Tables, event_id: str) -> None:
    known = EventState(event_id)
    for write in (
        lambda: tables.log.reserve(event_id, 1, known),
        lambda: tables.log.write(known, serving_counter.move(known, 1, NOW, "operator")),
        lambda: tables.log.reset(known, known.next_generation(NOW)),
    ):
        with pytest.raises(Conflict):
            write()
    assert tables.log.read(event_id) == known
