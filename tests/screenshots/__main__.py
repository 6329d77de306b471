# SPDX-License-Identifier: Apache-2.0
"""Photographs each state of each page, at three widths: light, dark, right to left, forced colours.

python -m tests.screenshots [site [state …]]
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import shutil
from pathlib import Path
from typing import Any

from playwright.sync_api import Page

from tests.support.browser import chromium
from tests.support.servers import ROOT

SITES = ("waiting_room", "console")
WIDTHS = {360: 740, 768: 1024, 1280: 800}  # and heights, in CSS pixels
MEDIA: dict[str, dict[str, Any]] = {
    "light": {"color_scheme": "light", "forced_colors": "none"},
    "dark": {"color_scheme": "dark", "forced_colors": "none"},
    "rtl": {"color_scheme": "light", "forced_colors": "none"},
    "forced": {"color_scheme": "dark", "forced_colors": "active"},
}


def photograph(page: Page, name: Path) -> None:
    """One picture for each width and look."""
    own = page.evaluate("document.documentElement.dir")
    for look, media in MEDIA.items():
        page.emulate_media(**media)
        direction = "rtl" if look == "rtl" else own
        page.evaluate("(given) => { document.documentElement.dir = given }", direction)
        for width, height in WIDTHS.items():
            page.set_viewport_size({"width": width, "height": height})
            page.screenshot(path=f"{name}-{width}-{look}.png", full_page=True)


def main() -> None:
    """Write ``build/screenshots/<site>/<state>-<width>-<look>.png``."""
    parser = argparse.ArgumentParser(prog="make screenshots", description=__doc__)
    parser.add_argument("site", nargs="?", choices=SITES)
    parser.add_argument("state", nargs="*")
    chosen_names = parser.parse_args()
    wanted, only = chosen_names.site, chosen_names.state
    sites = (
        [wanted]
        if wanted
        else [site for site in SITES if importlib.util.find_spec(f"{__package__}.{site}")]
    )
    with chromium() as browser:
        for site in sites:
            folder = ROOT / "build" / "screenshots" / site
            if not only:
                shutil.rmtree(folder, ignore_errors=True)
            states = importlib.import_module(f"{__package__}.{site}").STATES
            chosen = [state for state in states if not only or state.name in only]
            for state in chosen:
                context = browser.new_context(
                    **{"reduced_motion": "reduce", "locale": "en-GB", **state.context}
                )
                with state.open(context) as page:
                    photograph(page, folder / state.name)
                context.close()
            print(f"{site}: {len(chosen) * len(WIDTHS) * len(MEDIA)} pictures in {folder}")


if __name__ == "__main__":
    main()
