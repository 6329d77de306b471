# SPDX-License-Identifier: Apache-2.0
"""The audit log: phase changes by the clock, pages, and page marks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.fakes.audit import MemoryAuditLog
from tests.support.fakes.events import MemoryEvents
from tests.support.fakes.serving_log import MemoryServingLog
from tests.unit.domain.events.test_phase import documents
from waiting_room.domain.actors import UNKNOWN, Actor, ActorKind, admission, scheduled
from waiting_room.domain.errors import InvalidInput
from waiting_room.domain.events.audit import (
    PAGE,
    AuditEntry,
    AuditMark,
    LoggedEntry,
    LoggedMove,
    audit_entry,
    deciding_of,
    key_at,
    move_entry,
    page_of,
)
from waiting_room.domain.events.document import changed_members, complete, without_defaults
from waiting_room.domain.events.phase import phase_of
from waiting_room.domain.limits import AUDIT_LIFE
from waiting_room.domain.records import EventState, ServingMove
from waiting_room.domain.serving_counter import move

ADA = Actor(ActorKind.PERSON, "arn:aws:iam::1:user/ada")
# An event is created, changed and perhaps deleted. The times of the changes are halves of seconds,
# so that no change is at the second of a schedule.
histories = st.lists(st.tuples(st.integers(0, 12), st.one_of(st.none(), documents)), max_size=5)
Document = dict[str, Any]


def logged(history: list[tuple[int, Document | None]]) -> list[tuple[float, Document | None]]:
    """The changes in order of time, one for each time; None deletes the event."""
    found = {at + 0.5: document for at, document in history}
    return sorted(found.items(), key=lambda one: one[0])


def entries_of(changes: list[tuple[float, Document | None]]) -> list[LoggedEntry]:
    """The audit entries of changes, as the use cases write them, latest first."""
    entries: list[AuditEntry] = []
    current: Document | None = None
    for at, document in changes:
        if document is None and current is not None:
            entries.append(audit_entry(at, ADA, "delete", without_defaults(current), {}))
        elif document is not None and current is None:
            entries.append(audit_entry(at, ADA, "create", {}, without_defaults(document)))
        elif document is not None and current is not None and document != current:
            entries.append(audit_entry(at, ADA, "put", *changed_members(current, document)))
        current = document
    keyed = [LoggedEntry(key_at(one.at, f"{i:08x}"), one) for i, one in enumerate(entries)]
    return keyed[::-1]


def document_at(changes: list[tuple[float, Document | None]], time: float) -> Document | None:
    """The document that applied at a time."""
    applied = [document for at, document in changes if at <= time]
    return applied[-1] if applied else None


def first_mark(now: float, document: Document | None) -> AuditMark:
    deciding = deciding_of(document) if document else None
    return AuditMark(now, key_at(now), now + 1e-6, deciding, key_at(now))


def by_the_clock(changes: list[tuple[float, Document | None]], now: int) -> list[Any]:
    """The phase changes from second to second while one document applied, latest first."""
    found: list[tuple[int, Document, Document]] = []
    for time in range(1, now + 1):
        document, before = document_at(changes, time), document_at(changes, time - 0.5)
        if document is None or document is not before:
            continue
        # what the phase was when the document, or this half second, began
        earlier = phase_of(document, time - 0.5)
        if (later := phase_of(document, time)) is not earlier:
            found.append((time, {"phase": earlier.value}, {"phase": later.value}))
    return found[::-1]


@given(histories, st.integers(13, 15))
def test_phase_changes_by_the_clock_are_those_of_every_second(
    history: list[tuple[int, Document | None]], now: int
) -> None:
    changes = logged(history)
    mark = first_mark(now, document_at(changes, now))
    entries, following = page_of(mark, entries_of(changes), [], [], now)
    assert following is None
    derived = [(one.at, one.before, one.after) for one in entries if one.what == "phase"]
    assert derived == by_the_clock(changes, now)
    assert all(one.role == "schedule" for one in entries if one.what == "phase")
    assert [one.at for one in entries] == sorted((one.at for one in entries), reverse=True)


def test_an_opening_that_was_moved_is_shown_once() -> None:
    first = complete({"schedule": {"opens_at": 20}})
    second = complete({"schedule": {"opens_at": 40}})
    changes: list[tuple[float, Document | None]] = [(5.0, first), (10.0, second)]
    entries, _ = page_of(first_mark(60, second), entries_of(changes), [], [], 60)
    assert [(one.at, one.what) for one in entries] == [(40, "phase"), (10, "put"), (5, "create")]
    # moved after it was reached: both happened
    changes = [(5.0, first), (30.0, second)]
    entries, _ = page_of(first_mark(60, second), entries_of(changes), [], [], 60)
    assert [(one.at, one.what) for one in entries] == [
        (40, "phase"), (30, "put"), (20, "phase"), (5, "create"),
    ]  # fmt: skip


def test_a_time_that_is_not_reached_or_too_old_is_not_shown() -> None:
    document = complete({"schedule": {"pre_queue_at": 10, "opens_at": 20, "closes_at": 30}})
    entries, _ = page_of(first_mark(29.9, document), [], [], [], 29.9)
    assert [one.after["phase"] for one in entries] == ["open", "pre_queue"]
    entries, _ = page_of(first_mark(30, document), [], [], [], 30)
    assert [one.at for one in entries] == [30, 20, 10]
    late = AUDIT_LIFE + 15
    entries, _ = page_of(first_mark(late, document), [], [], [], late)
    assert [one.at for one in entries] == [30, 20]


def test_a_move_names_its_author_and_its_role() -> None:
    for actor, role, who in (
        (ADA, "person", "user/ada"),
        (Actor(ActorKind.INLET, "arn:aws:sts::1:assumed-role/in/let"), "inlet",
         "assumed-role/in/let"),
        (scheduled("sweep_positions"), "schedule", "sweep_positions"),
        (admission("admit"), "admission", "admit"),
        (UNKNOWN, "person", "unknown"),
    ):  # fmt: skip
        state = move(EventState("E", serving=7), 5, 30, "operator", "mark", actor.short)
        assert state.move
        assert move_entry(state.move) == AuditEntry(
            30, who, role, "admit", {"serving_counter": 7}, {"serving_counter": 12}
        )
    assert move_entry(ServingMove(1, 0, 5, 30, "operator")).who == "unknown"
    assert audit_entry(1, UNKNOWN, "put", {}, {}).role == "person"


class Log:
    """An event with many changes, operations and moves; the pages are read in between."""

    def __init__(self) -> None:
        self.events, self.log = MemoryEvents(), MemoryServingLog()
        self.audit = MemoryAuditLog(self.events, self.log)
        self.document = complete({"title": "0"})
        self.now = 1000.0
        self.count = 0

    def add(self, kind: int, gap: float) -> None:
        self.now += gap
        self.count += 1
        if kind == 0:
            after = complete(
                {"title": str(self.count), "schedule": {"opens_at": int(self.now) + self.count % 9}}
            )
            changed = changed_members(self.document, after)
            self.events.audit["E"].append(audit_entry(self.now, ADA, "put", *changed))
            self.document = after
        elif kind == 1:
            self.audit.append("E", audit_entry(self.now, ADA, "message", {}, {"n": self.count}))
        else:
            before = self.log.read("E")
            self.log.write(before, move(before, 1, int(self.now), "operator", "", ADA.short))
        if self.count % 40 == 0:
            before = self.log.read("E")
            self.log.reset(before, before.next_generation(self.now))

    def page(self, mark: AuditMark | None) -> tuple[list[AuditEntry], AuditMark | None]:
        mark = mark or first_mark(self.now, self.document)
        return page_of(
            mark,
            self.audit.changes("E", mark.change, PAGE + 1),
            self.audit.operations("E", mark.operation, PAGE + 1),
            self.audit.moves("E", mark.generation, mark.version, PAGE + 1),
            self.now,
        )


@given(
    st.lists(st.tuples(st.integers(0, 2), st.sampled_from([0.0, 0.25, 1.0, 7.5])), max_size=320),
    st.lists(st.tuples(st.integers(0, 2), st.sampled_from([1.5, 3.0])), max_size=5),
)
def test_pages_hold_each_entry_once_and_new_entries_do_not_move_them(
    steps: list[tuple[int, float]], new: list[tuple[int, float]]
) -> None:
    log = Log()
    for kind, gap in steps:
        log.add(kind, gap)
    now, document = log.now, log.document
    whole, rest = page_of(
        first_mark(now, document), log.audit.changes("E", "audit#~", 999)[:PAGE],
        log.audit.operations("E", "audit#~", 999), log.audit.moves("E", 0, 0, 999), now,
    )  # fmt: skip
    found: list[AuditEntry] = []
    mark: AuditMark | None = None
    while True:
        page, mark = log.page(mark)
        assert len(page) <= PAGE
        found += page
        for kind, gap in new:
            log.add(kind, gap)
        if mark is None:
            break
        mark = AuditMark.from_json(mark.to_json())
    assert found[: len(whole)] == whole
    assert rest is not None or len(found) == len(whole)
    stored = [one for one in found if one.what != "phase"]
    made = [one for one in stored if one.what != "admit"]
    assert sum(1 for kind, _ in steps if kind != 2) == len(made)
    assert len({(one.what, str(one.after), one.at) for one in made}) == len(made)
    assert sum(1 for kind, _ in steps if kind == 2) == len(stored) - len(made)


MARK = AuditMark(
    1000.5, key_at(1000.5), 999.25, deciding_of(complete({"schedule": {"opens_at": 5}})),
    key_at(900.0, "0123abcd"), 3, 17,
)  # fmt: skip


@pytest.mark.parametrize(
    "change",
    [
        lambda one: one.pop("f"), lambda one: one.update(x=1), lambda one: one.update(c="audit#1"),
        lambda one: one.update(o="move#0000000001#000000000001"), lambda one: one.update(u=-1),
        lambda one: one.update(f="1000"), lambda one: one.update(d=[0]),
        lambda one: one.update(d=[0, 5, 5, 5, 7, 5, 5, 5]),
        lambda one: one.update(d=[0, "5", 5, 5, 1, 5, 5, 5]), lambda one: one.update(g=-1),
        lambda one: one.update(v=1.5), lambda one: one.update(v=10**12), lambda one: one.clear(),
        lambda one: one.update(f=10**18), lambda one: one.update(d={}),
    ],
)  # fmt: skip
def test_a_changed_mark_is_refused(change: Callable[[dict[str, Any]], None]) -> None:
    content = MARK.to_json()
    assert AuditMark.from_json(content) == MARK
    change(content)
    with pytest.raises(InvalidInput, match="next_token is invalid"):
        AuditMark.from_json(content)


def test_moves_after_the_first_page_are_on_no_later_page() -> None:
    mark = AuditMark(100.0, key_at(100.0), 100.0, None, key_at(100.0))
    moves = [LoggedMove(1, ServingMove(2, 1, 2, 101, "operator")),
             LoggedMove(1, ServingMove(1, 0, 1, 100, "operator"))]  # fmt: skip
    entries, _ = page_of(mark, [], [], moves, 200.0)
    assert [one.at for one in entries] == [100]
