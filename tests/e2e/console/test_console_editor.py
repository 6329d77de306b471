# SPDX-License-Identifier: Apache-2.0
"""Creating, copying, editing, deleting and undoing in the console, in a real browser."""

from __future__ import annotations

import time
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.support.browser import accessibility
from tests.support.in_memory_room import EVENT
from tests.support.pages.console_page import answer, refuse, sign_in
from tests.support.pages.console_room import ConsoleRoom
from waiting_room.domain.actors import Actor, ActorKind

pytestmark = [pytest.mark.server, pytest.mark.browser]
ADA = Actor(ActorKind.PERSON, "arn:aws:iam::1:user/ada")


def document(room: ConsoleRoom, event_id: str = EVENT) -> dict[str, Any]:
    return room.in_memory_room.event_documents.show(event_id)


def show_changes(page: Page) -> Any:
    page.get_by_role("button", name="Show changes").click()
    return page.locator("#editor")


def begin(page: Page) -> None:
    expect(page.locator("#event-phase")).to_have_text("Open")
    page.get_by_role("button", name="Edit…").click()
    expect(page.locator("#editor")).to_be_visible()


def test_an_event_is_edited_and_the_edit_is_undone(room: ConsoleRoom, panel: Page) -> None:
    room.in_memory_room.visitors(12)
    panel.get_by_role("button", name="Refresh", exact=True).click()
    expect(panel.locator("[data-metric=waiting]")).to_have_text("12")
    begin(panel)
    assert accessibility(panel) == []
    panel.get_by_label("Title", exact=True).fill("Spring sale")
    panel.get_by_label("Rate", exact=True).fill("many")
    editor = show_changes(panel)
    expect(editor.locator("[aria-invalid]")).to_be_focused()
    wrong = editor.locator(".field .wrong")
    expect(wrong).to_have_text("Enter a whole number from 0 to 1,000,000.")
    panel.get_by_label("Rate", exact=True).fill("300")
    show_changes(panel)
    expect(editor).to_contain_text(f"2 changes of {EVENT}, version 1")
    expect(editor).to_contain_text("Now: 12 waiting, serving position 0 of 12. Active: 0.")
    expect(editor.locator("tbody tr")).to_have_count(2)
    assert accessibility(panel) == []
    panel.get_by_role("button", name="Save changes").click()
    expect(panel.locator("#editor")).to_be_hidden()
    expect(panel.locator("#event-title")).to_have_text("Spring sale")
    assert document(room)["admission"]["per_minute"] == 300
    expect(answer(panel, "event")).to_have_text(f"Spring sale ({EVENT}) was saved.")
    expect(answer(panel, "event")).to_be_in_viewport()
    expect(panel.locator("#undo-words")).to_contain_text("What visitors did meanwhile")
    panel.get_by_role("button", name="Undo: restore version 1").click()
    expect(answer(panel, "event")).to_contain_text("Undone")
    assert (document(room)["version"], document(room)["title"]) == (3, "")
    expect(panel.locator("#undo-box")).to_be_hidden()


def test_a_refusal_is_in_the_window_at_its_field(room: ConsoleRoom, panel: Page) -> None:
    panel.set_viewport_size({"width": 1280, "height": 800})
    begin(panel)
    panel.locator("summary", has_text="Session at the gate").click()
    panel.locator("summary", has_text="Waiting page").click()
    panel.get_by_label("Colours: Text", exact=True).fill("#dddddd")
    panel.locator("summary", has_text="Waiting page").click()
    editor = show_changes(panel)
    field = panel.get_by_label("Colours: Text", exact=True)
    expect(field).to_be_focused()
    wrong = editor.locator(".field", has=field).locator(".wrong")
    expect(wrong).to_be_in_viewport()
    expect(wrong).to_contain_text("Text #dddddd on card #ffffff has a contrast of 1.4.")
    expect(editor.locator(".summary")).to_contain_text("One field must be corrected.")
    assert accessibility(panel) == []
    field.fill("")
    expect(editor.locator(".wrong")).to_have_count(0)
    # a rule that only the API knows
    panel.locator("summary", has_text="Bypass").click()
    panel.get_by_label("Bypass").fill('[{"path": "/*"}]')
    show_changes(panel)
    panel.get_by_role("button", name="Save changes").click()
    expect(panel.get_by_label("Bypass")).to_be_focused()
    wrong = editor.locator(".field", has=panel.get_by_label("Bypass")).locator(".wrong")
    expect(wrong).to_be_in_viewport()
    expect(wrong).to_contain_text("“Bypass”, entry 1 would open the whole site")
    expect(answer(panel, "editor")).to_be_hidden()
    # what the operator opened stays open
    expect(panel.get_by_label("Renew every")).to_be_visible()


def test_a_conflict_names_the_other_operator_and_keeps_what_was_typed(
    room: ConsoleRoom, panel: Page
) -> None:
    begin(panel)
    panel.get_by_label("Title", exact=True).fill("Mine")
    panel.get_by_label("Rate", exact=True).fill("300")
    theirs = {"title": "Theirs", "token": {"valid_for": 60}}
    room.in_memory_room.event_documents.patch(EVENT, theirs, None, actor=ADA)
    editor = show_changes(panel)
    panel.get_by_role("button", name="Save changes").click()
    expect(editor).to_contain_text("was made by ada")
    expect(editor.locator("[data-conflict]")).to_have_count(1)
    assert accessibility(panel) == []
    panel.get_by_role("button", name="Keep mine without the conflicts").click()
    expect(editor).to_contain_text("1 change of")
    panel.get_by_role("button", name="Save changes").click()
    expect(editor).to_be_hidden()
    found = document(room)
    assert (found["title"], found["admission"]["per_minute"]) == ("Theirs", 300)
    assert found["token"] == {"valid_for": 60}


def test_input_survives_an_expired_sign_in_and_a_lost_connection(
    room: ConsoleRoom, panel: Page
) -> None:
    begin(panel)
    panel.get_by_label("Title", exact=True).fill("Typed before")
    refuse(panel, room, "The security token included in the request is expired")
    panel.get_by_role("button", name="Refresh", exact=True).click()
    panel.get_by_role("button", name="Sign in again").click()
    panel.unroute(f"{room.private}/**")
    sign_in(panel)
    expect(panel.get_by_label("Title", exact=True)).to_have_value("Typed before")
    editor = show_changes(panel)
    room.down = True
    panel.get_by_role("button", name="Save changes").click()
    expect(answer(panel, "editor")).to_contain_text("It may have taken effect")
    room.down = False
    panel.get_by_role("button", name="Save changes").click()
    expect(editor).to_be_hidden()
    assert document(room)["title"] == "Typed before"
    begin(panel)
    panel.get_by_label("Title", exact=True).fill("Not saved")
    panel.get_by_role("button", name="Sign out").click()
    expect(panel.get_by_role("dialog")).to_contain_text("your input is not saved")
    panel.keyboard.press("Escape")
    expect(panel.get_by_label("Title", exact=True)).to_have_value("Not saved")


def test_an_event_is_created_copied_and_deleted(room: ConsoleRoom, panel: Page) -> None:
    panel.get_by_role("button", name="Create event").click()
    editor = show_changes(panel)
    expect(editor).to_contain_text("Enter an event ID")
    panel.get_by_label("New event ID").fill("onsale")
    opens = int(time.time()) // 60 * 60 + 86_400
    local = panel.evaluate(
        "(at) => new Date(at * 1000 - new Date().getTimezoneOffset() * 6e4).toISOString()", opens
    )
    panel.get_by_label("Opening", exact=True).fill(local[:16])
    panel.get_by_label("Pre-queue", exact=True).fill(f"2099{local[4:16]}")
    show_changes(panel)
    wrong = editor.locator(".field", has_text="Pre-queue").locator(".wrong")
    expect(wrong).to_have_text("“Pre-queue” must not be after “Opening”.")
    panel.get_by_label("Pre-queue", exact=True).fill("")
    expect(editor.locator(".wrong")).to_have_count(0)
    panel.locator("summary", has_text="Protected addresses").click()
    panel.get_by_label("Protected addresses").fill('[{"path": "/checkout"}]')
    show_changes(panel)
    panel.get_by_role("button", name="Create event", exact=True).click()
    expect(panel.locator("#event-phase")).to_have_text("Scheduled")
    expect(answer(panel, "event")).to_have_text("onsale was saved.")
    assert panel.url.endswith("?event=onsale")
    assert document(room, "onsale")["schedule"]["opens_at"] == opens
    panel.get_by_role("button", name="Delete…").click()
    expect(answer(panel, "event")).to_contain_text("Close the event first")
    panel.locator("[data-action=close]").click()
    panel.locator("#confirm-yes").click()
    expect(panel.locator("#event-phase")).to_have_text("Closed")
    panel.get_by_role("button", name="Delete…").click()
    expect(answer(panel, "event")).to_contain_text("Remove the rules")
    panel.get_by_role("button", name="Copy…").click()
    panel.get_by_label("New event ID").fill("copy")
    panel.locator("summary", has_text="Protected addresses").click()
    panel.get_by_label("Protected addresses").fill("")
    show_changes(panel)
    panel.get_by_role("button", name="Create event", exact=True).click()
    expect(panel.locator("#event-phase")).to_have_text("Scheduled")
    panel.locator("[data-action=close]").click()
    panel.locator("#confirm-yes").click()
    expect(panel.locator("#event-phase")).to_have_text("Closed")
    panel.get_by_role("button", name="Delete…").click()
    panel.get_by_label("Type copy to confirm").fill("copy")
    panel.keyboard.press("Enter")
    expect(answer(panel, "event")).to_have_text("copy was deleted.")
    expect(panel.locator("#event-list li")).to_have_count(2)


def test_an_action_is_undone(room: ConsoleRoom, panel: Page) -> None:
    expect(panel.locator("#event-phase")).to_have_text("Open")
    panel.locator("[data-action=pause]").click()
    panel.locator("#confirm-yes").click()
    expect(panel.locator("#event-phase")).to_have_text("Paused")
    expect(panel.locator("#undo-box")).to_contain_text("Offered for")
    panel.get_by_role("button", name="Undo: resume").click()
    expect(panel.locator("#event-phase")).to_have_text("Open")
    expect(panel.locator("#undo-box")).to_be_hidden()
    panel.locator("[data-action=pause]").click()
    panel.locator("#confirm-yes").click()
    expect(panel.locator("#undo-box")).to_be_visible()
    room.in_memory_room.event_documents.act(EVENT, "close", actor=ADA)  # another operator
    panel.get_by_role("button", name="Refresh", exact=True).click()
    expect(panel.locator("#event-phase")).to_have_text("Closed")
    expect(panel.locator("#undo-box")).to_be_hidden()
