# SPDX-License-Identifier: Apache-2.0
"""A web server that knows nothing of the room but OpenID, in front of the room as it runs."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser import chromium
from tests.openid_servers import apache, missing_for_apache
from tests.running import FAST, running_room
from tests.servers import free_port, in_ci

pytestmark = [pytest.mark.server, pytest.mark.browser]


def test_a_visitor_of_apaches_page_waits_on_the_waiting_page_and_is_let_in(tmp_path: Path) -> None:
    missing = missing_for_apache()
    if missing:
        if in_ci():
            pytest.fail(missing)
        pytest.skip(missing)
    port = free_port()
    callback = f"http://127.0.0.1:{port}/protected/callback"
    with (
        running_room(tmp_path / "room", OPENID_REDIRECT_URIS=callback, **FAST) as room,
        apache(
            port, room.endpoints["openid_issuer"], room.endpoints["openid_client_secret"]
        ) as shop,
        chromium() as browser,
    ):
        page = browser.new_context(locale="en-GB").new_page()
        page.goto(shop)
        assert page.url.startswith(room.endpoints["waiting_room_url"])
        expect(page.get_by_text("Your number", exact=True)).to_be_visible(timeout=20_000)
        page.reload()  # the place survives
        expect(page.get_by_text("Your number", exact=True)).to_be_visible(timeout=20_000)
        room.serve(1)
        expect(page.get_by_role("heading", name="The shop")).to_be_visible(timeout=60_000)
        assert page.url == shop
        assert room.private("GET", "/metrics").json()["active_tokens"] == 1
