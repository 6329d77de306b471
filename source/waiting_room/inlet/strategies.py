# SPDX-License-Identifier: Apache-2.0
"""The rules of the inlets: how many places to open now. Pure; times are seconds since the epoch.

*Periodic* opens a fixed number a minute unless its brake holds. *MaxSize* replaces who left. The
rules of *Automatic* are in ``inlet_automatic``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from waiting_room.domain.joins import REQUEST_ID
from waiting_room.domain.parsing import is_whole, json_object, read_whole

MAX_EXITED = 1_000_000  # in one message: a place in the line is not opened for more at once


class Strategy(StrEnum):
    """The strategies by the names of the deployment parameter ``InletStrategy``."""

    PERIODIC = "Periodic"
    MAX_SIZE = "MaxSize"
    AUTOMATIC = "Automatic"


class Alarm(StrEnum):
    """How the watched alarm stands.

    NONE: no alarm was named. MISSING: no alarm has the name. UNREADABLE: CloudWatch does not say.
    """

    NONE = "NONE"
    OK = "OK"
    ALARM = "ALARM"
    INSUFFICIENT_DATA = "INSUFFICIENT_DATA"
    MISSING = "MISSING"
    UNREADABLE = "UNREADABLE"


# What says nothing of the site: the deployment decides what it means. As in the AWS solution, an
# alarm that does not exist brakes nothing by default.
NO_DATA = {
    Alarm.MISSING: "the alarm does not exist",
    Alarm.INSUFFICIENT_DATA: "the alarm has insufficient data",
}
METRICS = {
    "generation": "generation", "serving": "serving_counter", "queue": "queue_counter",
    "holes": "holes", "tokens": "total_tokens", "expired": "positions_expired",
    "active": "active_tokens",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class RoomMetrics:
    """The metrics of ``GET /metrics`` that inlets decide by; counts, but for the generation."""

    generation: int = 1
    serving: int = 0
    queue: int = 0
    holes: int = 0
    tokens: int = 0
    expired: int = 0
    active: int = 0

    @classmethod
    def from_metrics(cls, answer: Mapping[str, Any]) -> RoomMetrics:
        """Read the answer of the private API; raises ValueError when a figure is no count."""
        values: dict[str, int] = {}
        for name, shown in METRICS.items():
            value = answer.get(shown)
            if not is_whole(value) or value < 0:
                raise ValueError(f"{shown} is no count")
            values[name] = value
        return cls(**values)

    @property
    def outstanding(self) -> int:
        """Places opened that nobody has used yet and that may still be used; never negative."""
        return max(0, self.serving - self.tokens - self.expired - self.holes)


@dataclass(frozen=True, slots=True)
class ExitNotice:
    """Who left the site, as a message tells it.

    ``exited`` is how many left in all, those included whom the lists name. ``faults`` says what of
    the message was left out, a sentence each, without a value of it.
    """

    exited: int = 0
    completed: tuple[str, ...] = ()
    abandoned: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class IncrementDecision:
    """What to do now: raise the serving counter by ``increment`` (0: hold), and why."""

    by: int
    reason: str


@dataclass(frozen=True, slots=True)
class Window:
    """When an inlet works: from ``start`` until before ``end``; an ``end`` of 0 is for ever."""

    start: int = 0
    end: int = 0

    def closed_reason(self, now: float) -> str:
        """Why the inlet does not work at ``now``, as a sentence; empty when it does."""
        if now < self.start:
            return "the start time has not come"
        if self.end and now >= self.end:
            return "the end time has passed"
        return ""


def alarm_hold_reason(alarm: Alarm, go_on_insufficient_data: bool) -> str:
    """Why the alarm holds the inlet, as a sentence; empty when it does not."""
    if alarm is Alarm.ALARM:
        return "the alarm is in ALARM"
    if alarm is Alarm.UNREADABLE:
        return "the alarm cannot be read"
    if alarm in NO_DATA and not go_on_insufficient_data:
        return NO_DATA[alarm]
    return ""


def with_missing_alarm(opening: IncrementDecision, alarm: Alarm) -> IncrementDecision:
    """The opening; its reason also says that the alarm does not exist, where that is so."""
    if alarm is not Alarm.MISSING:
        return opening
    return IncrementDecision(opening.by, f"{opening.reason}; {NO_DATA[alarm]}")


def tick_share(total: int, tick: int, ticks: int) -> int:
    """Part ``tick`` (from 0) of ``total`` split into ``ticks`` parts that differ by 1 at most."""
    return total * (tick + 1) // ticks - total * tick // ticks


def periodic(increment_by: int, tick: int, ticks: int) -> IncrementDecision:
    """What tick ``tick`` of a minute opens of the ``increment_by`` places a minute."""
    return IncrementDecision(tick_share(increment_by, tick, ticks), f"{increment_by} a minute")


def max_size(
    size: int, metrics: RoomMetrics, left: int, exited: int, *, fill: bool
) -> IncrementDecision:
    """What to open when ``left`` visitors left, ``exited`` of them without an ended session.

    Who exited is among the active, unless the token expired: then the place is free by the metrics.
    Never negative and never above ``size`` − active; nor above what is free when everybody who was
    let in and has not come yet does come. An empty site, or a run on schedule (``fill``), is
    filled up to ``size``.
    """
    free = size - metrics.active - metrics.outstanding + min(exited, metrics.active)
    empty = metrics.active == 0 and metrics.outstanding == 0
    wanted = free if fill or empty else min(left, free)
    increment = max(0, min(wanted, size - metrics.active))
    coming = f"{metrics.active} of {size} active, {metrics.outstanding} places open"
    return IncrementDecision(increment, f"{left} left; {coming}" if left else coming)


def parse_exit_notice(message: str) -> ExitNotice:
    """Read ``{"exited": n?, "completed": [id…]?, "abandoned": [id…]?}``.

    A number may be a text. A member that cannot be meant is left out, and an id that can be none;
    the others count. Raises InvalidInput when the message is no JSON object.
    """
    content = json_object(message, "the message")
    faults: list[str] = []
    exited = _exited(content.get("exited"), faults)
    completed = _ids(content, "completed", faults)
    named = set(completed)
    abandoned = tuple(one for one in _ids(content, "abandoned", faults) if one not in named)
    return ExitNotice(exited, completed, abandoned, tuple(faults))


def _exited(value: object, faults: list[str]) -> int:
    if isinstance(value, str):
        value = read_whole(value.strip(), 0, MAX_EXITED)
    elif value is None:
        return 0
    if is_whole(value) and 0 <= value <= MAX_EXITED:
        return value
    faults.append(f"exited must be a whole number from 0 to {MAX_EXITED}")
    return 0


def _ids(content: Mapping[str, Any], name: str, faults: list[str]) -> tuple[str, ...]:
    values = content.get(name)
    if values is None:
        return ()
    if not isinstance(values, list):
        faults.append(f"{name} must be a list of request ids")
        return ()
    valid = [one.lower() for one in values if isinstance(one, str) and REQUEST_ID.fullmatch(one)]
    if len(valid) < len(values):
        faults.append(f"{len(values) - len(valid)} of {name} are no request ids")
    return tuple(dict.fromkeys(valid))


@dataclass(frozen=True, slots=True)
class InletRecord:
    """What an inlet and its operators know of each other; one row an event.

    ``deployed`` are the targets of the deployment, ``targets`` those that hold. ``memory`` is the
    strategy's own and JSON-like. ``seen`` are ids of events handled lately. ``health`` is what the
    site last reported, 0 (down) to 1 (well), at ``health_at``. ``last_at`` is 0 before any run.
    ``alarm`` is the name of the watched alarm, empty for none, ``alarm_state`` how the last run
    found it (None: it did not look), ``alarm_holds`` whether that holds or slows the inlet.
    """

    event_id: str
    strategy: Strategy
    deployed: Mapping[str, int]
    targets: Mapping[str, int]
    paused: bool = False
    version: int = 0
    controller_state: Mapping[str, Any] = field(default_factory=dict)
    handled_ids: tuple[str, ...] = ()
    health: float | None = None
    health_at: int = 0
    last_at: int = 0
    last_increment: int = 0
    last_reason: str = ""
    alarm: str = ""
    alarm_state: Alarm | None = None
    alarm_holds: bool = False
