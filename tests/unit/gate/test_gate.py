# SPDX-License-Identifier: Apache-2.0
"""What the gate decides, whatever framework stands behind it."""

from __future__ import annotations

import http.cookies
import json
from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any
from urllib.parse import quote, unquote, urlencode, urlsplit

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support import tokens
from tests.support.in_memory_room import EVENT, ISSUER, START, Clock
from tests.support.tokens import VISITOR, FakeEnded, FakeKeys, signed, token
from waiting_room.authorizer.verifier import Expected, Verifier
from waiting_room.domain.errors import SettingsError
from waiting_room.gate import Gate, GateSettings, path_rules
from waiting_room.gate.decision import FORM, MAX_FORM, Allow, Request
from waiting_room.gate.origins import origin_of
from waiting_room.gate.responses import Response, wants_html

SECRET, OLD_SECRET = "s" * 32, "o" * 32
WAITING = "https://room.example/"
COOKIE, RETURN = f"__Host-waiting-room-{EVENT}", f"__Host-waiting-room_return-{EVENT}"
HTML = "text/html,application/xhtml+xml,*/*;q=0.8"
FROM_PAGE = {"content-type": FORM, "origin": "https://room.example", "host": "shop.example"}


def settings(**changes: Any) -> GateSettings:
    made: dict[str, Any] = {
        "event_id": EVENT, "issuer": ISSUER, "public_api": "https://room.example/api",
        "waiting_room_url": WAITING, "secret": SECRET, **changes,
    }  # fmt: skip
    return GateSettings(**made)


class Site:
    """A gate with the room's keys, and a clock that tests turn."""

    def __init__(self, ended: FakeEnded | None = None, **changes: Any) -> None:
        self.clock, self.keys = Clock(START + 5), FakeKeys()
        verifier = Verifier(tokens.EXPECTED, self.keys, self.clock, ended)
        self.gate = Gate(settings(**changes), verifier, self.clock)

    def get(self, path: str = "/", method: str = "GET", query: str = "", **headers: str) -> Any:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.gate.check(Request(method, path, query, sent))

    def post_token(self, value: str, **headers: str) -> Response:
        visit = Request("POST", "/waiting-room/enter", "", {**FROM_PAGE, **headers})
        return self.gate.enter(visit, urlencode({"token": value}).encode())

    def come_back(self, cookie: str) -> Response:
        """What the gate answers when the browser follows the entrance's redirect."""
        entered = self.post_token(token())
        path, _, query = header(entered, "Location").partition("?")
        session = cookies(entered)[COOKIE].value
        visit = Request("GET", path, query, {"cookie": f"{COOKIE}={session}; {cookie}"})
        assert self.gate.is_entrance(visit)
        return self.gate.enter(visit, b"")


def cookies(answer: Response) -> dict[str, http.cookies.Morsel[str]]:
    jar: http.cookies.SimpleCookie = http.cookies.SimpleCookie()
    for name, value in answer.headers:
        if name == "Set-Cookie":
            jar.load(value)
    return dict(jar)


def header(answer: Response, name: str) -> str:
    return dict(answer.headers)[name]


def cookie_pair(passed: Allow) -> str:
    assert passed.set_cookie is not None
    return passed.set_cookie.partition(";")[0]


def test_a_token_in_the_header_lets_in_and_sets_a_cookie_that_lets_in_again() -> None:
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


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites_and_dies_with_the_token() -> None:
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


def test_a_new_secret_does_not_turn_out_those_inside() -> None:
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
        "error": "a valid waiting room token is needed", "event_id": EVENT, "retry_after": None,
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
def test_nobody_is_sent_to_another_site(address: str) -> None:
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


def test_a_bad_token_at_the_entrance_gets_a_page_and_no_circle(
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


# --- methods and preflights --------------------------------------------------------------------

VERBS = [
    "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PROPFIND",
    "options", "Options", "get", "BREW", "", "é", "OPTIONS ",
]  # fmt: skip
PREFLIGHT = {"access-control-request-method": "PUT", "origin": "https://app.example"}
SHOP = ("https://app.example",)


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
        assert json.loads(answer.body) == {"error": "the header Origin is none of cors_origins"}
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


# --- who may hand over a token -----------------------------------------------------------------

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


def test_a_foreign_form_is_refused_while_the_room_is_away_too() -> None:
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


# --- what counts as a visit --------------------------------------------------------------------


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


def test_a_browser_that_keeps_no_session_is_told_so_and_not_sent_around(
    caplog: pytest.LogCaptureFixture,
) -> None:
    site = Site()
    kept = cookies(site.get("/a", accept=HTML))[RETURN].value
    sent = {"cookie": f"{RETURN}={kept}", "accept": HTML}
    answer = site.gate.enter(Request("GET", "/waiting-room/enter", "back", sent), b"")
    assert (answer.status, cookies(answer)) == (403, {})
    assert b"needs a cookie" in answer.body
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


def test_a_waiting_page_behind_the_gate_makes_no_circle(caplog: pytest.LogCaptureFixture) -> None:
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


def test_the_waiting_page_of_the_site_makes_no_circle_on_either_scheme(
    caplog: pytest.LogCaptureFixture,
) -> None:
    for address in ("http://127.0.0.1:8000/wait", "https://127.0.0.1:8000/wait"):
        site = Site(waiting_room_url=address)
        assert site.get("/wait", accept=HTML, host="127.0.0.1:8000").status == 403
        assert "exclude its path" in caplog.text
        caplog.clear()


# --- when the room is away ---------------------------------------------------------------------


def test_closed_by_default_while_nothing_can_be_checked() -> None:
    site = Site()
    site.keys.empty = site.keys.out_of_reach = True
    answer = site.get(authorization=token(), accept="application/json")
    assert (answer.status, header(answer, "Retry-After")) == (503, "5")
    assert site.get(authorization=token(), accept=HTML).status == 503
    assert site.post_token(token()).status == 503
    assert site.get(accept=HTML).status == 302


def test_open_if_the_site_says_so_while_the_room_is_away(caplog: pytest.LogCaptureFixture) -> None:
    site = Site(fail_open=True)
    assert isinstance(site.get(), Response)
    site.keys.out_of_reach = True
    for sent in ({}, {"authorization": "junk"}, {"authorization": token(at=START - 4000)}):
        assert site.get(**sent) == Allow(until=site.clock() + 60)
    assert "unchecked" in caplog.text
    checked = site.get(authorization=token())
    assert checked.claims is not None
    site.keys.empty = True
    assert site.get(authorization=token()) == Allow(until=site.clock() + 60)
    assert site.post_token(token()).status == 303
    assert cookies(site.post_token(token())) == {}
    site.keys.empty = site.keys.out_of_reach = False
    assert isinstance(site.get(), Response)


def test_those_inside_stay_inside_while_the_room_is_away() -> None:
    site = Site()
    pair = cookie_pair(site.get(authorization=token()))
    site.keys.empty = site.keys.out_of_reach = True
    assert isinstance(site.get(cookie=pair), Allow)


def test_an_ended_session_leaves_where_the_site_looks() -> None:  # 16
    ended = FakeEnded()
    site = Site(ended)
    pair = cookie_pair(site.get(authorization=token()))
    assert isinstance(site.get(cookie=pair), Allow)
    ended.ids.add(VISITOR)
    assert isinstance(site.get(cookie=pair), Response)
    assert isinstance(site.get(authorization=token()), Response)


# --- settings ----------------------------------------------------------------------------------


def test_paths_that_are_not_behind_the_gate_are_let_through_unchecked() -> None:
    assert Site(exclude=("/static",)).get("/static/a.css") == Allow()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("secret", "short"), ("secret", b"s" * 32), ("secret", None), ("secret", "\udc80" * 32),
        ("old_secrets", ("short",)), ("old_secrets", "s" * 40), ("old_secrets", (None,)),
        ("event_id", ""), ("event_id", None), ("event_id", " Sample"), ("event_id", "a\nb"),
        ("issuer", ""), ("issuer", "https://issuer\n"), ("issuer", 5),
        ("waiting_room_url", ""), ("waiting_room_url", "javascript:alert(1)"),
        ("waiting_room_url", "https://a\r\nb"), ("waiting_room_url", "https://"),
        ("waiting_room_url", "https://[a/"), ("waiting_room_url", "https://a:x/"),
        ("waiting_room_url", "//room.example/"), ("waiting_room_url", "/\\room.example"),
        ("waiting_room_url", "https://me@room.example/"), ("waiting_room_url", "https://é.example/"),
        ("waiting_room_url", "/wait"), ("waiting_room_url", "https://a b/"),
        ("waiting_room_url", 5),
        ("public_api", "http://room.example"), ("public_api", ""), ("public_api", "https://[a"),
        ("public_api", None), ("public_api", "https://room.example/\n"),
        ("include", "/all"), ("include", ("all",)), ("include", ()), ("include", None),
        ("include", ("/a%62",)), ("include", ("/a//b",)), ("include", ("/a/../b",)),
        ("include", ("/a;b",)), ("include", ("/a?b",)), ("include", ("/a\\b",)), ("include", (5,)),
        ("include", ("/a\0",)), ("include", ("",)), ("include", ("https://shop.example/a",)),
        ("exclude", ("static",)), ("exclude", "/static"), ("exclude", ("/a/.",)),
        ("include", ("/checkout/*",)), ("include", ("/shop", "/user/{id}")),
        ("include", ("/user/<int:id>",)), ("exclude", ("/user/:id",)), ("exclude", ("/a$",)),
        ("include", ("/a[0-9]",)), ("include", ("/(a|b)",)), ("include", ("/^a",)),
        ("include", ("/checkout ",)), ("exclude", ("/a\t",)), ("include", ("/a#b",)),
        ("exclude", ("/a?b=c",)), ("exclude", ("/static/**",)), ("include", ("/a", "")),
        ("entrance", "enter"), ("entrance", "/"), ("entrance", ""), ("entrance", None),
        ("entrance", "/a/../b"), ("entrance", "/a?b"), ("entrance", "/a#b"), ("entrance", "/a/*"),
        ("entrance", "https://shop.example/enter"), ("entrance", "/" + "a" * 256), ("entrance", 5),
        ("header", "a b"), ("header", ""), ("header", None), ("header", "Cookie"),
        ("entrance_origins", "https://a.example"), ("entrance_origins", ("https://a.example/",)),
        ("entrance_origins", ("null",)), ("entrance_origins", ("*",)),
        ("cors_origins", ("*",)), ("cors_origins", ("https://*.example",)),
        ("cors_origins", ("null",)), ("cors_origins", ("https://A.example",)),
        ("cors_origins", ("https://a.example:443",)), ("cors_origins", ("a.example",)),
        ("header", "Sec-Fetch-Mode"), ("header", "Access-Control-Request-Headers"),
        ("header", "X-Requested-With"), ("header", "Purpose"),
        ("event_id", "x" * 65), ("waiting_room_url", "https://room.example/" + "x" * 2_048),
        ("waiting_room_url", "https://room..example/"), ("waiting_room_url", "https://-room/"),
        ("waiting_room_url", "https://room.example:0/"), ("waiting_room_url", "https://[::g]/"),
        ("waiting_room_url", "http://room.example/"), ("waiting_room_url", "room.example"),
        ("public_api", "https://me:secret@room.example/api"), ("public_api", "https://room\\x"),
        ("public_api", "https://room..example/api"), ("public_api", "https://-room/api"),
        ("public_api", "https://room.example/api?x=1"), ("public_api", "https://room.example/#x"),
        ("entrance_origins", ("http://shop.example",)), ("entrance_origins", ("https://a..b",)),
        ("site_origin", "shop.example"), ("site_origin", "https://shop.example/"),
        ("site_origin", "https://*.example"), ("site_origin", None), ("site_origin", 5),
        ("fail_open", "false"), ("fail_open", 0), ("secure_cookie", "no"),
        ("revocation_check", None),
        ("clock_skew", -1), ("clock_skew", 61), ("clock_skew", True), ("clock_skew", "10"),
        ("key_cache", 0), ("key_cache", 181), ("key_cache", 1.5), ("key_cache", "120"),
        ("revocation_cache", 0), ("revocation_cache", 61),
    ],
)  # fmt: skip
def test_a_setting_that_cannot_work_is_named(name: str, value: Any) -> None:
    with pytest.raises(SettingsError, match=rf"^The setting {name} ") as raised:
        settings(**{name: value})
    assert str(raised.value).count(".") <= 2


def test_a_site_says_its_origin_to_have_more_checked() -> None:
    with pytest.raises(SettingsError, match=r"^The setting secure_cookie .* site_origin"):
        settings(site_origin="http://127.0.0.1:8000")
    assert settings(site_origin="http://127.0.0.1:8000", secure_cookie=False)
    own: dict[str, Any] = {"site_origin": "https://shop.example", "exclude": ("/open",)}
    for page in ("", "/", "/wait", "/wait?x", "/waiting-room/enter", "/Open", "/open/../wait"):
        with pytest.raises(SettingsError, match=r"^The setting waiting_room_url is a path"):
            settings(waiting_room_url="https://shop.example" + page, **own)
    for page in ("https://shop.example/open", "https://shop.example:8443/", "https://x.example/"):
        assert settings(waiting_room_url=page, **own)
    behind_a_proxy = {"origin": "https://shop.example", "host": "10.0.0.1:8000"}
    assert Site().post_token(token(), **behind_a_proxy).status == 403
    assert (
        Site(site_origin="https://shop.example").post_token(token(), **behind_a_proxy).status == 303
    )


def test_a_configuration_with_an_unknown_or_a_missing_member_is_refused() -> None:
    members: dict[str, Any] = {
        "event_id": EVENT, "issuer": ISSUER, "public_api": "https://room.example/api",
        "waiting_room_url": WAITING, "secret": SECRET, "exclude": ["/static"],
    }  # fmt: skip
    made = GateSettings.from_mapping(members)
    assert made == settings(exclude=("/static",))
    with pytest.raises(SettingsError, match=r"'exlude'\. Did you mean exclude\?$"):
        GateSettings.from_mapping({**members, "exlude": []})
    for name in ("event_id", "secret"):
        with pytest.raises(SettingsError, match=f"^The setting {name} is missing"):
            GateSettings.from_mapping({key: members[key] for key in members if key != name})


def test_a_list_that_changes_later_changes_no_gate() -> None:
    include = ["/checkout"]
    made = settings(include=include)
    include.clear()
    assert made.include == ("/checkout",)


TEXTS = st.text(max_size=12) | st.sampled_from(
    [
        "/", "/a", "/a/*", "/a?b", "/a#b", "//a", "/a/../b", "/a%2Fb", "/wait", "/{id}", "", " ",
        "https://shop.example", "https://shop.example/", "http://shop.example", "http://127.0.0.1:1",
        "https://[::1]", "https://[", "https://a:x", "https://a@b", "javascript:x", "s" * 32, "X-A",
    ]
)  # fmt: skip
VALUES: st.SearchStrategy[Any] = (
    TEXTS
    | st.lists(TEXTS, max_size=3).map(tuple)
    | st.none()
    | st.booleans()
    | st.integers(-1, 200)
    | st.binary(max_size=3)
    | st.floats()
)
NAMES = [one.name for one in fields(GateSettings)]


@given(st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=8), VALUES, max_size=4))
def test_settings_work_or_are_refused_by_a_sentence_that_names_one(changes: dict[str, Any]) -> None:
    base = {
        "event_id": EVENT, "issuer": ISSUER, "public_api": "https://room.example/api",
        "waiting_room_url": WAITING, "secret": SECRET,
    }  # fmt: skip
    made, said = None, ""
    try:
        made = GateSettings.from_mapping({**base, **changes})
    except SettingsError as error:
        said = str(error)
    if made is None:
        assert [name for name in changes if name in said or repr(name[:40]) in said]
        assert SECRET not in said
        return
    assert set(changes) <= set(NAMES)
    for rule in made.include:  # protects what it names, and the waiting page is reachable
        assert path_rules.is_protected(rule, made.include, ())
    gate = Gate(made, Verifier(tokens.EXPECTED, FakeKeys(), Clock(START + 5)))
    page = urlsplit(made.waiting_room_url)
    if not page.netloc or origin_of(made.waiting_room_url) == made.site_origin:
        assert not gate.is_protected(Request("GET", unquote(page.path), "", {}))
    answer = gate.check(
        Request("GET", made.include[0], "", {"accept": HTML, "host": "shop.example"})
    )
    assert isinstance(answer, Response)
    for jar in cookies(answer).values():
        assert jar["secure"] or not made.secure_cookie
        assert jar.key.startswith("__Host-") is made.secure_cookie


def test_a_waiting_page_of_the_site_itself_must_be_outside_the_gate() -> None:
    for address in ("/wait", "/wait?event=a", "/Wait", "/waiting-room/enter"):
        with pytest.raises(SettingsError, match=r"^The setting waiting_room_url is a path"):
            settings(waiting_room_url=address, exclude=("/other", "/waiting-room/enter"))
    assert settings(waiting_room_url="/wait?event=a", exclude=("/wait",))
    assert settings(waiting_room_url="/wait", include=("/checkout",))


@pytest.mark.parametrize("version", ["2.3.0", "1.7.1", "2.0"])
def test_a_pyjwt_that_lacks_a_check_is_named_at_the_start(
    version: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jwt, "__version__", version)
    with pytest.raises(SettingsError, match="PyJWT"):
        settings()


def test_an_older_pyjwt_that_takes_no_key_object_verifies_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    decode = jwt.decode

    def older(token: str, key: Any, **options: Any) -> Any:
        if isinstance(key, jwt.PyJWK):
            raise TypeError("Expecting a PEM-formatted key.")
        return decode(token, key, **options)

    monkeypatch.setattr(jwt, "decode", older)
    assert isinstance(Site().get(authorization=token()), Allow)


def test_a_site_clock_that_is_some_seconds_behind_turns_nobody_away() -> None:
    made = settings().authorizer.expected
    assert made.clock_skew == 60
    clock = Clock(START - 60)
    gate = Gate(settings(), Verifier(made, FakeKeys(), clock), clock)
    assert isinstance(gate.check(Request("GET", "/", "", {"authorization": token()})), Allow)
    clock.now = START - 61
    assert isinstance(gate.check(Request("GET", "/", "", {"authorization": token()})), Response)
    clock.now = START + 3600  # the end of a token has no leeway
    assert isinstance(gate.check(Request("GET", "/", "", {"authorization": token()})), Response)


def test_secrets_are_not_in_a_representation() -> None:
    assert SECRET not in repr(settings(old_secrets=(OLD_SECRET,)))
    assert OLD_SECRET not in repr(settings(old_secrets=(OLD_SECRET,)))
