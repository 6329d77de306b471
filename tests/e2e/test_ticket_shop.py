# SPDX-License-Identifier: Apache-2.0
"""The ticket shop of `make run`: closed under every spelling, open after the turn."""

from __future__ import annotations

import json
import re
import time
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest

from tests.support.gate_sites import ask, status
from tests.support.gate_vectors import PROTECTED
from tests.support.local_stack import RunningRoom

SHOP = b"Box Office"  # in every page of the shop
HTML = {"Accept": "text/html", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
MOST_REDIRECTS = 6
SPELLINGS = [path for path in PROTECTED if path.isprintable() and " " not in path] + [
    "/", "/search/../checkout", "/search/%2e%2e/checkout", "/search/..;/cart", "/assets/..%2fcart",
    "/search%2f..%2fcheckout", "/Search", "/_waiting-room/../checkout", "/_waiting-room",
    "/_waiting-room/%2e%2e/checkout", "/_waiting-room/..;/cart", "//search/../cart",
    "/search\\..\\cart",
]  # fmt: skip


class Client:
    """Sends raw requests to the shop; keeps cookies if told to; follows a few redirects."""

    def __init__(self, shop_url: str, *, keeps_cookies: bool) -> None:
        parts = urlsplit(shop_url)
        self._port, self._host = parts.port or 80, parts.netloc
        self._keeps, self.cookies = keeps_cookies, dict[str, str]()

    def send(
        self,
        target: str,
        method: str = "GET",
        headers: dict[str, str] | None = None,
        body: bytes = b"",
    ) -> bytes:
        sent = {"Host": self._host, **(HTML if headers is None else headers)}
        if self.cookies:
            sent["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        if body:
            sent["Content-Length"] = str(len(body))
        answer = ask(self._port, method, target, sent, body)
        head = answer.partition(b"\r\n\r\n")[0].decode("latin-1")
        for name, value, life in re.findall(r"(?im)^set-cookie: ([^=]+)=([^;]*).*age=(\d+)", head):
            if self._keeps and life != "0":
                self.cookies[name] = value
            else:
                self.cookies.pop(name, None)
        return answer

    def visit(self, target: str) -> list[bytes]:
        """Open an address as a browser does; return all responses."""
        found = [self.send(target)]
        while status(found[-1]) in (302, 303) and len(found) <= MOST_REDIRECTS:
            location = re.search(rb"(?im)^location: (\S+)", found[-1])
            assert location is not None
            found.append(self.send(location[1].decode("latin-1")))
        return found

    def api(self, method: str, path: str, content: Any = None) -> Any:
        """Call the public API below the room's paths; None for a response other than 200."""
        body = json.dumps(content).encode() if content else b""
        kind = {"Content-Type": "application/json", "Accept": "application/json"}
        answer = self.send(f"/_waiting-room{path}", method, kind, body)
        return json.loads(answer.partition(b"\r\n\r\n")[2]) if status(answer) == 200 else None


@pytest.fixture(autouse=True)
def nobody_goes_straight_through(running: RunningRoom) -> None:
    """Reset the event: an earlier test may have admitted more visitors than had joined."""
    assert running.private("POST", "/reset_initial_state").status_code == 200


@pytest.mark.server
@pytest.mark.parametrize("keeps_cookies", [False, True])
def test_the_shop_is_closed_under_every_spelling(running: RunningRoom, keeps_cookies: bool) -> None:
    client = Client(running.endpoints["shop_url"], keeps_cookies=keeps_cookies)
    for target in SPELLINGS:
        for answer in client.visit(target):
            assert SHOP not in answer, target
            assert status(answer) in (0, 200, 302, 400, 403, 404), (target, answer[:80])
    whole = client.visit("/checkout")
    assert 2 <= len(whole) <= 4, "no loop"
    assert b"/_waiting-room/enter?event=" in whole[0]
    for method in ("POST", "PUT", "DELETE", "OPTIONS", "BREW"):
        assert SHOP not in client.send("/checkout", method, {"Accept": "*/*"})
    assert SHOP in client.send("/search?q=paper"), "the search is open"


@pytest.mark.server
def test_the_shop_is_open_after_the_turn(running: RunningRoom) -> None:
    wait_and_shop(running)


def wait_and_shop(running: RunningRoom) -> None:
    """Join at the shop, be served, enter, shop and leave."""
    client = Client(running.endpoints["shop_url"], keeps_cookies=True)
    event_id = running.event_id
    page = client.visit("/shows/paper-moon?seat=1")[-1]
    assert status(page) == 200
    assert SHOP not in page
    joined = client.api("POST", "/assign_queue_num", {"event_id": event_id})
    request_id = joined["api_request_id"]
    asked = urlencode({"event_id": event_id, "request_id": request_id})
    end = time.monotonic() + 20
    while (found := client.api("GET", f"/queue_num?{asked}")) is None:
        assert time.monotonic() < end, "no position was given"
        time.sleep(0.2)
    running.serve(int(found["queue_number"]))
    tokens = client.api("POST", "/generate_token", {"event_id": event_id, "request_id": request_id})
    form = urlencode(
        {"event": event_id, "to": "/shows/paper-moon?seat=1", "token": tokens["access_token"]}
    ).encode()
    shop = running.endpoints["shop_url"].rstrip("/")
    headers = {**HTML, "Content-Type": "application/x-www-form-urlencoded", "Origin": shop,
               "Sec-Fetch-Site": "same-origin"}  # fmt: skip
    entered = client.send("/_waiting-room/session", "POST", headers, form)
    assert status(entered) == 303
    assert b"location: /shows/paper-moon?seat=1" in entered.lower()
    for target in ("/shows/paper-moon?seat=1", "/checkout", "/%63heckout", "/"):
        assert SHOP in client.send(target), target
    assert f"Session {event_id}:".encode() in client.send("/cart")
    name = f"__Host-waiting-room-{event_id}"
    whole = client.cookies[name]
    client.cookies[name] = whole[:-1] + ("A" if whole[-1] != "A" else "B")
    assert SHOP not in client.send("/checkout")
    client.cookies[name] = whole
    left = client.send(
        "/_waiting-room/leave", "POST", headers, urlencode({"event": event_id}).encode()
    )
    assert status(left) in (204, 303)
    assert name not in client.cookies
    assert SHOP not in client.send("/checkout")
