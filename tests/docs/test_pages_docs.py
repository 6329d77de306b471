# SPDX-License-Identifier: Apache-2.0
"""``docs/pages.md`` names what the waiting page has, and nothing that it has not."""

from __future__ import annotations

import re

from infrastructure.blueprint.site_config import waiting_room_config
from tests.docs import markdown
from tests.support.servers import ROOT

DOCS = (ROOT / "docs" / "pages.md").read_text()
FILES = ROOT / "source" / "sites" / "waiting_room"


def named(heading: str, column: str) -> set[str]:
    """The words in backticks in a column of a section's first table that has it."""
    every = markdown.tables(markdown.section(DOCS, heading))
    table = next(one for one in every if column in one.head)
    return {name for cell in table.column(column) for name in markdown.code(cell)}


def test_every_key_of_the_configuration_is_explained() -> None:
    keys = named("Branding", "key")
    config = waiting_room_config(event_id="", public_api="", store_api="")
    assert {key for key in keys if "." not in key} | {"brand"} == set(config)
    page = "".join((FILES / f"{name}.js").read_text() for name in ("page", "screen", "visit"))
    for key in keys:
        assert re.search(rf"\b{key.rpartition('.')[2]}\b", page), key


def test_the_examples_words_are_words_of_the_page() -> None:
    assert '"enter"' in DOCS
    assert '\n  "enter": ' in (FILES / "words" / "en.json").read_text()
