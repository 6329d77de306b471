# SPDX-License-Identifier: Apache-2.0
"""Operators see when the figures were last kept up, and which of them are stale."""

from __future__ import annotations

import pytest

import apps.workers.app
from tests.support.in_memory_room import EVENT, InMemoryRoom, settings
from waiting_room.domain.errors import Unavailable


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> InMemoryRoom:
    made = InMemoryRoom()
    made.room.workers.setup.run()
    monkeypatch.setattr(apps.workers.app, "room", lambda: made.room)
    monkeypatch.setattr(apps.workers.app, "settings", settings)
    return made


def minute(world: InMemoryRoom) -> bool:
    """A minute passes, and the worker runs; whether it succeeded."""
    world.clock.now += 60
    try:
        apps.workers.app.sweep_positions({}, None)
    except Unavailable:
        return False
    return True


def ages(world: InMemoryRoom) -> tuple[int | None, int | None]:
    figures = world.room.metrics.panel(EVENT)
    return figures["sweep_age"], figures["reconciliation_age"]


def test_what_is_not_known_is_not_vouched_for(world: InMemoryRoom) -> None:
    assert ages(world) == (None, None)
    assert world.room.metrics.panel(EVENT)["stale"] == ["holes", "positions_expired", "waiting_num"]
    assert minute(world)
    assert ages(world) == (0, 0)
    assert world.room.metrics.panel(EVENT)["stale"] == []
    world.memory.lose()
    assert ages(world) == (None, None)


@pytest.mark.parametrize(
    ("method", "stale", "fresh"),
    [("swept", ["positions_expired", "waiting_num"], 1), ("audited", ["holes", "waiting_num"], 0)],
)
def test_figures_are_stale_three_minutes_after_their_part_last_succeeded(
    world: InMemoryRoom, monkeypatch: pytest.MonkeyPatch, method: str, stale: list[str], fresh: int
) -> None:
    minute(world)

    def fails(*_: object) -> None:
        raise Unavailable("the table does not answer")

    job = (
        world.room.workers.expiry_sweep if method == "swept" else world.room.workers.reconciliation
    )
    monkeypatch.setattr(job, "run" if method == "swept" else "reconcile", fails)
    for passed in (60, 120, 180):
        assert not minute(world), "the function fails, so that its alarm sees it"
        assert ages(world)[fresh] == 0, "the other part is done all the same"
        assert ages(world)[1 - fresh] == passed
        assert world.room.metrics.panel(EVENT)["stale"] == []
    world.clock.now += 1
    assert world.room.metrics.panel(EVENT)["stale"] == stale
    monkeypatch.undo()
    world.room.workers.minute_jobs.run(EVENT)
    assert world.room.metrics.panel(EVENT)["stale"] == []


def test_a_minute_that_fails_whole_leaves_everything_stale(world: InMemoryRoom) -> None:
    minute(world)
    for _ in range(4):
        world.log.fail("read", "before")
        world.log.fail("read", "before")
        assert not minute(world)
    assert world.room.metrics.panel(EVENT)["stale"] == ["holes", "positions_expired", "waiting_num"]
    assert ages(world) == (240, 240)


def test_a_worker_that_cannot_reach_the_counters_does_not_vouch_for_them(
    world: InMemoryRoom,
) -> None:
    minute(world)
    world.counters.fail("trim", "before")
    assert minute(world), "the tables were kept up"
    assert ages(world) == (60, 60)


def test_a_clock_behind_the_workers_tells_no_negative_age(world: InMemoryRoom) -> None:
    minute(world)
    world.clock.now -= 30
    assert ages(world) == (0, 0)


def test_the_last_admission_has_its_age(world: InMemoryRoom) -> None:
    assert world.room.metrics.panel(EVENT)["admission_age"] is None
    world.visitors(3)
    world.serve(2)
    world.clock.now += 42
    assert world.room.metrics.panel(EVENT)["admission_age"] == 42
    world.room.control.reset(EVENT)
    assert world.room.metrics.panel(EVENT)["admission_age"] is None


def test_what_a_waiting_page_polls_does_not_grow(world: InMemoryRoom) -> None:
    assert "stale" not in world.room.metrics.status_page(EVENT)
    assert len(world.room.metrics.status_page(EVENT)) == 12
