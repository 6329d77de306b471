# SPDX-License-Identifier: Apache-2.0
"""The last 24 hours of an event in the console, in a real browser."""

from __future__ import annotations

import re
import time

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.browser import accessibility
from tests.support.in_memory_room import EVENT
from tests.support.pages.console_page import one_event_only, opened, sign_in
from tests.support.pages.console_room import ConsoleRoom
from waiting_room.domain.actors import Actor, ActorKind
from waiting_room.domain.events.history import MinuteTotals

ADA = Actor(ActorKind.PERSON, "arn:aws:iam::1:user/ada")
pytestmark = [pytest.mark.server, pytest.mark.browser]
NOTE, CHARTS, ROWS = "#day-note", "#day-charts canvas", "#day-rows tr"


def fill(room: ConsoleRoom, hours: int, event_id: str = EVENT) -> None:
    """Store minutes until now: ten joins and five admissions each."""
    now = int(time.time()) // 60 * 60
    for number in range(hours * 60):
        at = now - 60 * (hours * 60 - 1 - number)
        room.in_memory_room.history.put(
            event_id,
            MinuteTotals(
                at, 1, 10 * number, 5 * number, 4 * number, 0, 5 * number, 7, at, 120, 300
            ),
        )


def chart(page: Page, title: str) -> str:
    """The words of a chart."""
    found = page.locator(f"#day-charts [role=img][aria-label^='{title}']")
    return str(found.get_attribute("aria-label"))


def test_the_last_day_is_there_at_once(room: ConsoleRoom, page: Page) -> None:
    fill(room, 25)  # the first step of the window is whole in each second of a day
    sign_in(page)
    expect(page.locator(CHARTS)).to_have_count(4)
    expect(page.locator(NOTE)).to_have_text("")
    assert "Joins now 10, between 10 and 10" in chart(page, "Per minute")
    assert "Admissions now 5," in chart(page, "Per minute")
    assert re.search(r"Waiting now 7,4\d\d, between \d+ and 7,4\d\d", chart(page, "Waiting"))
    assert "Median now 2, between 2 and 2" in chart(page, "Wait in minutes")
    assert "95 % now 5, between" in chart(page, "Wait in minutes")
    page.get_by_text("Show the last 24 hours as a table").click()
    expect(page.locator(ROWS)).to_have_count(25)
    expect(page.locator(ROWS).first).to_contain_text("2 min")
    assert accessibility(page) == []
    assert (
        room.calls.count(f"GET /events/{EVENT}/history") <= 2
    )  # of the day, and of the latest minutes


def test_an_event_without_minutes_says_so_and_another_event_has_its_own(
    room: ConsoleRoom, panel: Page
) -> None:
    expect(panel.locator(NOTE)).to_contain_text("No minute of the last 24 hours is stored")
    expect(panel.locator(CHARTS).first).to_be_hidden()
    room.in_memory_room.event_documents.put("onsale", {}, None, actor=ADA)
    fill(room, 2, "onsale")
    panel.get_by_label("Event ID", exact=True).fill("onsale")
    panel.get_by_role("button", name="Show event", exact=True).click()
    expect(panel.locator(NOTE)).to_have_text("")
    assert re.search(r"in the last (1 h 5\d min|2 h)", chart(panel, "Waiting"))


def test_an_error_is_shown_and_the_points_stay(room: ConsoleRoom, page: Page) -> None:
    fill(room, 3)
    page.clock.install(time=time.time() - 240)  # the clocks may differ by five minutes
    sign_in(page)
    expect(page.locator(NOTE)).to_have_text("")
    room.in_memory_room.history.fail("between", "before")
    page.clock.fast_forward(241_000)
    expect(page.locator(NOTE)).to_contain_text("The history could not be read")
    expect(page.locator(CHARTS).first).to_be_visible()
    page.clock.fast_forward(241_000)
    expect(page.locator(NOTE)).to_have_text("")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_small_phone(room: ConsoleRoom, browser: Browser, scheme: str) -> None:
    fill(room, 24)
    size = {"width": 320, "height": 640}
    with opened(browser, room.panel, viewport=size, color_scheme=scheme, has_touch=True) as page:
        sign_in(page)
        expect(page.locator(CHARTS)).to_have_count(4)
        page.get_by_text("Show the last 24 hours as a table").click()
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") == 0
        assert accessibility(page) == []


def test_keys_for_one_event_see_its_last_day(room: ConsoleRoom, page: Page) -> None:
    fill(room, 3)
    one_event_only(page, room, f"/events/{EVENT}", f"/events/{EVENT}/history?step=300")
    sign_in(page)
    expect(page.locator("#limited")).to_be_visible()
    expect(page.locator(CHARTS)).to_have_count(4)


def test_keys_without_the_history_say_so(room: ConsoleRoom, page: Page) -> None:
    one_event_only(page, room)
    sign_in(page)
    expect(page.locator(NOTE)).to_have_text("These keys may not read the history of this event.")
