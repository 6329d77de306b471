# SPDX-License-Identifier: Apache-2.0
"""Loading of the console, sign-in and sign-out, in a real browser."""

from __future__ import annotations

import re
import time

import pytest
from playwright.sync_api import Browser, Dialog, Page, expect

from tests.support.browser import accessibility
from tests.support.in_memory_room import EVENT
from tests.support.pages.console_page import (
    answer,
    metric,
    opened,
    sign_in,
    waited,
)
from tests.support.pages.console_room import KEY, SECRET, ConsoleRoom

pytestmark = [pytest.mark.server, pytest.mark.browser]


def test_the_form_is_prefilled_and_keys_open_the_panel(room: ConsoleRoom, page: Page) -> None:
    expect(page.get_by_label("Event", exact=True)).to_have_value(EVENT)
    expect(page.get_by_label("Region")).to_have_value("eu-central-1")
    expect(page.get_by_label("Private API")).to_have_value(room.private)
    expect(page.get_by_label("Public API")).to_have_value(room.public)
    assert accessibility(page) == []
    room.in_memory_room.visitors(3)
    sign_in(page)
    expect(metric(page, "queue")).to_have_text("3")
    expect(page).to_have_title(f"{EVENT} · Console")
    expect(page.locator("main")).to_be_focused()
    assert accessibility(page) == []


@pytest.mark.parametrize(
    ("key", "secret", "words", "focused"),
    [
        (KEY, "wrong", "secret access key does not belong to this access key", "sign-in-error"),
        ("", SECRET, "Enter the access key ID", "access-key"),
        ("ASIATEMPORARYKEY0000", SECRET, "need their session token", "session-token"),
    ],
)
def test_wrong_keys_are_told_in_words(
    page: Page, key: str, secret: str, words: str, focused: str
) -> None:
    sign_in(page, key, secret, inside=False)
    expect(page.locator("#sign-in-error")).to_contain_text(words)
    expect(page.locator("#panel")).to_be_hidden()
    expect(page.locator(f"#{focused}")).to_be_focused()
    assert accessibility(page) == []


def test_a_wrong_clock_is_measured_and_can_be_worked_around(
    room: ConsoleRoom, browser: Browser
) -> None:
    with opened(browser, room.panel) as page:
        page.clock.install(time=time.time() - 20 * 60)
        page.reload()
        expect(page.locator("#private-api")).not_to_have_value("")
        sign_in(page, inside=False)
        banner = page.locator("#sign-in-error")
        expect(banner).to_contain_text("behind the API’s")
        expect(banner).to_contain_text(re.compile(r"\b(19 min \d+ s|20 min)"))
        assert accessibility(page) == []
        banner.get_by_role("button", name="Use the API’s time").click()
        expect(page.locator("#panel")).to_be_visible()
        page.get_by_role("button", name="Admit 10 more").click()
        expect(answer(page, "admit")).to_have_text("The serving position is now 10.")


def test_the_page_calls_no_address_that_its_deployment_does_not_name(
    room: ConsoleRoom, browser: Browser
) -> None:
    context = browser.new_context()
    page = context.new_page()
    page.goto(room.panel)
    expect(page.locator("#private-api")).not_to_have_value("")
    page.get_by_label("Private API").fill("https://elsewhere.example/api")
    sign_in(page, inside=False)
    expect(page.locator("#sign-in-error")).to_contain_text("only the addresses that its deployment")
    context.close()


def test_keys_are_in_no_store_no_page_and_no_address(room: ConsoleRoom, page: Page) -> None:
    sent: list[str] = []
    page.on(
        "request",
        lambda one: sent.append(f"{one.url} {one.all_headers()} {one.post_data}"),
    )
    page.get_by_label("Session token").fill("session+token/kept=nowhere")
    sign_in(page)
    page.get_by_role("button", name="Admit 1 more").click()
    expect(answer(page, "admit")).to_be_visible()
    kept = page.evaluate(
        """async () => JSON.stringify([
            {...localStorage}, {...sessionStorage}, document.cookie, window.name, history.state,
            await indexedDB.databases(), await caches.keys(), location.href,
            document.documentElement.outerHTML,
            [...document.querySelectorAll('input, textarea')].map((field) => field.value),
            Object.keys(window).filter((name) => {
                try { return JSON.stringify(window[name])?.includes('s3cret'); }
                catch { return false; }
            }),
        ])"""
    )
    for secret in (SECRET, "session+token/kept=nowhere"):
        assert secret not in kept
    assert KEY not in kept
    assert any("x-amz-security-token" in one for one in sent)  # it was used, and only there
    assert not any(SECRET in one for one in sent)
    assert page.context.cookies() == []
    page.reload()
    expect(page.get_by_label("Access key ID")).to_have_value("")
    expect(page.get_by_label("Secret access key")).to_have_value("")
    expect(page.locator("#panel")).to_be_hidden()


def test_a_page_that_is_kept_for_going_back_keeps_no_keys(room: ConsoleRoom, panel: Page) -> None:
    panel.evaluate("window.dispatchEvent(new PageTransitionEvent('pagehide', {persisted: true}))")
    expect(panel.locator("#panel")).to_be_hidden()
    before = len(room.calls)
    panel.evaluate("document.querySelector('[data-by]').click()")
    panel.wait_for_timeout(200)
    assert len(room.calls) == before


def test_signing_out_forgets_everything(room: ConsoleRoom, panel: Page) -> None:
    panel.get_by_role("button", name="Admit 1 more").click()
    expect(answer(panel, "admit")).to_be_visible()
    panel.get_by_role("button", name="Sign out").click()
    expect(panel.locator("#sign-in-view")).to_be_visible()
    expect(panel.get_by_label("Access key ID")).to_be_focused()
    before = len(room.calls)
    panel.wait_for_timeout(300)
    assert len(room.calls) == before
    sign_in(panel)
    expect(panel.locator("#log li")).to_have_count(1)


def test_a_reload_asks_before_the_keys_are_dropped(room: ConsoleRoom, panel: Page) -> None:
    panel.get_by_role("button", name="Pause updates").click()  # the browser asks after a press only
    asked: list[str] = []

    def stay(dialog: Dialog) -> None:
        asked.append(dialog.type)
        dialog.dismiss()

    panel.once("dialog", stay)
    panel.evaluate("setTimeout(() => location.reload())")
    waited(lambda: asked == ["beforeunload"], panel)
    expect(panel.locator("#panel")).to_be_visible()
    panel.get_by_role("button", name="Sign out").click()
    panel.reload()  # signed out, nothing is lost: nobody asks
    assert asked == ["beforeunload"]


@pytest.mark.parametrize(
    ("status", "kind", "body"),
    [
        (404, "text/html", "<h1>Not found</h1>"),
        (200, "text/html", "<h1>Welcome to Free Wi-Fi</h1>"),
    ],
)
def test_a_script_that_does_not_load_is_told_with_a_way_to_try_again(
    room: ConsoleRoom, browser: Browser, status: int, kind: str, body: str
) -> None:
    context = browser.new_context(reduced_motion="reduce")
    page = context.new_page()
    page.route(
        "**/console.js", lambda route: route.fulfill(status=status, content_type=kind, body=body)
    )
    page.goto(room.panel)
    told = page.get_by_role("heading", name="The console has not started")
    expect(told).to_be_visible(timeout=15_000)
    expect(page.get_by_label("Secret access key")).to_be_hidden()  # no key goes into a dead form
    assert accessibility(page) == []
    page.unroute_all()
    page.get_by_role("link", name="Try again").click()
    expect(page.get_by_label("Secret access key")).to_be_visible()
    expect(told).to_be_hidden()
    context.close()


def test_settings_that_do_not_load_are_told_and_read_again(
    room: ConsoleRoom, browser: Browser
) -> None:
    context = browser.new_context()
    page = context.new_page()
    page.route("**/config.json", lambda route: route.fulfill(content_type="text/html", body="<h1>"))
    page.goto(room.panel)
    expect(page.locator("#sign-in-error")).to_contain_text("config.json")
    page.unroute_all()
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_label("Private API")).to_have_value(room.private)
    expect(page.locator("#sign-in-error")).to_be_hidden()
    context.close()


def test_a_page_is_a_handful_of_requests(room: ConsoleRoom, browser: Browser) -> None:
    context = browser.new_context()
    page = context.new_page()
    asked: list[str] = []
    page.on("request", lambda one: asked.append(one.url.rsplit("/", 1)[1]))
    page.goto(room.panel)
    expect(page.get_by_label("Private API")).to_have_value(room.private)
    assert set(asked) == {"", "console.js", "console.css", "icon.svg", "config.json"}
    assert asked.count("console.js") == 1
    context.close()
