# SPDX-License-Identifier: Apache-2.0
"""Settings of the entrance from the environment, besides those of the room."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from waiting_room.domain.errors import SettingsError
from waiting_room.runtime.settings.environment import flag, raw


@dataclass(frozen=True, slots=True)
class PageBrand:
    """Name of the site owner, and CSS with the owner's colours, for the page without scripts."""

    name: str = ""
    style: str = ""


NO_BRAND = PageBrand()


@dataclass(frozen=True, slots=True)
class EntranceSettings:
    """Settings of the entrance; ``secure``: the sites are on HTTPS."""

    secure: bool = True
    brand: PageBrand = NO_BRAND


def read_entrance_settings(env: Mapping[str, str]) -> EntranceSettings:
    """Read the settings of the entrance. Raises SettingsError, which names the wrong setting."""
    return EntranceSettings(secure=flag(env, "GATE_HTTPS", default=True), brand=_brand(env))


def _brand(env: Mapping[str, str]) -> PageBrand:
    """Read the brand, JSON with ``name`` and ``style``; the deployment has checked its colours."""
    wrong = SettingsError("The setting PAGE_BRAND must be JSON with the texts name and style.")
    try:
        brand = PageBrand(**json.loads(raw(env, "PAGE_BRAND") or "{}"))
    except (ValueError, TypeError):
        raise wrong from None
    if not all(isinstance(one, str) for one in (brand.name, brand.style)) or "<" in brand.style:
        raise wrong
    return brand
