# SPDX-License-Identifier: Apache-2.0
"""Writer of the edge's store: calls, conflicts, lost records, delay."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from deployment.local.edge_store import DELAY, LocalEdgeStore
from tests.support.in_memory_room import InMemoryRoom
from waiting_room.domain.actors import Actor, ActorKind
from waiting_room.domain.errors import Unavailable
from waiting_room.domain.gate.store import store_items
from waiting_room.use_cases.gate.store_writer import GateStoreWriter

ADA = Actor(ActorKind.PERSON, "arn:aws:iam::1:user/ada")


@pytest.fixture
def room(in_memory_room: InMemoryRoom) -> InMemoryRoom:
    in_memory_room.room.workers.setup.run()
    return in_memory_room


@pytest.fixture
def store(room: InMemoryRoom) -> LocalEdgeStore:
    return LocalEdgeStore(room.clock)


def writer(room: InMemoryRoom, store: Any) -> GateStoreWriter:
    return GateStoreWriter(room.gate_sources, store, room.clock)


def put(room: InMemoryRoom, event_id: str, **members: Any) -> None:
    room.event_documents.put(event_id, members, None, actor=ADA)


def wanted(room: InMemoryRoom) -> dict[str, str]:
    return store_items(room.gate_sources.all(), room.gate_sources.keys)


def test_an_edge_sees_a_change_after_the_delay(room: InMemoryRoom, store: LocalEdgeStore) -> None:
    put(room, "sale", protect=[{"path": "/checkout"}])
    put(room, "open")
    assert writer(room, store).run() == 2
    assert set(store.items()) == {"h:*", "e:sale"}
    room.clock.now += DELAY - 1
    assert store.seen() == {}
    room.clock.now += 1
    assert store.seen() == wanted(room)


def test_a_run_without_a_change_costs_nothing(room: InMemoryRoom, store: LocalEdgeStore) -> None:
    put(room, "sale", protect=[{"path": "/checkout"}])
    one = writer(room, store)
    one.run()
    assert store.calls == ["describe", "list", "update"]
    store.calls.clear()
    room.event_documents.patch("sale", {"title": "Another"}, None, actor=ADA)
    room.event_documents.act("sale", "pause", actor=ADA)
    assert one.run() == 0
    assert store.calls == []
    assert one.run(verify=True) == 0
    assert store.calls == ["describe"]
    assert writer(room, store).run() == 0
    assert store.calls == ["describe", "describe", "list"]


def test_a_change_costs_two_calls(room: InMemoryRoom, store: LocalEdgeStore) -> None:
    put(room, "sale", protect=[{"path": "/checkout"}])
    one = writer(room, store)
    one.run()
    store.calls.clear()
    room.event_documents.patch("sale", {"session": {"renew_every": 60}}, None, actor=ADA)
    assert one.run() == 1
    assert store.calls == ["describe", "update"]


def test_each_change_of_the_gate_is_written(room: InMemoryRoom, store: LocalEdgeStore) -> None:
    one = writer(room, store)
    put(room, "sale", protect=[{"path": "/checkout"}])
    for change in (
        lambda: room.event_documents.act("sale", "pass_through", actor=ADA),
        lambda: room.event_documents.act("sale", "close", actor=ADA),
        lambda: room.room.control.reset("sale", actor=ADA),
        lambda: room.room.workers.gate_keys.rotate(actor=ADA),
        lambda: room.event_documents.patch("sale", {"bypass": [{"path": "/x"}]}, None, actor=ADA),
        lambda: room.event_documents.patch("sale", {"protect": None}, None, actor=ADA),
    ):
        one.run()
        assert store.items() == wanted(room)
        room.clock.now += 1
        change()
        assert store.items() != wanted(room), "the change is a change of the gate"
    one.run()
    assert set(store.items()) == {"h:*"}


def test_a_change_of_the_store_by_others_is_corrected(
    room: InMemoryRoom, store: LocalEdgeStore
) -> None:
    put(room, "sale", protect=[{"path": "/checkout"}])
    one = writer(room, store)
    one.run()
    store.update({"e:sale": "{}", "h:other": "{}"}, (), store.version())
    assert one.run(verify=True) == 2
    assert store.items() == wanted(room)


def test_a_warm_function_uses_the_current_keys(room: InMemoryRoom, store: LocalEdgeStore) -> None:
    """The adapter of the keys has a copy of its own, which only ``refresh`` replaces."""

    class Cached:
        def __init__(self, keys: Any) -> None:
            self._keys, self._copy = keys, keys.refresh()

        def refresh(self) -> Any:
            self._copy = self._keys.refresh()
            return self._copy

        def keys(self, event_id: str) -> Any:
            return self._copy.of_event(event_id, room.clock())

    put(room, "sale", protect=[{"path": "/checkout"}])
    sources = room.gate_sources
    sources.keys = Cached(room.gate_keys)  # type: ignore[assignment]
    one = GateStoreWriter(sources, store, room.clock)
    one.run()
    room.room.workers.gate_keys.rotate(actor=ADA)
    assert one.run() == 1
    assert store.items() == wanted(room)


class Disturbed:
    """A store in which another writer, or a lost response, comes before an update."""

    def __init__(self, store: LocalEdgeStore, disturbances: list[str]) -> None:
        self._store, self._disturbances = store, disturbances

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def update(self, puts: Mapping[str, str], deletes: Sequence[str], version: str) -> str:
        what = self._disturbances.pop(0) if self._disturbances else ""
        if what == "another":
            self._store.update({"h:other": "{}"}, (), version)
        if what == "lost":
            self._store.update(puts, deletes, version)
        if what in ("lost", "unavailable"):
            raise Unavailable("the store of the gate did not respond")
        return self._store.update(puts, deletes, version)


def test_a_stale_version_is_read_again(room: InMemoryRoom, store: LocalEdgeStore) -> None:
    put(room, "sale", protect=[{"path": "/checkout"}])
    writer(room, Disturbed(store, ["another", "another", ""])).run()
    assert store.items() == wanted(room)


@pytest.mark.parametrize("what", ["lost", "unavailable"])
def test_a_run_after_an_outage_corrects_the_store(
    room: InMemoryRoom, store: LocalEdgeStore, what: str
) -> None:
    for number in range(30):  # 61 items: two updates
        put(room, f"sale-{number}", protect=[{"host": f"h{number}"}])
    one = writer(room, Disturbed(store, ["", what]))
    with pytest.raises(Unavailable):
        one.run()
    assert store.items() != wanted(room) or what == "lost"
    one.run()
    assert store.items() == wanted(room)


def test_parts_of_rules_are_deleted_by_a_later_run(
    room: InMemoryRoom, store: LocalEdgeStore
) -> None:
    rules = [{"path": f"/{number}{'x' * 200}"} for number in range(4)]
    put(room, "one", protect=rules)
    put(room, "two", protect=[{"path": f"{one['path']}/two"} for one in rules])
    one = writer(room, store)
    one.run()
    (old,) = (key for key in store.items() if key.startswith("h:*:"))
    room.event_documents.patch("two", {"protect": None}, None, actor=ADA)
    one.run(verify=True)
    assert old in store.items()
    assert one.run() == 0
    assert one.run(verify=True) == 1
    assert store.items() == wanted(room)


def test_a_store_has_the_limits_of_the_real_one(store: LocalEdgeStore) -> None:
    for puts, deletes in (
        ({}, ()),
        ({f"{at}": "x" for at in range(51)}, ()),
        ({"k": "x" * 1_025}, ()),
        ({"k" * 513: "x"}, ()),
        ({"k": ""}, ()),
    ):
        with pytest.raises(ValueError, match="has at most"):
            store.update(puts, deletes, store.version())
