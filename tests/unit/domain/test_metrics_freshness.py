# SPDX-License-Identifier: Apache-2.0
"""Operators see when the figures were last kept up, and which of them are stale."""

from __future__ import annotations

import pytest

import apps.workers.app
from tests.support.in_memory_room import EVENT, InMemoryRoom, settings
from waiting_room.domain.actors import Actor, ActorKind
from waiting_room.domain.errors import Unavailable


@pytest.fixture
def in_memory_room(monkeypatch: pytest.MonkeyPatch) -> InMemoryRoom:
    made = InMemoryRoom()
    made.room.workers.setup.run()
    monkeypatch.setattr(apps.workers.app, "room", lambda: made.room)
    monkeypatch.setattr(apps.workers.app, "settings", settings)
    return made


def minute(in_memory_room: InMemoryRoom) -> bool:
    """A minute passes, and the worker runs; whether it succeeded."""
    in_memory_room.clock.now += 60
    try:
        apps.workers.app.sweep_positions({}, None)
    except Unavailable:
        return False
    return True


def ages(in_memory_room: InMemoryRoom) -> tuple[int | None, int | None]:
    figures = in_memory_room.room.metrics.panel(EVENT)
    return figures["sweep_age"], figures["reconciliation_age"]


def test_what_is_not_known_is_not_vouched_for(in_memory_room: InMemoryRoom) -> None:
    assert ages(in_memory_room) == (None, None)
    assert in_memory_room.room.metrics.panel(EVENT)["stale"] == [
        "holes",
        "positions_expired",
        "waiting_num",
    ]
    assert minute(in_memory_room)
    assert ages(in_memory_room) == (0, 0)
    assert in_memory_room.room.metrics.panel(EVENT)["stale"] == []
    in_memory_room.memory.lose()
    assert ages(in_memory_room) == (None, None)


@pytest.mark.parametrize(
    ("method", "stale", "fresh"),
    [("swept", ["positions_expired", "waiting_num"], 1), ("audited", ["holes", "waiting_num"], 0)],
)
def test_figures_are_stale_three_minutes_after_their_part_last_succeeded(
    in_memory_room: InMemoryRoom,
    monkeypatch: pytest.MonkeyPatch,
    method: str,
    stale: list[str],
    fresh: int,
) -> None:
    minute(in_memory_room)

    def fails(*_: object) -> None:
        raise Unavailable("the table does not answer")

    job = (
        in_memory_room.room.workers.expiry_sweep
        if method == "swept"
        else in_memory_room.room.workers.reconciliation
    )
    monkeypatch.setattr(job, "run" if method == "swept" else "reconcile", fails)
    for passed in (60, 120, 180):
        assert not minute(in_memory_room), "the function fails, so that its alarm sees it"
        assert ages(in_memory_room)[fresh] == 0, "the other part is done all the same"
        assert ages(in_memory_room)[1 - fresh] == passed
        assert in_memory_room.room.metrics.panel(EVENT)["stale"] == []
    in_memory_room.clock.now += 1
    assert in_memory_room.room.metrics.panel(EVENT)["stale"] == stale
    monkeypatch.undo()
    in_memory_room.room.workers.minute_jobs.run(EVENT)
    assert in_memory_room.room.metrics.panel(EVENT)["stale"] == []


def test_a_minute_that_fails_whole_leaves_everything_stale(in_memory_room: InMemoryRoom) -> None:
    minute(in_memory_room)
    for _ in range(4):
        in_memory_room.log.fail("read_with_details", "before")
        in_memory_room.log.fail("read", "before")
        assert not minute(in_memory_room)
    assert in_memory_room.room.metrics.panel(EVENT)["stale"] == [
        "holes",
        "positions_expired",
        "waiting_num",
    ]
    assert ages(in_memory_room) == (240, 240)


def test_a_worker_that_cannot_reach_the_counters_does_not_vouch_for_them(
    in_memory_room: InMemoryRoom,
) -> None:
    minute(in_memory_room)
    in_memory_room.counters.fail("trim", "before")
    assert minute(in_memory_room), "the tables were kept up"
    assert ages(in_memory_room) == (60, 60)


def test_metrics_of_an_event_without_minute_work_are_not_stale(
    in_memory_room: InMemoryRoom,
) -> None:
    actor = Actor(ActorKind.PERSON, "arn:aws:iam::1:user/ada")
    documents = in_memory_room.event_documents
    opens_at = int(in_memory_room.clock.now) + 60
    documents.put("later", {"schedule": {"opens_at": opens_at}}, None, actor=actor)
    assert in_memory_room.room.metrics.panel("later")["stale"] == []
    in_memory_room.clock.now += 60
    assert in_memory_room.room.metrics.panel("later")["stale"] != []
    documents.act("later", "close", actor=actor)
    assert in_memory_room.room.metrics.panel("later")["stale"] != []
    in_memory_room.clock.now += 86_400
    assert in_memory_room.room.metrics.panel("later")["stale"] == []


def test_a_clock_behind_the_workers_tells_no_negative_age(in_memory_room: InMemoryRoom) -> None:
    minute(in_memory_room)
    in_memory_room.clock.now -= 30
    assert ages(in_memory_room) == (0, 0)


def test_the_last_admission_has_its_age(in_memory_room: InMemoryRoom) -> None:
    assert in_memory_room.room.metrics.panel(EVENT)["admission_age"] is None
    in_memory_room.visitors(3)
    in_memory_room.serve(2)
    in_memory_room.clock.now += 42
    assert in_memory_room.room.metrics.panel(EVENT)["admission_age"] == 42
    in_memory_room.room.control.reset(EVENT)
    assert in_memory_room.room.metrics.panel(EVENT)["admission_age"] is None


def test_what_a_waiting_page_polls_does_not_grow(in_memory_room: InMemoryRoom) -> None:
    assert "stale" not in in_memory_room.room.metrics.status_page(EVENT)
    assert len(in_memory_room.room.metrics.status_page(EVENT)) == 16
