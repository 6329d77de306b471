# SPDX-License-Identifier: Apache-2.0
"""Watchdog: when it opens, renews and closes, the calls that it makes, and what it survives."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import pytest

from deployment.local.edge_store import DELAY, LocalEdgeStore
from tests.support.in_memory_room import InMemoryRoom
from waiting_room.domain.actors import Actor, ActorKind
from waiting_room.domain.errors import Unavailable
from waiting_room.domain.gate.opening import OPEN_FOR, opened
from waiting_room.domain.gate.store import store_items
from waiting_room.domain.gate.watchdog import FAILING_FOR, STEP, Reading, WatchFailed
from waiting_room.domain.retry import TooManyConflicts
from waiting_room.use_cases.gate.room_watch import (
    MAX_WATCHED,
    RoomWatch,
    WatchedEvents,
)
from waiting_room.use_cases.gate.store_writer import GateStoreWriter

ADA = Actor(ActorKind.PERSON, "arn:aws:iam::1:user/ada")
OPEN = {"when_unreachable": "open"}
PROTECT = [{"path": "/checkout"}]
HEALTHY, FAULT = Reading.HEALTHY, Reading.FAULT


class Watched:
    """A room with its store, its writer and a watchdog; ``reading`` is what each probe finds."""

    def __init__(self, room: InMemoryRoom) -> None:
        self.room, self.clock = room, room.clock
        self.store = LocalEdgeStore(room.clock)
        self.writer = GateStoreWriter(room.gate_sources, self.store, room.clock)
        self.readings: dict[str, Reading] = {}
        self.probed: list[tuple[float, tuple[str, ...]]] = []
        self.reports: list[int] = []
        self.during: list[tuple[float, Callable[[], Any]]] = []  # changes while a run lasts
        self.watch = self.new_watch()

    def new_watch(self, store: Any = None) -> RoomWatch:
        """A watchdog in a new environment."""
        events = WatchedEvents(self.room.documents, self.clock)
        return RoomWatch(
            events, self.probe, store or self.store, self.clock, self.pause, self.reports.append
        )

    def probe(self, event_ids: Sequence[str]) -> Mapping[str, Reading]:
        self.probed.append((self.clock.now, tuple(event_ids)))
        return {one: self.readings.get(one, HEALTHY) for one in event_ids}

    def pause(self, seconds: float) -> None:
        self.clock.now += seconds
        while self.during and self.during[0][0] <= self.clock.now:
            self.during.pop(0)[1]()

    def put(self, event_id: str = "sale", **members: Any) -> None:
        chosen = {"protect": [{"path": f"/{event_id}"}], "session": OPEN, **members}
        self.room.event_documents.put(event_id, chosen, None, actor=ADA)
        self.writer.run()
        self.store.calls.clear()

    def act(self, action: str, event_id: str = "sale") -> None:
        self.room.event_documents.act(event_id, action, actor=ADA)
        self.writer.run()

    def is_open(self, event_id: str = "sale") -> bool:
        return event_id in opened(self.store.items(), self.clock.now)

    def minute(self) -> dict[str, int]:
        """Run at the next minute."""
        self.clock.now = (self.clock.now // 60 + 1) * 60
        return self.watch.run()


@pytest.fixture
def watched(in_memory_room: InMemoryRoom) -> Watched:
    in_memory_room.room.workers.setup.run()
    return Watched(in_memory_room)


def test_a_healthy_minute_makes_no_call_to_the_store(watched: Watched) -> None:
    watched.put()
    watched.minute()
    assert watched.store.calls == ["list"], "a new environment looks once for what is left"
    watched.store.calls.clear()
    for _ in range(10):
        assert watched.minute() == {}
    assert watched.store.calls == []
    assert len(watched.probed) == 11
    assert watched.reports == []


def test_without_an_event_that_may_open_it_makes_no_probe(watched: Watched) -> None:
    watched.put("closed", session={"when_unreachable": "closed"})
    watched.put("ungated", protect=[])
    watched.put("paused")
    watched.act("pause", "paused")
    watched.put("over")
    watched.act("close", "over")
    now = int(watched.clock.now)
    watched.put("later", schedule={"opens_at": now + 9_999, "pre_queue_at": now})
    watched.put("all", mode="pass_through")
    watched.store.calls.clear()
    for event_id in ("closed", "ungated", "paused", "over", "later", "all"):
        watched.readings[event_id] = FAULT
    for _ in range(3):
        assert watched.minute() == {}
    assert watched.probed == []
    assert watched.store.calls == []


def test_it_opens_after_faults_alone_and_reports_it(watched: Watched) -> None:
    watched.put()
    watched.minute()
    watched.store.calls.clear()
    watched.readings["sale"] = FAULT
    began = watched.clock.now
    found = watched.minute()
    opened_at = watched.clock.now
    assert found == {"sale": int(opened_at) + OPEN_FOR}
    assert opened_at - began == 60 + FAILING_FOR
    assert opened_at + DELAY - began < 180, "the edge sees it within three minutes of the fault"
    times = [at for at, _ in watched.probed[1:]]
    assert {later - at for at, later in pairwise(times)} == {STEP}
    assert watched.store.calls == ["list", "describe", "list", "update"]
    assert watched.reports == [1]


@pytest.mark.parametrize("reading", [HEALTHY, Reading.BUSY])
@pytest.mark.parametrize("at", [0, 1, 6])
def test_another_reading_prevents_it(watched: Watched, reading: Reading, at: int) -> None:
    """A flood that makes the room return 429 does not open the gate."""
    watched.put()
    watched.readings["sale"] = FAULT
    readings = iter([*[FAULT] * at, reading])
    watched.probe = lambda ids: dict.fromkeys(ids, next(readings))  # type: ignore[method-assign]
    watched.watch = watched.new_watch()
    assert watched.minute() == {}
    assert not watched.is_open()


def test_a_lasting_fault_is_renewed_with_a_write_every_five_minutes(watched: Watched) -> None:
    watched.put()
    watched.readings["sale"] = FAULT
    watched.minute()
    for _ in range(60):
        watched.minute()
        assert watched.is_open()
    hour = watched.store.calls.count("update")
    assert 60 * 70 / OPEN_FOR <= hour <= 60 * 130 / 300
    assert watched.reports == [1] * 61


def test_after_recovery_the_next_run_closes(watched: Watched) -> None:
    watched.put()
    watched.readings["sale"] = FAULT
    watched.minute()
    assert watched.is_open()
    watched.readings["sale"] = HEALTHY
    watched.store.calls.clear()
    began = watched.clock.now
    assert watched.minute() == {}
    assert not watched.is_open()
    assert watched.clock.now - began <= 60
    assert watched.store.calls == ["list", "describe", "list", "update", "list"]
    assert watched.store.items() == wanted(watched), "as the writer makes it"
    watched.store.calls.clear()
    watched.minute()
    assert watched.store.calls == []


def wanted(watched: Watched) -> dict[str, str]:
    sources = watched.room.gate_sources
    return store_items(sources.all(), sources.keys)


def test_a_recovery_during_a_run_closes_what_an_overlapping_run_opened(watched: Watched) -> None:
    watched.put()
    watched.readings["sale"] = FAULT
    other = watched.new_watch()
    watched.minute()
    watched.during = [(watched.clock.now + 20, lambda: watched.readings.update(sale=HEALTHY))]
    assert other.run() == {}
    assert not watched.is_open()


def test_a_new_environment_closes_what_is_left(watched: Watched) -> None:
    watched.put()
    watched.readings["sale"] = FAULT
    watched.minute()
    watched.readings["sale"] = HEALTHY
    watched.watch = watched.new_watch()
    watched.minute()
    assert not watched.is_open()


def test_the_gate_closes_by_itself_when_the_watchdog_has_ended(watched: Watched) -> None:
    watched.put()
    watched.readings["sale"] = FAULT
    until = watched.minute()["sale"]
    watched.clock.now = until - 1
    assert watched.is_open()
    watched.clock.now = until
    assert not watched.is_open()
    assert watched.writer.run(verify=True) == 1, "the writer drops what is past"
    assert watched.store.items() == wanted(watched)


def test_each_event_opens_by_its_own_faults_only(watched: Watched) -> None:
    watched.put("sale")
    watched.put("vip")
    watched.readings["vip"] = FAULT
    found = watched.minute()
    assert set(found) == {"vip"}
    assert not watched.is_open("sale")
    probes = [ids for _, ids in watched.probed]
    assert probes == [("sale", "vip"), *[("vip",)] * 7]
    watched.readings.update(sale=FAULT, vip=HEALTHY)
    assert set(watched.minute()) == {"sale"}
    assert not watched.is_open("vip")
    assert watched.reports == [1, 1]


@pytest.mark.parametrize("action", ["pause", "close"])
def test_an_action_of_the_owner_ends_an_opening_at_once(watched: Watched, action: str) -> None:
    """Also while the writer's copy of the store lacks the opening."""
    watched.put()
    watched.readings["sale"] = FAULT
    watched.minute()
    assert watched.is_open()
    watched.act(action)
    assert watched.store.items() == wanted(watched)
    probes = len(watched.probed)
    assert watched.minute() == {}
    assert len(watched.probed) == probes
    assert not watched.is_open()


def test_a_reset_and_another_choice_end_an_opening_and_other_changes_keep_it(
    watched: Watched,
) -> None:
    watched.put()
    watched.readings["sale"] = FAULT
    until = watched.minute()["sale"]
    events = watched.room.event_documents
    events.patch("sale", {"bypass": [{"path": "/sale/open"}]}, None, actor=ADA)
    events.patch("sale", {"session": {"renew_every": 60}}, None, actor=ADA)
    watched.writer.run()
    assert opened(watched.store.items(), watched.clock.now) == {"sale": until}
    watched.room.room.control.reset("sale", actor=ADA)
    watched.writer.run()
    assert not watched.is_open()
    watched.minute()
    assert watched.is_open()
    events.patch("sale", {"session": {"when_unreachable": "closed"}}, None, actor=ADA)
    watched.writer.run()
    assert not watched.is_open()


@pytest.mark.parametrize("action", ["pause", "close"])
def test_an_action_during_the_last_probes_wins(watched: Watched, action: str) -> None:
    watched.put()
    watched.readings["sale"] = FAULT
    watched.during = [(watched.clock.now // 60 * 60 + 60 + 65, lambda: watched.act(action))]
    watched.minute()
    assert watched.during == []
    assert not watched.is_open()


class Between:
    """A store in which a change comes between the watchdog's read and its update."""

    def __init__(self, store: LocalEdgeStore, changes: list[Callable[[], Any]]) -> None:
        self._store, self._changes = store, changes

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def update(self, puts: Mapping[str, str], deletes: Sequence[str], version: str) -> str:
        if self._changes:
            self._changes.pop(0)()
        return self._store.update(puts, deletes, version)


def test_a_pause_between_read_and_update_wins(watched: Watched) -> None:
    watched.put()
    watched.readings["sale"] = FAULT
    changes: list[Callable[[], Any]] = [lambda: watched.act("pause")]
    watched.watch = watched.new_watch(Between(watched.store, changes))
    assert watched.minute() == {}
    assert changes == []
    assert not watched.is_open()


def test_another_writer_delays_the_opening_only(watched: Watched) -> None:
    watched.put()
    watched.readings["sale"] = FAULT
    patches = [
        lambda at=at: (
            watched.room.event_documents.patch(
                "sale", {"session": {"renew_every": 30 + at}}, None, actor=ADA
            ),
            watched.writer.run(),
        )
        for at in range(3)
    ]
    watched.watch = watched.new_watch(Between(watched.store, list(patches)))
    assert set(watched.minute()) == {"sale"}
    watched.watch = watched.new_watch(Between(watched.store, patches * 9))
    watched.readings["sale"] = HEALTHY
    with pytest.raises(TooManyConflicts):
        watched.minute()
    watched.watch = watched.new_watch()
    watched.minute()
    assert not watched.is_open(), "the next run closes"


def test_without_the_events_table_it_uses_its_copy_or_the_store(watched: Watched) -> None:
    watched.put()
    watched.put("closed", session={"when_unreachable": "closed"})
    watched.put("paused")
    watched.act("pause", "paused")
    watched.minute()
    watched.readings.update(sale=FAULT, closed=FAULT, paused=FAULT)
    watched.room.documents.fail("registry", "before")
    watched.store.calls.clear()
    assert set(watched.minute()) == {"sale"}
    assert watched.store.calls == ["list", "describe", "list", "update"]
    watched.watch = watched.new_watch()
    watched.probed.clear()
    watched.store.calls.clear()
    watched.room.documents.fail("registry", "before")
    assert set(watched.minute()) == {"sale"}
    assert watched.store.calls == ["list", "list"], "the events, then the opening that lasts"
    assert {ids for _, ids in watched.probed} == {("sale",)}


def test_only_changed_documents_are_read_again(watched: Watched) -> None:
    watched.put("sale")
    watched.put("vip")
    reads: list[Any] = []
    documents = watched.room.documents
    events = WatchedEvents(documents, watched.clock)
    original = documents.read_many
    documents.read_many = lambda ids: (reads.append(list(ids)), original(ids))[1]
    for _ in range(3):
        assert events.openable() == ["sale", "vip"]
    watched.room.event_documents.patch("vip", {"session": {"when_unreachable": "closed"}}, None,
                                       actor=ADA)  # fmt: skip
    assert events.openable() == ["sale"]
    assert reads == [["sale", "vip"], ["vip"]]


def test_a_refused_probe_opens_nothing_and_raises_the_alarm(watched: Watched) -> None:
    watched.put("sale")
    watched.put("vip")
    watched.readings.update(sale=Reading.REFUSED, vip=FAULT)
    with pytest.raises(WatchFailed, match="rejects"):
        watched.minute()
    assert watched.is_open("vip")
    assert not watched.is_open("sale")


def test_more_events_than_it_can_probe_raise_the_alarm(watched: Watched) -> None:
    for at in range(MAX_WATCHED + 1):
        watched.put(f"sale-{at:03}")
    with pytest.raises(WatchFailed, match="101 events"):
        watched.minute()
    assert watched.probed[0][1] == tuple(f"sale-{at:03}" for at in range(MAX_WATCHED))
    watched.readings = dict.fromkeys(watched.probed[0][1], FAULT)
    with pytest.raises(WatchFailed):
        watched.minute()
    assert watched.store.calls.count("update") == 2, "at most 50 items an update"
    assert watched.reports == [MAX_WATCHED]


def test_an_outage_of_the_store_is_an_error_and_the_next_run_repeats(watched: Watched) -> None:
    watched.put()
    watched.readings["sale"] = FAULT

    def fail() -> None:
        raise Unavailable("the store of the gate did not respond")

    changes: list[Callable[[], Any]] = [fail]
    watched.watch = watched.new_watch(Between(watched.store, changes))
    with pytest.raises(Unavailable):
        watched.minute()
    assert set(watched.minute()) == {"sale"}
