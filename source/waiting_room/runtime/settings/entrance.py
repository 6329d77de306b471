# SPDX-License-Identifier: Apache-2.0
"""Settings of the entrance from the environment, besides those of the room."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from waiting_room.runtime.settings.environment import flag


@dataclass(frozen=True, slots=True)
class EntranceSettings:
    """Settings of the entrance; ``secure``: the sites are on HTTPS."""

    secure: bool = True


def read_entrance_settings(env: Mapping[str, str]) -> EntranceSettings:
    """Read the settings of the entrance. Raises SettingsError, which names the wrong setting."""
    return EntranceSettings(secure=flag(env, "GATE_HTTPS", default=True))
