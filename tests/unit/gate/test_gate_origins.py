# SPDX-License-Identifier: Apache-2.0
"""The gate's decisions by origin: methods, preflights, and pages that hand over a token."""

from __future__ import annotations

import json
from urllib.parse import urlencode

import pytest

from tests.support.tokens import token
from tests.unit.gate.gate_site import COOKIE, HTML, SHOP, WAITING, Site, cookies, header
from waiting_room.gate.decision import FORM, Allow, Request
from waiting_room.gate.responses import Response

VERBS = [
    "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PROPFIND",
    "options", "Options", "get", "BREW", "", "é", "OPTIONS ",
]  # fmt: skip
PREFLIGHT = {"access-control-request-method": "PUT", "origin": "https://app.example"}


@pytest.mark.parametrize("verb", VERBS)
def test_no_method_passes_without_a_session(verb: str) -> None:
    upgrades = {"connection": "upgrade", "upgrade": "h2c", "http2-settings": "AAMAAABk"}
    socket = {"connection": "Upgrade", "upgrade": "websocket", "sec-websocket-key": "x" * 24}
    for site in (Site(), Site(cors_origins=SHOP)):
        for sent in ({}, PREFLIGHT, upgrades, socket, {**PREFLIGHT, **socket}):
            visit = Request(verb, "/buy", "", sent)
            assert isinstance(site.gate.check(visit), Response)


def test_the_gate_answers_a_preflight_itself_and_grants_nothing_by_default() -> None:
    for sent in ({}, {"authorization": token()}):
        answer = Site().gate.check(Request("OPTIONS", "/buy", "", {**PREFLIGHT, **sent}))
        assert isinstance(answer, Response)
        assert answer.status == 403
        assert json.loads(answer.body) == {"error": "the header Origin must be one of cors_origins"}
        assert not [name for name, _ in answer.headers if name.startswith("Access-Control")]


def test_the_gate_allows_what_a_configured_origin_asks_for() -> None:
    site = Site(cors_origins=SHOP)
    asked = {**PREFLIGHT, "access-control-request-headers": "authorization, traceparent,X-Amz-Date"}
    answer = site.gate.check(Request("OPTIONS", "/buy", "", asked))
    assert (answer.status, answer.body) == (204, b"")
    assert dict(answer.headers) == {
        "Cache-Control": "no-store",
        "Access-Control-Allow-Methods": "PUT",
        "Access-Control-Allow-Headers": "authorization, traceparent,X-Amz-Date",
        "Access-Control-Max-Age": "600",
        "Access-Control-Allow-Origin": "https://app.example",
        "Access-Control-Allow-Credentials": "true",
        "Access-Control-Expose-Headers": "Retry-After",
        "Vary": "Origin",
    }


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example", "null", "", "*", "https://app.example.evil.example",
        "http://app.example", "https://app.example:444", "https://app.example/",
        "https://app.example,https://evil.example", "HTTPS://APP.EXAMPLE", "https://room.example",
    ],
)  # fmt: skip
def test_no_other_origin_is_allowed_anything(origin: str) -> None:
    site = Site(cors_origins=SHOP)
    for verb in ("OPTIONS", "GET"):
        answer = site.gate.check(Request(verb, "/buy", "", {**PREFLIGHT, "origin": origin}))
        assert isinstance(answer, Response)
        assert answer.status == 403
        assert not [name for name, _ in answer.headers if name.startswith("Access-Control")]


@pytest.mark.parametrize(
    ("method", "names"),
    [
        ("", ""), ("A B", ""), ("GET\r\nX: y", ""), ("GET\n", ""), ("é", ""), ("G" * 33, ""),
        ("PUT", "a b"), ("PUT", "a\r\nSet-Cookie: x=y"), ("PUT", "a:b"), ("PUT", "é"),
        ("PUT", "a," * 1001), ("PUT", "x" * 65),
    ],
)  # fmt: skip
def test_a_preflight_that_asks_for_no_request_is_refused(method: str, names: str) -> None:
    asked = {
        "origin": "https://app.example", "access-control-request-method": method,
        "access-control-request-headers": names,
    }  # fmt: skip
    answer = Site(cors_origins=SHOP).gate.check(Request("OPTIONS", "/buy", "", asked))
    assert isinstance(answer, Response)
    assert answer.status == 400
    assert not [name for name, _ in answer.headers if name.startswith("Access-Control-Allow-M")]


def test_scripts_of_a_configured_origin_can_read_why_they_are_refused() -> None:
    site = Site(cors_origins=SHOP)
    refused = site.get("/buy", origin="https://app.example")
    site.keys.empty = True
    away = site.get("/buy", origin="https://app.example", authorization=token())
    assert (refused.status, away.status) == (403, 503)
    for answer in (refused, away):
        assert header(answer, "Access-Control-Allow-Origin") == "https://app.example"
        assert (header(answer, "Vary"), header(answer, "Cache-Control")) == ("Origin", "no-store")


def test_a_preflight_of_an_open_path_is_the_sites() -> None:
    site = Site(exclude=("/static",))
    assert site.gate.check(Request("OPTIONS", "/static/a", "", PREFLIGHT)) == Allow()


OWN = "https://shop.example"


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        ({"origin": "https://room.example"}, 303),
        ({"origin": "https://room.example", "sec-fetch-site": "cross-site"}, 303),
        ({"origin": OWN}, 303),
        ({"sec-fetch-site": "same-origin"}, 303),
        ({"referer": "https://room.example/"}, 303),
        ({"referer": "https://room.example/page?a=b"}, 303),
        ({"referer": OWN + "/wait"}, 303),
        # nothing that tells who sends it
        ({}, 403), ({"sec-fetch-site": "none"}, 403), ({"referer": ""}, 403),
        # other pages
        ({"origin": "https://evil.example"}, 403), ({"origin": "null"}, 403), ({"origin": ""}, 403),
        ({"origin": "null", "referer": "https://room.example/"}, 403),
        ({"origin": "https://evil.example", "referer": "https://room.example/"}, 403),
        ({"origin": "https://evil.example", "sec-fetch-site": "same-origin"}, 403),
        ({"origin": "http://room.example"}, 403), ({"origin": "http://shop.example"}, 403),
        ({"origin": "https://room.example:8443"}, 403), ({"origin": "https://x.room.example"}, 403),
        ({"origin": "https://room.example.evil.example"}, 403),
        ({"origin": "https://room.example,https://evil.example"}, 403),
        ({"sec-fetch-site": "same-site"}, 403), ({"sec-fetch-site": "cross-site"}, 403),
        ({"referer": "https://evil.example/?https://room.example/"}, 403),
        ({"referer": "https://room.example@evil.example/"}, 403),
        ({"referer": "https://[room.example"}, 403), ({"referer": "https://room.example:x/"}, 403),
        ({"referer": "//room.example/"}, 403), ({"referer": "room.example"}, 403),
    ],
)  # fmt: skip
def test_only_the_waiting_page_and_the_site_hand_over_a_token(
    sent: dict[str, str], status: int
) -> None:
    visit = Request(
        "POST", "/waiting-room/enter", "",
        {"content-type": FORM, "host": "shop.example", **sent},
    )  # fmt: skip
    answer = Site().gate.enter(visit, urlencode({"token": token()}).encode())
    assert answer.status == status
    assert (COOKIE in cookies(answer)) is (status == 303)
    if status == 403:
        said = json.loads(answer.body)
        assert said["error"] == "the header Origin must be that of the waiting page"
        assert (said["reason"], said["waiting_room"]) == ("no_session", WAITING)


def test_a_page_that_the_owner_names_hands_over_a_token_too() -> None:
    other = "https://tickets.example:8443"
    assert Site().post_token(token(), origin=other).status == 403
    assert Site(entrance_origins=(other,)).post_token(token(), origin=other).status == 303


def test_a_foreign_form_is_rejected_while_the_room_is_unavailable_too() -> None:
    site = Site(fail_open=True)
    site.keys.empty = site.keys.out_of_reach = True
    assert site.post_token(token(), origin="https://evil.example").status == 403


def test_the_refusal_of_a_foreign_form_is_a_page_for_browsers() -> None:
    answer = Site().post_token(token(), origin="null", accept=HTML)
    assert (answer.status, header(answer, "Content-Type")) == (403, "text/html; charset=utf-8")
    assert WAITING.encode() in answer.body


@pytest.mark.parametrize("host", ["", "a/b", "x y", "[::1", "shop.example:x", "a@b", "é"])
def test_a_host_that_cannot_be_one_makes_no_origin_of_the_site(host: str) -> None:
    for origin in (f"https://{host}", "https://", "null", ""):
        assert Site().post_token(token(), origin=origin, host=host).status == 403


def test_on_plain_http_the_sites_own_page_may_hand_over_a_token() -> None:
    here = "127.0.0.1:8000"
    plain = Site(secure_cookie=False, waiting_room_url="/wait", exclude=("/wait",))
    assert plain.post_token(token(), origin=f"http://{here}", host=here).status == 303
    assert plain.post_token(token(), origin="http://127.0.0.1:8001", host=here).status == 403
