# SPDX-License-Identifier: Apache-2.0
"""What the deployment decided about its inlet. Limits carry the reason for their value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from waiting_room.domain.errors import InvalidInput
from waiting_room.domain.parsing import is_whole
from waiting_room.domain.room_settings import (
    MAX_INCREMENT,
    SettingsError,
    _event_id,
    _number,
    _text,
    check_address,
)
from waiting_room.inlet.strategies import Strategy, Window

MAX_EPOCH = 99_999_999_999  # a start or end in milliseconds is a mistake that this catches
MAX_TICKS = 20  # a tick takes up to a second; every 3 s is finer than any page polls
TICKS = {Strategy.PERIODIC: 1, Strategy.MAX_SIZE: 1, Strategy.AUTOMATIC: 6}
# name of a target → (setting, default, lowest); the names are those of POST /inlet
TARGETS: dict[Strategy, dict[str, tuple[str, int, int]]] = {
    Strategy.PERIODIC: {"increment_by": ("INCREMENT_BY", 10, 1)},
    Strategy.MAX_SIZE: {"max_size": ("MAX_SIZE", 100, 1)},
    Strategy.AUTOMATIC: {
        "active": ("TARGET_ACTIVE", 100, 1),
        "per_minute": ("TARGET_PER_MINUTE", 60, 1),
        "min_per_minute": ("MIN_PER_MINUTE", 0, 0),
    },
}


@dataclass(frozen=True, slots=True)
class InletSettings:
    """How the inlet works. ``no_show_after``: seconds after which a place counts as unused."""

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
    no_show_after: int = 90

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> InletSettings:
        """Read the settings; raises SettingsError with one sentence naming what is wrong."""
        strategy = _strategy(env.get("INLET_STRATEGY", "").strip() or Strategy.PERIODIC.value)
        endpoint = check_address(_text(env, "PRIVATE_API_ENDPOINT"), "PRIVATE_API_ENDPOINT")
        window = Window(
            _number(env, "START_TIME", 0, 0, MAX_EPOCH), _number(env, "END_TIME", 0, 0, MAX_EPOCH)
        )
        if window.end and window.end <= window.start:
            raise SettingsError("The setting END_TIME must be 0 or after START_TIME.")
        targets = {
            name: _number(env, setting, default, lowest, MAX_INCREMENT)
            for name, (setting, default, lowest) in TARGETS[strategy].items()
        }
        try:
            check_order(targets)
        except InvalidInput:
            raise SettingsError(
                "The setting MIN_PER_MINUTE must not be above TARGET_PER_MINUTE."
            ) from None
        return cls(
            event_id=_event_id(env, "EVENT_ID"),
            private_api=endpoint,
            region=_text(env, "AWS_REGION"),
            strategy=strategy,
            targets=targets,
            table=_text(env, "SERVING_LOG_TABLE"),
            window=window,
            alarm=env.get("CLOUDWATCH_ALARM_NAME", "").strip(),
            go_on_insufficient_data=_on_insufficient_data(env),
            ticks_per_minute=_number(env, "TICKS_PER_MINUTE", TICKS[strategy], 1, MAX_TICKS),
            no_show_after=_number(env, "NO_SHOW_AFTER", 90, 10, 3600),
        )


def check_targets(strategy: Strategy, was: Mapping[str, int], new: object) -> dict[str, int]:
    """``was`` with an operator's changes; raises InvalidInput with a sentence for the operator."""
    if not isinstance(new, dict):
        raise InvalidInput("targets must be an object")
    limits = TARGETS[strategy]
    for name, value in new.items():
        if name not in limits:
            raise InvalidInput(f"the targets of this inlet are: {', '.join(limits)}")
        low = limits[name][2]
        if not is_whole(value) or not low <= value <= MAX_INCREMENT:
            raise InvalidInput(f"{name} must be a whole number from {low} to {MAX_INCREMENT}")
    targets = {**was, **new}
    check_order(targets)
    return targets


def check_order(targets: Mapping[str, int]) -> None:
    """Raises InvalidInput when the minimum is above the maximum."""
    if targets.get("min_per_minute", 0) > targets.get("per_minute", MAX_INCREMENT):
        raise InvalidInput("min_per_minute must not be above per_minute")


def _strategy(name: str) -> Strategy:
    try:
        return Strategy(name)
    except ValueError:
        names = ", ".join(strategy.value for strategy in Strategy)
        raise SettingsError(f"The setting INLET_STRATEGY must be one of {names}.") from None


def _on_insufficient_data(env: Mapping[str, str]) -> bool:
    text = env.get("ON_INSUFFICIENT_DATA", "").strip().lower() or "go"
    if text not in ("go", "hold"):
        raise SettingsError("The setting ON_INSUFFICIENT_DATA must be go or hold.")
    return text == "go"
