# SPDX-License-Identifier: Apache-2.0
"""Settings: every one is documented, and one that cannot be meant is named in a sentence."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from deployment.local import config
from tests.docs import markdown
from tests.support.in_memory_room import COMPLETE
from tests.support.servers import ROOT
from waiting_room.domain.errors import SettingsError
from waiting_room.runtime.settings.authorizer import read_authorizer_settings
from waiting_room.runtime.settings.entrance import read_entrance_settings
from waiting_room.runtime.settings.inlet import read_inlet_settings
from waiting_room.runtime.settings.openid import read_openid_settings
from waiting_room.runtime.settings.room import read_room_settings

PAGE = (ROOT / "docs" / "settings.md").read_text()
ROWS = [row for table in markdown.tables(PAGE) for row in table.rows]


class Watched(dict[str, str]):
    """An environment that notes what is read from it."""

    def __init__(self, values: Mapping[str, str]) -> None:
        super().__init__(values)
        self.read: set[str] = set()

    def get(self, name: str, default: Any = None) -> Any:
        self.read.add(name)
        return super().get(name, default)

    def __getitem__(self, name: str) -> str:
        self.read.add(name)
        return super().__getitem__(name)


def read_by(*readers: Callable[[Mapping[str, str]], object], **more: str) -> set[str]:
    """The settings that these read."""
    env = Watched({**COMPLETE, **more})
    for reader in readers:
        reader(env)
    return env.read


def every_setting() -> set[str]:
    """What any function of the project, or `make run`, reads."""
    names = read_by(
        read_room_settings, read_authorizer_settings, read_openid_settings, read_entrance_settings
    )
    for strategy in ("Periodic", "MaxSize"):
        names |= read_by(read_inlet_settings, INLET_STRATEGY=strategy)
    names |= set(config.LISTENERS.values()) | set(config.DEFAULTS)
    local = Watched({})
    config.read(local, ROOT)
    return names | local.read - {"NO_PROXY", "no_proxy"}


def documented() -> set[str]:
    """The names in the first column of the page's tables."""
    return {name for row in ROWS for name in markdown.code(row[0]) if name.isupper()}


def test_every_setting_is_documented_and_every_documented_setting_exists() -> None:
    known_elsewhere = {"POWERTOOLS_SERVICE_NAME", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}
    also_local = {"STORE_API_ENDPOINT"}
    assert every_setting() - known_elsewhere - documented() == set()
    assert documented() - every_setting() - also_local == set()


@pytest.mark.parametrize(
    ("name", "default"),
    [
        ("VALIDITY_PERIOD", read_room_settings(COMPLETE).events[0].validity_period),
        (
            "QUEUE_POSITION_EXPIRY_PERIOD",
            read_room_settings(COMPLETE).events[0].position_expiry_period,
        ),
        ("KEY_ACTIVATION_DELAY", read_room_settings(COMPLETE).key_activation_delay),
        ("SIGNING_KEY_CACHE_SECONDS", read_room_settings(COMPLETE).signing_key_cache),
        ("PUBLIC_KEY_CACHE_SECONDS", read_room_settings(COMPLETE).public_key_max_age),
        ("UNUSED_POSITION_TIMEOUT", read_room_settings(COMPLETE).unused_position_timeout),
        ("KEY_CACHE_SECONDS", read_authorizer_settings(COMPLETE).key_cache),
    ],
)
def test_the_documented_default_is_the_real_one(name: str, default: int) -> None:
    (found,) = (row[1] for row in ROWS if row[0] == f"`{name}`")
    assert int(found.split()[0]) == default


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("EVENT_ID", "", "EVENT_ID is missing"),
        ("VALIDITY_PERIOD", "0", "VALIDITY_PERIOD must be between 1 and 86400, not 0"),
        ("VALIDITY_PERIOD", "an hour", "VALIDITY_PERIOD must be a whole number, not 'an hour'"),
        ("ENABLE_QUEUE_POSITION_EXPIRY", "yes", "must be true or false, not 'yes'"),
        ("REDIS_PORT", "70000", "REDIS_PORT must be between 1 and 65535"),
    ],
)
def test_a_setting_that_cannot_be_meant_is_named(name: str, value: str, says: str) -> None:
    with pytest.raises(SettingsError, match=re.escape(says)):
        read_room_settings({**COMPLETE, name: value})
