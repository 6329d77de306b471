# SPDX-License-Identifier: Apache-2.0
"""A write that meets other writers is given up in time for an answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.support.fakes.inlet import MemoryInlet
from tests.support.in_memory_room import EVENT, InMemoryRoom
from waiting_room.domain.errors import Conflict, Unavailable
from waiting_room.inlet.control import InletControl
from waiting_room.inlet.strategies import InletRecord, Strategy
from waiting_room.use_cases import change_log


def increment(in_memory_room: InMemoryRoom) -> None:
    in_memory_room.room.control.increment(EVENT, 1)


def message(in_memory_room: InMemoryRoom) -> None:
    in_memory_room.room.control.set_message(EVENT, "hello")


def reset(in_memory_room: InMemoryRoom) -> None:
    in_memory_room.room.control.reset(EVENT)


@pytest.mark.parametrize(
    ("change", "write"), [(increment, "write"), (message, "set_message"), (reset, "reset")]
)
def test_a_change_that_slow_tables_and_others_hold_up_is_given_up(
    change: Callable[[InMemoryRoom], None], write: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_memory_room, writes = InMemoryRoom(), 0

    def refused(*_: Any) -> None:
        nonlocal writes
        writes += 1
        in_memory_room.clock.now += 6
        raise Conflict

    monkeypatch.setattr(in_memory_room.log, write, refused)
    with pytest.raises(Unavailable, match="too many concurrent changes"):
        change(in_memory_room)
    assert writes == 3


def test_a_change_of_the_inlet_is_given_up_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    store, now = MemoryInlet(), [0.0]
    targets = {"increment_by": 10}
    store.write(None, InletRecord(EVENT, Strategy.PERIODIC, targets, targets, version=1))

    def refused(*_: Any, **__: Any) -> None:
        now[0] += 6
        raise Conflict

    monkeypatch.setattr(store, "change", refused)
    with pytest.raises(Unavailable, match="too many concurrent changes"):
        InletControl(store, lambda: now[0], change_log.record).change(EVENT, True, None)
    assert now[0] == 18
