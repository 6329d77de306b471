# SPDX-License-Identifier: Apache-2.0
"""Nothing that a visitor reads on the waiting page moves when something comes late."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Route, expect

from tests.screenshots.waiting_room import BRAND
from tests.support.pages.waiting_page import Room, page

pytestmark = [pytest.mark.browser, pytest.mark.server]
MOST = 0.05  # of a layout shift, and of all from one state to the next
PHONE = {"width": 360, "height": 740}
OBSERVE = """
window.shifts = [];
new PerformanceObserver((list) => {
  for (const { value, sources } of list.getEntries())
    shifts.push([value, sources.map(({ node }) => node && (node.id || node.nodeName))]);
}).observe({ type: "layout-shift", buffered: true });
"""


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A profile with a phone's screen, that records layout shifts."""
    made = browser.new_context(locale="en-GB", reduced_motion="reduce", viewport=PHONE)
    made.add_init_script(OBSERVE)
    yield made
    made.close()


def still(tab: Page, when: str) -> None:
    """What was seen since the last call has hardly moved."""
    tab.evaluate("new Promise((done) => requestAnimationFrame(() => setTimeout(done, 50)))")
    found = tab.evaluate("shifts.splice(0)")
    assert sum(value for value, _ in found) <= MOST, f"{when}: {found}"


def ask(tab: Page) -> None:
    """The page asks the room now, as it does when a network is there again."""
    tab.evaluate("dispatchEvent(new Event('online'))")


def late(route: Route) -> None:
    """An answer that comes after the first picture."""
    time.sleep(0.3)
    route.continue_()


def test_nothing_that_is_read_moves_when_something_comes_late(context: BrowserContext) -> None:
    room = Room(status={"poll_after_seconds": 1, "admission_rate_per_minute": 3})
    room.fill(29)
    with page(room, brand=BRAND) as served:
        tab = context.new_page()
        for file in ("style.css", "page.js", "words/en.json", "config.json"):
            tab.route(f"**/{file}", late)
        tab.goto(served.url)
        enter = tab.locator("#enter")
        expect(enter).to_be_visible()
        still(tab, "load")
        enter.click()
        expect(tab.locator("[data-value=number]")).to_have_text("30")
        tab.reload()
        expect(tab.locator("[data-value=number]")).to_have_text("30")
        still(tab, "reload")
        message = tab.locator("#message")
        for text in ("Doors at 8", "All that an operator may say. " * 16, ""):
            room.status["message"] = text
            ask(tab)
            expect(message).to_be_visible(visible=bool(text), timeout=20_000)
            if text:
                expect(message).to_contain_text(text.strip())
            still(tab, f"message {text[:10]}")
        room.status |= {"admission_rate_per_minute": 0, "moved_at": 1}  # it moved, long ago
        ask(tab)
        expect(tab.locator("#wait")).to_contain_text("paused", timeout=20_000)
        still(tab, "pause")
        trouble = tab.locator("#trouble")
        room.fault = "down"
        ask(tab)
        expect(trouble).to_be_visible(timeout=20_000)
        still(tab, "trouble")
        room.fault = ""
        ask(tab)
        expect(trouble).to_be_hidden(timeout=20_000)
        still(tab, "recovery")
        room.serve(30)
        ask(tab)
        expect(tab.locator("#checkout")).to_be_visible(timeout=20_000)
        expect(tab.locator("#held")).to_contain_text("Continue within", timeout=20_000)
        still(tab, "turn")
        tab.close()


def test_the_focus_is_not_under_the_notes(context: BrowserContext) -> None:
    """WCAG 2.2, 2.4.11: the notes stay at the bottom of the window."""
    room = Room(status={"poll_after_seconds": 1})
    room.fill(9)
    room.in_memory_room.room.control.set_message("Sample", "Doors open at eight. " * 15)
    with page(room) as served:
        tab = context.new_page()
        tab.set_viewport_size({"width": 360, "height": 640})
        tab.goto(served.url)
        tab.get_by_role("button", name="Enter").click()
        expect(tab.locator("#message")).to_be_visible()
        expect(tab.locator("[data-view=waiting]")).to_be_visible()
        tab.get_by_role("combobox").focus()
        for control in ("alert", "copy"):
            tab.keyboard.press("Tab")
            expect(tab.locator(f"#{control}")).to_be_focused()
            assert tab.evaluate("""() => {
                const { x, y, width, height } = document.activeElement.getBoundingClientRect();
                const top = document.elementFromPoint(x + width / 2, y + height / 2);
                return top === document.activeElement;
            }"""), f"{control} is hidden"
        tab.close()
