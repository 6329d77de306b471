# SPDX-License-Identifier: Apache-2.0
"""Settings of the inlet, as values, and the rules of its targets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from waiting_room.domain.errors import InvalidInput
from waiting_room.domain.limits import MAX_INCREMENT
from waiting_room.domain.parsing import is_whole
from waiting_room.inlet.strategies import Strategy, Window

MAX_EPOCH = 99_999_999_999  # rejects a start or end in milliseconds
MAX_TICKS = 20  # a tick takes up to a second; every 3 s is finer than any page polls


class Target(NamedTuple):
    """A number that operators set: its environment variable, its default and its lowest value."""

    setting: str
    default: int
    lowest: int


# by the name that the target has in POST /inlet
TARGETS: dict[Strategy, dict[str, Target]] = {
    Strategy.PERIODIC: {"increment_by": Target("INCREMENT_BY", 10, 1)},
    Strategy.MAX_SIZE: {"max_size": Target("MAX_SIZE", 100, 1)},
}


@dataclass(frozen=True, slots=True)
class InletSettings:
    """Settings of the inlet of one event."""

    event_id: str
    private_api: str
    region: str
    strategy: Strategy
    targets: Mapping[str, int]
    table: str
    window: Window = field(default_factory=Window)
    alarm: str = ""
    go_on_insufficient_data: bool = True
    ticks_per_minute: int = 1


def check_targets(strategy: Strategy, was: Mapping[str, int], new: object) -> dict[str, int]:
    """Return ``was`` with an operator's changes; raises InvalidInput."""
    if not isinstance(new, dict):
        raise InvalidInput("targets must be an object")
    limits = TARGETS[strategy]
    for name, value in new.items():
        if name not in limits:
            raise InvalidInput(f"the targets of this inlet are: {', '.join(limits)}")
        low = limits[name].lowest
        if not is_whole(value) or not low <= value <= MAX_INCREMENT:
            raise InvalidInput(f"{name} must be a whole number from {low} to {MAX_INCREMENT}")
    return {**was, **new}
