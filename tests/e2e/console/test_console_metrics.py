# SPDX-License-Identifier: Apache-2.0
"""Metrics, charts and their age in the console, in a real browser."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.support.browser import accessibility
from tests.support.in_memory_room import EVENT
from tests.support.pages.console_page import (
    FRAMES,
    answer,
    exported,
    logged,
    metric,
    opened,
    refuse,
    sign_in,
    waited,
)
from tests.support.pages.console_room import ConsoleRoom

pytestmark = [pytest.mark.server, pytest.mark.browser]
EXPIRED = "The security token included in the request is expired"


def test_the_metrics_are_those_of_the_room(room: ConsoleRoom, page: Page) -> None:
    inside = room.admit(20)
    room.in_memory_room.room.sessions.end(EVENT, inside[0], 1)
    room.in_memory_room.room.sessions.end(EVENT, inside[1], -1)
    room.in_memory_room.visitors(30)
    room.in_memory_room.serve(5)
    sign_in(page)
    expect(metric(page, "admissionRate")).not_to_have_text(re.compile("^(0|–)$"))
    expect(page.locator("[data-note=waiting]")).to_contain_text("Last visitor’s turn in about")
    shown = {
        name: metric(page, name).text_content()
        for name in (
            "serving", "waiting", "openTurns", "active", "queue", "completed", "abandoned",
            "expiredTokens", "positionsExpired",
        )
    }  # fmt: skip
    assert shown == {
        "serving": "25", "waiting": "30", "openTurns": "5", "active": "18", "queue": "50",
        "completed": "1", "abandoned": "1", "expiredTokens": "0", "positionsExpired": "0",
    }  # fmt: skip
    room.in_memory_room.clock.now += 601
    room.in_memory_room.serve(975)
    page.get_by_role("button", name="Refresh", exact=True).click()
    expect(metric(page, "serving")).to_have_text("1,000")
    expect(metric(page, "openTurns")).to_have_text("30")
    expect(metric(page, "expiredTokens")).to_have_text("18")
    expect(page.locator("[data-note=serving]")).to_contain_text("950 past the end of the queue")


def test_metrics_that_are_not_kept_up_are_marked_with_their_age(
    room: ConsoleRoom, page: Page
) -> None:
    room.admit(3)
    sign_in(page)
    expect(metric(page, "queue")).to_have_text("3")
    expect(page.locator("#not-kept-up")).to_be_hidden()
    expect(page.locator("#upkeep")).to_contain_text("Sweep: ")
    assert page.locator("[data-stale]").count() == 0
    room.in_memory_room.clock.now += 480
    page.get_by_role("button", name="Refresh", exact=True).click()
    words = page.locator("#not-kept-up")
    expect(words).to_contain_text("Not up to date: Waiting, Open turns, Expired turns.")
    expect(words).to_contain_text("Last sweep: 8 min")
    marked = {one.get_attribute("data-metric") for one in page.locator("[data-stale]").all()}
    assert marked == {"waiting", "openTurns", "positionsExpired"}
    assert accessibility(page) == []
    room.in_memory_room.room.workers.minute_jobs.run(EVENT)
    page.get_by_role("button", name="Refresh", exact=True).click()
    expect(words).to_be_hidden()
    assert page.locator("[data-stale]").count() == 0


def test_each_refresh_is_one_call_and_a_hidden_page_makes_none(
    room: ConsoleRoom, browser: Browser
) -> None:
    with opened(browser, room.panel) as page:
        page.clock.install()
        page.reload()
        expect(page.locator("#private-api")).not_to_have_value("")
        sign_in(page)
        expect(page.locator("#inlet-none")).to_contain_text("No inlet is running")
        waited(lambda: "GET /events/Sample/history" in room.calls, page)
        page.clock.fast_forward(1_100)  # the last calls of the sign-in
        waited(lambda: "GET /alarms" in room.calls, page)
        page.wait_for_timeout(200)
        del room.calls[:]
        for number in range(4):
            page.clock.fast_forward(5_100)
            waited(lambda number=number: room.calls.count("GET /metrics") > number, page)
            page.wait_for_timeout(100)
        assert room.calls.count("GET /metrics") == 4
        others = {"GET /alarms": 2, f"GET /events/{EVENT}/audit": 1}
        assert all(room.calls.count(one) <= most for one, most in others.items())
        assert set(room.calls) <= {"GET /metrics", *others}
        del room.calls[:]
        see(page, "hidden")
        page.clock.fast_forward(60_000)
        page.wait_for_timeout(200)
        assert room.calls == []
        see(page, "visible")
        waited(lambda: "GET /metrics" in room.calls, page)
        expect(page.locator("#state")).to_contain_text("Live")
        expect(page.locator("#announce")).to_be_empty()  # nobody was told of stale metrics


def see(page: Page, state: str) -> None:
    """The page goes out of sight, or comes back."""
    page.evaluate(
        """(state) => {
            Object.defineProperty(document, 'visibilityState', {value: state, configurable: true});
            document.dispatchEvent(new Event('visibilitychange'));
        }""",
        state,
    )


def test_while_the_api_is_down_the_last_metrics_stay_and_say_their_age(
    room: ConsoleRoom, panel: Page
) -> None:
    room.in_memory_room.visitors(7)
    panel.get_by_role("button", name="Refresh", exact=True).click()
    expect(metric(panel, "waiting")).to_have_text("7")
    room.down = True
    panel.get_by_role("button", name="Refresh", exact=True).click()
    banner = panel.locator("#stale")
    expect(banner).to_contain_text("The API cannot be reached")
    expect(banner).to_contain_text(re.compile(r"The metrics are \d+ s old"))
    expect(banner).to_contain_text("Retrying in")
    expect(panel.locator("#state")).to_contain_text("Out of date")
    expect(metric(panel, "waiting")).to_have_text("7")
    assert accessibility(panel) == []
    panel.get_by_role("button", name="Admit 1 more").click()
    expect(answer(panel, "admit")).to_contain_text("It may have taken effect")
    expect(logged(panel)).to_contain_text("Unconfirmed")
    room.down = False
    banner.get_by_role("button", name="Try now").click()
    expect(banner).to_be_hidden()
    expect(
        panel.get_by_role("button", name="Refresh", exact=True)
    ).to_be_focused()  # not lost with the bar
    expect(panel.locator("#state")).to_contain_text("Live")
    assert accessibility(panel) == []


def test_keys_that_expire_during_the_event_are_renewed_without_losing_the_log(
    room: ConsoleRoom, panel: Page
) -> None:
    panel.get_by_role("button", name="Admit 10 more").click()
    expect(answer(panel, "admit")).to_be_visible()
    refuse(panel, room, EXPIRED)
    panel.get_by_role("button", name="Refresh", exact=True).click()
    banner = panel.locator("#stale")
    expect(banner).to_contain_text("The session token has expired")
    assert accessibility(panel) == []
    banner.get_by_role("button", name="Sign in again").click()
    panel.unroute_all()
    sign_in(panel)
    expect(panel.locator("#log")).to_contain_text("Admit 10")
    expect(banner).to_be_hidden()


def test_updates_can_be_paused(room: ConsoleRoom, panel: Page) -> None:
    panel.get_by_role("button", name="Pause updates").click()
    expect(panel.locator("#state")).to_contain_text("Paused")
    assert accessibility(panel) == []
    panel.get_by_role("button", name="Pause updates").click()
    expect(panel.locator("#state")).to_contain_text("Live")


def test_charts_have_their_values_in_words_and_in_a_table(room: ConsoleRoom, panel: Page) -> None:
    room.in_memory_room.visitors(40)
    panel.get_by_role("button", name="Refresh", exact=True).click()
    expect(metric(panel, "waiting")).to_have_text("40")
    waiting = panel.get_by_role(
        "img", name=re.compile("^Waiting: Waiting now 40, between 0 and 40")
    )
    expect(waiting).to_have_count(1)
    expect(panel.locator("#charts canvas")).to_have_count(3)
    expect(panel.locator("#charts").get_by_role("figure")).to_have_count(3)
    panel.get_by_text("Show as a table").click()
    expect(panel.locator("#metrics-rows tr").first).to_contain_text("40")
    panel.get_by_role("radio", name="12 h").check()
    expect(waiting).to_have_count(1)
    assert accessibility(panel) == []


def test_metrics_and_log_are_exported(room: ConsoleRoom, panel: Page) -> None:
    room.in_memory_room.visitors(3)
    panel.get_by_role("button", name="Admit 1 more").click()
    expect(metric(panel, "queue")).to_have_text("3")
    name, rows = exported(panel, "Export metrics (CSV)")
    assert re.fullmatch(rf"{EVENT}-metrics-[\d-]+T\d+Z\.csv", name)
    assert len(rows) >= 2
    assert (rows[-1]["queue_size"], rows[-1]["serving_position"]) == ("3", "1")
    _, rows = exported(panel, "Export log (CSV)")
    assert [row["action"] for row in rows] == ["Sign in", "Admit 1"]


def test_an_older_answer_is_never_shown_after_a_newer_one(room: ConsoleRoom, panel: Page) -> None:
    room.in_memory_room.visitors(5)
    old = panel.request.get(f"{room.private}/metrics")  # no metrics: not signed
    assert old.status == 403
    kept: list[dict[str, Any]] = []

    def keep(route: Route) -> None:
        if route.request.method == "OPTIONS":
            route.continue_()
            return
        if not kept:
            answered = route.fetch()
            kept.append({"response": answered, "body": answered.body()})
            route.fulfill(**kept[0])
            return
        headers = {**kept[0]["response"].headers, "date": "Tue, 24 Nov 2020 09:00:00 GMT"}
        body = {**json.loads(kept[0]["body"])}
        body.pop("now", None)
        route.fulfill(status=200, headers=headers, body=json.dumps(body))

    panel.route("**/metrics*", keep)
    refresh = panel.get_by_role("button", name="Refresh", exact=True)
    refresh.click()
    expect(metric(panel, "queue")).to_have_text("5")
    panel.unroute_all()
    room.in_memory_room.visitors(5)
    refresh.click()
    expect(metric(panel, "queue")).to_have_text("10")
    panel.route("**/metrics*", keep)
    with panel.expect_event("requestfinished", lambda one: one.method == "GET"):
        refresh.click()
    panel.evaluate(FRAMES)
    expect(metric(panel, "queue")).to_have_text("10")
