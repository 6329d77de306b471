# SPDX-License-Identifier: Apache-2.0
"""``docs/pages.md`` names what the waiting page has, and nothing that it has not."""

from __future__ import annotations

import re

from infrastructure.blueprint.site_config import waiting_room_config
from tests.support.servers import ROOT

DOCS = (ROOT / "docs" / "pages.md").read_text()
FILES = ROOT / "source" / "sites" / "waiting_room"


def named(heading: str, column: str) -> set[str]:
    """The words in backticks in the first column of the table whose head is ``column``."""
    section = DOCS.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    rows = section.split(f"| {column} |")[1].split("\n\n")[0].splitlines()[2:]
    return {name for row in rows for name in re.findall(r"`([^`]+)`", row.split("|")[1])}


def test_every_key_of_the_configuration_is_explained() -> None:
    keys = named("Branding", "key")
    config = waiting_room_config(event_id="", public_api="", store_api="")
    assert {key for key in keys if "." not in key} | {"brand"} == set(config)
    page = (FILES / "page.js").read_text()
    for key in keys:
        assert re.search(rf"\b{key.rpartition('.')[2]}\b", page), key


def test_the_examples_words_are_words_of_the_page() -> None:
    assert '"enter"' in DOCS
    assert "\n  enter: " in (FILES / "words" / "en.js").read_text()
