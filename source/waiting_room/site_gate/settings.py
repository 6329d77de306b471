# SPDX-License-Identifier: Apache-2.0
"""Settings of a site's gate."""

from __future__ import annotations

import re
from dataclasses import dataclass

from waiting_room.domain.errors import SettingsError
from waiting_room.domain.parsing import check_address

MAX_EVENTS = 20
MAX_REFRESH = 60  # s
EVENT_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", re.ASCII)
REGION = re.compile(r"[a-z0-9-]{1,32}", re.ASCII)
REGION_IN_HOST = re.compile(r"https://[^/]+\.execute-api\.([a-z0-9-]+)\.amazonaws\.com\b")


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteGateSettings:
    """Settings of a site's gate. Raises SettingsError, which names the setting and the rule.

    ``events`` protect the site by their own rules. ``private_api`` has their configuration, read
    every ``refresh_seconds``; ``region`` is the region of that API, by default from its host.
    ``room`` is the address of the room; the gate sends its paths there (empty: the web server of
    the site does). ``secure_cookie`` is false for a site on plain HTTP only. With
    ``open_without_configuration`` all requests pass while no configuration has ever been read.
    """

    events: tuple[str, ...]
    private_api: str
    region: str = ""
    room: str = ""
    refresh_seconds: int = 10
    secure_cookie: bool = True
    open_without_configuration: bool = False

    def __post_init__(self) -> None:
        events = self.events
        if not isinstance(events, tuple | list) or not 1 <= len(events) <= MAX_EVENTS:
            raise SettingsError(f"The setting events must have 1 to {MAX_EVENTS} event ids.")
        if not all(isinstance(one, str) and EVENT_ID.fullmatch(one) for one in events):
            raise SettingsError("The setting events has an invalid event id.")
        if len(set(events)) != len(events):
            raise SettingsError("The setting events has an event twice.")
        object.__setattr__(self, "events", tuple(events))
        for name in ("secure_cookie", "open_without_configuration"):
            if not isinstance(getattr(self, name), bool):
                raise SettingsError(f"The setting {name} must be True or False.")
        for name in ("private_api", "room"):
            value = getattr(self, name)
            if not isinstance(value, str) or not (value or name == "room"):
                raise SettingsError(f"The setting {name} must be an address.")
            if value:
                object.__setattr__(self, name, check_address(value, name))
        seconds = self.refresh_seconds
        if type(seconds) is not int or not 1 <= seconds <= MAX_REFRESH:
            raise SettingsError(
                f"The setting refresh_seconds must be whole seconds from 1 to {MAX_REFRESH}."
            )
        found = REGION_IN_HOST.match(self.private_api)
        region = self.region or (found[1] if found else "")
        if not isinstance(region, str) or not REGION.fullmatch(region):
            raise SettingsError("The setting region must name the region of private_api.")
        object.__setattr__(self, "region", region)
