# SPDX-License-Identifier: Apache-2.0
"""The preview of the waiting page: each state with the brand of an event, without a room."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.browser import accessibility
from tests.support.pages.waiting_page import PAGE, Room, Served, enter, page, view

pytestmark = [pytest.mark.browser, pytest.mark.server]
VIEWS = {
    "outside": "outside", "scheduled": "event", "pre-queue": "outside", "pass-through": "outside",
    "draining": "event", "closed": "event", "unknown": "event", "placing": "placing",
    "waiting": "waiting", "waiting-opening": "waiting", "near": "waiting", "next": "waiting",
    "paused": "waiting", "message": "waiting", "busy": "waiting", "unreachable": "waiting",
    "offline": "waiting", "portal": "waiting", "turn": "turn", "inside": "inside",
    "expired": "over", "session-expired": "over", "ended": "over", "reset": "over",
}  # fmt: skip
TROUBLE = {
    "busy": "very busy", "unreachable": "not responding", "offline": "offline", "portal": "sign in",
}  # fmt: skip
WORDS = {
    "near": "Almost your turn", "next": "You are next", "paused": "Admission is paused",
    "message": "12 people a minute", "closed": "Sold out", "draining": "No more entries",
    "waiting-opening": "Admission begins in", "expired": "Your turn has passed",
    "reset": "restarted", "pass-through": "no line at the moment",
}  # fmt: skip


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    room = Room()
    room.in_memory_room.room.workers.setup.run()
    room.fill(9)
    room.change(title="Summer sale", page=PAGE)
    with page(room) as found:
        yield found


@pytest.fixture(scope="module")
def tab(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 360, "height": 740})
    yield context.new_page()
    context.close()


def test_the_list_of_the_preview_has_each_state_once(tab: Page, served: Served) -> None:
    tab.goto(f"{served.url}preview.html")
    found = tab.locator("#preview-state option").evaluate_all("all => all.map((one) => one.value)")
    assert found == list(VIEWS)


@pytest.mark.parametrize("state", VIEWS)
def test_each_state_is_shown_with_the_brand_of_the_event(
    tab: Page, served: Served, state: str
) -> None:
    before = dict(served.room.calls)
    tab.goto(f"{served.url}preview.html?state={state}")
    view(tab, VIEWS[state])
    expect(tab.locator("#name")).to_contain_text("Nordlicht")
    accent = tab.evaluate("document.documentElement.style.getPropertyValue('--accent')")
    assert accent == "#8a1c3b"
    if state in TROUBLE:
        expect(tab.locator("#trouble-text")).to_contain_text(TROUBLE[state])
    else:
        expect(tab.locator("#trouble")).to_be_hidden()
    if state in WORDS:
        expect(tab.locator("main")).to_contain_text(WORDS[state])
    assert accessibility(tab) == []
    assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth")
    called = {name for name, count in served.room.calls.items() if count > before.get(name, 0)}
    assert called <= {"GET /page"}, "only the page of the event comes from the room"


def test_the_toolbar_can_be_read_in_dark_mode(browser: Browser, served: Served) -> None:
    context = browser.new_context(color_scheme="dark", viewport={"width": 1280, "height": 800})
    tab = context.new_page()
    tab.goto(f"{served.url}preview.html?state=waiting")
    view(tab, "waiting")
    assert accessibility(tab) == []
    color, background = tab.locator("#preview-state").evaluate(
        "one => [getComputedStyle(one).color, getComputedStyle(one).backgroundColor]"
    )
    assert (color, background) == ("rgb(22, 26, 35)", "rgb(255, 255, 255)")
    context.close()


def test_the_buttons_lead_to_the_next_and_the_previous_state(tab: Page, served: Served) -> None:
    tab.goto(f"{served.url}preview.html?state=turn")
    tab.get_by_role("button", name="Next").click()
    view(tab, "inside")
    tab.get_by_role("button", name="Previous").click()
    view(tab, "turn")
    tab.get_by_label("State").select_option("Closed")
    view(tab, "event")
    expect(tab.get_by_role("heading", name="Sold out")).to_be_visible()


def test_the_preview_leaves_the_position_of_a_visitor_alone(tab: Page, served: Served) -> None:
    tab.goto(served.url)
    kept = "localStorage.getItem('waiting-room:preview2')"
    tab.evaluate("localStorage.setItem('waiting-room:preview2', 'a position')")
    enter(tab)
    number = tab.locator("[data-view=waiting] [data-value=number]").text_content()
    for state in ("reset", "inside", "outside"):
        tab.goto(f"{served.url}preview.html?event=Sample&state={state}")  # the console's link
        view(tab, VIEWS[state])
    tab.get_by_role("button", name="Enter").click()
    view(tab, "waiting")
    expect(tab.locator("[data-view=waiting] [data-value=number]")).to_have_text("1,284")
    tab.goto(served.url)
    view(tab, "waiting")
    expect(tab.locator("[data-view=waiting] [data-value=number]")).to_have_text(str(number))
    assert tab.evaluate(kept) == "a position"


def test_the_preview_of_an_unknown_event_says_so(tab: Page, served: Served) -> None:
    tab.goto(f"{served.url}preview.html?event=nothing&state=waiting")
    view(tab, "waiting")
    expect(tab.locator("#preview-note")).to_contain_text("The page of nothing cannot be read")
    expect(tab.locator("#name")).to_have_text("Night of Lights")
