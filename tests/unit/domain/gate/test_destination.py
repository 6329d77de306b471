# SPDX-License-Identifier: Apache-2.0
"""The parameter ``to``: no text leads to another site, by the reading of a browser."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.support.fakes.gate_keys import MemoryGateKeys
from waiting_room.domain.gate import credentials
from waiting_room.domain.gate.credentials import GateSession
from waiting_room.domain.gate.destination import (
    MAX_DESTINATION,
    Destination,
    destination,
    own_address,
    with_session,
)

NODE = str(Path(sys.executable).with_name("node"))
HOST, HOSTS = "shop.example", ("pay.example", "shop.example")
PARTS = (
    "/", "//", "\\", "/\\", ":", "@", "#", "?", ".", "..", "https:", "http:", "javascript:",
    "data:", "HTTPS:", "shop.example", "pay.example", "PAY.example", "evil.example",
    "pay.example.evil.example", "evilpay.example", ":443", ":80", ":8443", "%2f", "%5c", "%2e",
    "\t", "\n", "\r", "\0", " ", "\u3002", "\u2215", "\uff0f", "a", "é", "[::1]", "pay.example.",
    "%00", "user:pw", "^", "|",
)  # fmt: skip
STARTS = ("", "", "/", "https://", "https://pay.example", "https://pay.example/")
# The view of a browser: Node has the URL parser of the WHATWG.
BROWSER = """
const cases = JSON.parse(require('fs').readFileSync(0));
console.log(JSON.stringify(cases.map((one) => {
  const found = new URL(one, 'https://shop.example/_waiting-room/session?event=sale');
  return [found.protocol, found.host, found.username];
})));
"""


def of(to: str, host: str = HOST, *, secure: bool = True) -> Destination:
    return destination(to, host, HOSTS, secure=secure)


@pytest.mark.parametrize(
    ("to", "address"),
    [
        ("/cart?a=1#b", "/cart?a=1#b"),
        ("https://pay.example/checkout?x", "https://pay.example/checkout?x"),
        ("https://PAY.example", "https://pay.example/"),
        ("https://pay.example:443/a", "https://pay.example/a"),
        ("https://shop.example/cart", "/cart"),
        ("https://Shop.example:443/cart", "/cart"),
        ("", "/"),
        ("cart", "/"),
        ("//evil.example", "/"),
        ("/\\evil.example", "/"),
        ("/a\\b", "/a\\b"),
        ("https://evil.example/", "/"),
        ("https://pay.example.evil.example/", "/"),
        ("https://user@pay.example/", "/"),
        ("https://pay.example:8443/", "/"),
        ("http://pay.example/", "/"),
        ("https://pay.example?x=1", "/"),
        ("javascript:alert(1)", "/"),
        ("/a b", "/"),
        ("/a\nb", "/"),
        ("/é", "/"),
        ("/" + "a" * MAX_DESTINATION, "/"),
    ],
)
def test_a_destination_is_a_path_or_an_address_of_a_known_host(to: str, address: str) -> None:
    assert of(to).address == address


def test_on_plain_http_an_address_may_have_a_port() -> None:
    assert of("http://pay.example:8080/a", secure=False).address == "http://pay.example:8080/a"
    assert of("http://127.0.0.1:8443/a", "127.0.0.1:8443", secure=False) == Destination("/a")
    assert of("http://shop.example:1/a", "shop.example:2", secure=False).host == "shop.example"


def test_no_text_leads_a_browser_to_another_site() -> None:
    """10,000 texts of parts that parsers read differently; the seed is fixed."""
    dice = random.Random(20261129)
    texts = [
        dice.choice(STARTS) + "".join(dice.choices(PARTS, k=dice.randint(0, 6)))
        for _ in range(10_000)
    ]
    addresses = [of(text).address for text in texts]
    read = subprocess.run(
        [NODE, "-e", BROWSER], input=json.dumps(addresses), capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    found = {tuple(one) for one in json.loads(read.stdout)}
    assert found == {("https:", host, "") for host in HOSTS}
    assert len(set(addresses)) > 500


@given(st.text(max_size=40), st.sampled_from(["", "/", "https://", "https://pay.example"]))
@example("@evil.example/", "https://pay.example")
@example("/evil.example/", "/")
def test_any_text_is_a_destination(text: str, before: str) -> None:
    found = of(before + text)
    assert found.path.startswith("/")
    assert all("!" <= sign <= "~" for sign in found.path)
    assert found.origin in ("", "https://pay.example")


def test_another_host_gets_a_ticket_that_is_valid_there_only() -> None:
    keys, session = MemoryGateKeys().keys("sale"), GateSession("sale", 1, 7, 1_000, 1_900)
    address = with_session(of("https://pay.example/a?b=1&c"), session, keys, 1_000)
    start, _, ticket = address.rpartition("&ticket=")
    assert start == "https://pay.example/_waiting-room/handover?event=sale&to=%2Fa%3Fb%3D1%26c"
    ticket = ticket.replace("%3A", ":")
    assert credentials.decode_ticket(ticket, "pay.example", 1_059, keys) == session
    assert credentials.decode_ticket(ticket, "shop.example", 1_059, keys) is None
    assert with_session(of("/a"), session, keys, 1_000) == "/a"


def test_an_own_address_keeps_the_destination() -> None:
    assert own_address("", "sale") == "/_waiting-room/?event=sale"
    found = own_address("session", "sale", of("/a?b=1"))
    assert found == "/_waiting-room/session?event=sale&to=%2Fa%3Fb%3D1"
