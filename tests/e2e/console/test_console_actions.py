# SPDX-License-Identifier: Apache-2.0
"""Changes that an operator makes in the console, in a real browser."""

from __future__ import annotations

import json
import time

import pytest
from playwright.sync_api import APIResponse, Page, Route, expect

from tests.support.browser import accessibility
from tests.support.in_memory_room import EVENT
from tests.support.pages.console_page import (
    FRAMES,
    answer,
    exported,
    logged,
    metric,
    sign_in,
    waited,
)
from tests.support.pages.console_room import ConsoleRoom
from waiting_room.domain.events.alarms import Alarm
from waiting_room.domain.visitor_lookup import reference_of
from waiting_room.inlet.strategies import Strategy

pytestmark = [pytest.mark.server, pytest.mark.browser]
UNKNOWN_REQUEST = "00000000-0000-4000-8000-000000000000"


def test_the_serving_position_moves_by_buttons_and_by_any_number(
    room: ConsoleRoom, panel: Page
) -> None:
    room.in_memory_room.visitors(200)
    panel.get_by_role("button", name="Admit 100 more").click()
    expect(answer(panel, "admit")).to_have_text("The serving position is now 100.")
    expect(metric(panel, "serving")).to_have_text("100")
    panel.get_by_label("Any number").fill("250")
    expect(panel.locator("#move-preview")).to_have_text(
        "100 → 350: 100 more visitors may enter; the next 150 visitors to join go straight in."
    )
    expect(panel.locator("#move-back-preview")).to_have_text(
        "Back: 100 → 0. Visitors 1 to 100 without a token wait again; tokens already issued stay "
        "valid."
    )
    expect(panel.get_by_role("button", name="Admit", exact=True)).to_be_enabled()
    panel.get_by_label("Any number").press("Enter")
    expect(panel.get_by_role("dialog")).to_contain_text(
        "Only 100 visitors wait behind the serving position; 100 visitors have their turn"
    )
    panel.get_by_role("dialog").get_by_role("button", name="Admit 250").click()
    expect(metric(panel, "serving")).to_have_text("350")
    expect(logged(panel)).to_contain_text("Admit 250. The serving position is now 350.")
    panel.get_by_label("Any number").fill("1.5")
    panel.get_by_role("button", name="Admit", exact=True).click()
    expect(answer(panel, "admit")).to_contain_text("Enter a whole number")
    expect(panel.get_by_label("Any number")).to_have_attribute("aria-invalid", "true")
    assert room.calls.count("POST /increment_serving_counter") == 2
    assert accessibility(panel) == []


def test_two_clicks_while_a_move_is_under_way_move_once(room: ConsoleRoom, panel: Page) -> None:
    panel.evaluate(
        "() => { const b = document.querySelector('[data-by=\"10\"]'); b.click(); b.click(); }"
    )
    expect(answer(panel, "admit")).to_have_text("The serving position is now 10.")
    assert room.calls.count("POST /increment_serving_counter") == 1


def test_a_double_click_and_a_key_that_is_held_move_once(room: ConsoleRoom, panel: Page) -> None:
    button = panel.get_by_role("button", name="Admit 10 more")
    expect(panel.locator("#event-phase")).to_have_text("Open")
    button.scroll_into_view_if_needed()
    box = button.bounding_box()
    assert box
    middle = (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    panel.mouse.click(*middle)
    expect(answer(panel, "admit")).to_have_text("The serving position is now 10.")
    # the buttons have rested: the second click of a double click is no press even then
    expect(button).to_be_enabled()
    panel.mouse.move(*middle)
    panel.mouse.down(click_count=2)
    panel.mouse.up(click_count=2)
    expect(button).to_be_enabled()
    button.focus()
    for _ in range(30):
        panel.keyboard.down("Enter")  # from the second one on, the key repeats
        panel.wait_for_timeout(33)
    panel.keyboard.up("Enter")
    expect(metric(panel, "serving")).to_have_text("20")
    assert room.calls.count("POST /increment_serving_counter") == 2
    assert room.in_memory_room.room.metrics.counts(EVENT).serving == 20


def test_a_move_far_beyond_those_who_wait_is_asked_about_and_undone(
    room: ConsoleRoom, panel: Page
) -> None:
    room.in_memory_room.visitors(110)
    panel.get_by_role("button", name="Admit 1,000 more").click()
    dialog = panel.get_by_role("dialog")
    expect(dialog).to_contain_text("Only 110 visitors are waiting. 0 → 1,000: 110 more visitors")
    assert "POST /increment_serving_counter" not in room.calls
    dialog.get_by_role("button", name="Admit 1,000").click()
    expect(answer(panel, "admit")).to_have_text("The serving position is now 1,000.")
    expect(metric(panel, "serving")).to_have_text("1,000")
    assert accessibility(panel) == []
    panel.get_by_role("button", name="Undo: move back by 1,000").click()
    expect(answer(panel, "admit")).to_have_text("The serving position is now 0.")
    expect(panel.locator("#undo-move")).to_be_hidden()
    assert room.in_memory_room.room.metrics.counts(EVENT).serving == 0
    panel.get_by_role("button", name="Admit 10 more").click()
    undo = panel.get_by_role("button", name="Undo: move back by 10")
    expect(undo).to_be_enabled()
    expect(metric(panel, "serving")).to_have_text("10")
    panel.get_by_role("button", name="Pause updates").click()
    room.in_memory_room.serve(7)  # by another operator
    undo.click()
    expect(answer(panel, "admit")).to_have_text(
        "Nothing was undone: the serving position has moved since, to 17."
    )
    assert room.in_memory_room.room.metrics.counts(EVENT).serving == 17


def test_a_move_that_may_have_been_made_is_sent_again_and_made_once(
    room: ConsoleRoom, panel: Page
) -> None:
    sent: list[str] = []

    def lose(route: Route) -> None:
        sent.append(route.request.post_data or "")
        if len(sent) == 1:
            route.fetch()  # the room made the move; its answer is lost
            route.abort()
        else:
            route.continue_()

    panel.route("**/increment_serving_counter", lose)
    panel.get_by_role("button", name="Admit 10 more").click()
    expect(answer(panel, "admit")).to_contain_text("It may have taken effect.")
    expect(answer(panel, "admit")).to_have_css("color", "rgb(122, 74, 0)")  # neither good nor bad
    assert accessibility(panel) == []
    panel.get_by_role("button", name="Send again").click()
    expect(answer(panel, "admit")).to_have_text("The serving position is now 10.")
    expect(panel.get_by_role("button", name="Send again")).to_be_hidden()
    assert room.in_memory_room.room.metrics.counts(EVENT).serving == 10
    assert sent[0] == sent[1]
    panel.get_by_role("button", name="Admit 10 more").click()
    expect(answer(panel, "admit")).to_have_text("The serving position is now 20.")
    assert json.loads(sent[2])["call_id"] != json.loads(sent[0])["call_id"]


def test_moving_back_and_large_moves_are_asked_about(room: ConsoleRoom, panel: Page) -> None:
    room.in_memory_room.visitors(50)
    room.in_memory_room.serve(40)
    panel.get_by_role("button", name="Refresh", exact=True).click()
    expect(metric(panel, "serving")).to_have_text("40")
    field, dialog = panel.get_by_label("Any number"), panel.get_by_role("dialog")
    field.fill("15")
    back = panel.get_by_role("button", name="Move back…")
    back.click()
    expect(dialog).to_contain_text("Back: 40 → 25. Visitors 26 to 40 without a token wait again")
    expect(dialog.get_by_role("button", name="Cancel")).to_be_focused()
    assert accessibility(panel) == []
    panel.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(back).to_be_focused()
    back.click()
    dialog.get_by_role("button", name="Move back").click()
    expect(answer(panel, "admit")).to_have_text("The serving position is now 25.")
    field.fill("20000")
    panel.get_by_role("button", name="Admit", exact=True).click()
    expect(dialog).to_contain_text("Admit 20,000?")
    dialog.get_by_role("button", name="Cancel").click()
    expect(dialog).to_be_hidden()
    assert room.calls.count("POST /increment_serving_counter") == 1


def test_the_message_is_set_seen_by_visitors_and_cleared(room: ConsoleRoom, panel: Page) -> None:
    field = panel.get_by_label("Shown on the waiting page")
    field.fill('<img src=x onerror="alert(1)"> =1+1')
    panel.get_by_role("button", name="Publish").click()
    expect(answer(panel, "message")).to_contain_text("Message published.")
    panel.get_by_role("button", name="Check the visitors’ view").click()
    expect(answer(panel, "message")).to_contain_text("Response time")
    expect(answer(panel, "message")).to_contain_text("<img src=x")
    assert panel.locator("main img").count() == 0
    field.fill("half a sent")
    room.in_memory_room.room.control.set_message(EVENT, "another operator wrote this")
    panel.get_by_role("button", name="Refresh", exact=True).click()
    waited(lambda: room.calls[-1] == "GET /metrics", panel)
    panel.wait_for_timeout(200)
    expect(field).to_have_value("half a sent")
    field.fill("x" * 501)
    expect(panel.locator("#message-left")).to_have_text("1 character too many.")
    panel.get_by_role("button", name="Publish").click()
    expect(answer(panel, "message")).to_contain_text("longer than 500")
    panel.get_by_role("button", name="Remove").click()
    expect(answer(panel, "message")).to_have_text("Message removed.")
    expect(field).to_have_value("")
    assert room.in_memory_room.room.metrics.status_page(EVENT)["message"] == ""


def test_a_visitor_is_looked_up_and_their_session_ended(room: ConsoleRoom, panel: Page) -> None:
    inside = room.admit(2)
    waiting = room.in_memory_room.visitors(3)
    panel.get_by_role("button", name="Refresh", exact=True).click()
    field, facts = (
        panel.get_by_label("Reference, queue number or request ID"),
        panel.locator("#visitor"),
    )
    field.fill(f"  {waiting[2].upper()} ")
    field.press("Enter")
    expect(facts).to_contain_text("Waiting")
    expect(facts).to_contain_text("3 positions")
    expect(panel.get_by_role("button", name="Mark completed…")).to_be_hidden()
    field.fill(inside[0])
    panel.get_by_role("button", name="Look up", exact=True).click()
    expect(facts).to_contain_text("has a valid token")
    assert accessibility(panel) == []
    panel.get_by_role("button", name="Mark completed…").click()
    panel.get_by_role("dialog").get_by_role("button", name="Mark completed").click()
    expect(answer(panel, "visitor")).to_have_text("The session is marked completed.")
    expect(facts).to_contain_text("Completed")
    field.fill(inside[1])
    field.press("Enter")
    expect(facts).to_contain_text("has a valid token")
    panel.get_by_role("button", name="Mark abandoned…").click()
    panel.get_by_role("dialog").get_by_role("button", name="Mark abandoned").click()
    expect(metric(panel, "abandoned")).to_have_text("1")
    for request_id, words in (
        (UNKNOWN_REQUEST, "No position belongs"),
        ("not an id", "Enter a reference"),
    ):
        field.fill(request_id)
        field.press("Enter")
        expect(answer(panel, "visitor")).to_contain_text(words)
        expect(facts).to_be_hidden()


def test_expired_tokens_are_listed_page_by_page_and_exported(
    room: ConsoleRoom, panel: Page
) -> None:
    expired = room.admit(120)
    room.in_memory_room.clock.now += 601
    panel.get_by_role("button", name="Show list").click()
    ids, where = panel.locator("#expired-list li code"), panel.locator("#expired-where")
    expect(ids).to_have_count(50)
    seen = ids.all_text_contents()
    assert accessibility(panel) == []
    forward = panel.get_by_role("button", name="Next")
    forward.click()
    expect(where).to_have_text("Page 2")
    seen += ids.all_text_contents()
    forward.click()
    expect(where).to_have_text("Page 3 (last page)")
    expect(ids).to_have_count(20)
    seen += ids.all_text_contents()
    assert sorted(seen) == sorted(expired)
    expect(forward).to_be_disabled()
    _, rows = exported(panel, "Export page (CSV)")
    assert [row["request_id"] for row in rows] == seen[100:]
    panel.get_by_role("button", name="Previous").click()
    expect(where).to_have_text("Page 2")
    assert ids.all_text_contents() == seen[50:100]
    panel.get_by_role("button", name=f"Look up {seen[50]}").click()
    expect(panel.locator("#visitor")).to_contain_text("Token expired")


def test_a_reset_wants_the_name_of_the_event(room: ConsoleRoom, panel: Page) -> None:
    inside = room.admit(3)
    room.in_memory_room.visitors(5)
    panel.get_by_label("Reference, queue number or request ID").fill(inside[0])
    panel.get_by_label("Reference, queue number or request ID").press("Enter")
    expect(panel.locator("#visitor")).to_be_visible()
    expect(metric(panel, "queue")).to_have_text("8")
    panel.get_by_label("Shown on the waiting page").fill("Doors at eight")
    panel.get_by_role("button", name="Publish").click()
    expect(answer(panel, "message")).to_contain_text("Message published")
    panel.get_by_role("button", name="Reset…").click()
    dialog = panel.get_by_role("dialog")
    expect(dialog).to_contain_text("5 visitors in the queue will lose their position")
    expect(dialog.get_by_label(f"Type {EVENT} to confirm")).to_be_focused()
    panel.keyboard.type("sample")
    panel.keyboard.press("Enter")
    expect(dialog.get_by_role("alert")).to_have_text(f"That is not {EVENT}.")
    assert accessibility(panel) == []
    assert "POST /reset_initial_state" not in room.calls
    dialog.get_by_label(f"Type {EVENT} to confirm").fill(EVENT)
    dialog.get_by_role("button", name="Reset this event").click()
    expect(answer(panel, "reset")).to_contain_text("The event was reset")
    expect(metric(panel, "queue")).to_have_text("0")
    expect(logged(panel)).to_contain_text("Message deleted by the reset.")
    expect(panel.locator("#log li").nth(1)).to_contain_text(f"Reset the event {EVENT}.")
    expect(panel.locator("#visitor")).to_be_hidden()  # that place was one of the line before


def test_a_reset_is_of_the_line_that_the_operator_saw(room: ConsoleRoom, page: Page) -> None:
    room.admit(3)
    sign_in(page)
    expect(metric(page, "queue")).to_have_text("3")
    page.get_by_role("button", name="Reset…").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("The queue was not reset before.")
    room.in_memory_room.room.control.reset(EVENT)  # by another operator, who was quicker
    room.in_memory_room.visitors(4)
    dialog.get_by_label(f"Type {EVENT} to confirm").fill(EVENT)
    dialog.get_by_role("button", name="Reset this event").click()
    expect(answer(page, "reset")).to_contain_text("Generation is not the current generation")
    page.get_by_role("button", name="Refresh", exact=True).click()
    expect(metric(page, "queue")).to_have_text("4")
    assert room.in_memory_room.room.metrics.counts(EVENT).generation == 2


def test_the_inlet_is_shown_retargeted_and_paused(room: ConsoleRoom, page: Page) -> None:
    targets = {"max_size": 120}
    said = {"last_at": int(time.time()), "last_increment": 9, "last_reason": "312 of 400 active"}
    room.run_inlet(Strategy.MAX_SIZE, targets, **said)
    sign_in(page)
    expect(page.locator("#inlet-what")).to_contain_text("MaxSize")
    expect(page.locator("#inlet-last")).to_contain_text("admitted 9 visitors (312 of 400 active)")
    expect(page.locator("#inlet-state")).to_have_text("Running")
    values = [field.input_value() for field in page.locator("#inlet-targets input").all()]
    assert values == ["120"]
    field = page.get_by_label("Visitors on the site, at most")
    expect(field).to_have_value("120")
    field.fill("many")
    page.get_by_role("button", name="Save targets").click()
    expect(answer(page, "inlet")).to_contain_text("max_size must be a whole number")
    expect(field).to_have_value("many")
    field.fill("90")
    page.get_by_role("button", name="Save targets").click()
    expect(answer(page, "inlet")).to_contain_text("visitors on the site, at most 90")
    page.get_by_role("button", name="Pause inlet").click()
    expect(page.locator("#inlet-state")).to_have_text("Paused")
    assert accessibility(page) == []
    record = room.inlets.read(EVENT)
    assert record
    assert (record.paused, record.targets["max_size"]) == (True, 90)
    page.get_by_role("button", name="Resume inlet").click()
    expect(page.locator("#inlet-state")).to_have_text("Running")


def test_what_another_operator_does_is_seen_within_one_refresh(
    room: ConsoleRoom, page: Page
) -> None:
    room.in_memory_room.visitors(50)
    room.run_inlet(Strategy.PERIODIC, {"increment_by": 10}, last_at=int(time.time()))
    sign_in(page)
    expect(page.locator("#inlet-state")).to_have_text("Running")
    page.get_by_label("Shown on the waiting page").fill("half a sent")
    room.in_memory_room.serve(20)
    room.in_memory_room.room.control.set_message(EVENT, "تبدأ الجولة عند الظهر")
    record = room.inlets.read(EVENT)
    assert record
    room.inlets.change(record, paused=True, targets={"increment_by": 7})
    page.get_by_role("button", name="Refresh", exact=True).click()
    expect(metric(page, "serving")).to_have_text("20")
    expect(page.locator("#moved-elsewhere")).to_contain_text("Moved from 0 to 20 by an inlet or")
    expect(page.locator("#message-now")).to_contain_text("تبدأ الجولة عند الظهر")
    expect(page.locator("#log")).to_contain_text("Message changed elsewhere")
    expect(page.locator("#inlet-state")).to_have_text("Paused")
    expect(page.get_by_label("Visitors per minute")).to_have_value("7")
    expect(page.get_by_label("Shown on the waiting page")).to_have_value("half a sent")


def test_a_reset_by_another_operator_is_noted(room: ConsoleRoom, panel: Page) -> None:
    room.in_memory_room.visitors(3)
    room.in_memory_room.room.control.reset(EVENT)
    panel.get_by_role("button", name="Refresh", exact=True).click()
    expect(logged(panel)).to_contain_text("Reset elsewhere. Generation 2 has started.")


def test_an_answer_about_the_inlet_from_before_a_change_is_not_shown(
    room: ConsoleRoom, page: Page
) -> None:
    room.run_inlet(Strategy.PERIODIC, {"increment_by": 10}, last_at=int(time.time()))
    sign_in(page)
    expect(page.locator("#inlet-state")).to_have_text("Running")
    page.get_by_role("button", name="Pause updates").click()
    held: list[tuple[Route, APIResponse]] = []

    def hold(route: Route) -> None:
        if route.request.method == "GET" and not held:
            held.append((route, route.fetch()))
        else:
            route.continue_()

    page.route("**/inlet**", hold)
    page.get_by_role("button", name="Refresh inlet").click()
    waited(lambda: bool(held), page)
    page.get_by_role("button", name="Pause inlet").click()
    expect(page.locator("#inlet-state")).to_have_text("Paused")
    waited(lambda: room.calls.count("GET /inlet") == 3, page)  # one more, after the change
    page.evaluate(FRAMES)
    route, response = held[0]
    with page.expect_event("requestfinished", lambda one: one == route.request):
        route.fulfill(response=response)
    page.evaluate(FRAMES)  # the page has read it by then
    expect(page.locator("#inlet-state")).to_have_text("Paused")


def test_the_alarm_that_holds_an_inlet_is_shown(room: ConsoleRoom, page: Page) -> None:
    now = int(time.time())
    watched = {"last_at": now, "alarm": "SiteErrors", "alarm_holds": True}
    room.run_inlet(Strategy.MAX_SIZE, {"max_size": 400}, alarm_state=Alarm.ALARM, **watched)
    sign_in(page)
    expect(page.locator("#inlet-state")).to_have_text("Held by alarm")
    expect(page.locator("#inlet-alarm")).to_have_text(
        "No one is admitted: alarm SiteErrors is in ALARM."
    )
    assert accessibility(page) == []


def test_a_visitor_is_found_by_what_they_read_out(room: ConsoleRoom, page: Page) -> None:
    visitors = room.in_memory_room.visitors(1_234)
    reference = reference_of(1_234, visitors[-1])
    sign_in(page)
    field, facts = (
        page.get_by_label("Reference, queue number or request ID"),
        page.locator("#visitor"),
    )
    for text in (f" {reference.lower().replace('-', ' – ')} ", "1,234", visitors[-1].upper()):
        field.fill(text)
        page.get_by_role("button", name="Look up", exact=True).click()
        expect(facts).to_contain_text(reference)
        expect(facts).to_contain_text(visitors[-1])
    wrong = f"1233-{reference[-4:]}"
    field.fill(wrong)
    field.press("Enter")
    expect(answer(page, "visitor")).to_contain_text("No visitor of this event has this reference")
    expect(facts).to_be_hidden()
    field.fill("ACCC-A4CC")
    field.press("Enter")
    expect(answer(page, "visitor")).to_contain_text("before the visitor had a queue number")
    assert visitors[-1] not in (page.locator("#log").text_content() or "")
