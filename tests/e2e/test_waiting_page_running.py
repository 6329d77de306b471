# SPDX-License-Identifier: Apache-2.0
"""The whole story on the running stack: visitors in browsers, and an operator."""

from __future__ import annotations

import json
import re
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.benchmarks.many_pages import run
from tests.support.local_stack import RunningRoom

pytestmark = pytest.mark.server
CALLBACK = "http://127.0.0.1:8080/callback"  # registered by default; nobody listens there
SECONDS = 15_000  # ms that a step may take on a busy machine


@pytest.fixture
def line(running: RunningRoom) -> RunningRoom:
    """The running room with a new line."""
    assert running.private("POST", "/reset_initial_state").status_code == 200
    return running


def opened(context: BrowserContext, room: RunningRoom, **query: str) -> Page:
    tab = context.new_page()
    tab.set_default_timeout(SECONDS)
    tab.goto(room.endpoints["waiting_room_url"] + (f"?{urlencode(query)}" if query else ""))
    return tab


def enter(tab: Page) -> int:
    """Join, and the place."""
    tab.get_by_role("button", name="Enter the waiting room").click()
    return place(tab)


def place(tab: Page) -> int:
    number = tab.locator("[data-view=waiting] [data-value=number]")
    while True:  # a number that was shown may give way to the dash of the next join
        expect(number).to_have_text(re.compile(r"\d"), timeout=30_000)
        if (shown := number.inner_text()) != "–":
            return int(shown.replace(",", ""))


def buy(tab: Page) -> str:
    """Check out and buy; the order number."""
    tab.get_by_role("button", name="Check out now").click(timeout=2 * SECONDS)
    tab.get_by_role("button", name="Purchase now").click()
    expect(tab.get_by_role("heading")).to_have_text("Thank you for your purchase", timeout=SECONDS)
    return tab.locator("#items dd").first.inner_text()


@pytest.mark.browser
def test_two_visitors_and_an_operator(browser: Browser, line: RunningRoom) -> None:
    first, second = (browser.new_context(locale="en-GB") for _ in range(2))
    one, other = opened(first, line), opened(second, line)
    assert (enter(one), enter(other)) == (1, 2)
    line.private("POST", "/update_message", {"message": "Doors open now"})
    line.serve(1)
    order = buy(one)
    assert order.startswith("order-")
    other.reload()
    expect(other.locator("main").get_by_text("Doors open now")).to_be_visible(timeout=SECONDS)
    assert place(other) == 2
    expect(other.locator("[data-value=serving]")).to_have_text("1")
    line.serve(1)
    expect(other.get_by_role("timer")).to_have_text(
        re.compile("Continue within 14:"), timeout=2 * SECONDS
    )
    assert buy(other) != order
    line.private("POST", "/update_message", {"message": ""})
    first.close()
    second.close()


@pytest.mark.browser
def test_a_place_outlives_reload_tab_and_outage(visitor: BrowserContext, line: RunningRoom) -> None:
    tab = opened(visitor, line)
    number = enter(tab)
    tab.reload()
    assert place(tab) == number
    second = opened(visitor, line)
    assert place(second) == number
    tab.close()
    api = f"{line.endpoints['public_api']}/**"
    visitor.route(api, lambda route: route.abort())
    second.reload()
    trouble = second.locator("main").get_by_text("The waiting room is not responding")
    expect(trouble).to_be_visible(timeout=SECONDS)
    second.wait_for_timeout(3000)
    line.serve(1)
    visitor.unroute(api)
    assert buy(second).startswith("order-")
    expect(trouble).to_be_hidden()


@pytest.mark.browser
def test_a_reset_during_the_wait(visitor: BrowserContext, line: RunningRoom) -> None:
    tab = opened(visitor, line)
    enter(tab)
    line.private("POST", "/reset_initial_state")
    expect(tab.get_by_role("heading")).to_have_text(
        "The line has been restarted", timeout=3 * SECONDS
    )
    tab.get_by_role("button", name="Join the line again").click()
    assert place(tab) == 1


@pytest.mark.browser
def test_nobody_gets_in_with_a_request_id_alone(visitor: BrowserContext, line: RunningRoom) -> None:
    tab = opened(visitor, line)
    enter(tab)
    stored = json.loads(tab.evaluate("localStorage['waiting-room:Sample']"))
    line.serve(1)
    assert line.token(stored["request_id"]).status_code == 403
    secret = stored["client_secret"]
    assert line.token(stored["request_id"], client_secret=secret).status_code == 200


def login(line: RunningRoom) -> str:
    """Where an OpenID client sends a visitor."""
    asked = {
        "client_id": line.event_id, "redirect_uri": CALLBACK, "response_type": "code",
        "scope": "openid", "state": "state-1", "nonce": "nonce-1",
    }  # fmt: skip
    return f"{line.endpoints['openid_issuer']}/authorize?{urlencode(asked)}"


@pytest.mark.browser
def test_who_came_from_an_openid_client_waits_and_goes_back_with_a_code(
    visitor: BrowserContext, line: RunningRoom
) -> None:
    tab = visitor.new_page()
    tab.set_default_timeout(SECONDS)
    tab.goto(login(line))
    assert place(tab) == 1  # they asked to come in already
    with tab.expect_request(re.compile(re.escape(CALLBACK)), timeout=2 * SECONDS) as back:
        line.serve(1)
    sent = parse_qs(urlsplit(back.value.url).query)
    assert sent["state"] == ["state-1"]
    assert sent["code"][0]
    # the visit ends, they come again: explained, instead of sent around in circles
    tab.close()
    tab = opened(visitor, line)
    stored = json.loads(tab.evaluate("localStorage['waiting-room:Sample']"))
    assert stored["request_id"] not in str(sent)
    ended = {"request_id": stored["request_id"], "status": 1}
    assert line.private("POST", "/update_session", ended).status_code == 200
    tab.goto(login(line))
    expect(tab.get_by_role("heading")).to_have_text("Your session has ended", timeout=SECONDS)


def test_five_hundred_pages_cost_the_origin_one_status_a_second(line: RunningRoom) -> None:
    polls = run(line, 500, 50, 20)
    print(polls)
    assert polls.phases == {"waiting": 500}
    assert polls.polls > 500
    assert polls.origin_calls <= polls.seconds + 1
