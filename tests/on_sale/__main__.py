# SPDX-License-Identifier: Apache-2.0
"""``make on-sale``: the on-sale of docs/events.md in Chromium, on a room of its own.

Two operators use the console, and twenty visitors the gate and the waiting page, all at once. One
operator pauses the admission; the sign-in of the other expires while a change is typed; a visitor
loses the network. The exit status is 0 if all visitors reach the site with positions of their own.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, BrowserContext, Page, Route, expect

from tests.support.browser import chromium
from tests.support.local_stack import RunningRoom, running_room

EVENT = "onsale"
SITE_PATH = "/tour"
VISITORS = 20
PRE_QUEUE = 100  # s between the creation of the event and its opening
SECONDS = 60_000  # ms for a step
EXPIRED = "The security token included in the request is expired"
began = time.monotonic()


def say(text: str) -> None:
    """Print a step with the seconds since the start."""
    print(f"{time.monotonic() - began:6.1f} s  {text}", flush=True)


@contextmanager
def person(browser: Browser, name: str, width: int = 1280) -> Iterator[tuple[BrowserContext, Page]]:
    """A browser context of its own; an error of a page ends the run."""
    context = browser.new_context(viewport={"width": width, "height": 800})
    context.set_default_timeout(SECONDS)
    page = context.new_page()
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(f"{name}: {error}"))
    yield context, page
    context.close()
    assert not wrong, wrong


def sign_in(page: Page, room: RunningRoom) -> None:
    """Sign in with the keys of the one-machine room."""
    page.get_by_label("Access key ID").fill(room.endpoints["access_key_id"])
    page.get_by_label("Secret access key").fill(room.endpoints["secret_access_key"])
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.locator("#panel")).to_be_visible(timeout=SECONDS)


def local_time(page: Page, at: float) -> str:
    """A time as the field of the form takes it."""
    script = "(at) => new Date(at * 1000 - new Date().getTimezoneOffset() * 6e4).toISOString()"
    return str(page.evaluate(script, int(at)))[:19]


def create(page: Page, opens_at: float) -> None:
    """Create the event with the form: pre-queue now, opening soon, rate and protected address."""
    page.get_by_role("button", name="Create event").click()
    page.get_by_label("New event ID").fill(EVENT)
    page.get_by_label("Title", exact=True).fill("Spring tour")
    page.get_by_label("Pre-queue", exact=True).fill(local_time(page, time.time() - 5))
    page.get_by_label("Opening", exact=True).fill(local_time(page, opens_at))
    page.get_by_label("Strategy", exact=True).select_option("rate")
    page.get_by_label("Rate", exact=True).fill("60")
    page.locator("summary", has_text="Protected addresses").click()
    page.get_by_label("Protected addresses").fill(json.dumps([{"path": SITE_PATH}]))
    page.get_by_role("button", name="Show changes").click()
    page.get_by_role("button", name="Create event", exact=True).click()
    expect(page.locator("#event-phase")).to_have_text("Pre-queue", timeout=SECONDS)


def act(page: Page, action: str) -> None:
    """Press an action of the event and confirm it."""
    page.locator(f"#event-actions [data-action={action}]").click()
    page.get_by_role("dialog").locator("#confirm-yes").click()
    expect(page.get_by_role("dialog")).to_have_count(0)


def number_of(page: Page) -> int:
    """The visitor's number."""
    shown = page.locator("[data-view=waiting] [data-value=number]")
    expect(shown).to_be_visible(timeout=SECONDS)
    return int(re.sub(r"\D", "", shown.text_content() or ""))


def expire(page: Page, room: RunningRoom) -> None:
    """API Gateway refuses each call of this console from now on."""

    def refuse(route: Route) -> None:
        if route.request.method == "OPTIONS":
            route.continue_()
            return
        headers = {"Access-Control-Allow-Origin": "*", "Access-Control-Allow-Headers": "*"}
        route.fulfill(status=403, json={"message": EXPIRED}, headers=headers)

    page.route(f"{room.endpoints['private_api']}/**", refuse)


def lose_the_network(context: BrowserContext, page: Page, number: int) -> None:
    """A visitor goes offline, sees it, and has the same number afterwards."""
    context.set_offline(True)
    expect(page.locator("#trouble-text")).to_contain_text("offline", timeout=SECONDS)
    context.set_offline(False)
    expect(page.locator("#trouble")).to_be_hidden(timeout=SECONDS)
    assert number_of(page) == number
    say(f"visitor {number} lost the network and kept the position")


def expired_while_typing(page: Page, room: RunningRoom) -> None:
    """The sign-in ends while a title is typed; the change is saved after signing in again."""
    page.get_by_role("button", name="Edit…").click()
    page.get_by_label("Title", exact=True).fill("Spring tour 2027")
    expire(page, room)
    page.get_by_role("button", name="Refresh", exact=True).click()
    page.get_by_role("button", name="Sign in again").click()
    page.unroute(f"{room.endpoints['private_api']}/**")
    sign_in(page, room)
    expect(page.get_by_label("Title", exact=True)).to_have_value("Spring tour 2027")
    say("operator 1 signed in again; the title that was typed is there")


def save(page: Page) -> None:
    """Save the title, past the change that the other operator made meanwhile."""
    page.get_by_role("button", name="Show changes").click()
    page.get_by_role("button", name="Save changes").click()
    keep = page.get_by_role("button", name="Keep my changes…")
    expect(keep).to_be_visible(timeout=SECONDS)
    keep.click()
    page.get_by_role("button", name="Save changes").click()
    expect(page.locator("#editor")).to_be_hidden(timeout=SECONDS)
    say("operator 1 saved the title; the conflict with the pause was shown and resolved")


def until_gated(browser: Browser, address: str) -> None:
    """Wait until the gate has the rules of the event; its store needs half a minute."""
    context = browser.new_context()
    page = context.new_page()
    while f"event={EVENT}" not in page.url:
        page.wait_for_timeout(1_000)
        page.goto(address)
    context.close()


def on_sale(browser: Browser, room: RunningRoom) -> None:
    """Run the sale."""
    address = room.endpoints["shop_url"].rstrip("/") + SITE_PATH
    console = room.endpoints["console_url"]
    with person(browser, "operator 1") as (_, one), person(browser, "operator 2") as (_, two):
        one.goto(console)
        sign_in(one, room)
        opens_at = time.time() + PRE_QUEUE
        create(one, opens_at)
        say(f"operator 1 created the event; it opens in {PRE_QUEUE} s")
        until_gated(browser, address)
        say("the gate has the rules of the event")
        visitors = [
            (context, page)
            for _ in range(VISITORS)
            for context in [browser.new_context(viewport={"width": 360, "height": 740})]
            for page in [context.new_page()]
        ]
        for at, (_, page) in enumerate(visitors):
            page.goto(f"{address}?seat={at}")
            page.locator("#enter").click(timeout=SECONDS)
        numbers = [number_of(page) for _, page in visitors]
        assert sorted(numbers) == list(range(1, VISITORS + 1)), numbers
        say(f"{VISITORS} visitors wait with the numbers 1 to {VISITORS}")
        two.goto(f"{console}?event={EVENT}")
        sign_in(two, room)
        expect(two.locator("[data-metric=waiting]")).to_have_text(str(VISITORS), timeout=SECONDS)
        expect(two.locator("#event-phase")).to_have_text("Open", timeout=PRE_QUEUE * 1_000)
        say("the event is open")
        expect(visitors[0][1].locator("#checkout, #leaving").first).to_be_attached()
        one.get_by_role("button", name="Edit…").wait_for()
        act(two, "pause")
        say("operator 2 paused the admission")
        waiting = next(at for at in range(VISITORS) if numbers[at] == VISITORS)
        lose_the_network(*visitors[waiting], VISITORS)
        expired_while_typing(one, room)
        act(two, "resume")
        say("operator 2 resumed the admission")
        save(one)
        for at, (_, page) in enumerate(visitors):
            page.locator("#checkout").click(timeout=3 * SECONDS)
            expect(page).to_have_url(f"{address}?seat={at}", timeout=SECONDS)
        say("all visitors are on the site, at the addresses that they first requested")
        act(one, "drain")
        act(two, "close")
        two.get_by_role("button", name="Refresh events").click()
        expect(two.locator("#audit-list")).to_contain_text("Spring tour 2027", timeout=SECONDS)
        for context, _ in visitors:
            context.close()
        say("the event is closed; the audit log has the changes of both operators")


def main() -> int:
    """Start a room, run the sale; return the exit status."""
    argparse.ArgumentParser(prog="make on-sale", description=__doc__).parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        running_room(Path(folder)) as room,
        chromium() as browser,
    ):
        on_sale(browser, room)
    print("\nThe on-sale passed.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
