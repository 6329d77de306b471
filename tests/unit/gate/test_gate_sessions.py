# SPDX-License-Identifier: Apache-2.0
"""The gate's decisions: session cookies, tokens and the entrance."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, urlencode

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support import tokens
from tests.support.in_memory_room import EVENT, ISSUER, START, Clock
from tests.support.tokens import VISITOR, FakeEnded, FakeKeys, signed, token
from tests.unit.gate.gate_site import (
    COOKIE,
    FROM_PAGE,
    HTML,
    OLD_SECRET,
    RETURN,
    SECRET,
    WAITING,
    Site,
    cookie_pair,
    cookies,
    header,
    settings,
)
from waiting_room.authorizer.verifier import Expected, Verifier
from waiting_room.domain.errors import SettingsError
from waiting_room.gate import Gate
from waiting_room.gate.decision import MAX_FORM, Allow, Request
from waiting_room.gate.responses import Response


def test_a_token_in_the_header_is_accepted_and_sets_a_cookie_that_is_accepted() -> None:
    site = Site()
    first = site.get(authorization=f"Bearer {token()}")
    assert isinstance(first, Allow)
    assert first.claims is not None
    assert first.claims["sub"] == VISITOR
    again = site.get(cookie=f"other=1; {cookie_pair(first)}; more=2")
    assert isinstance(again, Allow)
    assert again.set_cookie is None
    assert again.claims is not None
    assert (again.claims["sub"], again.claims["queue_position"]) == (VISITOR, 7)


def test_scripts_and_other_sites_cannot_read_the_cookie_and_it_expires_with_the_token() -> None:
    site = Site()
    made = site.get(authorization=token()).set_cookie
    name, _, attributes = made.partition("=")
    assert name == COOKIE
    assert attributes.split("; ")[1:] == [
        "Max-Age=3595", "Path=/", "HttpOnly", "SameSite=Lax", "Secure",
    ]  # fmt: skip
    assert token() not in made
    pair = made.partition(";")[0]
    site.clock.now = START + 3599
    assert isinstance(site.get(cookie=pair), Allow)
    site.clock.now = START + 3600
    assert isinstance(site.get(cookie=pair), Response)


def test_a_cookie_of_another_event_issuer_or_secret_is_no_pass() -> None:
    pair = cookie_pair(Site().get(authorization=token()))
    assert isinstance(Site().get(cookie=pair), Allow)
    assert isinstance(Site(secret="x" * 32).get(cookie=pair), Response)
    for expected in (Expected("Other", ISSUER), Expected(EVENT, "https://other")):
        clock = Clock(START + 5)
        other = Gate(settings(), Verifier(expected, FakeKeys(), clock), clock)
        assert isinstance(other.check(Request("GET", "/", "", {"cookie": pair})), Response)


def test_sessions_stay_valid_after_a_change_of_the_secret() -> None:
    pair = cookie_pair(Site(secret=OLD_SECRET).get(authorization=token()))
    assert isinstance(Site(old_secrets=(OLD_SECRET,)).get(cookie=pair), Allow)


@pytest.mark.parametrize("algorithm", ["HS256", "HS512", "none"])
def test_a_made_up_cookie_is_no_pass(algorithm: str) -> None:
    claims = {"sub": "a", "aud": EVENT, "iss": ISSUER, "exp": START + 99, "token_use": "gate"}
    key = "k" * 64 if algorithm != "none" else ""
    made = jwt.encode(claims, key, algorithm=algorithm)
    for value in (made, made[:-1], "junk", "", "é" * 5, "a" * 5000, "a.b.c", token()):
        assert isinstance(Site().get(cookie=f"{COOKIE}={value}"), Response)


def test_another_jwt_of_the_site_under_the_same_secret_is_no_pass() -> None:
    claims = {"sub": "a", "aud": EVENT, "iss": ISSUER, "exp": START + 99, "token_use": "access"}
    made = jwt.encode(claims, SECRET, algorithm="HS256")
    assert isinstance(Site().get(cookie=f"{COOKIE}={made}"), Response)


@pytest.mark.parametrize("end", ["soon", None, [], {}, True, 1e300, START + 99.5, "9" * 500])
def test_a_cookie_whose_end_is_no_whole_number_is_no_pass(end: Any) -> None:
    claims = {"sub": "a", "aud": EVENT, "iss": ISSUER, "exp": end, "token_use": "gate"}
    made = jwt.PyJWS().encode(json.dumps(claims).encode(), SECRET, algorithm="HS256")
    assert isinstance(Site().get(cookie=f"{COOKIE}={made}"), Response)


def test_a_good_cookie_behind_a_bad_one_is_found() -> None:
    pair = cookie_pair(Site().get(authorization=token()))
    assert isinstance(Site().get(cookie=f"{COOKIE}=junk; {pair}"), Allow)


def test_the_gate_cookie_is_no_access_token() -> None:
    value = cookie_pair(Site().get(authorization=token())).partition("=")[2]
    assert isinstance(Site().get(authorization=value), Response)


BAD_TOKENS: dict[str, Callable[[], str]] = {
    "nothing": lambda: "",
    "junk": lambda: "junk",
    "another scheme": lambda: "Basic YTpi",
    "a refresh token": lambda: token(use="refresh"),
    "an id token": lambda: token(use="id"),
    "an expired one": lambda: token(at=START - 4000),
    "one not yet valid": lambda: token(at=START + 100),
    "another event's": lambda: signed({"aud": "Other"}),
    "another issuer's": lambda: signed({"iss": "https://evil.example"}),
    "a stranger's": lambda: token(tokens.keys(2).keys[1]),
    "100 kB": lambda: "x" * 100_000,
}


@pytest.mark.parametrize("kind", BAD_TOKENS)
def test_a_bad_token_is_turned_away_with_the_reason_in_the_log_only(
    kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    bad = BAD_TOKENS[kind]()
    answer = Site().get("/api", authorization=bad, accept="application/json")
    assert isinstance(answer, Response)
    assert answer.status == 403
    over = kind == "an expired one"
    assert json.loads(answer.body) == {
        "error": "a valid waiting room token is required", "event_id": EVENT, "retry_after": None,
        "reason": "session_over" if over else "no_session",
        "waiting_room": WAITING, "waiting_room_url": WAITING,
    }  # fmt: skip
    assert header(answer, "Cache-Control") == "no-store"
    assert caplog.messages[-1].startswith("refused: ")
    assert not bad or bad not in caplog.text


def test_a_browser_without_a_token_is_sent_to_wait_and_comes_back_where_it_wanted() -> None:
    site = Site()
    answer = site.get("/shop/é", query="item=5&x=%2F", accept=HTML)
    assert (answer.status, header(answer, "Location")) == (302, WAITING)
    kept = cookies(answer)[RETURN]
    assert (kept["httponly"], kept["secure"], kept["samesite"], kept["path"]) == (
        True, True, "Lax", "/",
    )  # fmt: skip
    back = site.come_back(f"{kept.key}={kept.coded_value}")
    assert (back.status, header(back, "Location")) == (303, "/shop/%C3%A9?item=5&x=%2F")
    assert cookies(back)[RETURN]["max-age"] == "0"
    session = cookies(site.post_token(token()))[COOKIE].value
    assert isinstance(site.get(cookie=f"{COOKIE}={session}"), Allow)


FORM_PAGE = {"host": "shop.example", "accept": HTML, "origin": "https://shop.example"}


@pytest.mark.parametrize("cookie_of", ["none", "expired", "ended"])
def test_a_form_without_a_session_is_not_lost_without_a_word(cookie_of: str) -> None:
    ended = FakeEnded()
    site = Site(ended)
    sent = {**FORM_PAGE, "referer": "https://shop.example/cart%2Fa?seat=12"}
    if cookie_of != "none":
        sent["cookie"] = cookie_pair(site.get(authorization=token()))
        if cookie_of == "expired":
            site.clock.now = START + 3600
        else:
            ended.ids.add(VISITOR)
    answer = site.gate.check(Request("POST", "/cart", "", sent))
    assert isinstance(answer, Response)
    assert answer.status == 403
    assert b"was not received" in answer.body
    assert WAITING.encode() in answer.body
    site.clock.now = START + 5
    ended.ids.clear()
    back = site.come_back(f"{RETURN}={cookies(answer)[RETURN].value}")
    assert header(back, "Location") == "/cart%2Fa?seat=12"


@pytest.mark.parametrize(
    "referer", ["", "https://other.example/x", "https://room.example/", "https://shop.example\\@x/"]
)
def test_a_form_of_an_unknown_page_comes_back_to_its_own_address(referer: str) -> None:
    site = Site()
    answer = site.gate.check(Request("POST", "/cart", "x=1", {**FORM_PAGE, "referer": referer}))
    assert isinstance(answer, Response)
    back = site.come_back(f"{RETURN}={cookies(answer)[RETURN].value}")
    assert header(back, "Location") == "/cart"


@pytest.mark.parametrize(
    "address",
    [
        "//evil.example/", "https://evil.example/", "/\\evil.example", "\\\\evil.example", "evil",
        "/a\r\nSet-Cookie: x=y", "/a b", "/é", "", "/" + "a" * 2000, "javascript:alert(1)",
    ],
)  # fmt: skip
def test_no_redirect_goes_to_another_site(address: str) -> None:
    kept = f"{RETURN}={quote(address, safe='')}"
    assert header(Site().come_back(kept), "Location") == "/"


@given(st.text())
def test_the_way_back_is_always_a_path_of_this_site(path: str) -> None:
    site = Site()
    answer = site.get("/" + path, accept=HTML)
    kept = cookies(answer)
    sent = "; ".join(f"{name}={value.coded_value}" for name, value in kept.items())
    location = header(site.come_back(sent), "Location")
    assert location.startswith("/")
    assert not location.startswith("//")
    assert location.isprintable()
    assert location.isascii()


def test_a_bad_token_at_the_entrance_gets_a_page_and_no_redirect_loop(
    caplog: pytest.LogCaptureFixture,
) -> None:
    answer = Site().post_token(token(at=START - 4000), accept=HTML)
    assert answer.status == 403
    assert header(answer, "Content-Type").startswith("text/html")
    assert WAITING.encode() in answer.body
    assert caplog.messages == ["refused: the token is expired"]
    assert Site().post_token("junk", accept="application/json").status == 403
    assert Site().post_token("").status == 403


def test_the_entrance_takes_a_small_form_by_post_and_nothing_else() -> None:
    gate = Site().gate
    enter = "/waiting-room/enter"
    form = FROM_PAGE
    good = urlencode({"token": token()}).encode()
    assert gate.is_entrance(Request("POST", enter, "", {}))
    assert not gate.is_entrance(Request("POST", enter + "/x", "", {}))
    answer = gate.enter(Request("GET", enter, f"token={token()}", form), b"")
    assert (answer.status, header(answer, "Allow")) == (405, "POST")
    for kind in ("", "application/json", "text/plain"):
        assert (
            gate.enter(Request("POST", enter, "", {**form, "content-type": kind}), good).status
            == 400
        )
    assert gate.enter(Request("POST", enter, "", form), b"a" * (MAX_FORM + 1)).status == 413
    longest = good + b"&x=".ljust(MAX_FORM - len(good), b"x")
    assert gate.enter(Request("POST", enter, "", form), longest).status == 303
    assert gate.enter(Request("POST", enter, "", form), b"\xff").status == 400
    assert gate.enter(Request("POST", enter, "", form), b"a=1&" * 50).status == 400
    assert gate.enter(Request("POST", enter, "", form), good).status == 303


def test_a_token_in_an_address_is_not_looked_at() -> None:
    assert isinstance(Site().get("/", query=f"token={token()}"), Response)


def test_another_header_may_carry_the_token() -> None:
    site = Site(header="X-Waiting-Room")
    assert isinstance(site.get(x_waiting_room=token(), authorization="Basic YTpi"), Allow)
    assert isinstance(site.get(authorization=token()), Response)


def test_a_header_with_another_use_is_not_the_tokens() -> None:
    for name in ("Cookie", "host", "Content-Type", "Transfer-Encoding"):
        with pytest.raises(SettingsError, match="header"):
            settings(header=name)
