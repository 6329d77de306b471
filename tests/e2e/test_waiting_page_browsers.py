# SPDX-License-Identifier: Apache-2.0
"""The waiting page in browsers that are old, lack something, refuse it, or got half of the page."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs

import pytest
from playwright.sync_api import BrowserContext, Page, Route, expect

from tests.support.openid_room import Reply
from tests.support.pages.waiting_page import Room, listening, page

pytestmark = [pytest.mark.browser, pytest.mark.server]
OLD = "Please use a current browser with JavaScript, and reload this page."
LOST = "This page did not load completely."
# A syntax that no browser reads stands for one that this browser is too old for.
UNREADABLE = {"content_type": "text/javascript", "body": "let a = 1 ?.?. 2;"}
PORTAL = {"content_type": "text/html", "body": "<h1>Sign in to this network</h1>"}
WITHOUT = """
for (const name of ["AudioContext", "webkitAudioContext", "Notification"]) delete window[name];
for (const name of ["vibrate", "wakeLock", "clipboard", "locks"])
  Object.defineProperty(Navigator.prototype, name, { value: undefined });
"""
THROWING = """
const refuse = () => { throw new DOMException("refused", "SecurityError"); };
for (const name of ["AudioContext", "webkitAudioContext", "Notification", "localStorage",
                    "sessionStorage"])
  Object.defineProperty(window, name, { get: refuse });
for (const name of ["vibrate", "wakeLock", "clipboard"])
  Object.defineProperty(Navigator.prototype, name, { get: refuse });
"""


def room() -> Room:
    """A room where nine others wait."""
    made = Room(status={"poll_after_seconds": 1})
    made.fill(9)
    return made


def view(tab: Page, name: str) -> None:
    expect(tab.locator(f'[data-view="{name}"]')).to_be_visible(timeout=20_000)


@pytest.mark.parametrize(
    ("file", "what"),
    [
        ("page.js", "portal"),
        ("view.js", "lost"),
        ("words/en.json", "lost"),
        ("config.json", "portal"),
    ],
)
def test_a_file_that_does_not_arrive_is_fetched_again(
    context: BrowserContext, file: str, what: str
) -> None:
    tries: list[str] = []

    def once(route: Route) -> None:
        tries.append(route.request.url)
        if len(tries) > 1:
            route.continue_()
        elif what == "lost":
            route.abort()
        else:
            route.fulfill(status=200, **PORTAL)

    with page(room()) as served:
        tab = context.new_page()
        tab.route(f"**/{file}*", once)
        tab.goto(served.url)
        view(tab, "outside")
        expect(tab.locator("#trouble")).to_be_hidden()
        assert len(tries) > 1
        tab.close()


def test_a_page_whose_modules_stay_away_says_so_and_goes_on_trying(
    context: BrowserContext,
) -> None:
    with page(room()) as served:
        tab = context.new_page()
        tab.route("**/page.js*", lambda route: route.fulfill(status=200, **PORTAL))
        tab.goto(served.url)
        expect(tab.get_by_text(LOST)).to_be_visible()
        tab.get_by_role("button", name="Try now").click()
        tab.unroute("**/page.js*")
        expect(tab.get_by_role("button", name="Try now")).to_be_enabled()
        tab.get_by_role("button", name="Try now").click()
        view(tab, "outside")
        tab.close()


def test_the_stylesheet_shows_a_start_that_no_script_watches(
    context: BrowserContext,
) -> None:
    with page(room()) as served:
        tab = context.new_page()
        tab.route("**/*.js*", lambda route: route.abort())
        tab.goto(served.url)
        late = tab.get_by_text(
            "Please use a current browser with JavaScript, and reload this page."
        )
        expect(late).to_be_hidden()
        tab.evaluate("document.getAnimations().forEach((one) => one.finish())")
        expect(late).to_be_visible()
        tab.close()


@pytest.mark.parametrize(
    "missing", ["String.prototype.replaceAll", "HTMLScriptElement.prototype.noModule"]
)
def test_an_unsupported_browser_gets_a_message(context: BrowserContext, missing: str) -> None:
    with page(room()) as served:
        tab = context.new_page()
        tab.add_init_script(f"delete {missing}")
        tab.route("**/page.js*", lambda route: route.fulfill(status=200, **UNREADABLE))
        tab.goto(served.url)
        expect(tab.get_by_text(OLD)).to_be_visible()
        expect(tab.get_by_role("button")).to_have_count(0)
        expect(tab.locator("#card")).to_be_hidden()
        tab.close()


@pytest.mark.parametrize("lacking", [WITHOUT, THROWING], ids=["missing", "throwing"])
def test_no_extra_that_is_missing_or_throws_stops_a_visitor(
    context: BrowserContext, lacking: str
) -> None:
    errors: list[str] = []
    with page(room()) as served:
        tab = context.new_page()
        tab.on("pageerror", lambda error: errors.append(str(error)))
        tab.add_init_script(lacking)
        tab.goto(served.url)
        tab.get_by_role("button", name="Enter").click()
        view(tab, "waiting")
        tab.get_by_role("checkbox").check()
        expect(tab.get_by_text("neither sound nor notifications")).to_be_visible()
        served.room.serve(10)
        tab.evaluate("dispatchEvent(new Event('online'))")  # the page asks at once
        view(tab, "turn")
        expect(tab.locator("#trouble")).to_be_hidden()
        tab.get_by_role("button", name="Check out now").click()
        tab.get_by_role("button", name="Purchase now").click()
        view(tab, "receipt")
        tab.close()
    assert errors == []


def test_an_alert_that_was_kept_does_not_keep_a_visitor_from_going_back(
    context: BrowserContext,
) -> None:
    forms: list[dict[str, list[str]]] = []

    def provider(method: str, path: str, query: str, headers: Any, body: str) -> Reply:
        forms.append(parse_qs(body))
        return Reply(200, {"Content-Type": "text/plain"}, "Welcome")

    with listening(provider) as issuer, page(room(), openid=f"{issuer}/api") as served:
        tab = context.new_page()
        tab.add_init_script(WITHOUT)
        tab.add_init_script("localStorage['waiting-room:Sample:alert'] = 'on'")
        tab.goto(f"{served.url}?transaction=sealed")
        view(tab, "waiting")
        expect(tab.get_by_role("checkbox")).to_be_checked()
        served.room.serve(10)
        tab.evaluate("dispatchEvent(new Event('online'))")  # the page asks at once
        expect(tab.get_by_text("Welcome")).to_be_visible(timeout=20_000)
        tab.close()
    assert forms[0]["transaction"] == ["sealed"]


def test_a_box_that_the_browser_restored_is_no_choice(context: BrowserContext) -> None:
    with page(room()) as served:
        tab = context.new_page()
        tab.route(
            "**/words/en.json",
            lambda route: (
                tab.evaluate("document.getElementById('alert').checked = true"),
                route.continue_(),
            )[1],
        )
        tab.goto(served.url)
        tab.get_by_role("button", name="Enter").click()
        view(tab, "waiting")
        expect(tab.get_by_role("checkbox")).not_to_be_checked()
        tab.get_by_role("checkbox").check()
        tab.unroute("**/words/en.json")
        tab.reload()
        view(tab, "waiting")
        expect(tab.get_by_role("checkbox")).to_be_checked()
        tab.close()
