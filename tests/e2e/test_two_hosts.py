# SPDX-License-Identifier: Apache-2.0
"""The shipped waiting page on localhost and a site on 127.0.0.1, in a real browser: two sites.

Each way of ``docs/protect-your-api.md`` to protect a site is walked through from the first request
to the page that was wanted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import django.http
import django.urls
import fastapi
import flask
import jwt
import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.support.gate_sites import asgi_server, django_site, wsgi_server
from tests.support.in_memory_room import EVENT, ISSUER
from tests.support.local_stack import RunningRoom
from tests.support.openid_room import Reply
from tests.support.pages.waiting_page import listening, page
from waiting_room.gate import AsgiGate, GateSettings, WsgiGate

pytestmark = [pytest.mark.server, pytest.mark.browser]
DOCS = (Path(__file__).parents[2] / "docs" / "protect-your-api.md").read_text("utf-8")
SECONDS = 15_000  # ms
ENTRANCE = "/waiting-room/enter"


@dataclass
class Late:
    """An application that is known only when its server has a port."""

    app: Any = None

    def wsgi(self, environ: Any, start_response: Any) -> Any:
        return self.app(environ, start_response)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self.app(scope, receive, send)


@dataclass
class Shop:
    """A site behind its gate, and the waiting page of its event on another site."""

    url: str
    waiting: str
    late: Late

    def enter(self, tab: Page) -> None:
        """Join, come to the turn, check out."""
        expect(tab).to_have_url(re.compile(re.escape(self.waiting)))
        tab.get_by_role("button", name="Enter").click()
        tab.locator("#checkout").click(timeout=SECONDS)


FORM = '<form method="post" action="/pay"><input name="card" value="1"><button>Pay</button></form>'


def flask_app() -> Any:
    site = flask.Flask("shop")

    @site.route("/pay", methods=["POST"])
    def pay() -> str:
        return f"paid {flask.request.form['card']}"

    @site.route("/", defaults={"path": ""})
    @site.route("/<path:path>")
    def all_pages(path: str) -> str:
        return f"site {FORM}"

    return site.wsgi_app


def fastapi_app() -> Any:
    site = fastapi.FastAPI()

    @site.get("/{path:path}", response_class=fastapi.responses.PlainTextResponse)
    async def all_pages(path: str) -> str:
        return "site"

    return site


def django_app() -> Any:
    every = django.urls.re_path("", lambda _request: django.http.HttpResponse("site"))
    return django_site([every])


@contextmanager
def shop(kind: str) -> Iterator[Shop]:
    """The site on 127.0.0.1 behind its gate, the shipped page on localhost, a room that serves."""
    late = Late()
    server = asgi_server(late) if kind == "asgi" else wsgi_server("werkzeug", late.wsgi)
    made = {"wsgi": flask_app, "asgi": fastapi_app}.get(kind, django_app)()
    with server as port:
        site = f"http://127.0.0.1:{port}"
        with page(entrance=site + ENTRANCE) as served:
            served.room.serve(100)
            served.room.status["poll_after_seconds"] = 1
            waiting = served.url.replace("127.0.0.1", "localhost")
            settings = GateSettings(
                event_id=EVENT, issuer=ISSUER, public_api=served.config["public_api"],
                waiting_room_url=waiting, secret="s" * 32, secure_cookie=False, site_origin=site,
            )  # fmt: skip
            late.app = AsgiGate(made, settings) if kind == "asgi" else WsgiGate(made, settings)
            yield Shop(site, waiting, late)


LONGEST = "/buy?x=" + "&" * (1_500 - len("/buy?x="))


@pytest.mark.parametrize(
    ("kind", "address", "back"),
    [
        ("wsgi", "/a%2Fb/%C3%A9?seat=12&to=%2Fc&q=a+b#row-7", None),
        ("asgi", "/a%2Fb/%C3%A9?seat=12&to=%2Fc&q=a+b#row-7", None),
        ("django", "/a?seat=12&q=a+b#row-7", None),
        ("wsgi", LONGEST, None), ("asgi", LONGEST + "x", "/buy"),
    ],
    ids=["wsgi", "asgi", "django", "longest", "too-long"],
)  # fmt: skip
def test_a_visitor_comes_back_to_the_address_first_requested(
    visitor: BrowserContext, kind: str, address: str, back: str | None
) -> None:
    with shop(kind) as made:
        tab = visitor.new_page()
        tab.goto(made.url + "/older?seat=1")  # an earlier visit, that another one replaces
        tab.goto(made.url + address)
        made.enter(tab)
        expect(tab).to_have_url(made.url + (back or address), timeout=SECONDS)
        expect(tab.locator("body")).to_contain_text("site")
        tab.goto(made.url + "/next")
        expect(tab.locator("body")).to_contain_text("site")


def test_a_form_after_the_session_is_not_lost_without_a_word(visitor: BrowserContext) -> None:
    with shop("wsgi") as made:
        tab = visitor.new_page()
        tab.goto(made.url + "/cart?seat=12")
        made.enter(tab)
        expect(tab).to_have_url(made.url + "/cart?seat=12", timeout=SECONDS)
        visitor.clear_cookies()  # as when its time is over
        tab.fill("input", "4711")
        tab.click("button")
        expect(tab.locator("body")).to_contain_text("was not received")
        tab.go_back()
        expect(tab.locator("input")).to_have_value("4711")
        tab.click("button")
        tab.get_by_role("link").click()
        expect(tab).to_have_url(made.waiting)
        tab.get_by_role("button", name="Check out now").click(timeout=SECONDS)
        expect(tab).to_have_url(made.url + "/cart?seat=12", timeout=SECONDS)
        tab.click("button")
        expect(tab.locator("body")).to_contain_text("paid 1")


def test_a_browser_without_cookies_gets_a_message_and_no_redirect_loop(
    visitor: BrowserContext,
) -> None:
    with shop("asgi") as made:
        gate = made.late.app

        async def without_cookies(scope: Any, receive: Any, send: Any) -> None:
            async def sending(message: Any) -> None:
                kept = [one for one in message.get("headers", ()) if one[0] != b"set-cookie"]
                await send({**message, "headers": kept} if "headers" in message else message)

            await gate(scope, receive, sending)

        made.late.app = without_cookies
        tab = visitor.new_page()
        tab.goto(made.url + "/buy")
        made.enter(tab)
        expect(tab.locator("body")).to_contain_text("requires a cookie", timeout=SECONDS)


OWN_PAGE = """<!doctype html><title>Own page</title><script type="module">
import { waitingRoom } from "./waiting-room.js";
const room = waitingRoom({ eventId: "EVENT", publicApi: "PUBLIC_API" });
const ask = async () => {
  const tokens = await room.token();
  const headers = { Authorization: `Bearer ${tokens.access_token}` };
  const answer = await fetch("SHOP_API/stock", { headers });
  document.body.textContent = await answer.text();
};
room.watch(({ phase }) => phase === "turn" && !document.body.textContent && ask());
room.join();
</script><body></body>"""


def test_a_page_of_your_own_calls_an_api_that_makes_the_five_checks(
    visitor: BrowserContext,
) -> None:
    python = re.findall(r"```python\n(.*?)```", DOCS, re.DOTALL)[1]
    files = Path(__file__).parents[2] / "source" / "sites" / "waiting_room"
    cors = {"Access-Control-Allow-Origin": "*", "Access-Control-Allow-Headers": "authorization"}
    with page() as served:
        served.room.serve(100)
        api = served.config["public_api"]
        checks: dict[str, Any] = {"PUBLIC_API": api, "EVENT_ID": EVENT, "ISSUER": ISSUER}
        exec(python, checks)  # noqa: S102

        def stock(method: str, path: str, query: str, headers: Any, body: str) -> Reply:
            if method == "OPTIONS":
                return Reply(204, cors, "")
            try:
                claims = checks["claims_of"](headers.get("authorization", "")[7:])
            except jwt.PyJWTError:
                return Reply(401, cors, "refused")
            return Reply(200, cors, f"three left for number {claims['queue_position']}")

        with listening(stock) as shop_api:

            def own(method: str, path: str, *_: Any) -> Reply:
                script = files / path.strip("/")
                if script.suffix == ".js" and script.is_file():
                    return Reply(200, {"Content-Type": "text/javascript"}, script.read_text())
                text = OWN_PAGE.replace("EVENT", EVENT).replace("PUBLIC_API", api)
                html = {"Content-Type": "text/html"}
                return Reply(200, html, text.replace("SHOP_API", shop_api))

            with listening(own) as mine:
                tab = visitor.new_page()
                tab.goto(mine.replace("127.0.0.1", "localhost") + "/")
                expect(tab.locator("body")).to_have_text("three left for number 1", timeout=SECONDS)
                ask = """(url) => fetch(url, {headers: {Authorization: 'Bearer junk'}})
                    .then((answer) => answer.status)"""
                assert tab.evaluate(ask, shop_api) == 401


def test_a_page_of_another_site_calls_an_api_behind_the_authorizer(
    visitor: BrowserContext, running: RunningRoom
) -> None:
    assert running.private("POST", "/reset_initial_state").status_code == 200
    running.serve(1)
    tab = visitor.new_page()
    tab.goto(running.endpoints["waiting_room_url"].replace("127.0.0.1", "localhost"))
    tab.get_by_role("button", name="Enter").click()
    tab.locator("#checkout").click(timeout=2 * SECONDS)
    tab.locator("#purchase").click(timeout=SECONDS)
    expect(tab.locator("#items")).to_contain_text("order-", timeout=SECONDS)
