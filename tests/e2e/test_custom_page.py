# SPDX-License-Identifier: Apache-2.0
"""The example of a waiting page in one HTML file, on an origin of its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import parse_qs

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.support.browser import accessibility
from tests.support.openid_room import Reply
from tests.support.pages.waiting_page import Room, Served, listening, page
from tests.support.servers import ROOT

pytestmark = [pytest.mark.browser, pytest.mark.server]
FILE = ROOT / "examples" / "custom-page.html"
REPLACED = {
    "https://page.example/": "page", "https://wait.example/api": "api",
    "https://www.example.com/waiting-room/enter": "gate",
}  # fmt: skip


@contextmanager
def opened(context: BrowserContext) -> Iterator[tuple[Page, Served, list[str]]]:
    """The file as a site owner would change it: only the addresses differ."""
    posted: list[str] = []

    def shop(method: str, path: str, _query: str, _headers: object, body: str) -> Reply:
        if method == "POST":
            posted.append(body)
            return Reply(
                200, {"Content-Type": "text/html"}, "<!doctype html><title>Shop</title>Paid"
            )
        return Reply(200, {"Content-Type": "text/html; charset=utf-8"}, text)

    room = Room(status={"poll_after_seconds": 1})
    room.fill(9)
    with page(room) as served, listening(shop) as site:
        text = FILE.read_text("utf-8")
        own = {"page": served.url, "api": served.config["public_api"], "gate": f"{site}/checkout"}
        for address, name in REPLACED.items():
            assert text.count(address) == 1
            text = text.replace(address, own[name])
        tab = context.new_page()
        tab.goto(site)
        yield tab, served, posted
        tab.close()


def test_a_visitor_waits_and_enters_with_a_page_of_one_file(context: BrowserContext) -> None:
    with opened(context) as (tab, served, posted):
        assert accessibility(tab) == []
        tab.get_by_role("button", name="Enter").click()
        expect(tab.get_by_role("heading")).to_have_text("People ahead of you: 9")
        tab.reload()
        expect(tab.locator("#text")).to_contain_text("Your number is 10.")
        served.room.fault = "down"
        expect(tab.locator("#trouble")).to_contain_text("Your place is safe.", timeout=15_000)
        served.room.fault = ""
        served.room.serve(9)
        tab.reload()
        expect(tab.get_by_role("heading")).to_have_text("You are next")
        served.room.serve(1)
        tab.reload()
        tab.get_by_role("button", name="Continue").click()
        expect(tab.locator("body")).to_contain_text("Paid")
        (token,) = parse_qs(posted[0])["token"]
        assert len(token.split(".")) == 3


def test_a_visitor_whose_place_has_ended_joins_again(context: BrowserContext) -> None:
    with opened(context) as (tab, served, _):
        tab.get_by_role("button", name="Enter").click()
        expect(tab.get_by_role("heading")).to_have_text("People ahead of you: 9")
        served.room.in_memory_room.room.control.reset("Sample")
        tab.reload()
        expect(tab.get_by_role("heading")).to_have_text("Your place has ended", timeout=15_000)
        tab.get_by_role("button", name="Join again").click()
        expect(tab.get_by_role("heading")).to_have_text("You are next")


def test_the_documentation_leads_to_the_example() -> None:
    text = (ROOT / "docs" / "pages.md").read_text("utf-8")
    assert "(../examples/custom-page.html)" in text
