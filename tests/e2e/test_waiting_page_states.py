# SPDX-License-Identifier: Apache-2.0
"""What the waiting page shows of a visit: hidden, reloaded, expired, busy; and its reference."""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import parse_qsl

import pytest
from playwright.sync_api import BrowserContext, Page, Route, expect

from tests.support.in_memory_room import EVENT
from tests.support.pages.waiting_page import Room, Served, enter, page, view

pytestmark = [pytest.mark.browser, pytest.mark.server]
AWAY = """
window.notified = [];
window.Notification = class {
  static permission = "granted";
  static requestPermission() { return Promise.resolve("granted"); }
  constructor(title, { body }) { window.notified.push(`${title}: ${body}`); }
};
Object.defineProperty(document, "hidden", { get: () => window.away === true });
"""
LEAVE = "window.away = true; document.dispatchEvent(new Event('visibilitychange'))"


@pytest.fixture
def context(context: BrowserContext) -> BrowserContext:
    """A profile that may use the clipboard."""
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    return context


@contextmanager
def opened(context: BrowserContext, script: str = "") -> Iterator[tuple[Page, Served]]:
    """The page in front of a room where nine others wait, its clock in the test's hands."""
    room = Room(status={"poll_after_seconds": 1})
    room.fill(9)
    with page(room) as served:
        tab = context.new_page()
        tab.add_init_script(script or "0")
        tab.clock.install()
        tab.goto(served.url)
        yield tab, served
        tab.close()


def inside(tab: Page, served: Served) -> None:
    enter(tab)
    served.room.serve(10)
    tab.reload()
    view(tab, "turn")
    tab.get_by_role("button", name="Check out now").click()
    view(tab, "inside")


@pytest.mark.parametrize(
    ("note", "shown"),
    [("form", "Your form was not received."), ("address", "too long to keep"), ("x", ""), ("", "")],
)
def test_the_page_shows_what_the_gate_has_lost(
    context: BrowserContext, note: str, shown: str
) -> None:
    with opened(context) as (tab, served):
        tab.goto(f"{served.url}?note={note}" if note else served.url)
        expect(tab.locator("#enter")).to_be_visible()
        lost = tab.locator("#failure")
        if not shown:
            expect(lost).to_be_hidden()
            return
        expect(lost).to_contain_text(shown)
        enter(tab)
        view(tab, "waiting")
        expect(lost).to_contain_text(shown)
        tab.get_by_label("Language").select_option("de")
        expect(lost).to_contain_text("sobald Sie auf der Website sind")


def test_a_hidden_tab_shows_the_turn_within_75_seconds_and_calls_who_wants_it(
    context: BrowserContext,
) -> None:
    with opened(context, AWAY) as (tab, served):
        enter(tab)
        tab.get_by_role("checkbox").check()
        icon = tab.locator("#icon")
        before = icon.get_attribute("href")
        tab.evaluate(LEAVE)
        served.room.serve(10)
        for _ in range(75):
            tab.clock.run_for(1000)
            tab.wait_for_timeout(20)
            if tab.title().startswith("●"):
                break
        assert tab.title() == "● It is your turn – Night of Lights"
        assert icon.get_attribute("href") != before
        assert tab.evaluate("notified") == ["Night of Lights: It is your turn"]


def test_a_visitor_who_is_in_is_in_after_a_reload_and_sees_the_session_end(
    context: BrowserContext,
) -> None:
    with opened(context) as (tab, served):
        inside(tab, served)
        left = tab.locator("#session")
        expect(left).to_have_text(re.compile(r"Time left: (1:00:00|59:\d\d)"))
        tab.reload()
        view(tab, "inside")
        expect(left).to_have_text(re.compile(r"Time left: (1:00:00|59:\d\d)"))
        tokens = served.room.calls["POST /generate_token"]
        tab.clock.fast_forward("30:00")
        expect(left).to_have_text(re.compile(r"Time left: (30:00|29:\d\d)"))
        assert served.room.calls["POST /generate_token"] == tokens
        served.room.clock.ahead += 3700
        tab.clock.fast_forward("31:00")
        expect(tab.get_by_role("heading")).to_have_text("Your session has expired", timeout=15_000)
        tab.reload()
        expect(tab.get_by_role("heading")).to_have_text("Your session has expired", timeout=15_000)
        tab.get_by_role("button", name="Join the line again").click()
        view(tab, "waiting")


def test_a_clock_that_was_set_forward_ends_no_session(context: BrowserContext) -> None:
    with opened(context) as (tab, served):
        inside(tab, served)
        tab.evaluate("{ const now = Date.now; Date.now = () => now() + 9_000_000; }")
        tab.clock.run_for(2000)
        view(tab, "inside")
        expect(tab.locator("#session")).to_have_text(re.compile(r"Time left: (1:00:00|59:\d\d)"))


def test_a_receipt_is_there_after_a_reload_until_the_next_visit(context: BrowserContext) -> None:
    with opened(context) as (tab, served):
        inside(tab, served)
        tab.get_by_role("button", name="Purchase now").click()
        view(tab, "receipt")
        order = tab.locator("#items dd").first.inner_text()
        tab.reload()
        view(tab, "receipt")
        expect(tab.locator("#items dd").first).to_have_text(order)
        second = context.new_page()  # the receipt is the tab's
        second.goto(served.url)
        view(second, "inside")


def test_every_state_of_a_visitor_with_a_place_has_a_reference_to_copy(
    context: BrowserContext,
) -> None:
    with opened(context) as (tab, served):
        view(tab, "outside")
        code = tab.locator("#reference-code")
        expect(code).to_be_hidden()
        served.room.fault = "slow"
        tab.get_by_role("button", name="Enter").click()
        expect(code).to_be_visible()
        view(tab, "placing")
        stored = tab.evaluate("localStorage['waiting-room:Sample']")
        check = f"{zlib.crc32(json.loads(stored)['request_id'].lower().encode()):08X}"
        expect(code).to_have_text(f"{check[:4]}-{check[4:]}")
        served.room.fault = ""
        served.room.work()
        reference = f"10-{check[4:]}"
        view(tab, "waiting")
        expect(code).to_have_text(reference)
        tab.get_by_role("button", name="Copy").click()
        expect(tab.get_by_role("button", name="Copied")).to_be_visible()
        assert tab.evaluate("navigator.clipboard.readText()") == reference
        served.room.serve(10)
        tab.reload()
        view(tab, "turn")
        expect(code).to_have_text(reference)
        tab.get_by_role("button", name="Check out now").click()
        view(tab, "inside")
        expect(code).to_have_text(reference)
        served.room.in_memory_room.room.control.reset("Sample")
        tab.reload()
        view(tab, "over")
        expect(code).to_have_text(reference)


def test_a_join_that_has_to_wait_says_that_it_is_busy_and_for_how_long(
    context: BrowserContext,
) -> None:
    with opened(context) as (tab, served):
        view(tab, "outside")
        served.room.fault = "busy"
        served.room.retry_after = 120
        tab.get_by_role("button", name="Enter").click()
        view(tab, "placing")
        said = tab.locator("#trouble-text")
        expect(said).to_have_text(
            re.compile(r"The waiting room is very busy\. Trying again in [12]:\d\d\.")
        )
        before = said.inner_text()
        tab.clock.run_for(3000)
        assert said.inner_text() != before
        assert served.room.calls["POST /assign_queue_num"] == 1


def test_the_bar_is_seen_in_forced_colours(context: BrowserContext) -> None:
    with opened(context) as (tab, served):
        enter(tab)
        served.room.serve(5)
        tab.reload()
        view(tab, "waiting")
        tab.emulate_media(forced_colors="active")
        bar = tab.locator("#progress")

        def picture(progress: float) -> bytes:
            bar.evaluate("(one, value) => { one.value = value }", progress)
            return bar.screenshot()

        assert picture(0) != picture(1)


def test_what_a_browser_translated_stays_translated_until_it_changes(
    context: BrowserContext,
) -> None:
    with opened(context) as (tab, served):
        enter(tab)
        tab.evaluate(
            "for (const part of document.querySelectorAll('#ahead-label, dt'))"
            " part.innerHTML = '<font>vertaald</font>'"
        )
        served.room.serve(5)
        tab.clock.run_for(10_000)
        expect(tab.locator("[data-value=before]")).to_have_text("4")
        for part in tab.locator("#ahead-label, [data-view=waiting] dt").all():
            expect(part).to_have_text("vertaald")
        served.room.serve(4)
        tab.clock.run_for(10_000)
        expect(tab.locator("#ahead-label")).to_have_text("You are next")


AT_GATE, OTHER_GATE = "https://shop.example/_waiting-room/session", "https://shop.example/enter"


@pytest.mark.parametrize(
    ("entrance", "own", "query", "sent"),
    [
        (
            AT_GATE,
            "other",
            f"event={EVENT}&to=%2Fcart%3Fa%3D1",
            {"event": EVENT, "to": "/cart?a=1"},
        ),
        (AT_GATE, "other", f"event={EVENT}", {"event": EVENT, "to": "/"}),
        (AT_GATE, EVENT, "event=a/b&to=%2F", {"event": EVENT, "to": "/"}),
        (AT_GATE, EVENT, "", {"event": EVENT, "to": "/"}),
        (OTHER_GATE, EVENT, "event=other", {}),
        (OTHER_GATE, EVENT, "event=other&to=%2Fcart", {"event": EVENT, "to": "/cart"}),
    ],
)
def test_at_a_gate_the_page_is_that_of_the_event_in_its_address(
    context: BrowserContext, entrance: str, own: str, query: str, sent: dict[str, str]
) -> None:
    """One page serves all events of a protected host."""
    room = Room()
    with page(room, entrance=entrance) as served:
        served.config.update(event_id=own, openid="https://openid.example/api")  # unused here
        tab = context.new_page()
        forms: list[str] = []

        def shop(route: Route) -> None:
            forms.append(route.request.post_data or "")
            route.fulfill(body="shop")

        tab.route("https://shop.example/**", shop)
        tab.goto(f"{served.url}?{query}")
        enter(tab)
        served.room.serve(10)
        tab.reload()
        view(tab, "turn")
        tab.get_by_role("button", name="Check out now").click()
        expect(tab.locator("body")).to_have_text("shop")
        form = dict(parse_qsl(forms[0]))
        assert form.pop("token")
        assert form == sent
        tab.close()
