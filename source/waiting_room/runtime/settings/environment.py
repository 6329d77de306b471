# SPDX-License-Identifier: Apache-2.0
"""The one reader of environment variables: each function reads and checks one setting.

All take the environment and the setting's name, and raise SettingsError, whose message names the
setting and the rule. Spaces around a value are ignored; an empty value counts as not set. The gate
has no part in this: sites give it the values of their own configuration.
"""

from __future__ import annotations

from collections.abc import Mapping

from waiting_room.domain.errors import SettingsError
from waiting_room.domain.limits import EVENT_ID, SHOWN
from waiting_room.domain.parsing import LARGEST, check_address, read_whole


def raw(env: Mapping[str, str], name: str) -> str:
    """Return the value as it is, without spaces around it; empty when it is not set."""
    return env.get(name, "").strip()


def required(env: Mapping[str, str], name: str) -> str:
    """Return the value, which must not be empty."""
    value = raw(env, name)
    if not value:
        raise SettingsError(f"The setting {name} is missing.")
    return value


def text(env: Mapping[str, str], name: str) -> str:
    """Return a required name or address: printable ASCII without spaces."""
    required(env, name)
    return optional_text(env, name)


def optional_text(env: Mapping[str, str], name: str) -> str:
    """Return a name or address, or an empty text: printable ASCII without spaces."""
    value = raw(env, name)
    if not all("!" <= sign <= "~" for sign in value):
        raise SettingsError(f"The setting {name} must be printable ASCII without spaces.")
    return value


def stack_name(env: Mapping[str, str]) -> str:
    """Return the name of the room's stack, a dimension of its metrics; ``local`` outside AWS."""
    return optional_text(env, "STACK_NAME") or "local"


def event_id(env: Mapping[str, str], name: str) -> str:
    """Return a required event id."""
    value = text(env, name)
    if not EVENT_ID.fullmatch(value):
        raise SettingsError(
            f"The setting {name} must be 1 to 64 letters, digits, '_', '.' or '-',"
            f" not {value[:SHOWN]!r}."
        )
    return value


def address(env: Mapping[str, str], name: str) -> str:
    """Return a required address without a slash at the end: https, or http on this machine."""
    return check_address(text(env, name), name)


def number(env: Mapping[str, str], name: str, default: int, low: int, high: int) -> int:
    """Return a whole number from ``low`` to ``high``."""
    given = raw(env, name) or str(default)
    value = read_whole(given, -LARGEST, LARGEST)
    if value is None:
        raise SettingsError(f"The setting {name} must be a whole number, not {given[:SHOWN]!r}.")
    if not low <= value <= high:
        raise SettingsError(f"The setting {name} must be between {low} and {high}, not {value}.")
    return value


def flag(env: Mapping[str, str], name: str, *, default: bool = False) -> bool:
    """Return true or false, in any letter case."""
    given = raw(env, name).lower()
    if given not in ("", "true", "false"):
        raise SettingsError(f"The setting {name} must be true or false, not {given[:SHOWN]!r}.")
    return given == "true" if given else default
