# SPDX-License-Identifier: Apache-2.0
"""Clients that know nothing of the room but OpenID, in front of the room as it runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from tests.browser import chromium
from tests.openid_servers import apache, missing_for_apache
from tests.openid_world import Reply, serving
from tests.running import FAST, RunningRoom, running_room
from tests.servers import free_port, in_ci

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
        room = running_room(folder, OPENID_REDIRECT_URIS=" ".join(callbacks), **FAST)
        yield Login(started.enter_context(room), started.enter_context(chromium()), port, pools)


def test_a_visitor_of_apaches_page_waits_on_the_waiting_page_and_is_let_in(login: Login) -> None:
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
