# SPDX-License-Identifier: Apache-2.0
"""The state of an event in the console: author, brake, alarms, what others did."""

from __future__ import annotations

import csv
import io
import time
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.browser import accessibility
from tests.support.in_memory_room import EVENT
from tests.support.pages.console_page import opened, sign_in, waited
from tests.support.pages.console_room import ConsoleRoom
from waiting_room.domain.actors import Actor, ActorKind
from waiting_room.domain.events.admission import AdmissionState
from waiting_room.domain.events.alarms import Alarm
from waiting_room.domain.events.history import MinuteTotals

pytestmark = [pytest.mark.server, pytest.mark.browser]
ADA = Actor(ActorKind.PERSON, "arn:aws:iam::1:user/ada")


def slowed(room: ConsoleRoom) -> None:
    """An event that ada paused; the brake is on, and an alarm of the room is in ALARM."""
    made, now = room.in_memory_room, int(time.time()) // 60 * 60
    made.event_documents.patch(EVENT, {"admission": {"strategy": "both"}}, None, actor=ADA)
    made.event_documents.act(EVENT, "pause", actor=ADA)
    made.alarms.known = {"Room-AdmitErrors1-2": Alarm.ALARM, "Room-Other1-2": Alarm.OK}
    before = made.admission.read(EVENT)
    state = AdmissionState(generation=1, at=float(now), credit=0.0, brake=0.25)
    made.admission.write(before, type(before)(EVENT, version=1, state=state))
    made.admission.report_alarm(EVENT, "SiteErrors", Alarm.ALARM, now)
    for number in range(3):
        at = now - 60 * (3 - number)
        totals = MinuteTotals(
            at, 1, 10 * number, 5 * number, 4 * number, 0, 5 * number, 7, at, 90, 300
        )
        made.history.put(EVENT, totals)


def test_the_state_comes_first_and_fits_one_screen(room: ConsoleRoom, browser: Browser) -> None:
    slowed(room)
    with opened(browser, room.panel, viewport={"width": 1280, "height": 800}) as page:
        sign_in(page)
        state = page.locator("#state-strip")
        expect(state).to_contain_text("Paused by ada")
        expect(state).to_contain_text("Slowed to 25 %: alarm SiteErrors is in ALARM")
        expect(state).to_contain_text("1 alarm in ALARM")
        expect(page.locator("#minute-p50")).to_have_text("1 min 30 s")
        expect(page.locator("#minute-arrived")).to_have_text("4")
        for place in ("#metrics", "#event-actions"):
            box = page.locator(place).bounding_box()
            assert box
            assert box["y"] >= 0
            assert box["y"] + box["height"] <= 800, place
        assert accessibility(page) == []


def test_what_others_did_is_shown_and_exported(room: ConsoleRoom, panel: Page) -> None:
    log = panel.locator("#audit-list")
    expect(log).to_contain_text("deployment")
    room.in_memory_room.event_documents.patch(EVENT, {"title": "Sale"}, None, actor=ADA)
    panel.get_by_role("button", name="Refresh events").click()
    expect(log.locator("li").first).to_contain_text("Changed: Title “” → “Sale”")
    with panel.expect_download() as download:
        panel.get_by_role("button", name="Export audit log").click()
    text = Path(download.value.path()).read_bytes().decode("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert rows[0]["who"].endswith("user/ada")


def test_an_opening_by_the_schedule_is_named_within_seconds(room: ConsoleRoom, page: Page) -> None:
    opens_at = int(time.time()) + 6
    room.in_memory_room.event_documents.put(
        "tour", {"schedule": {"opens_at": opens_at}}, None, actor=ADA
    )
    sign_in(page)
    page.locator("#event-list button", has_text="tour").click()
    author = page.locator("#state-strip dd").first
    expect(author).to_contain_text("Created by ada,")
    admit = page.get_by_role("button", name="Admit 1 more")
    expect(admit).to_have_accessible_description(
        "Admission is not possible before the opening. Open the event first."
    )
    expect(page.locator("#event-phase")).to_have_text("Open", timeout=12_000)
    expect(author).to_contain_text("Open by the schedule,", timeout=3_000)
    expect(admit).to_have_accessible_description("")


def test_a_change_in_a_refreshed_list_is_read_without_a_poll(
    room: ConsoleRoom, panel: Page
) -> None:
    expect(panel.locator("#event-facts")).to_contain_text("Version")
    panel.get_by_role("button", name="Pause updates").click()
    room.in_memory_room.event_documents.patch(EVENT, {"title": "Sale"}, None, actor=ADA)
    panel.get_by_role("button", name="Refresh events").click()
    expect(panel.locator("#event-title")).to_have_text("Sale")


def test_the_list_shows_waiting_and_rate_of_visible_events(room: ConsoleRoom, page: Page) -> None:
    for number in range(8):
        room.in_memory_room.event_documents.put(f"event-{number}", {}, None, actor=ADA)
    room.in_memory_room.visitors(7)
    asked: list[str] = []
    page.on("request", lambda one: asked.append(one.url) if "/status?" in one.url else None)
    sign_in(page)
    expect(page.locator("#event-list li").first).to_contain_text("waiting")
    expect(page.locator("#event-list li", has_text=EVENT)).to_contain_text("7 waiting")
    waited(lambda: len(asked) > 1, page)
    page.wait_for_timeout(3_500)
    assert len(asked) == len(set(asked)) <= 5, "only visible rows, each once in 30 s"
    assert not [one for one in asked if one.endswith(f"={EVENT}")], "it has the page's metrics"


def test_a_message_is_previewed_as_visitors_see_it(panel: Page) -> None:
    panel.get_by_label("Shown on the waiting page").fill("تُفتح الأبواب\nat noon")
    expect(panel.locator("#message-preview")).to_have_text("تُفتح الأبواب\nat noon")
    style = panel.locator("#message-preview").evaluate(
        "(one) => [getComputedStyle(one).direction, getComputedStyle(one).whiteSpace]"
    )
    assert style == ["rtl", "pre-line"]
