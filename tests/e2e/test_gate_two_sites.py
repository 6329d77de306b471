# SPDX-License-Identifier: Apache-2.0
"""A site on several hosts behind gates, in a real browser with https: sessions are handed over.

``www.tickets.example`` and ``pay.payments.example`` are the ticket shop behind the local edge.
``club.python.example`` is a Python site whose gate sends the room's paths to the room at
``pay.payments.example``. With ``SHOW=1`` the tests print each navigation and its cookies; with
``SHOW=<folder>`` they also write screenshots::

    SHOW=1 .venv/bin/pytest -s tests/e2e/test_gate_two_sites.py
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import pytest
import urllib3
from botocore.credentials import Credentials
from playwright.sync_api import Browser, BrowserContext, Page, expect

from deployment.local.gateway.static_site import Site
from infrastructure.blueprint.site_config import login_forms, waiting_room_config
from tests.demos.events import Demo
from tests.support.browser import chromium
from tests.support.gate_sites import asgi_server, wsgi_server
from tests.support.local_stack import RunningRoom
from tests.support.pages.https_hosts import HttpsHosts, Protocol, https_hosts
from waiting_room.adapters.http.gate_configuration import GateConfigurationReader
from waiting_room.domain.gate.credentials import (
    GateKeys,
    GateSession,
    encode_session,
    encode_ticket,
)
from waiting_room.domain.gate.decision import POST_GRACE
from waiting_room.site_gate import SiteGate, SiteGateSettings, WsgiSiteGate
from waiting_room.site_gate.configurations import Configurations

pytestmark = [pytest.mark.server, pytest.mark.browser]
SHOP, PAY, CLUB = "www.tickets.example", "pay.payments.example", "club.python.example"
HOSTS = [SHOP, PAY, CLUB]
PROVIDER = "https://bank.payments-provider.example/return"
SECONDS = 20_000  # ms
POLLS = 3 * SECONDS  # the page polls every 30 s at most
STORE_SECONDS = 90  # until the edge has a new event: 31 s, and what a slow machine adds
OVER = 61  # s; a ticket is valid for 60
SHOW = os.environ.get("SHOW", "")
PORT_OF_HTTPS = 443


@dataclass
class Walk:
    """The hosts, and the browser that finds them."""

    running: RunningRoom
    demo: Demo
    browser: Browser
    vip: str  # a second event, which protects one show
    waiting: str  # the waiting page on a site of its own
    event_id: str = field(init=False)

    def __post_init__(self) -> None:
        self.event_id = self.running.event_id

    def keys(self, event_id: str) -> GateKeys:
        """The keys of an event at its gates."""
        found = self.demo.operate("GET", f"/{event_id}/gate")["keys"]
        return GateKeys(found["signing"], found["keys"])

    def handing_over(self, address: str) -> str:
        """A link on a host with a session that leads to an address of another host."""
        return f"/_waiting-room/renew?event={self.event_id}&to={quote(address, safe='')}"


@dataclass
class Visitor:
    """A browser profile, its page, and the protocol of its navigations."""

    walk: Walk
    name: str
    context: BrowserContext
    tab: Page = field(init=False)
    protocol: Protocol = field(init=False)

    def __post_init__(self) -> None:
        self.context.set_default_timeout(SECONDS)
        self.protocol = Protocol.of(self.context)
        self.tab = self.context.new_page()

    def enter(self, address: str, event_id: str = "") -> None:
        """Open a protected address, wait, and come back to it."""
        self.tab.goto(address)
        self.wait(address, event_id or self.walk.event_id)

    def wait(self, address: str, event_id: str) -> None:
        """Go through the waiting room, unless no visitor waits; come to an address."""
        if "/_waiting-room/" in self.tab.url:
            self.tab.get_by_role("button", name="Enter").click()
            self.take_turn(event_id)
        expect(self.tab).to_have_url(address, timeout=SECONDS)

    def take_turn(self, event_id: str) -> None:
        """Wait for a number, serve it, and check out."""
        with_number = self.tab.locator("#ahead:visible, #checkout:visible")
        expect(with_number).to_have_count(1, timeout=SECONDS)
        number = int(self.tab.locator("#reference-code").inner_text().partition("-")[0])
        metrics = self.walk.running.private("GET", "/metrics", event_id=event_id).json()
        if number > metrics["serving_counter"]:
            self.walk.demo.act(event_id, "admit", {"by": number - metrics["serving_counter"]})
            while self.tab.locator("#ahead").is_visible():  # the edge keeps the status for a second
                self.tab.wait_for_timeout(1_000)
                self.tab.reload()  # it reads the status at once
                expect(with_number).to_have_count(1, timeout=SECONDS)
        self.tab.locator("#checkout").click(timeout=POLLS)

    def follow(self, address: str) -> None:
        """Press a link of the page that is shown."""
        self.tab.evaluate(
            """(address) => {
                const link = document.createElement("a");
                link.href = address;
                link.textContent = "To the other host";
                document.body.prepend(link);
            }""",
            address,
        )
        self.tab.get_by_role("link", name="To the other host").click()

    def sessions(self) -> set[str]:
        """The hosts with a session cookie of the event."""
        name = f"__Host-waiting-room-{self.walk.event_id}"
        found = [one for one in self.context.cookies() if one["name"] == name]
        assert all(one["secure"] and one["httpOnly"] for one in found)
        return {one["domain"] for one in found}

    def session(self) -> str:
        """The session that the site shows: event, generation, position."""
        found = re.search(r"Session (\S+?:\d+:\d+)", self.tab.locator("body").inner_text())
        assert found is not None, self.tab.url
        return found[1]

    def show(self) -> None:
        """Print the protocol, and write a screenshot, if that is wanted."""
        if SHOW:
            print(f"\n--- {self.name}\n{self.protocol.text()}")
        if SHOW and Path(SHOW).is_dir():
            self.tab.screenshot(path=Path(SHOW) / f"{self.name}.png", full_page=True)


@pytest.fixture(scope="module")
def walk(running: RunningRoom, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Walk]:
    """All hosts, on their servers."""
    demo, own = Demo(running), f"/{running.event_id}"
    # an earlier test may have admitted more visitors than had joined; the next go straight through
    assert running.private("POST", "/reset_initial_state").status_code == 200
    demo.operate("PATCH", own, {"site": {"hosts": HOSTS}})
    vip = demo.create("vip", {
        "protect": [{"path": "/shows/north-wind", "host": SHOP}], "site": {"hosts": HOSTS},
    })  # fmt: skip
    shop = urlsplit(running.endpoints["shop_url"]).port
    assert shop is not None
    with ExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        club = stack.enter_context(wsgi_server("werkzeug", python_site(running)))
        folder = tmp_path_factory.mktemp("hosts")
        ports = {SHOP: shop, PAY: shop, CLUB: club}
        hosts = stack.enter_context(https_hosts(folder, ports))
        find_hosts(patch, hosts)
        waiting = stack.enter_context(asgi_server(waiting_page(running)))
        browser = stack.enter_context(chromium(hosts.rule))
        yield Walk(running, demo, browser, vip, f"http://localhost:{waiting}/")
    demo.operate("PATCH", own, {"site": None})
    demo.operate("PATCH", f"/{vip}", {"protect": []})
    demo.remove_all()


def find_hosts(patch: pytest.MonkeyPatch, hosts: HttpsHosts) -> None:
    """The gate of the Python site finds the room, and trusts its certificate."""
    connect = urllib3.util.connection.create_connection

    def connected(address: tuple[str, int], *args: Any, **options: Any) -> Any:
        name, port = address
        if port == PORT_OF_HTTPS and name in hosts.ports:
            address = ("127.0.0.1", hosts.ports[name])
        return connect(address, *args, **options)

    patch.setattr(urllib3.util.connection, "create_connection", connected)
    patch.setenv("SSL_CERT_FILE", str(hosts.certificate))


def python_site(running: RunningRoom) -> WsgiSiteGate:
    """The Python site behind its gate, whose room is at another site."""
    endpoints = running.endpoints
    settings = SiteGateSettings(
        events=(running.event_id,), private_api=endpoints["private_api"],
        region=endpoints["region"], room=f"https://{PAY}", refresh_seconds=1,
    )  # fmt: skip
    found = Credentials(endpoints["access_key_id"], endpoints["secret_access_key"])
    read = GateConfigurationReader(settings.private_api, settings.region, lambda: found)
    return WsgiSiteGate(club_site, SiteGate(settings, Configurations(settings, read)))


def club_site(environ: Any, start_response: Any) -> list[bytes]:
    """A Python site: each path shows the session."""
    start_response(
        "200 OK", [("Content-Type", "text/html; charset=utf-8"), ("Cache-Control", "no-store")]
    )
    session = environ.get("HTTP_X_WAITING_ROOM_SESSION", "none")
    path = escape(environ["PATH_INFO"])
    return [f"<title>Club</title><h1>Club {path}</h1><p>Session {session}</p>".encode()]


def waiting_page(running: RunningRoom) -> Site:
    """The waiting page on a site of its own, which sends the token to the shop."""
    entrance = f"https://{SHOP}/_waiting-room/session"
    apis = [running.endpoints["public_api"], running.endpoints["store_api"]]
    config = waiting_room_config(
        event_id=running.event_id, public_api=apis[0], store_api=apis[1], entrance=entrance
    )
    folder = running.folder / "sites" / "waiting_room"
    return Site(folder, "waiting_room", config, apis, login_forms([entrance]))


@pytest.fixture
def visitor(walk: Walk, request: pytest.FixtureRequest) -> Iterator[Visitor]:
    """A visitor with a profile of its own."""
    made = another(walk, request.node.name)
    yield made
    made.show()
    made.context.close()


def another(walk: Walk, name: str, **options: Any) -> Visitor:
    """One more visitor."""
    context = walk.browser.new_context(ignore_https_errors=True, locale="en-GB", **options)
    return Visitor(walk, name, context)


@pytest.mark.parametrize(("first", "second"), [(SHOP, PAY), (PAY, SHOP)], ids=["there", "back"])
def test_a_session_goes_along_to_another_host(
    walk: Walk, visitor: Visitor, first: str, second: str
) -> None:
    visitor.enter(f"https://{first}/shows/paper-moon?seat=1")
    session = visitor.session()
    assert visitor.sessions() == {first}
    target = f"https://{second}/checkout?a=b%26c"
    visitor.follow(walk.handing_over(target))
    expect(visitor.tab).to_have_url(target, timeout=SECONDS)
    assert visitor.session() == session
    assert visitor.sessions() == {first, second}
    (ticket,) = visitor.protocol.tickets
    assert ticket.startswith(f"https://{second}/_waiting-room/handover?")
    seen = visitor.tab.evaluate(
        "[location.href, document.referrer, performance.getEntriesByType('navigation')[0].name]"
    )
    assert "ticket=" not in json.dumps(seen), "no page sees the ticket"
    visitor.tab.go_back()
    expect(visitor.tab).to_have_url(f"https://{first}/shows/paper-moon?seat=1", timeout=SECONDS)
    assert visitor.session() == session


def test_a_ticket_opens_one_host_for_one_event_for_a_minute(walk: Walk, visitor: Visitor) -> None:
    visitor.enter(f"https://{SHOP}/cart")
    visitor.follow(walk.handing_over(f"https://{PAY}/cart"))
    expect(visitor.tab).to_have_url(f"https://{PAY}/cart", timeout=SECONDS)
    (sent,) = visitor.protocol.tickets
    ticket = parse_qs(urlsplit(sent).query)["ticket"][0]
    event_id, keys, vip_keys = walk.event_id, walk.keys(walk.event_id), walk.keys(walk.vip)
    session = GateSession(event_id, *(int(one, 36) for one in ticket.split(":")[3:7]))
    of_vip = replace(session, event_id=walk.vip)

    def made(
        *, host: str = PAY, of: GateSession = session, by: GateKeys = keys, ago: int = 0
    ) -> str:
        return encode_ticket(of, host, int(time.time()) - ago, by)

    cases: dict[str, tuple[str, str, Callable[[], str], bool]] = {
        "as sent": (PAY, event_id, lambda: ticket, True),
        "made now": (PAY, event_id, made, True),
        "at another host": (SHOP, event_id, made, False),
        "at a host of another gate": (CLUB, event_id, made, False),
        "for the other gate": (CLUB, event_id, lambda: made(host=CLUB), True),
        "over": (PAY, event_id, lambda: made(ago=OVER), False),
        "over, at the other gate": (CLUB, event_id, lambda: made(host=CLUB, ago=OVER), False),
        "for another event": (PAY, walk.vip, made, False),
        "of another event": (PAY, event_id, lambda: made(of=of_vip, by=vip_keys), False),
        "with another key": (PAY, event_id, lambda: made(by=vip_keys), False),
        "changed": (PAY, event_id, lambda: made()[:-1] + "~", False),
    }
    thief = another(walk, "tickets")
    for name, (host, event, value, opens) in cases.items():
        thief.context.clear_cookies()
        query = f"event={event}&to=%2Fcart%3Fx&ticket={quote(value(), safe='')}"
        thief.tab.goto(f"https://{host}/_waiting-room/handover?{query}")
        assert thief.sessions() == ({host} if opens else set()), name
        assert ("/cart?x" in thief.tab.url) is opens, (name, thief.tab.url)
    thief.show()
    thief.context.close()


def test_a_python_site_has_its_room_on_another_site(walk: Walk, visitor: Visitor) -> None:
    address = f"https://{CLUB}/a%2Fb/seats?row=7&to=%2Fc"
    visitor.enter(address)
    session = visitor.session()
    assert visitor.sessions() == {CLUB}
    visitor.follow(walk.handing_over(f"https://{PAY}/checkout?x=1"))
    expect(visitor.tab).to_have_url(f"https://{PAY}/checkout?x=1", timeout=SECONDS)
    assert visitor.session() == session
    visitor.follow(walk.handing_over(f"https://{SHOP}/cart"))
    expect(visitor.tab).to_have_url(f"https://{SHOP}/cart", timeout=SECONDS)
    assert visitor.session() == session
    assert visitor.sessions() == set(HOSTS)


def test_a_session_goes_along_to_a_python_site(walk: Walk, visitor: Visitor) -> None:
    visitor.enter(f"https://{PAY}/shows/paper-moon")
    session = visitor.session()
    visitor.follow(walk.handing_over(f"https://{CLUB}/members?y=1"))
    expect(visitor.tab).to_have_url(f"https://{CLUB}/members?y=1", timeout=SECONDS)
    assert visitor.session() == session
    assert visitor.sessions() == {PAY, CLUB}


@pytest.mark.parametrize("host", [CLUB, SHOP])
def test_a_visitor_without_scripts_comes_back_to_the_first_address(walk: Walk, host: str) -> None:
    visitor = another(walk, f"without-scripts-{host}", java_script_enabled=False)
    target = f"https://{host}/shows/late-bloom?seat=2"
    visitor.tab.goto(target)
    if visitor.tab.url != target:  # otherwise no visitor waits
        visitor.tab.get_by_role("button", name="Enter").click()
        expect(visitor.tab).to_have_url(re.compile("/_waiting-room/wait"), timeout=SECONDS)
        walk.demo.act(walk.event_id, "admit", {"by": 50})
        expect(visitor.tab).to_have_url(target, timeout=POLLS)  # the page reloads itself
    visitor.show()
    assert visitor.session()
    visitor.context.close()


def test_a_link_to_another_host_leads_through_the_room_without_a_session(
    walk: Walk, visitor: Visitor
) -> None:
    """The form of the waiting page is redirected to another host, and cookies are not asked for."""
    visitor.tab.goto(f"https://{SHOP}/search")
    target = f"https://{PAY}/checkout?x=1"
    visitor.follow(walk.handing_over(target))
    visitor.wait(target, walk.event_id)
    assert visitor.sessions() == {SHOP, PAY}
    assert all(one.status < 400 for one in visitor.protocol.steps), visitor.protocol.text()


@pytest.mark.parametrize(
    ("ago", "passes"), [(-600, True), (0, True), (40, True), (POST_GRACE + 1, False)]
)
def test_a_form_of_a_payment_provider_reaches_the_site_until_a_minute_after_the_session(
    walk: Walk, visitor: Visitor, ago: int, passes: bool
) -> None:
    """``ago``: seconds since the end of the session. Later the page says that it was lost."""
    visitor.enter(f"https://{SHOP}/shows/paper-moon")
    _, generation, position = visitor.session().split(":")
    now = int(time.time())
    session = GateSession(walk.event_id, int(generation), int(position), now - 1_000, now - ago)
    name = f"__Host-waiting-room-{walk.event_id}"
    value = encode_session(session, walk.keys(walk.event_id))
    (old,) = [one for one in visitor.context.cookies(f"https://{SHOP}") if one["name"] == name]
    visitor.context.add_cookies([{**old, "value": value}])  # type: ignore[list-item]
    page = (
        f"<form method='post' action='https://{SHOP}/checkout'><input name='result' value='paid'>"
        "</form><script>document.forms[0].submit()</script>"
    )
    visitor.context.route(
        f"{PROVIDER}**", lambda route: route.fulfill(content_type="text/html", body=page)
    )
    visitor.tab.goto(PROVIDER)
    visitor.tab.wait_for_url(re.compile(re.escape(f"https://{SHOP}/")), timeout=SECONDS)
    (sent,) = (
        one
        for one in visitor.protocol.steps
        if (one.method, one.url) == ("POST", f"https://{SHOP}/checkout")
    )
    if passes:
        assert "/_waiting-room/" not in sent.location
        assert sent.status in (200, 303), "the site has responded"
        return
    assert sent.status == 303
    assert sent.location.endswith(f"/_waiting-room/enter?event={walk.event_id}&note=form")
    expect(visitor.tab.get_by_text("Your form was not received.")).to_be_visible(timeout=SECONDS)


def test_the_waiting_page_of_another_site_leads_to_the_shop(walk: Walk, visitor: Visitor) -> None:
    visitor.tab.goto(f"{walk.waiting}?event={walk.event_id}&to=%2Fcart%3Fz%3D1")
    visitor.tab.get_by_role("button", name="Enter").click()
    visitor.take_turn(walk.event_id)
    expect(visitor.tab).to_have_url(f"https://{SHOP}/cart?z=1", timeout=SECONDS)
    assert visitor.sessions() == {SHOP}
    assert visitor.session()


def test_each_event_of_a_host_has_its_own_queue(walk: Walk, visitor: Visitor) -> None:
    target = f"https://{SHOP}/shows/north-wind"
    for _ in range(STORE_SECONDS):  # the rule is new at the edge
        visitor.tab.goto(target)
        if f"event={walk.vip}" in visitor.tab.url:
            break
        visitor.tab.wait_for_timeout(1_000)
    visitor.wait(target, walk.vip)
    assert visitor.session().startswith(f"{walk.vip}:")
    assert visitor.sessions() == set(), "no session of the other event"
