# SPDX-License-Identifier: Apache-2.0
"""The console on small screens, by keyboard and with a screen reader."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.browser import accessibility
from tests.support.in_memory_room import EVENT
from tests.support.pages.console_page import (
    answer,
    metric,
    opened,
    sign_in,
)
from tests.support.pages.console_room import KEY, SECRET, ConsoleRoom
from waiting_room.inlet.strategies import Strategy

pytestmark = [pytest.mark.server, pytest.mark.browser]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_small_phone_in_both_colour_schemes(
    room: ConsoleRoom, browser: Browser, scheme: str
) -> None:
    room.run_inlet(Strategy.PERIODIC, {"increment_by": 10})
    inside = room.admit(2)
    room.in_memory_room.serve(1_000_000)
    room.in_memory_room.serve(1_000_000)
    size = {"width": 320, "height": 640}
    room.in_memory_room.room.control.set_message(EVENT, ("W" * 499 + " ")[:500])
    with opened(browser, room.panel, viewport=size, color_scheme=scheme, has_touch=True) as page:
        assert overflow(page) == 0
        assert accessibility(page) == []
        sign_in(page)
        page.get_by_label("Reference, queue number or request ID").fill(inside[0])
        page.get_by_label("Reference, queue number or request ID").press("Enter")
        expect(page.locator("#visitor")).to_be_visible()
        expect(metric(page, "serving")).to_have_text("2,000,002")
        page.get_by_text("Show as a table").click()
        assert overflow(page) == 0
        assert accessibility(page) == []
        small = page.evaluate(
            """() => [...document.querySelectorAll('button, input, summary')]
                .map((one) => [one.id || one.textContent, one.getBoundingClientRect()])
                .filter(([, box]) => box.width && (box.width < 24 || box.height < 24))
                .map(([name]) => name)"""
        )
        assert small == []


def overflow(page: Page) -> int:
    """Pixels that the page is wider than the window."""
    return int(page.evaluate("document.documentElement.scrollWidth - innerWidth"))


def test_everything_works_from_the_keyboard(room: ConsoleRoom, page: Page) -> None:
    page.get_by_label("Access key ID").focus()
    page.keyboard.type(KEY)
    page.keyboard.press("Tab")
    page.keyboard.type(SECRET)
    page.keyboard.press("Enter")
    expect(page.locator("#panel")).to_be_visible()
    for _ in range(20):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.dataset.by") == "10":
            break
    page.keyboard.press("Enter")
    expect(answer(page, "admit")).to_have_text("The serving position is now 10.")
    # the button keeps the focus: pressing it again is one key
    assert page.evaluate("document.activeElement.dataset.by") == "10"


def test_what_changes_every_few_seconds_is_not_read_aloud(room: ConsoleRoom, panel: Page) -> None:
    assert panel.locator("#metrics [aria-live], #metrics [role=status]").count() == 0
    panel.evaluate(
        """() => {
            window.said = [];
            const aloud = '[role=status], [role=log], [role=alert], [aria-live]';
            for (const place of document.querySelectorAll(aloud)) {
                new MutationObserver(() => window.said.push(place.textContent))
                    .observe(place, {childList: true, subtree: true, characterData: true});
            }
        }"""
    )
    for count in (3, 6, 9):
        room.in_memory_room.visitors(3)
        panel.get_by_role("button", name="Refresh", exact=True).click()
        expect(metric(panel, "queue")).to_have_text(str(count))
    assert panel.evaluate("said") == []
    room.down = True
    panel.get_by_role("button", name="Refresh", exact=True).click()
    expect(panel.locator("#announce")).to_contain_text("out of date")
    panel.wait_for_timeout(2_500)  # the age shown goes on each second
    assert len(panel.evaluate("said")) == 1
