# SPDX-License-Identifier: Apache-2.0
"""The console on the room that `make run` starts: an operator, visitors, the whole way."""

from __future__ import annotations

import json
import re
import time

import pytest
from playwright.sync_api import Page, expect

from tests.support.browser import accessibility
from tests.support.local_stack import RunningRoom

pytestmark = [pytest.mark.server, pytest.mark.browser]


def sign_in(page: Page, running: RunningRoom, secret: str = "") -> None:
    page.goto(running.endpoints["control_panel_url"])
    expect(page.get_by_label("Private API")).to_have_value(running.endpoints["private_api"])
    page.get_by_label("Access key ID").fill(running.endpoints["access_key_id"])
    page.get_by_label("Secret access key").fill(secret or running.endpoints["secret_access_key"])
    page.get_by_role("button", name="Sign in", exact=True).click()


def number(page: Page, name: str) -> int:
    return int((page.locator(f"[data-metric={name}]").text_content() or "").replace(",", ""))


def test_an_operator_lets_a_visitor_in_and_ends_the_visit(running: RunningRoom, page: Page) -> None:
    sign_in(page, running)
    expect(page.locator("#panel")).to_be_visible()
    visitor = running.join()
    place = running.position(visitor)
    page.get_by_role("button", name="Refresh", exact=True).click()
    expect(page.locator("[data-metric=queue]")).to_have_text(f"{place:,}")
    if place > (standing := number(page, "serving")):
        assert running.token(visitor).status_code == 202
        page.get_by_label("Any number").fill(str(place - standing))
        page.get_by_role("button", name="Admit", exact=True).click()
        expect(page.locator("[data-metric=serving]")).to_have_text(f"{place:,}")
    active = number(page, "active")
    assert running.token(visitor).status_code == 200
    page.get_by_role("button", name="Refresh", exact=True).click()
    expect(page.locator("[data-metric=active]")).to_have_text(f"{active + 1:,}")
    page.get_by_label("Reference, queue number or request ID").fill(visitor)
    page.get_by_role("button", name="Look up", exact=True).click()
    expect(page.locator("#visitor")).to_contain_text("has a valid token")
    page.get_by_role("button", name="Mark completed…").click()
    page.get_by_role("dialog").get_by_role("button", name="Mark completed").click()
    expect(page.locator("#visitor")).to_contain_text("Completed")
    assert running.token(visitor).status_code == 410
    expect(page.locator("#inlet-none")).to_contain_text("No inlet is running")
    assert accessibility(page) == []


def test_the_message_reaches_visitors_through_the_edge(running: RunningRoom, page: Page) -> None:
    sign_in(page, running)
    words = f"Doors open at {time.time():.0f}"
    page.get_by_label("Shown on the waiting page").fill(words)
    page.get_by_role("button", name="Publish").click()
    expect(page.locator("#message-now")).to_contain_text(words)
    end = time.monotonic() + 10  # the edge keeps an answer for a moment
    while running.ask("/status").json()["message"] != words:
        assert time.monotonic() < end
        time.sleep(0.2)
    page.get_by_role("button", name="Check the visitors’ view").click()
    expect(page.locator("[data-result=message]")).to_contain_text(words)
    page.get_by_role("button", name="Remove").click()
    expect(page.locator("[data-result=message]")).to_contain_text("Message removed")


def test_wrong_keys_and_a_wrong_clock_have_different_errors(
    running: RunningRoom, page: Page
) -> None:
    sign_in(page, running, "not the secret")
    error = page.locator("#sign-in-error")
    expect(error).to_contain_text("does not belong to this access key")
    page.clock.install(time=time.time() + 3_600)
    sign_in(page, running)
    expect(error).to_contain_text(re.compile("(1 h|59 min .*) ahead of the API’s"))
    page.get_by_role("button", name="Use the API’s time").click()
    expect(page.locator("#panel")).to_be_visible()


def test_an_event_created_at_run_time_is_chosen_and_controlled(
    running: RunningRoom, page: Page
) -> None:
    address = f"{running.endpoints['private_api']}/events/panel-sale"
    assert running.call("PUT", address, json.dumps({"title": "Panel sale"})).status_code == 201
    before = running.ask("/status").json()
    sign_in(page, running)
    page.locator("#event-list button", has_text="Panel sale").click()
    expect(page.locator("#event-title")).to_have_text("Panel sale")
    expect(page.locator("#event-phase")).to_have_text("Open")
    for action, phase in (("pause", "Paused"), ("resume", "Open"), ("close", "Closed")):
        expect(page.locator(f"[data-action={action}]:not([data-forbidden])")).to_be_enabled()
        page.locator(f"[data-action={action}]").click()
        page.get_by_role("dialog").locator("#confirm-yes").click()
        expect(page.locator("#event-phase")).to_have_text(phase)
    assert running.call("GET", address).json()["phase"] == "closed"
    assert running.ask("/status").json()["phase"] == before["phase"]
    assert running.call("DELETE", address).status_code == 200
    page.get_by_role("button", name="Refresh events").click()
    expect(page.locator("#event-list button", has_text="Panel sale")).to_have_count(0)
    assert accessibility(page) == []
