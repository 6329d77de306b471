# SPDX-License-Identifier: Apache-2.0
"""The local CloudFront in front of the shop: functions, store, behaviours, cache, retries."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import pytest

from deployment.local.edge_store import DELAY
from deployment.local.site_edge.distribution import normalised
from deployment.local.site_edge.engine import Engine, FunctionFailed, write_scripts
from deployment.local.site_edge.store_writing import StoreWriting
from tests.local.shop_room import HTML, KEYS, SHOP_HOST, ShopRoom, event
from waiting_room.domain.gate.credentials import GateSession, encode_session
from waiting_room.domain.gate.store import GatedEvent

NAME = "__Host-waiting-room-Sample"
SCRIPT = {"accept": "*/*"}


def session(**changes: Any) -> str:
    """The cookie of a valid session."""
    now = int(time.time())
    members = {"event_id": "Sample", "generation": 1, "position": 7, "issued": now, **changes}
    found = GateSession(**{"expires": now + 600, **members})
    return f"{NAME}={encode_session(found, KEYS.keys('Sample'))}"


class Sources:
    """The gated events, as the writer reads them."""

    def __init__(self) -> None:
        self.events: list[GatedEvent] = []
        self.keys = KEYS

    def all(self) -> list[GatedEvent]:
        return self.events


def test_the_edge_sees_the_first_rules_at_once_and_others_later() -> None:
    sources = Sources()
    writing = StoreWriting(sources, 31)  # type: ignore[arg-type]
    writing.step()
    assert writing.seen() == {}, "closed"
    sources.events = [event()]
    writing.step()
    assert set(writing.seen()) == {"h:*", "e:Sample"}
    sources.events = [event(generation=2)]
    writing.step()
    assert json.loads(writing.seen()["e:Sample"])["g"] == 1
    at_once = StoreWriting(sources, 0)  # type: ignore[arg-type]
    at_once.step()
    sources.events = [event(generation=3)]
    at_once.step()
    assert json.loads(at_once.seen()["e:Sample"])["g"] == 3


@pytest.mark.parametrize(
    ("script", "outcome"),
    [
        ("function handler(event) { throw new Error('x'); }", "x"),
        ("function handler(event) { return 'text'; }", "no object"),
        ("async function handler(event) { return null; }", "no object"),
        ("function handler(event) { process.exit(3); }", "the process ended"),
    ],
)
def test_a_function_that_fails_is_503_and_the_next_call_runs(
    script: str, outcome: str, tmp_path: Path
) -> None:
    good = "function handler(event) { return { uri: event.request.rawQueryString() }; }"
    write_scripts(tmp_path / "edge", {"bad": script, "good": good})
    call = {"request": {"rawQuery": "a=1"}}

    async def calls() -> None:
        engine = Engine(tmp_path / "edge", ("bad", "good"))
        try:
            assert await engine.run("good", call) == {"uri": "a=1"}
            with pytest.raises(FunctionFailed, match=outcome):
                await engine.run("bad", call)
            assert await engine.run("good", call) == {"uri": "a=1"}
            assert await engine.run("good", {"request": {"rawQuery": None}}) == {}
        finally:
            await engine.stop()

    asyncio.run(calls())


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/a/../_waiting-room/x", "/_waiting-room/x"), ("/%5fwaiting-room/x", "/_waiting-room/x"),
        ("/a%2fb", "/a%2Fb"), ("/a/./b/..", "/a/"), ("/_waiting-room/../b", "/b"), ("/", "/"),
        ("/A//b", "/A//b"),
    ],
)  # fmt: skip
def test_a_behaviour_is_chosen_by_the_normalised_path(path: str, expected: str) -> None:
    assert normalised(path) == expected


def test_a_visitor_is_led_to_the_entrance_and_gets_in_with_a_session() -> None:
    async def visit() -> None:
        async with ShopRoom() as room:
            refused = await room.ask("/shows/x?a=%20b")
            assert refused.status == 302
            to = "/_waiting-room/enter?event=Sample&to=%2Fshows%2Fx%3Fa%3D%2520b"
            assert refused.header("location") == to
            assert refused.header("set-cookie").startswith("__Host-waiting-room_probe-Sample=1:")
            assert room.shop.requests == []
            entered = await room.ask("/shows/x", cookies=f"cart=1; {session()}")
            assert entered.body == b"shop"
            (seen,) = room.shop.requests
            assert seen["headers"]["cookie"] == "cart=1"
            assert seen["headers"]["x-waiting-room-session"] == "Sample:1:7"
            assert (await room.ask("/search?q=x", cookies="cart=1")).body == b"shop"
            forged = {**HTML, "x-waiting-room-session": "Sample:1:1"}
            await room.ask("/assets/style.css", headers=forged)
            assert "x-waiting-room-session" not in room.shop.requests[-1]["headers"]
            wrong = await room.ask("/shows/x", headers=SCRIPT)
            assert (wrong.status, json.loads(wrong.body)["reason"]) == (403, "no_session")

    asyncio.run(visit())


def test_a_change_of_the_rules_closes_the_shop_after_the_delay() -> None:
    async def visit() -> None:
        async with ShopRoom(event(protect=[{"path": "/checkout"}])) as room:
            assert (await room.ask("/shows/x")).body == b"shop"
            room.write(event())
            room.at = DELAY - 1
            assert (await room.ask("/shows/x")).body == b"shop"
            room.at = DELAY + 1
            assert (await room.ask("/shows/x")).status == 302

    asyncio.run(visit())


def test_the_shared_response_is_one_for_each_event_and_class() -> None:
    async def visit() -> None:
        async with ShopRoom() as room:
            room.entrance.status = 302
            room.entrance.headers = {
                "location": "/_waiting-room/session?event=Sample", "cache-control": "no-store",
                "set-cookie": "a=1",
            }  # fmt: skip
            route = "/_waiting-room/enter?event=Sample"
            replies = await asyncio.gather(
                *(room.ask(f"{route}&to=%2F{at}", cookies=f"{NAME}={at}") for at in range(5))
            )
            for at, reply in enumerate(replies):
                location = f"/_waiting-room/session?event=Sample&to=%2F{at}"
                assert reply.header("location") == location
                assert reply.header("set-cookie") == ""
            (seen,) = room.entrance.requests
            assert seen["path"] == "/api/enter"
            assert "cookie" not in seen["headers"]
            assert seen["headers"]["x-waiting-room-host"] == SHOP_HOST
            room.at = 0.9
            await room.ask(route, headers={"accept": "text/html;q=0.5"})
            assert len(room.entrance.requests) == 1
            await room.ask(route, headers={"accept": "application/json"})
            await room.ask(route, headers={"accept": "text/html;q=0.5, application/json"})
            await room.ask("/_waiting-room/enter?event=vip")
            assert len(room.entrance.requests) == 3
            room.at = 1.1
            await room.ask(route)
            assert len(room.entrance.requests) == 4

    asyncio.run(visit())


def test_sessions_are_neither_shared_nor_sent_twice() -> None:
    async def visit() -> None:
        async with ShopRoom() as room:
            route = "/_waiting-room/session?event=Sample&to=%2F"
            probe = "__Host-waiting-room_probe-Sample=x; cart=2"
            for _ in range(2):
                assert (await room.ask(route, cookies=probe)).body == b"entrance"
            assert len(room.entrance.requests) == 2
            assert room.entrance.requests[0]["headers"]["cookie"] == probe.partition(";")[0]
            room.entrance.failures = 9
            assert (await room.ask(route, cookies=probe)).status == 502
            assert len(room.entrance.requests) == 3, "one connection attempt"
            posted = await room.ask("/_waiting-room/session", "POST", HTML, probe, b"token=x")
            assert posted.status == 502
            assert room.entrance.requests[-1]["body"] == b"token=x"
            assert len(room.entrance.requests) == 4
            room.public.failures = 2
            assert (await room.ask("/_waiting-room/status?event_id=Sample")).body == b"public"
            assert len(room.public.requests) == 3, "a GET is sent again, up to three times"
            assert (await room.ask("/_waiting-room/page.js")).body == b"page"
            assert room.page.requests[0]["path"] == "/page.js"

    asyncio.run(visit())


def test_a_path_that_leaves_the_room_is_a_path_of_the_site() -> None:
    async def visit() -> None:
        async with ShopRoom() as room:
            for path in ("/_waiting-room/../x", "/_waiting-room/%2e%2e/x", "/_waiting-room"):
                assert (await room.ask(path)).status == 302
            assert (await room.ask("/x/../_waiting-room/page.js")).body == b"page"
            assert room.shop.requests == []

    asyncio.run(visit())


def test_an_error_is_cached_for_ten_seconds_also_with_no_store() -> None:
    async def visit() -> None:
        async with ShopRoom() as room:
            room.public.status = 503
            for second in (0.0, 9.9):
                room.at = second
                assert (await room.ask("/_waiting-room/status?event_id=Sample")).status == 503
            assert len(room.public.requests) == 1
            room.public.status, room.at = 429, 10.1
            for _ in range(2):
                assert (await room.ask("/_waiting-room/status?event_id=Sample")).status == 429
            assert len(room.public.requests) == 3, "429 is never cached"

    asyncio.run(visit())


@pytest.mark.parametrize(
    ("target", "headers", "body", "status"),
    [
        ("/" + "a" * 8_192, {}, b"", 414),
        ("/", {"x-long": "a" * 20_480}, b"", 494),
        ("/", {}, b"body", 403),
    ],
)
def test_requests_outside_the_limits_are_refused(
    target: str, headers: dict[str, str], body: bytes, status: int
) -> None:
    async def visit() -> None:
        async with ShopRoom() as room:
            assert (await room.ask(target, headers=headers, body=body)).status == status
            assert room.shop.requests == []

    asyncio.run(visit())


def test_the_shop_ends_a_session_by_its_response() -> None:
    async def visit() -> None:
        async with ShopRoom() as room:
            room.shop.headers = {"waiting-room-session": "end", "cache-control": "no-store",
                                 "set-cookie": "cart="}  # fmt: skip
            reply = await room.ask("/checkout", "POST", HTML, session(), b"x")
            cookies = [value for name, value in reply.headers if name == "set-cookie"]
            assert cookies[0] == "cart="
            assert cookies[1].startswith(f"{NAME}=; Secure")
            assert cookies[1].endswith("Max-Age=0")
            assert reply.header("waiting-room-session") == ""

    asyncio.run(visit())
