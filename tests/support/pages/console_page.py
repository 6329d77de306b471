# SPDX-License-Identifier: Apache-2.0
"""Steps and locators of the console's page, for tests in a real browser."""

from __future__ import annotations

import csv
import io
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, Route, expect

from tests.support.in_memory_room import EVENT
from tests.support.pages.console_room import KEY, SECRET, ConsoleRoom

FRAMES = """new Promise((done) => {
    let left = 20;
    const next = () => (left-- ? requestAnimationFrame(next) : done());
    next();
})"""


@contextmanager
def opened(browser: Browser, address: str, **options: Any) -> Iterator[Page]:
    """A page that must break no rule of its own policy and throw nothing."""
    context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **options})
    context.set_default_timeout(10_000)
    page = context.new_page()
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda said: wrong.append(said.text) if "Security" in said.text else None)
    page.goto(address)
    expect(page.locator("#private-api")).not_to_have_value("")
    yield page
    context.close()
    assert wrong == []


def sign_in(page: Page, key: str = KEY, secret: str = SECRET, inside: bool = True) -> None:
    page.get_by_label("Access key ID").fill(key)
    page.get_by_label("Secret access key").fill(secret)
    page.get_by_role("button", name="Sign in", exact=True).click()
    if inside:
        expect(page.locator("#panel")).to_be_visible()


def metric(page: Page, name: str) -> Any:
    return page.locator(f"[data-metric={name}]")


def answer(page: Page, card: str) -> Any:
    return page.locator(f"[data-result={card}]")


def logged(page: Page) -> Any:
    """The newest entry of the log."""
    return page.locator("#log li").first


def refuse(page: Page, room: ConsoleRoom, said: str) -> None:
    """From now on API Gateway refuses every call with these words."""
    page.route(
        f"{room.private}/**",
        lambda route: (
            route.fulfill(
                status=403,
                content_type="application/json",
                headers={"Access-Control-Allow-Origin": "*", "Access-Control-Allow-Headers": "*"},
                body=json.dumps({"message": said}),
            )
            if route.request.method != "OPTIONS"
            else route.continue_()
        ),
    )


def not_allowed(route: Route) -> None:
    """Answer as API Gateway does when a policy does not allow the call."""
    if route.request.method == "OPTIONS":
        route.continue_()
        return
    route.fulfill(
        status=403,
        content_type="application/json",
        headers={"Access-Control-Allow-Origin": "*", "Access-Control-Allow-Headers": "*"},
        body=json.dumps({"Message": "User: ada is not authorized to perform: execute-api:Invoke"}),
    )


def one_event_only(page: Page, room: ConsoleRoom, *allowed: str) -> None:
    """From now on the keys allow the routes below the event of the room only."""
    paths = allowed or (f"/events/{EVENT}", f"/events/{EVENT}/actions/")
    page.route(
        f"{room.private}/**",
        lambda route: (
            route.continue_()
            if any(
                (path := route.request.url.removeprefix(room.private)) == one
                or (one.endswith("/") and path.startswith(one))
                for one in paths
            )
            else not_allowed(route)
        ),
    )


def waited(check: Callable[[], bool], page: Page) -> None:
    """Wait until it is true."""
    end = time.monotonic() + 10
    while not check():
        assert time.monotonic() < end
        page.wait_for_timeout(20)


def exported(page: Page, button: str) -> tuple[str, list[dict[str, str]]]:
    """The name and the rows of the file that a button gives."""
    with page.expect_download() as download:
        page.get_by_role("button", name=button).click()
    text = Path(download.value.path()).read_bytes().decode("utf-8-sig")
    return download.value.suggested_filename, list(csv.DictReader(io.StringIO(text)))
