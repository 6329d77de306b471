# SPDX-License-Identifier: Apache-2.0
"""The gate's decisions by kind of request: navigations, return addresses and pages."""

from __future__ import annotations

import json
from dataclasses import replace
from urllib.parse import urlencode

import pytest

from tests.support.in_memory_room import EVENT, START
from tests.support.tokens import VISITOR, FakeEnded, token
from tests.unit.gate.gate_site import (
    COOKIE,
    FROM_PAGE,
    HTML,
    RETURN,
    SHOP,
    WAITING,
    Site,
    cookie_pair,
    cookies,
    header,
    settings,
)
from waiting_room.gate.decision import Request
from waiting_room.gate.responses import Response, wants_html


@pytest.mark.parametrize(
    ("sent", "navigation"),
    [
        ({}, True), ({"sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}, True),
        ({"sec-fetch-mode": "navigate", "sec-fetch-dest": "document",
          "sec-fetch-site": "cross-site"}, True),
        ({"x-requested-with": "com.example.app"}, True),
        ({"sec-fetch-mode": "navigate", "sec-fetch-dest": "iframe"}, False),
        ({"sec-fetch-mode": "navigate", "sec-fetch-dest": "object"}, False),
        ({"sec-fetch-mode": "no-cors", "sec-fetch-dest": "image"}, False),
        ({"sec-fetch-mode": "no-cors", "sec-fetch-dest": "script"}, False),
        ({"sec-fetch-mode": "cors", "sec-fetch-dest": "empty"}, False),
        ({"sec-fetch-mode": "same-origin", "sec-fetch-dest": "serviceworker"}, False),
        ({"sec-purpose": "prefetch"}, False), ({"sec-purpose": "prefetch;prerender"}, False),
        ({"sec-purpose": "prefetch;anonymous-client-ip", "sec-fetch-mode": "navigate",
          "sec-fetch-dest": "document"}, False),
        ({"purpose": "prefetch"}, False), ({"x-moz": "prefetch"}, False),
        ({"x-requested-with": "XMLHttpRequest"}, False), ({"x-requested-with": ""}, False),
    ],
)  # fmt: skip
def test_only_a_page_in_a_tab_is_sent_to_wait_and_remembered(
    sent: dict[str, str], navigation: bool
) -> None:
    answer = Site().gate.check(Request("GET", "/a", "", {"accept": HTML, **sent}))
    assert answer.status == (302 if navigation else 403)
    assert (RETURN in cookies(answer)) is navigation
    posted = Site().gate.check(Request("POST", "/a", "", {"accept": HTML, **sent}))
    assert (RETURN in cookies(posted)) is navigation


NO_VISITS: list[dict[str, str]] = [
    {"sec-fetch-mode": "cors", "sec-fetch-dest": "empty", "accept": HTML},
    {"sec-fetch-mode": "no-cors", "sec-fetch-dest": "script", "accept": "*/*"},
    {"sec-purpose": "prefetch;prerender", "sec-fetch-mode": "navigate",
     "sec-fetch-dest": "document", "accept": HTML},
    {"purpose": "prefetch", "accept": HTML}, {"x-requested-with": "XMLHttpRequest", "accept": HTML},
    {"accept": "application/json"}, {},
]  # fmt: skip


@pytest.mark.parametrize("method", ["GET", "POST", "PUT"])
@pytest.mark.parametrize("sent", NO_VISITS)
def test_what_is_no_visit_reads_the_refusal_and_changes_nothing(
    sent: dict[str, str], method: str
) -> None:
    site = Site(cors_origins=SHOP)
    answer = site.gate.check(Request(method, "/a", "", {**sent, "origin": SHOP[0]}))
    assert isinstance(answer, Response)
    assert answer.status == 403
    assert header(answer, "Content-Type") == "application/json"
    assert header(answer, "Access-Control-Allow-Origin") == SHOP[0]
    assert header(answer, "Cache-Control") == "no-store"
    said = json.loads(answer.body)
    assert said.pop("error")
    assert said == {
        "reason": "no_session", "event_id": EVENT, "waiting_room": WAITING,
        "waiting_room_url": WAITING, "retry_after": None,
    }  # fmt: skip
    assert cookies(answer) == {}
    closed = Site(cors_origins=SHOP)
    closed.keys.empty = True
    unknown = closed.gate.check(Request(method, "/a", "", {**sent, "authorization": token()}))
    assert isinstance(unknown, Response)
    told = json.loads(unknown.body)
    assert (unknown.status, told["reason"], told["retry_after"]) == (503, "unavailable", 5)


def test_a_frame_gets_a_page_whose_link_leaves_the_frame() -> None:
    frame = {"sec-fetch-mode": "navigate", "sec-fetch-dest": "iframe", "accept": HTML}
    answer = Site().gate.check(Request("GET", "/a", "", frame))
    assert isinstance(answer, Response)
    assert answer.status == 403
    assert header(answer, "Content-Type").startswith("text/html")
    assert b'target="_top"' in answer.body
    assert cookies(answer) == {}


def test_a_refusal_tells_why() -> None:
    ended = FakeEnded()
    site = Site(ended)

    def reason(**headers: str) -> str:
        return str(json.loads(site.get(**headers).body)["reason"])

    pair = cookie_pair(site.get(authorization=token()))
    assert reason() == reason(authorization="junk") == "no_session"
    assert reason(cookie=f"{COOKIE}=junk") == "no_session"
    ended.ids.add(VISITOR)
    assert reason(cookie=pair) == reason(authorization=token()) == "session_ended"
    ended.ids.clear()
    site.clock.now = START + 3600
    assert reason(cookie=pair) == reason(authorization=token()) == "session_over"
    assert reason(cookie=pair, authorization="junk") == "session_over"


def returned(path: str, query: str = "", raw: str = "") -> str:
    """Where a visitor of an address comes back to, who wanted another one before."""
    site = Site()
    old = cookies(site.get("/old", accept=HTML))[RETURN]
    answer = site.gate.check(Request("GET", path, query, {"accept": HTML}, raw=raw))
    assert isinstance(answer, Response)
    jar = {RETURN: old.value, **{name: one.value for name, one in cookies(answer).items()}}
    for name, one in cookies(answer).items():
        assert len(name) + len(one.value) <= 4_096  # what a browser keeps
    return header(site.come_back(f"{RETURN}={jar[RETURN]}"), "Location")


def test_the_address_first_requested_comes_back_complete() -> None:
    assert returned("/buy", "seat=12") == "/buy?seat=12"
    assert returned("/a/b", "x=%2F&y=%25", raw="/a%2Fb") == "/a%2Fb?x=%2F&y=%25"
    for sign in ("x", "&", "%", "=", ",", ";", '"', "'", "~"):
        query = sign * (1_500 - len("/a?"))
        assert returned("/a", query) == f"/a?{query}"


def test_of_an_address_that_is_too_long_the_path_comes_back_and_never_an_older_one() -> None:
    assert returned("/a", "x" * 1_498) == "/a"
    assert returned("/a/b", "x" * 2_000, raw="/a%2Fb") == "/a%2Fb"
    assert returned("/" + "x" * 1_500) == "/"
    assert returned("//evil.example/x") == "/"


def test_a_gate_reads_the_address_that_one_before_it_kept() -> None:
    assert header(Site().come_back(f"{RETURN}=%2Fa%3Fb%3Dc"), "Location") == "/a?b=c"


def test_a_browser_that_stores_no_cookie_gets_a_message_and_no_redirect_loop(
    caplog: pytest.LogCaptureFixture,
) -> None:
    site = Site()
    kept = cookies(site.get("/a", accept=HTML))[RETURN].value
    sent = {"cookie": f"{RETURN}={kept}", "accept": HTML}
    answer = site.gate.enter(Request("GET", "/waiting-room/enter", "back", sent), b"")
    assert (answer.status, cookies(answer)) == (403, {})
    assert b"requires a cookie" in answer.body
    assert "secure_cookie" in caplog.text
    site.keys.out_of_reach = True
    assert site.gate.enter(Request("GET", "/waiting-room/enter", "back", sent), b"").status == 403
    site = Site(fail_open=True)
    site.keys.out_of_reach = True
    answer = site.gate.enter(Request("GET", "/waiting-room/enter", "back", sent), b"")
    assert (answer.status, header(answer, "Location")) == (303, "/a")


def test_a_visitor_who_opens_the_entrance_comes_to_the_first_page_of_the_site() -> None:
    for mount, home in (("", "/"), ("/shop", "/shop/"), ("//evil.example", "/")):
        visit = Request("GET", f"{mount}/waiting-room/enter", "", {"accept": HTML}, mount)
        answer = Site().gate.enter(visit, b"")
        assert (answer.status, header(answer, "Location")) == (303, home)
        session = cookies(Site().post_token(token()))[COOKIE].value
        back = replace(visit, query="back", headers={"cookie": f"{COOKIE}={session}"})
        assert header(Site().gate.enter(back, b""), "Location") == home


def test_only_a_page_in_a_tab_forgets_where_the_visitor_wanted_to_go() -> None:
    site = Site()
    gate, session = site.gate, cookies(site.post_token(token()))[COOKIE].value
    enter = Request("GET", "/waiting-room/enter", "back", {"cookie": f"{COOKIE}={session}"})
    assert cookies(gate.enter(enter, b""))[RETURN]["max-age"] == "0"
    image = replace(enter, headers={"sec-fetch-mode": "no-cors", "sec-fetch-dest": "image"})
    assert cookies(gate.enter(image, b"")) == {}


@pytest.mark.parametrize(
    "mount", ["//evil.example", "/\\evil.example", "/\ud800", "/\r\nX: y", "/é"]
)
def test_a_prefix_that_a_caller_chooses_is_no_way_to_another_site(mount: str) -> None:
    visit = Request("POST", f"{mount}/waiting-room/enter", "", FROM_PAGE, mount)
    assert Site().gate.is_entrance(visit)
    body = urlencode({"token": token()}).encode()
    location = header(Site().gate.enter(visit, body), "Location")
    assert location.startswith("/")
    assert not location.startswith(("//", "/\\"))
    assert location.isprintable()


def test_a_remembered_path_keeps_its_encoded_slash() -> None:
    visit = Request("GET", "/files/a/b", "x=1", {"accept": HTML}, raw="/files/a%2Fb")
    kept = cookies(Site().gate.check(visit))[RETURN]
    back = Site().come_back(f"{RETURN}={kept.coded_value}")
    assert header(back, "Location") == "/files/a%2Fb?x=1"


def test_two_events_on_one_host_have_their_own_cookies() -> None:
    names = [settings(event_id=event) for event in ("A", "return-A", "A B", "a;b=c")]
    cookies_of = [one.cookie_name for one in names] + [one.return_cookie_name for one in names]
    assert len(set(cookies_of)) == len(cookies_of)
    assert all(jar in jar.strip() and not set(jar) & set(" ;=,") for jar in cookies_of)


def test_a_waiting_page_behind_the_gate_makes_no_redirect_loop(
    caplog: pytest.LogCaptureFixture,
) -> None:
    site = Site(waiting_room_url="https://shop.example/wait?x=1")
    answer = site.get("/wait", accept=HTML, host="shop.example")
    assert answer.status == 403
    assert "exclude its path" in caplog.text
    assert site.get("/other", accept=HTML, host="shop.example").status == 302


@pytest.mark.parametrize(
    ("accept", "html"),
    [
        (HTML, True), ("text/html", True), ("TEXT/HTML", True), ("text/html;q=0.5", True),
        ("", False), ("*/*", False), ("application/json", False), ("text/html;q=0", False),
        ("application/json, text/html;q=0.9", False), ("text/html, application/json", True),
        ("text/html;q=junk", False), (";;;,,,", False),
    ],
)  # fmt: skip
def test_pages_are_for_those_who_ask_for_them(accept: str, html: bool) -> None:
    assert wants_html(accept) is html
    assert Site().get(accept=accept).status == (302 if html else 403)


def test_the_waiting_page_of_the_site_makes_no_redirect_loop_on_either_scheme(
    caplog: pytest.LogCaptureFixture,
) -> None:
    for address in ("http://127.0.0.1:8000/wait", "https://127.0.0.1:8000/wait"):
        site = Site(waiting_room_url=address)
        assert site.get("/wait", accept=HTML, host="127.0.0.1:8000").status == 403
        assert "exclude its path" in caplog.text
        caplog.clear()
