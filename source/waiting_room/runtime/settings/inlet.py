# SPDX-License-Identifier: Apache-2.0
"""Settings of the inlet from the environment."""

from __future__ import annotations

from collections.abc import Mapping

from waiting_room.domain.errors import SettingsError
from waiting_room.domain.limits import MAX_INCREMENT
from waiting_room.inlet.settings import (
    MAX_EPOCH,
    MAX_TICKS,
    TARGETS,
    InletSettings,
)
from waiting_room.inlet.strategies import Strategy, Window
from waiting_room.runtime.settings.environment import address, event_id, number, raw, text


def read_inlet_settings(env: Mapping[str, str]) -> InletSettings:
    """Read the settings of an inlet. Raises SettingsError, which names the wrong setting."""
    strategy = _strategy(env)
    return InletSettings(
        event_id=event_id(env, "EVENT_ID"),
        private_api=address(env, "PRIVATE_API_ENDPOINT"),
        region=text(env, "AWS_REGION"),
        strategy=strategy,
        targets=_targets(env, strategy),
        table=text(env, "SERVING_LOG_TABLE"),
        window=_window(env),
        alarm=raw(env, "CLOUDWATCH_ALARM_NAME"),
        go_on_insufficient_data=_go_on_insufficient_data(env),
        ticks_per_minute=number(env, "TICKS_PER_MINUTE", 1, 1, MAX_TICKS),
    )


def _strategy(env: Mapping[str, str]) -> Strategy:
    try:
        return Strategy(raw(env, "INLET_STRATEGY") or Strategy.PERIODIC.value)
    except ValueError:
        names = ", ".join(strategy.value for strategy in Strategy)
        raise SettingsError(f"The setting INLET_STRATEGY must be one of {names}.") from None


def _window(env: Mapping[str, str]) -> Window:
    start, end = (number(env, name, 0, 0, MAX_EPOCH) for name in ("START_TIME", "END_TIME"))
    if end and end <= start:
        raise SettingsError("The setting END_TIME must be 0 or after START_TIME.")
    return Window(start, end)


def _targets(env: Mapping[str, str], strategy: Strategy) -> dict[str, int]:
    return {
        name: number(env, target.setting, target.default, target.lowest, MAX_INCREMENT)
        for name, target in TARGETS[strategy].items()
    }


def _go_on_insufficient_data(env: Mapping[str, str]) -> bool:
    text = raw(env, "ON_INSUFFICIENT_DATA").lower() or "go"
    if text not in ("go", "hold"):
        raise SettingsError("The setting ON_INSUFFICIENT_DATA must be go or hold.")
    return text == "go"
