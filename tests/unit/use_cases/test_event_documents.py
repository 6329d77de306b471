# SPDX-License-Identifier: Apache-2.0
"""Create, change and delete events at run time."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.faults import Crash
from tests.support.in_memory_room import EVENT, START, InMemoryRoom, outcome_of
from waiting_room.adapters.page_html import clean_html
from waiting_room.domain.actors import Actor, ActorKind
from waiting_room.domain.errors import (
    Conflict,
    CountersLost,
    EventConflict,
    InvalidInput,
    JoinRefused,
    NotAssignedYet,
    PhaseForbids,
    StaleVersion,
    Unavailable,
    UnknownEvent,
)
from waiting_room.domain.events.admission import AdmissionRecord
from waiting_room.domain.events.alarms import Alarm
from waiting_room.domain.events.phase import Phase
from waiting_room.domain.events.registry import MAX_PAST
from waiting_room.domain.events.schema import MAX_EVENTS
from waiting_room.use_cases.events.directory import LAG, MAX_ASKERS, REGISTRY_CACHE
from waiting_room.use_cases.events.event_documents import EventDocuments, build_event_documents

ADA = Actor(ActorKind.PERSON, "arn:aws:iam::1:user/ada")


@pytest.fixture
def documents(in_memory_room: InMemoryRoom) -> EventDocuments:
    return in_memory_room.event_documents


def put(documents: EventDocuments, event_id: str, content: Any = None, version: Any = None) -> Any:
    return documents.put(event_id, content or {}, version, actor=ADA)[0]


def test_the_set_up_creates_the_event_of_the_deployment_once(in_memory_room: InMemoryRoom) -> None:
    shown = in_memory_room.event_documents.show(EVENT)
    assert (shown["version"], shown["phase"], shown["turn"]["expires_after"]) == (1, "open", 900)
    in_memory_room.event_documents.patch(EVENT, {"turn": {"expires_after": 60}}, None, actor=ADA)
    in_memory_room.new_room().workers.setup.run()
    assert in_memory_room.event_documents.show(EVENT)["turn"]["expires_after"] == 60


def test_a_new_event_has_version_1_and_is_listed(documents: EventDocuments) -> None:
    made = put(documents, "onsale", {"title": "On sale", "schedule": {"opens_at": START + 60}})
    assert (made["event_id"], made["version"], made["phase"]) == ("onsale", 1, "scheduled")
    page, following = documents.listing()
    at_once = {"pre_queue_at": None, "opens_at": None, "closes_at": None, "after": "closed"}
    assert page == {
        "now": START,
        "events": [
            {"event_id": "Sample", "title": "", "phase": "open", "version": 1,
             "schedule": at_once, "gated": False},
            {"event_id": "onsale", "title": "On sale", "phase": "scheduled", "version": 1,
             "schedule": {**at_once, "opens_at": START + 60}, "gated": False},
        ],
    }  # fmt: skip
    assert following is None
    assert {**documents.show("onsale"), "message": ""} == {**made, "message": ""}


def test_an_existing_event_is_replaced_with_its_version_only(documents: EventDocuments) -> None:
    put(documents, "a", {"title": "One"})
    for version in (None, 2):
        with pytest.raises(StaleVersion) as refused:
            put(documents, "a", {"title": "Two"}, version)
        assert refused.value.members["version"] == 1
        assert refused.value.members["current"]["title"] == "One"
    assert put(documents, "a", {"title": "Two"}, 1)["version"] == 2
    with pytest.raises(UnknownEvent):
        put(documents, "b", {}, 1)


def test_a_patch_without_a_version_applies_to_the_current_one(documents: EventDocuments) -> None:
    put(documents, "a")
    assert documents.patch("a", {"title": "x"}, None, actor=ADA)["version"] == 2
    assert documents.patch("a", {"title": "x"}, None, actor=ADA)["version"] == 2, "no change"
    with pytest.raises(StaleVersion):
        documents.patch("a", {"title": "y"}, 1, actor=ADA)
    with pytest.raises(UnknownEvent):
        documents.patch("b", {}, None, actor=ADA)


def test_a_patch_that_loses_to_another_one_is_decided_again(in_memory_room: InMemoryRoom) -> None:
    documents = in_memory_room.event_documents
    put(documents, "a")
    real = in_memory_room.documents.store.write
    lost: list[int] = []

    def write(before: Any, *rest: Any) -> None:
        if not lost:
            lost.append(1)
            other = in_memory_room.event_documents
            other.patch("a", {"title": "theirs"}, None, actor=ADA)
            raise Conflict
        real(before, *rest)

    in_memory_room.documents.store.write = write  # type: ignore[method-assign]
    made = documents.patch("a", {"token": {"valid_for": 60}}, None, actor=ADA)
    assert (made["version"], made["title"], made["token"]["valid_for"]) == (3, "theirs", 60)


def test_actions_change_the_phase_or_name_it(in_memory_room: InMemoryRoom) -> None:
    documents = in_memory_room.event_documents
    put(documents, "a")
    phases = [
        documents.act("a", action, actor=ADA)["phase"]
        for action in ("pause", "resume", "drain", "close", "open", "pass_through", "queue")
    ]
    assert phases == ["paused", "open", "draining", "closed", "open", "pass_through", "open"]
    with pytest.raises(PhaseForbids, match="phase of the event"):
        documents.act("a", "resume", actor=ADA)
    with pytest.raises(InvalidInput, match="action must be one of"):
        documents.act("a", "explode", actor=ADA)


def test_a_closed_event_is_deleted_and_its_id_begins_the_next_generation(
    in_memory_room: InMemoryRoom,
) -> None:
    documents = in_memory_room.event_documents
    put(documents, "a")
    with pytest.raises(EventConflict, match="close the event first"):
        documents.delete("a", None, actor=ADA)
    documents.act("a", "close", actor=ADA)
    with pytest.raises(StaleVersion):
        documents.delete("a", 1, actor=ADA)
    assert documents.delete("a", 2, actor=ADA) == {"event_id": "a", "phase": "deleted"}
    for call in (
        lambda: documents.show("a"),
        lambda: documents.delete("a", None, actor=ADA),
        lambda: documents.act("a", "open", actor=ADA),
    ):
        with pytest.raises(UnknownEvent):
            call()
    before = in_memory_room.log.read("a").generation
    assert put(documents, "a")["version"] == 1
    assert in_memory_room.log.read("a").generation == before + 1


def used_event(room: InMemoryRoom) -> EventDocuments:
    """Create the closed event "a", with two positions, one of them served, and an alarm."""
    documents = room.event_documents
    put(documents, "a")
    assert not room.room.workers.assignment.assign("a", [room.join(), room.join()]).retry
    room.room.control.increment("a", 1)
    room.admission.report_alarm("a", "slow", Alarm.ALARM, START)
    documents.act("a", "close", actor=ADA)
    return documents


def check_created_anew(room: InMemoryRoom) -> None:
    """Create "a" again: it has nothing of the deleted event but the generation's number."""
    documents, before = room.event_documents, room.log.read("a").generation
    assert put(documents, "a")["version"] == 1
    counts = room.room.metrics.counts("a")
    assert (counts.generation, counts.queue, counts.serving, counts.tokens) == (before + 1, 0, 0, 0)
    room.pause(5)  # a join of the second of the reset could belong to the deleted event
    assert not room.room.workers.assignment.assign("a", [room.join()]).retry
    assert room.room.metrics.counts("a").queue == 1


def test_a_deletion_leaves_neither_admission_nor_counters(in_memory_room: InMemoryRoom) -> None:
    documents = used_event(in_memory_room)
    other = in_memory_room.room.metrics.counts(EVENT)
    documents.delete("a", None, actor=ADA)
    assert in_memory_room.admission.read("a") == AdmissionRecord("a")
    with pytest.raises(CountersLost):
        in_memory_room.memory.counts("a", START)
    assert in_memory_room.room.metrics.counts(EVENT) == other
    assert [one.what for one in in_memory_room.documents.store.audit["a"]][-1] == "delete"
    check_created_anew(in_memory_room)


def test_a_refused_deletion_removes_nothing(in_memory_room: InMemoryRoom) -> None:
    documents = used_event(in_memory_room)
    with pytest.raises(StaleVersion):
        documents.delete("a", 1, actor=ADA)
    assert in_memory_room.admission.read("a").alarm == "slow"
    assert in_memory_room.memory.counts("a", START).queue == 2


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(("store", "method"), [("admission", "delete"), ("counters", "discard")])
def test_a_store_that_fails_does_not_fail_the_deletion(
    in_memory_room: InMemoryRoom, store: str, method: str, when: str
) -> None:
    documents = used_event(in_memory_room)
    getattr(in_memory_room, store).fail(method, when)
    assert documents.delete("a", None, actor=ADA)["phase"] == "deleted"
    check_created_anew(in_memory_room)


@pytest.mark.parametrize("store", ["admission", "counters"])
def test_a_crash_during_a_deletion_is_harmless(
    in_memory_room: InMemoryRoom, monkeypatch: pytest.MonkeyPatch, store: str
) -> None:
    documents = used_event(in_memory_room)

    def crash(*_: object) -> None:
        raise Crash

    with monkeypatch.context() as patch:
        if store == "admission":
            patch.setattr(in_memory_room.admission.store, "delete", crash)
        else:
            patch.setattr(in_memory_room.memory, "discard", crash)
        with pytest.raises(Crash):
            documents.delete("a", None, actor=ADA)
    with pytest.raises(UnknownEvent):
        documents.show("a")
    check_created_anew(in_memory_room)


def test_the_event_of_the_deployment_is_not_deleted(documents: EventDocuments) -> None:
    documents.act(EVENT, "close", actor=ADA)
    with pytest.raises(EventConflict, match="event of the deployment"):
        documents.delete(EVENT, None, actor=ADA)


def test_a_thousand_events_are_listed_by_pages_and_one_more_is_refused(
    in_memory_room: InMemoryRoom,
) -> None:
    documents = in_memory_room.event_documents
    for number in range(MAX_EVENTS - 1):
        put(documents, f"e{number:04d}")
    with pytest.raises(EventConflict, match="1000 events"):
        put(documents, "one-more")
    seen: list[str] = []
    mark: str | None = ""
    while mark is not None:
        rows, mark = documents.page(mark)
        assert len(rows) <= 100
        seen += [row["event_id"] for row in rows]
    assert seen == sorted([EVENT, *(f"e{number:04d}" for number in range(MAX_EVENTS - 1))])


def test_each_change_is_in_the_audit_log_and_on_the_bus(in_memory_room: InMemoryRoom) -> None:
    documents = in_memory_room.event_documents
    in_memory_room.published.clear()
    put(documents, "a", {"title": "One"})
    documents.patch("a", {"title": "Two"}, None, actor=ADA)
    documents.act("a", "close", actor=ADA)
    documents.delete("a", None, actor=ADA)
    found = in_memory_room.documents.store.audit["a"]
    assert [(one.what, one.who, one.role) for one in found] == [
        (what, ADA.who, "person") for what in ("create", "patch", "close", "delete")
    ]
    assert (found[1].before, found[1].after) == ({"title": "One"}, {"title": "Two"})
    assert found[2].after == {"control": {"closed_at": START}}
    assert [
        (kind, detail["what"], detail["version"]) for kind, detail in in_memory_room.published
    ] == [
        ("event_changed", "create", 1),
        ("event_changed", "patch", 2),
        ("event_changed", "close", 3),
        ("event_changed", "delete", 3),
    ]


def test_an_unwritten_change_changes_nothing(in_memory_room: InMemoryRoom) -> None:
    documents = in_memory_room.event_documents
    in_memory_room.published.clear()
    in_memory_room.documents.fail("write", "before")
    with pytest.raises(Unavailable):
        put(documents, "a")
    assert in_memory_room.published == []
    with pytest.raises(UnknownEvent):
        documents.show("a")


def test_another_function_sees_a_change_within_two_seconds(in_memory_room: InMemoryRoom) -> None:
    other = in_memory_room.new_room()
    put(in_memory_room.event_documents, "a", {"token": {"valid_for": 60}})
    assert other.directory.event("a").validity_period == 60, "a new event is looked for at once"
    in_memory_room.event_documents.patch("a", {"token": {"valid_for": 90}}, None, actor=ADA)
    assert other.directory.event("a").validity_period == 60
    in_memory_room.clock.now += 2
    assert other.directory.event("a").validity_period == 90
    reads = in_memory_room.documents.store.registry_reads
    for _ in range(100):
        other.directory.event("a")
    assert in_memory_room.documents.store.registry_reads == reads


def test_an_unknown_event_is_looked_for_once_a_second(in_memory_room: InMemoryRoom) -> None:
    directory = in_memory_room.new_room().directory
    directory.all()
    reads = in_memory_room.documents.store.registry_reads
    for number in range(50):
        with pytest.raises(InvalidInput):
            directory.event(f"made-up-{number}")
    assert in_memory_room.documents.store.registry_reads == reads + 1
    with pytest.raises(NotAssignedYet):
        directory.find("made-up", asker="one")
    in_memory_room.clock.now += 1
    with pytest.raises(UnknownEvent):
        directory.find("made-up", asker="one")


def test_no_asker_waits_because_others_ask_first(in_memory_room: InMemoryRoom) -> None:
    """Of visitors of a deleted event who poll one after the other, each learns it in two polls."""
    directory = in_memory_room.new_room().directory
    seen: dict[str, list[str]] = {one: [] for one in ("first", "second", "third")}
    for _ in range(2):
        for asker, found in seen.items():
            found.append(outcome_of(lambda asker=asker: directory.find("gone", asker=asker)))
            in_memory_room.clock.now += 0.1
        in_memory_room.clock.now += 2
    assert seen["first"] == ["UnknownEvent", "UnknownEvent"]
    assert seen["second"] == seen["third"] == ["NotAssignedYet", "UnknownEvent"]


def test_an_event_created_since_the_last_look_is_never_unknown(
    in_memory_room: InMemoryRoom,
) -> None:
    directory = in_memory_room.new_room().directory
    for asker in ("early", "other"):
        assert outcome_of(lambda asker=asker: directory.find("new", asker=asker)) != "ok"
    in_memory_room.event_documents.put("new", {}, None, actor=ADA)
    in_memory_room.clock.now += 0.5
    assert outcome_of(lambda: directory.find("new", asker="joined now")) == "NotAssignedYet"
    in_memory_room.clock.now += 0.5
    assert outcome_of(lambda: directory.find("new", asker="joined now")) == "ok"


def test_what_is_remembered_of_askers_is_bounded(in_memory_room: InMemoryRoom) -> None:
    directory = in_memory_room.new_room().directory
    for number in range(3 * MAX_ASKERS):
        outcome_of(lambda number=number: directory.find("gone", asker=str(number)))
    assert len(directory._first_calls) <= MAX_ASKERS


def test_the_event_of_the_deployment_needs_no_registry(in_memory_room: InMemoryRoom) -> None:
    room = in_memory_room.new_room()
    reads = in_memory_room.documents.store.registry_reads
    room.directory.check(EVENT)
    assert in_memory_room.documents.store.registry_reads == reads


@pytest.mark.parametrize("action", ["pause", "close", "pass_through"])
def test_the_serving_counter_does_not_move_in_a_phase_that_forbids_it(
    in_memory_room: InMemoryRoom, action: str
) -> None:
    phase = in_memory_room.event_documents.act(EVENT, action, actor=ADA)["phase"]
    with pytest.raises(PhaseForbids) as refused:
        in_memory_room.serve(1)
    assert refused.value.members == {"reason": phase}
    in_memory_room.event_documents.act(EVENT, "open", actor=ADA)
    assert in_memory_room.serve(1) == 1


def test_no_sweep_admits_visitors_of_a_paused_event() -> None:
    room = InMemoryRoom({"INCR_SVC_ON_QUEUE_POSITION_EXPIRY": "true"})
    room.room.workers.setup.run()
    room.visitors(4)
    room.serve(2)
    room.event_documents.act(EVENT, "pause", actor=ADA)
    for _ in range(3):
        room.minute(901)
    state = room.log.read(EVENT)
    assert (state.expired_through, state.serving) == (2, 2)
    room.event_documents.act(EVENT, "resume", actor=ADA)
    room.visitors(1)
    room.serve(1)
    for _ in range(3):
        room.minute(901)
    assert room.log.read(EVENT).serving > 3, "the sweep of an open event admits the next visitors"


def test_the_event_of_the_deployment_may_have_an_id_that_no_new_event_can_have() -> None:
    room = InMemoryRoom({"EVENT_ID": "_old"})
    room.room.workers.setup.run()
    assert room.event_documents.show("_old")["version"] == 1
    assert room.event_documents.act("_old", "pause", actor=ADA)["phase"] == "paused"
    with pytest.raises(InvalidInput, match="event_id must be"):
        room.event_documents.show("_new")


def test_changes_read_the_registry_once_in_two_seconds(in_memory_room: InMemoryRoom) -> None:
    documents, store = in_memory_room.event_documents, in_memory_room.documents.store
    put(documents, "a")
    reads = store.registry_reads
    in_memory_room.clock.now += REGISTRY_CACHE
    for number in range(20):
        put(documents, f"b{number}")
        documents.patch("a", {"title": f"{number}"}, None, actor=ADA)
        documents.act("a", "close" if number % 2 else "open", actor=ADA)
    assert store.registry_reads == reads + 1
    assert len(in_memory_room.room.directory.all()["a"].past) == MAX_PAST


def test_a_change_by_another_function_is_read_before_the_next_one(
    in_memory_room: InMemoryRoom,
) -> None:
    """Otherwise the entry would lose the document that applied to earlier joins."""
    here, there = in_memory_room.event_documents, in_memory_room.new_room()
    put(here, "a", {"schedule": {"opens_at": START + 60}})
    there.directory.all()
    in_memory_room.clock.now += 1
    here.act("a", "open", actor=ADA)
    other = build_event_documents(there, in_memory_room.stores, in_memory_room.clock, clean_html)
    in_memory_room.clock.now += 0.5
    other.act("a", "close", actor=ADA)
    entry = in_memory_room.new_room().directory.all()["a"]
    phases = [entry.phase_when(START + at) for at in (0.5, 1.2, 2)]
    assert phases == [Phase.SCHEDULED, Phase.OPEN, Phase.CLOSED]


def test_a_function_sees_its_change_also_when_reads_lag_behind(
    in_memory_room: InMemoryRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    documents, directory = in_memory_room.event_documents, in_memory_room.room.directory
    store = in_memory_room.documents.store
    put(documents, "gone")
    documents.act("gone", "close", actor=ADA)
    in_memory_room.clock.now += 2 * LAG
    old, current = store.registry(), store.registry
    monkeypatch.setattr(
        store, "registry", lambda *, consistent=False: current() if consistent else old
    )
    directory.all()
    in_memory_room.clock.now += REGISTRY_CACHE - LAG / 2
    put(documents, "a")
    documents.delete("gone", None, actor=ADA)
    assert ("a" in directory.all(), "gone" in directory.all()) == (True, False)
    in_memory_room.clock.now += LAG / 2
    assert ("a" in directory.all(), "gone" in directory.all()) == (True, False)


def test_a_closed_event_refuses_all_but_those_who_have_a_token(
    in_memory_room: InMemoryRoom,
) -> None:
    holder, served, waiting = in_memory_room.visitors(3)
    in_memory_room.serve(2)
    before = in_memory_room.token(holder)
    in_memory_room.event_documents.act(EVENT, "close", actor=ADA)
    tokens = in_memory_room.room.tokens
    assert in_memory_room.token(holder)["access_token"] == before["access_token"]
    for visitor in (served, waiting):
        with pytest.raises(JoinRefused, match="closed"):
            tokens.issue(EVENT, visitor)
    for visitor in (holder, served, waiting):
        with pytest.raises(JoinRefused, match="closed"):
            tokens.time_to_expiry(EVENT, visitor)
    in_memory_room.event_documents.act(EVENT, "open", actor=ADA)
    assert tokens.time_to_expiry(EVENT, served) > 0
    assert tokens.issue(EVENT, served)["access_token"]


GATED = {"protect": [{"path": "/checkout"}], "bypass": [{"path": "/checkout/help"}]}


def test_two_events_cannot_have_an_equal_rule(
    documents: EventDocuments, in_memory_room: InMemoryRoom
) -> None:
    assert put(documents, "a", GATED)["protect"] == GATED["protect"]
    for attempt in (
        lambda: put(documents, "b", {"protect": [{"path": "/Checkout/"}]}),
        lambda: documents.patch(EVENT, {"protect": GATED["protect"]}, None, actor=ADA),
    ):
        with pytest.raises(EventConflict, match="protect has a rule that the event a has too"):
            attempt()
    with pytest.raises(UnknownEvent):
        documents.show("b")
    documents.patch("a", {"protect": [{"path": "/other"}]}, None, actor=ADA)
    put(documents, "b", GATED)
    assert in_memory_room.documents.store.gates() == 3


def test_a_change_without_rules_reads_no_other_event(
    documents: EventDocuments, in_memory_room: InMemoryRoom
) -> None:
    put(documents, "a", GATED)
    documents.patch("a", {"title": "T", "protect": GATED["protect"]}, None, actor=ADA)
    documents.act("a", "pause", actor=ADA)
    put(documents, "open", {"bypass": GATED["bypass"]})
    assert in_memory_room.documents.store.gates() == 1
    documents.patch("a", {"protect": None, "bypass": None}, None, actor=ADA)
    assert not in_memory_room.room.directory.all()["a"].gated
    assert in_memory_room.documents.store.gates() == 1


def test_rules_that_another_event_got_meanwhile_are_seen(
    documents: EventDocuments, in_memory_room: InMemoryRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other event is written after this one was checked; the next attempt sees it."""
    store = in_memory_room.documents.store
    write = store.write

    def write_late(*arguments: Any) -> None:
        monkeypatch.setattr(store, "write", write)
        put(in_memory_room.event_documents, "first", GATED)
        write(*arguments)

    monkeypatch.setattr(store, "write", write_late)
    with pytest.raises(EventConflict, match="a rule that the event first has too"):
        put(documents, "second", GATED)


def test_an_event_with_rules_cannot_be_deleted(documents: EventDocuments) -> None:
    put(documents, "a", GATED)
    documents.act("a", "close", actor=ADA)
    with pytest.raises(EventConflict, match="remove the rules of protect first"):
        documents.delete("a", None, actor=ADA)
    documents.patch("a", {"protect": []}, None, actor=ADA)
    documents.delete("a", None, actor=ADA)
    put(documents, "b", GATED)
