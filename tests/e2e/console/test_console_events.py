# SPDX-License-Identifier: Apache-2.0
"""The events in the console: list, choice of one, and its actions, in a real browser."""

from __future__ import annotations

import re
import time
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.browser import accessibility
from tests.support.in_memory_room import EVENT
from tests.support.pages.console_page import (
    FRAMES,
    answer,
    logged,
    metric,
    not_allowed,
    one_event_only,
    opened,
    sign_in,
    waited,
)
from tests.support.pages.console_room import ConsoleRoom
from waiting_room.domain.actors import Actor, ActorKind

pytestmark = [pytest.mark.server, pytest.mark.browser]
ADA = Actor(ActorKind.PERSON, "arn:aws:iam::1:user/ada")
ACTIONS = f"/events/{EVENT}/actions/"


def create(room: ConsoleRoom, event_id: str, **document: Any) -> None:
    room.in_memory_room.event_documents.put(event_id, document, None, actor=ADA)


def phase(room: ConsoleRoom, event_id: str = EVENT) -> str:
    return str(room.in_memory_room.event_documents.show(event_id)["phase"])


def row(page: Page, text: str) -> Any:
    return page.locator("#event-list button", has_text=text)


def act(page: Page, action: str, confirm: bool = True) -> None:
    page.locator(f"[data-action={action}]").click()
    page.get_by_role("dialog").locator("#confirm-yes" if confirm else "#confirm-no").click()


def test_events_are_listed_and_one_is_chosen(room: ConsoleRoom, page: Page) -> None:
    now = int(time.time())
    create(room, "tour", title="Spring tour", schedule={"opens_at": now + 5_400})
    create(room, "sale", title="Winter sale", schedule={"closes_at": now - 60})
    room.in_memory_room.visitors(7)
    sign_in(page)
    expect(page.locator("#event-list li")).to_have_count(3)
    expect(row(page, EVENT)).to_have_attribute("aria-current", "true")
    expect(row(page, "Spring tour")).to_contain_text(
        re.compile("Scheduled.*Opens in 1 h (29|30) min")
    )
    expect(row(page, "Winter sale")).to_contain_text("Closed")
    expect(metric(page, "queue")).to_have_text("7")
    page.get_by_label("Shown on the waiting page").fill("for Sample")
    row(page, "Spring tour").click()
    expect(page.locator("#event-title")).to_have_text("Spring tour")
    expect(page.locator("#event-phase")).to_have_text("Scheduled")
    expect(row(page, "Spring tour")).to_have_attribute("aria-current", "true")
    expect(metric(page, "queue")).to_have_text("0")
    expect(page.get_by_label("Shown on the waiting page")).to_have_value("")
    assert page.url.endswith("?event=tour")
    page.get_by_label("Shown on the waiting page").fill("Soon")
    page.get_by_role("button", name="Publish").click()
    expect(page.locator("#message-now")).to_contain_text("Soon")
    assert room.in_memory_room.event_documents.show("tour")["message"] == "Soon"
    assert room.in_memory_room.event_documents.show(EVENT)["message"] == ""
    expect(page.locator("#log")).to_contain_text("Show tour. Showing tour.")
    expect(page.locator("#inlet-none")).to_contain_text("No inlet is running")
    assert accessibility(page) == []


def test_the_address_names_the_event(room: ConsoleRoom, browser: Browser) -> None:
    create(room, "tour")
    with opened(browser, f"{room.panel}?event=tour") as page:
        expect(page.get_by_label("Event", exact=True)).to_have_value("tour")
        sign_in(page)
        expect(page.locator("#event-title")).to_have_text("tour")
        assert "GET /metrics" in room.calls
    with opened(browser, f"{room.panel}?event=%3Cb%3E") as page:
        expect(page.get_by_label("Event", exact=True)).to_have_value(EVENT)


def test_the_countdown_follows_the_clock_of_the_server(room: ConsoleRoom, page: Page) -> None:
    create(room, "tour", schedule={"opens_at": int(time.time()) + 240})
    page.clock.install(time=time.time() - 200)
    sign_in(page)
    row(page, "tour").click()
    right = re.compile("Opens in (4 min$|3 min (4|5).)")
    expect(page.locator("#event-next")).to_have_text(right)
    expect(row(page, "tour")).to_contain_text(right)
    room.in_memory_room.clock.now += 241
    page.clock.fast_forward(241_000)
    expect(page.locator("#event-phase")).to_have_text("Open")
    expect(row(page, "tour")).to_contain_text("Open")
    expect(page.locator("#event-next")).to_have_text("No scheduled change")
    expect(page.locator("#announce")).to_have_text("tour is open now.")


def test_an_action_is_confirmed_with_the_numbers_of_the_event(
    room: ConsoleRoom, panel: Page
) -> None:
    room.in_memory_room.visitors(12)
    room.in_memory_room.serve(5)
    panel.get_by_role("button", name="Refresh", exact=True).click()
    expect(metric(panel, "queue")).to_have_text("12")
    expect(panel.locator("#event-phase")).to_have_text("Open")
    panel.locator("[data-action=pause]").click()
    dialog = panel.get_by_role("dialog")
    expect(dialog).to_contain_text(f"Pause: {EVENT}?")
    expect(dialog).to_contain_text("Positions assigned: 12. Serving position: 5. Waiting: 12.")
    assert accessibility(panel) == []
    panel.keyboard.press("Escape")
    assert phase(room) == "open"
    act(panel, "pause")
    expect(answer(panel, "event")).to_have_text(f"{EVENT} is paused.")
    expect(panel.locator("#event-phase")).to_have_text("Paused")
    assert phase(room) == "paused"
    expect(panel.locator("[data-action=resume]")).to_be_enabled()
    act(panel, "resume")
    expect(answer(panel, "event")).to_have_text(f"{EVENT} is open.")
    for action, after in (
        ("pass_through", "pass-through"), ("queue", "open"), ("drain", "draining"),
        ("close", "closed"), ("open", "open"),
    ):  # fmt: skip
        expect(panel.locator(f"[data-action={action}]:not([data-forbidden])")).to_be_enabled()
        act(panel, action)
        expect(answer(panel, "event")).to_contain_text(f"{EVENT} is {after}.")
        expect(panel.locator("#undo-box")).to_be_visible(visible=action != "close")
        if action == "close":  # of a draining event
            expect(answer(panel, "event")).to_contain_text("There is no undo.")
    assert room.calls.count(f"POST {ACTIONS}close") == 1


def test_an_action_that_the_phase_forbids_shows_the_reason(room: ConsoleRoom, panel: Page) -> None:
    expect(panel.locator("#event-phase")).to_have_text("Open")
    button = panel.locator("[data-action=resume]")
    expect(button).to_have_accessible_description(
        "The event is open: only a paused event can be resumed."
    )
    button.click()
    expect(answer(panel, "event")).to_have_text(
        "The event is open: only a paused event can be resumed."
    )
    assert not [one for one in room.calls if one.startswith("POST")]
    room.in_memory_room.event_documents.act(EVENT, "close", actor=ADA)  # another operator
    act(panel, "pause")
    expect(answer(panel, "event")).to_have_text(
        "The event is closed, and this phase does not allow the change."
    )
    expect(panel.locator("#event-phase")).to_have_text("Closed")
    admit = panel.get_by_role("button", name="Admit 10 more")
    expect(admit).to_have_attribute("data-forbidden", "")
    admit.click()
    expect(answer(panel, "admit")).to_have_text(
        "Admission is not possible while the event is closed. Open it first."
    )
    assert "POST /increment_serving_counter" not in room.calls
    assert accessibility(panel) == []
    expect(panel.locator("[data-action=open]")).to_be_enabled()
    act(panel, "open")
    expect(answer(panel, "admit")).to_be_hidden()  # the reason is past
    expect(admit).not_to_have_attribute("data-forbidden", "")


def test_a_change_by_another_operator_is_shown(room: ConsoleRoom, panel: Page) -> None:
    expect(panel.locator("#event-phase")).to_have_text("Open")
    room.in_memory_room.event_documents.act(EVENT, "pause", actor=ADA)
    panel.get_by_role("button", name="Refresh", exact=True).click()
    expect(panel.locator("#event-phase")).to_have_text("Paused")
    panel.get_by_role("button", name="Refresh events").click()
    expect(row(panel, EVENT)).to_contain_text("Paused")


def test_an_operator_who_may_only_watch_gets_a_sentence(room: ConsoleRoom, panel: Page) -> None:
    expect(panel.locator("#event-phase")).to_have_text("Open")
    panel.route(f"{room.private}{ACTIONS}**", not_allowed)
    act(panel, "close")
    expect(answer(panel, "event")).to_contain_text("not allowed to do this")
    expect(logged(panel)).to_contain_text(f"Close: {EVENT}. These keys are valid")
    assert phase(room) == "open"


def test_an_operator_of_one_event_has_its_actions_only(room: ConsoleRoom, page: Page) -> None:
    create(room, "tour")
    room.in_memory_room.visitors(8)
    one_event_only(page, room)
    sign_in(page)
    expect(page.locator("#events-note")).to_have_text(
        "These keys are not allowed to list the events. Enter the event ID below."
    )
    expect(page.locator("#limited")).to_be_visible()
    expect(page.locator("#metrics")).to_be_hidden()
    expect(page.locator("#event-numbers")).to_contain_text("Positions assigned: 8.")
    assert accessibility(page) == []
    page.locator("[data-action=admit]").click()
    page.get_by_label("Number of visitors").fill("1.5")
    page.get_by_role("dialog").get_by_role("button", name="Admit visitors").click()
    expect(page.locator("#confirm-wrong")).to_contain_text("Enter a whole number from 1")
    page.get_by_label("Number of visitors").fill("3")
    page.keyboard.press("Enter")
    expect(answer(page, "event")).to_have_text("The serving position was raised by 3.")
    expect(page.locator("#event-numbers")).to_contain_text("Serving position: 3.")
    assert room.in_memory_room.room.metrics.counts(EVENT).serving == 3
    expect(page.locator("[data-action=reset]")).to_be_enabled()
    page.locator("[data-action=reset]").click()
    page.get_by_label(f"Type {EVENT} to confirm").fill(EVENT)
    page.keyboard.press("Enter")
    expect(answer(page, "event")).to_have_text(f"{EVENT} was reset.")
    assert room.in_memory_room.room.metrics.counts(EVENT).queue == 0
    page.get_by_label("Event ID").fill("tour")
    page.get_by_role("button", name="Show event").click()
    expect(answer(page, "events")).to_contain_text("not allowed to do this")
    expect(page.locator("#event-title")).to_have_text(EVENT)
    page.get_by_label("Event ID").fill("a/b")
    page.get_by_role("button", name="Show event").click()
    expect(answer(page, "events")).to_contain_text("Enter an event ID")


def test_more_than_a_hundred_events_are_on_pages(room: ConsoleRoom, page: Page) -> None:
    for number in range(150):
        create(room, f"e{number:03}")
    sign_in(page)
    expect(page.locator("#event-list li")).to_have_count(100)
    expect(page.locator("#events-where")).to_have_text("Events 1 to 100")
    page.get_by_role("button", name="Next events").click()
    expect(page.locator("#events-where")).to_have_text("Events 101 to 151")
    expect(page.get_by_role("button", name="Next events")).to_be_disabled()
    row(page, "e149").click()
    expect(page.locator("#event-title")).to_have_text("e149")
    page.get_by_role("button", name="Previous events").click()
    expect(page.locator("#events-where")).to_have_text("Events 1 to 100")
    assert sum(one == "GET /events" for one in room.calls) == 3


def test_a_room_without_events_says_so(room: ConsoleRoom, page: Page) -> None:
    page.route(
        f"{room.private}/events",
        lambda route: route.fulfill(
            json={"events": [], "now": int(time.time())},
            headers={"Access-Control-Allow-Origin": "*"},
        ),
    )
    sign_in(page)
    expect(page.locator("#events-note")).to_have_text("There are no events yet.")
    expect(page.locator("#events-paging")).to_be_hidden()


def test_a_deleted_and_an_unknown_event_have_a_sentence(room: ConsoleRoom, page: Page) -> None:
    create(room, "tour")
    sign_in(page)
    row(page, "tour").click()
    expect(page.locator("#event-title")).to_have_text("tour")
    expect(page.locator("#event-phase")).to_have_text("Open")
    unknown = {"error": "event_id is not an event of this waiting room"}
    page.route(
        f"{room.private}/metrics*",
        lambda route: (
            route.continue_()
            if route.request.method == "OPTIONS"
            else route.fulfill(
                status=400, json=unknown, headers={"Access-Control-Allow-Origin": "*"}
            )
        ),
    )
    read = room.calls.count("GET /events/tour")
    page.get_by_role("button", name="Refresh", exact=True).click()
    waited(lambda: room.calls.count("GET /events/tour") > read, page)
    page.evaluate(FRAMES)
    expect(page.locator("#event-phase")).to_have_text("Open")  # its document exists
    page.unroute_all()
    documents = room.in_memory_room.event_documents
    documents.act("tour", "close", actor=ADA)
    documents.delete("tour", None, actor=ADA)
    act(page, "close")
    gone = "This event no longer exists. Choose another event in the list."
    expect(answer(page, "event")).to_have_text(gone)
    expect(page.locator("#event-phase")).to_have_text("Deleted")
    expect(page.locator("#stale")).to_be_hidden()
    for line in page.locator("#state-strip dd").all()[:2]:
        expect(line).to_have_text("–")
    expect(page.locator("#undo-box")).to_be_hidden()
    expect(page.locator("#event-list li")).to_have_count(1)
    page.wait_for_timeout(700)  # the buttons have rested
    before = list(room.calls)
    for button in (page.locator("[data-action=open]"), page.get_by_role("button", name="Publish")):
        expect(button).to_have_attribute("data-forbidden", "")
        button.click()
    expect(answer(page, "message")).to_have_text(gone)
    page.wait_for_timeout(6_000)
    assert room.calls == before  # nothing of the deleted event is polled
    assert accessibility(page) == []
    page.get_by_label("Event ID").fill("nobody")
    page.get_by_role("button", name="Show event").click()
    expect(answer(page, "events")).to_contain_text("not an event of this waiting room")
    row(page, EVENT).click()
    expect(page.locator("#event-phase")).to_have_text("Open")
    expect(page.locator("#state-words")).to_contain_text("Live")
    expect(page.get_by_role("button", name="Publish")).not_to_have_attribute("data-forbidden", "")


def test_after_a_deletion_another_event_is_shown(room: ConsoleRoom, page: Page) -> None:
    create(room, "tour", title="Spring tour")
    create(room, "aaa")
    room.in_memory_room.visitors(7)
    sign_in(page)
    row(page, "Spring tour").click()
    expect(page.locator("#event-title")).to_have_text("Spring tour")
    act(page, "close")
    expect(answer(page, "event")).to_have_text("Spring tour (tour) is closed.")
    expect(page.get_by_role("button", name="Delete…")).to_be_enabled()
    page.get_by_role("button", name="Delete…").click()
    page.get_by_label("Type tour to confirm").fill("tour")
    page.keyboard.press("Enter")
    expect(answer(page, "event")).to_have_text(
        f"Spring tour (tour) was deleted. The console shows {EVENT} now."
    )
    expect(answer(page, "event")).to_be_visible()
    expect(page.locator("#event-title")).to_have_text(EVENT)
    expect(page.locator("#event-phase")).to_have_text("Open")
    expect(page.locator("#undo-box")).to_be_hidden()
    expect(page.locator("#stale")).to_be_hidden()
    expect(page.locator("#event-list li")).to_have_count(2)
    expect(row(page, EVENT)).to_contain_text("7 waiting")
    expect(page.locator("#state-strip dd").first).to_contain_text("Created by")
    assert page.url.endswith(f"?event={EVENT}")


def test_input_that_was_not_sent_is_kept_for_each_event(room: ConsoleRoom, page: Page) -> None:
    create(room, "tour")
    sign_in(page)
    expect(page.locator("#event-phase")).to_have_text("Open")
    fields = {
        "Shown on the waiting page": "half a sent",
        "Any number": "25",
        "Reference, queue number or request ID": "1234",
    }
    for label, text in fields.items():
        page.get_by_label(label).fill(text)
    row(page, "tour").click()
    expect(page.locator("#event-title")).to_have_text("tour")
    for label in fields:
        expect(page.get_by_label(label)).to_have_value("")
    page.get_by_label("Any number").fill("x")
    page.get_by_role("button", name="Admit", exact=True).click()
    expect(answer(page, "admit")).to_contain_text("Enter a whole number")
    page.get_by_label("Any number").fill("3")
    expect(answer(page, "admit")).to_be_hidden()
    row(page, EVENT).click()
    expect(page.locator("#event-title")).to_have_text(EVENT)
    for label, text in fields.items():
        expect(page.get_by_label(label)).to_have_value(text)
    expect(page.locator("#move-preview")).to_contain_text("0 → 25")


def test_offline_nothing_is_sent_and_the_next_attempt_is_at_once(
    room: ConsoleRoom, panel: Page
) -> None:
    expect(panel.locator("#event-phase")).to_have_text("Open")
    panel.context.set_offline(True)
    panel.get_by_label("Shown on the waiting page").fill("Soon")
    panel.get_by_role("button", name="Publish").click()
    expect(answer(panel, "message")).to_contain_text("offline, so nothing was sent.")
    expect(panel.get_by_label("Shown on the waiting page")).to_have_value("Soon")
    for _ in range(4):  # the pause before the next attempt gets longer
        panel.get_by_role("button", name="Refresh", exact=True).click()
        panel.wait_for_timeout(100)
    expect(panel.locator("#stale-words")).to_contain_text("Retrying in")
    expect(panel.locator("#upkeep")).to_have_css("font-style", "italic")
    expect(panel.locator("#minute-arrived")).to_have_css("font-style", "italic")
    panel.context.set_offline(False)
    expect(panel.locator("#stale")).to_be_hidden(timeout=3_000)
    assert room.in_memory_room.event_documents.show(EVENT)["message"] == ""


def test_an_unreachable_api_has_a_sentence(room: ConsoleRoom, panel: Page) -> None:
    expect(panel.locator("#event-phase")).to_have_text("Open")
    room.down = True
    act(panel, "pause")
    expect(answer(panel, "event")).to_contain_text("It may have taken effect.")
    panel.get_by_role("button", name="Refresh events").click()
    expect(answer(panel, "events")).to_be_visible()
    expect(row(panel, EVENT)).to_be_visible()
    room.down = False
    panel.get_by_role("button", name="Refresh", exact=True).click()
    expect(panel.locator("#stale")).to_be_hidden()
    assert phase(room) == "open"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("direction", ["ltr", "rtl"])
def test_events_fit_a_small_phone(
    room: ConsoleRoom, browser: Browser, scheme: Any, direction: str
) -> None:
    create(room, "x" * 64, title="W" * 100, schedule={"opens_at": int(time.time()) + 9_000_000})
    create(room, "rtl", title="حفلة الربيع الكبرى")
    size = {"width": 320, "height": 640}
    with opened(browser, room.panel, viewport=size, color_scheme=scheme, has_touch=True) as page:
        page.evaluate("(given) => { document.documentElement.dir = given }", direction)
        sign_in(page)
        row(page, "W" * 100).click()
        expect(page.locator("#event-phase")).to_have_text("Scheduled")
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") == 0
        assert accessibility(page) == []
        heights = {  # a shorter countdown moves nothing
            page.evaluate(
                "(text) => { const place = document.querySelector('#event-next');"
                " place.textContent = text; return place.offsetHeight; }",
                text,
            )
            for text in ("Opens in 1 s", "Passes visitors through in 44 min 21 s")
        }
        assert len(heights) == 1
        page.locator("[data-action=close]").click()
        expect(page.get_by_role("dialog")).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") == 0
        assert accessibility(page) == []


def test_nothing_moves_when_events_and_results_arrive(room: ConsoleRoom, page: Page) -> None:
    create(room, "tour", title="Spring tour", schedule={"opens_at": int(time.time()) + 5_400})
    held: list[Any] = []
    page.route(f"{room.private}/events", lambda route: held.append(route))
    sign_in(page)
    expect(page.locator("#event-phase")).to_have_text("Open")
    waited(lambda: bool(held), page)
    before = page.locator("#metrics").bounding_box()
    held[0].continue_()
    expect(page.locator("#event-list li")).to_have_count(2)
    page.locator("[data-action=resume]").click()
    expect(answer(page, "event")).to_be_visible()
    assert page.locator("#metrics").bounding_box() == before


def test_an_event_is_chosen_and_paused_from_the_keyboard(room: ConsoleRoom, page: Page) -> None:
    create(room, "tour")
    sign_in(page)
    row(page, "tour").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#event-title")).to_have_text("tour")
    expect(page.locator("#event-phase")).to_have_text("Open")
    expect(row(page, "tour")).to_be_focused()
    page.locator("[data-action=pause]").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#confirm-no")).to_be_focused()
    expect(page.locator("#confirm-yes")).to_be_enabled()  # a button that is not is skipped
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(answer(page, "event")).to_have_text("tour is paused.")
    expect(page.locator("[data-action=pause]")).to_be_focused()
    assert (phase(room, "tour"), phase(room)) == ("paused", "open")


def test_the_card_links_to_the_preview_of_the_waiting_page(panel: Page) -> None:
    link = panel.get_by_role("link", name="Preview its waiting page")
    expect(link).to_be_visible()
    assert link.get_attribute("href") == f"https://page.example/preview.html?event={EVENT}"
    assert link.get_attribute("target") == "_blank"
