# SPDX-License-Identifier: Apache-2.0
"""Clients that know nothing of the room but OpenID, in front of the room as it runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

import httpx
import pytest
from playwright.sync_api import Browser, expect

from tests.support.browser import chromium
from tests.support.local_stack import FAST, RunningRoom, running_room
from tests.support.openid_room import Reply, serving
from tests.support.openid_servers import apache, missing_for_apache
from tests.support.servers import free_port, in_ci

pytestmark = [pytest.mark.server, pytest.mark.browser]


@dataclass(frozen=True)
class Login:
    """A room with two clients: Apache at a port, and ``pool``, whose callback goes on."""

    room: RunningRoom
    browser: Browser
    apache_port: int
    pool: str


def pool(method: str, path: str, query: list[tuple[str, str]], headers: Any, body: str) -> Reply:
    """A user pool and the application behind it, on another host, as Cognito chains them.

    The callback of the pool sends the browser to the application's, and that to its front page.
    """
    host = headers["host"].rpartition(":")
    port = host[2]
    onward = {
        ("127.0.0.1", "/oauth2/idpresponse"): f"http://localhost:{port}/callback?code=of-the-pool",
        ("localhost", "/callback"): f"http://127.0.0.1:{port}/front",
    }.get((host[0], path))
    if onward:
        return Reply(302, {"Location": onward}, "")
    return Reply(200, {"Content-Type": "text/html"}, f"<h1>Front page at {path}</h1>")


@pytest.fixture(scope="module")
def login(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Login]:
    with ExitStack() as started:
        port, pools = free_port(), started.enter_context(serving(pool))
        callbacks = (f"http://127.0.0.1:{port}/protected/callback", f"{pools}/oauth2/idpresponse")
        folder = tmp_path_factory.mktemp("openid") / "room"
        chosen = {"OPENID_REDIRECT_URIS": " ".join(callbacks), "OPENID_REQUEST_ID_CODES": "true"}
        room = running_room(folder, **chosen, **FAST)
        yield Login(started.enter_context(room), started.enter_context(chromium()), port, pools)


def test_a_visitor_of_apaches_page_waits_on_the_waiting_page_and_is_admitted(login: Login) -> None:
    missing = missing_for_apache()
    if missing:
        if in_ci():
            pytest.fail(missing)
        pytest.skip(missing)
    room, known = login.room, login.room.endpoints
    with apache(login.apache_port, known["openid_issuer"], known["openid_client_secret"]) as shop:
        page = login.browser.new_context(locale="en-GB").new_page()
        page.goto(shop)
        assert page.url.startswith(known["waiting_room_url"])
        expect(page.get_by_text("Your number", exact=True)).to_be_visible(timeout=20_000)
        page.reload()  # the place survives
        expect(page.get_by_text("Your number", exact=True)).to_be_visible(timeout=20_000)
        room.serve(1)
        expect(page.get_by_role("heading", name="The shop")).to_be_visible(timeout=60_000)
        assert page.url == shop
        assert room.private("GET", "/metrics").json()["active_tokens"] == 1


def test_a_callback_that_goes_on_to_other_hosts_brings_the_visitor_there(login: Login) -> None:
    """Chrome holds each redirect after a form to the page's ``form-action``."""
    room, known = login.room, login.room.endpoints
    page = login.browser.new_context(locale="en-GB").new_page()
    asked = "&".join((
        f"client_id={room.event_id}", f"redirect_uri={login.pool}/oauth2/idpresponse",
        "response_type=code", "scope=openid", "state=s",
    ))  # fmt: skip
    page.goto(f"{known['openid_issuer']}/authorize?{asked}")
    assert page.url.startswith(known["waiting_room_url"])
    expect(page.get_by_text("Your number", exact=True)).to_be_visible(timeout=20_000)
    room.serve(1)
    expect(page.get_by_role("heading", name="Front page at /front")).to_be_visible(timeout=60_000)
    assert page.url == f"{login.pool}/front"


def test_a_page_may_send_the_headers_of_its_libraries_to_every_api(login: Login) -> None:
    known = login.room.endpoints
    page = login.browser.new_context().new_page()
    page.goto(login.pool)  # another host than the APIs, and without a policy of its own
    for address, status in (
        (f"{known['public_api']}/status?event_id={login.room.event_id}", 200),
        (f"{known['private_api']}/metrics?event_id={login.room.event_id}", 403),  # not signed
        (f"{known['store_api']}/search", 401),  # without a token
    ):
        headers = {"traceparent": "00-1-1-01", "x-amz-user-agent": "a", "x-requested-with": "b"}
        ask = "([url, headers]) => fetch(url, {headers}).then((answer) => answer.status)"
        assert page.evaluate(ask, [address, headers]) == status


def test_the_waiting_page_of_the_aws_solution_works_while_its_switch_is_on(login: Login) -> None:
    """What it does: it reads its query, joins, waits, opens the redirect address by itself."""
    room, known = login.room, login.room.endpoints
    callback = f"{login.pool}/oauth2/idpresponse"
    asked = {
        "client_id": room.event_id, "redirect_uri": callback, "response_type": "code",
        "scope": "openid", "state": "a b&c=d+e",
    }  # fmt: skip
    sent = httpx.get(f"{known['openid_issuer']}/authorize", params=asked).headers["location"]
    seen = dict(pair.split("=") for pair in sent.partition("?")[2].split("&"))
    assert (unquote(seen["client_id"]), unquote(seen["redirect_uri"])) == (room.event_id, callback)
    assert unquote(seen["state"]) == asked["state"]
    visitor = room.join()
    form = {
        "grant_type": "authorization_code", "code": visitor, "redirect_uri": callback,
        "client_id": room.event_id, "client_secret": known["openid_client_secret"],
    }  # fmt: skip
    place = room.position(visitor)
    token = f"{known['openid_issuer']}/token"
    early = httpx.post(token, data=form)
    assert (early.status_code, early.json()["error"]) == (400, "invalid_grant")
    room.serve(place - int(room.ask("/serving_num").json()["serving_counter"]))
    answer = httpx.post(token, data=form)
    assert answer.status_code == 200
    bearer = {"Authorization": f"Bearer {answer.json()['access_token']}"}
    who = httpx.get(f"{known['openid_issuer']}/userInfo", headers=bearer).json()
    assert who == {"sub": visitor, "queue_position": place}
