# SPDX-License-Identifier: Apache-2.0
"""The gate and a real browser: the site on 127.0.0.1, the waiting page on localhost (two sites)."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from playwright.sync_api import Page

from tests.support.gate_sites import Site
from tests.support.in_memory_room import START
from tests.support.tokens import token
from waiting_room.gate.decision import Request

pytestmark = [pytest.mark.server, pytest.mark.browser]
POLICIES = ("strict-origin", "no-referrer", "same-origin")


class Pages:
    """Pages of one origin: a form that posts a token, and what loads parts of the site."""

    def __init__(self) -> None:
        self.shop = ""

    def html(self, path: str) -> str:
        site = f"{self.shop}/leave"
        if path == "/parts":
            return (
                f'<link rel="prefetch" href="{site}"><img src="{site}">'
                f'<script src="{site}"></script><iframe src="{site}"></iframe>'
            )
        return (
            f'<form method="post" action="{self.shop}/waiting-room/enter">'
            f'<input type="hidden" name="token" value="{token()}"><button>Enter</button></form>'
        )


@contextmanager
def pages() -> Iterator[tuple[Pages, str]]:
    made = Pages()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = made.html(self.path).encode()
            self.send_response(200)
            policy = self.path.strip("/")
            self.send_header("Referrer-Policy", policy if policy in POLICIES else "strict-origin")
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield made, f"http://localhost:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class GateSites:
    """The site, its waiting page and somebody else's page."""

    def __init__(self, site: Site, shop: str, waiting: str, other: str) -> None:
        self.site, self.shop, self.waiting, self.other = site, shop, waiting, other

    def session(self, page: Page) -> list[str]:
        names = [jar["name"] for jar in page.context.cookies(self.shop)]
        return [name for name in names if name == self.site.gate.settings.cookie_name]


@pytest.fixture
def sites() -> Iterator[GateSites]:
    with pages() as (mine, waiting), pages() as (theirs, other):
        site = Site(waiting_room_url=waiting + "/", cors_origins=(waiting,), secure_cookie=False)
        with site.on("uvicorn") as port:
            shop = mine.shop = theirs.shop = f"http://127.0.0.1:{port}"
            yield GateSites(site, shop, waiting, other)


def test_a_visitor_waits_and_comes_back_to_the_page_that_was_wanted(
    page: Page, sites: GateSites
) -> None:
    page.goto(sites.shop + "/buy/a%2Fb?x=1")
    assert page.url == sites.waiting + "/"
    page.click("button")
    assert page.url == sites.shop + "/buy/a%2Fb?x=1"
    assert page.text_content("body") == "site"
    assert sites.session(page)


def test_scripts_frames_images_and_prefetches_do_not_change_where_one_comes_back(
    page: Page, sites: GateSites
) -> None:
    page.goto(sites.shop + "/buy")
    page.goto(sites.other + "/parts", wait_until="networkidle")
    page.goto(sites.waiting)
    page.click("button")
    assert page.url == sites.shop + "/buy"


def test_prefetches_and_prerenders_do_not_change_where_one_comes_back(
    page: Page, sites: GateSites, monkeypatch: pytest.MonkeyPatch
) -> None:
    answered: dict[str, tuple[str, Any]] = {}
    check = sites.site.gate.check

    def noted(visit: Request) -> Any:
        answer = check(visit)
        answered[visit.path] = (visit.headers.get("sec-purpose", ""), answer)
        return answer

    monkeypatch.setattr(sites.site.gate, "check", noted)
    page.goto(sites.shop + "/buy")
    page.goto(sites.shop + "/static/page")
    rules = """{"prefetch": [{"source": "list", "urls": ["/fetched"], "eagerness": "immediate"}],
        "prerender": [{"source": "list", "urls": ["/rendered"], "eagerness": "immediate"}]}"""
    page.evaluate(
        """(rules) => document.body.append(Object.assign(document.createElement("script"),
            {type: "speculationrules", textContent: rules}))""",
        rules,
    )
    for _ in range(200):
        if {"/fetched", "/rendered"} <= answered.keys():
            break
        page.wait_for_timeout(50)
    for path in ("/fetched", "/rendered"):
        purpose, answer = answered[path]
        assert "prefetch" in purpose
        assert (answer.status, dict(answer.headers)["Content-Type"]) == (403, "application/json")
    page.goto(sites.waiting)
    page.click("button")
    assert page.url == sites.shop + "/buy"


def test_two_events_on_one_host_do_not_affect_each_other(page: Page, sites: GateSites) -> None:
    second = Site(event_id="Other", waiting_room_url=sites.other + "/", secure_cookie=False)
    with second.on("uvicorn") as port:  # cookies belong to a host, whatever the port
        shop = f"http://127.0.0.1:{port}"
        page.goto(sites.shop + "/buy")
        page.goto(shop + "/elsewhere")
        page.goto(sites.waiting)
        page.click("button")
        assert page.url == sites.shop + "/buy"
        page.goto(shop + "/elsewhere")
        assert page.url == sites.other + "/"
        page.goto(sites.shop + "/more")
        assert page.text_content("body") == "site"
    assert second.reached == []


@pytest.mark.parametrize("policy", POLICIES)
def test_another_page_cannot_put_a_session_into_the_browser(
    page: Page, sites: GateSites, policy: str
) -> None:
    page.goto(f"{sites.other}/{policy}")
    page.click("button")
    page.wait_for_url(re.compile("/waiting-room/enter$"))
    assert "the header Origin" in page.content() or "did not come from" in page.content()
    assert sites.session(page) == []
    assert sites.site.reached == []


def test_a_waiting_page_must_tell_its_origin(page: Page, sites: GateSites) -> None:
    for policy in ("no-referrer", "same-origin"):
        page.goto(f"{sites.waiting}/{policy}")
        page.click("button")
        page.wait_for_url(re.compile("/waiting-room/enter$"))
        assert "did not come from the waiting room" in page.content()
        assert sites.session(page) == []


ASK = """([url, headers]) => fetch(url, {headers, method: 'PUT'})
    .then(answer => answer.status, () => 'unreadable')"""


def test_the_gate_answers_preflights_and_the_site_sees_none(page: Page, sites: GateSites) -> None:
    page.goto(sites.waiting)
    asked = [sites.shop + "/buy", {"x-trace": "1", "authorization": "junk"}]
    assert page.evaluate(ASK, asked) == 403
    page.goto(sites.other)
    assert page.evaluate(ASK, asked) == "unreadable"
    assert sites.site.reached == []
    page.goto(sites.waiting)
    page.evaluate(ASK, [sites.shop + "/buy", {"authorization": token()}])
    assert sites.site.reached == [("PUT", "/buy")]


def test_a_websocket_of_a_page_is_closed_at_the_end_of_the_session(
    page: Page, sites: GateSites
) -> None:
    page.goto(sites.shop + "/buy")
    page.click("button")
    said = page.evaluate(
        """async address => {
            const socket = new WebSocket(address);
            window.ended = new Promise(done => socket.onclose = event => done(event.code));
            await new Promise(done => socket.onopen = done);
            const said = new Promise(done => socket.onmessage = event => done(event.data));
            socket.send('hello');
            return await said;
        }""",
        sites.shop.replace("http", "ws") + "/live",
    )
    assert said == "site: hello"
    sites.site.clock.turn(START + 3600)
    assert page.evaluate("window.ended") == 1008
    page.goto(sites.shop + "/buy")
    assert page.url == sites.waiting + "/"
