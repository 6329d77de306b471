# SPDX-License-Identifier: Apache-2.0
"""The waiting page with the title, brand, texts and block of its event, changed at run time."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.support.browser import accessibility
from tests.support.in_memory_room import EVENT
from tests.support.pages.waiting_page import PAGE, Room, Served, enter, page, view

pytestmark = [pytest.mark.browser, pytest.mark.server]


@contextmanager
def opened(context: BrowserContext, **options: Any) -> Iterator[tuple[Page, Served]]:
    room = Room(options=options, status={"poll_after_seconds": 1})
    room.in_memory_room.room.workers.setup.run()
    room.fill(9)
    with page(room) as served:
        tab = context.new_page()
        yield tab, served
        tab.close()


def colour(tab: Page, name: str) -> str:
    found: str = tab.get_by_role("button", name=name).evaluate(
        "one => getComputedStyle(one).backgroundColor"
    )
    return found


def test_a_page_shows_what_its_event_adds_and_follows_a_change(context: BrowserContext) -> None:
    with opened(context) as (tab, served):
        served.room.change(title="Summer sale", page=PAGE)
        tab.goto(served.url)
        expect(tab.locator("#name")).to_have_text("Nordlicht · Summer sale")
        expect(tab).to_have_title(re.compile("Nordlicht · Summer sale"))
        expect(tab.get_by_role("heading", name="Early birds, this way")).to_be_visible()
        expect(tab.locator("#logo")).to_be_visible()
        assert tab.locator("#logo").evaluate("one => one.naturalWidth") == 1
        block = tab.locator("#block")
        expect(block.get_by_role("heading", name="Doors")).to_be_visible()
        assert block.get_by_role("link").get_attribute("target") == "_blank"
        assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert colour(tab, "Enter") == "rgb(138, 28, 59)"
        assert accessibility(tab) == []
        enter(tab)
        expect(tab.locator("#name")).to_have_text("Nordlicht · Summer sale")
        calls = served.room.calls["GET /page"]
        assert calls == 1
        served.room.change(admission={"per_minute": 7})
        served.room.change(page={"brand": None, "html": "<p>Trains run all night.</p>"})
        expect(block).to_have_text("Trains run all night.", timeout=10_000)
        expect(tab.locator("#name")).to_have_text("Night of Lights · Summer sale")
        assert served.room.calls["GET /page"] == calls + 1
        served.room.change(title="", page=None)
        expect(block).to_be_hidden(timeout=10_000)
        expect(tab.locator("#name")).to_have_text("Night of Lights")
        assert served.room.calls["GET /page"] == calls + 1, "nothing is left to read"


def test_a_closed_event_shows_its_own_text_in_the_language_of_the_visitor(
    context: BrowserContext,
) -> None:
    with opened(context) as (tab, served):
        served.room.change(page=PAGE)
        served.room.act("close")
        tab.goto(served.url)
        view(tab, "event")
        expect(tab.get_by_role("heading", name="Sold out")).to_be_visible()
        tab.locator("#language").select_option("de")
        expect(tab.get_by_role("heading", name="Sold out")).to_have_count(0)


def test_an_event_without_a_page_causes_no_call(context: BrowserContext) -> None:
    with opened(context) as (tab, served):
        tab.goto(served.url)
        enter(tab)
        assert served.room.calls["GET /page"] == 0
        expect(tab.locator("#block")).to_be_hidden()


def test_html_that_the_room_would_have_removed_does_not_run(context: BrowserContext) -> None:
    """The policy of the page stops scripts even if the stored block had some."""
    with opened(context) as (tab, served):
        room = served.room.in_memory_room
        served.room.change(title="x")
        before = room.stores.documents.read(EVENT)
        assert before
        before.document["page"]["html"] = (
            "<img src=x onerror=\"document.title='ran'\"><p style='display:none'>Seen</p>"
        )
        refused: list[str] = []
        tab.on("console", lambda one: refused.append(one.text))
        tab.goto(served.url)
        expect(tab.locator("#block p")).to_have_text("Seen")
        assert any("Content Security Policy" in one for one in refused)
        assert tab.title() != "ran"


def test_a_page_that_cannot_read_its_page_works_and_reads_it_later(
    context: BrowserContext,
) -> None:
    with opened(context) as (tab, served):
        served.room.change(title="Summer sale")
        failing = {"on": True}
        tab.route("**/page?*", lambda one: one.abort() if failing["on"] else one.continue_())
        tab.clock.install()
        tab.goto(served.url)
        enter(tab)
        expect(tab.locator("#name")).to_have_text("Night of Lights")
        failing["on"] = False
        tab.clock.run_for(125_000)
        expect(tab.locator("#name")).to_have_text("Night of Lights · Summer sale")
