# SPDX-License-Identifier: Apache-2.0
"""Photographs each state of each page: phone, small phone and desktop, light and dark."""

from __future__ import annotations

import importlib
import importlib.util
import shutil
import sys
from pathlib import Path
from typing import Literal

from playwright.sync_api import Page

from tests.browser import chromium
from tests.servers import ROOT

SITES = ("waiting_room", "control_panel")
SIZES = {"phone": (360, 740), "small": (320, 568), "desktop": (1280, 800)}
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")


def photograph(page: Page, name: Path) -> None:
    """One picture for each size and scheme."""
    for scheme in SCHEMES:
        page.emulate_media(color_scheme=scheme)
        for size, (width, height) in SIZES.items():
            page.set_viewport_size({"width": width, "height": height})
            page.screenshot(path=f"{name}-{size}-{scheme}.png", full_page=True)


def main() -> None:
    """Write ``build/screenshots/<site>/<state>-<size>-<scheme>.png``."""
    sites = sys.argv[1:] or [
        site for site in SITES if importlib.util.find_spec(f"{__package__}.{site}")
    ]
    with chromium() as browser:
        for site in sites:
            folder = ROOT / "build" / "screenshots" / site
            shutil.rmtree(folder, ignore_errors=True)
            states = importlib.import_module(f"{__package__}.{site}").STATES
            for state in states:
                context = browser.new_context(
                    **{"reduced_motion": "reduce", "locale": "en-GB", **state.context}
                )
                with state.open(context) as page:
                    photograph(page, folder / state.name)
                context.close()
            print(f"{site}: {len(states) * len(SIZES) * len(SCHEMES)} pictures in {folder}")


if __name__ == "__main__":
    main()
