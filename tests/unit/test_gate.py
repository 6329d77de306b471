# SPDX-License-Identifier: Apache-2.0
"""What the gate decides, whatever framework stands behind it."""

from __future__ import annotations

import http.cookies
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, urlencode

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests import doors
from tests.doors import VISITOR, FakeEnded, FakeKeys, signed, token
from tests.world import EVENT, ISSUER, START, Clock
from waiting_room.authorizer import Expected, Verifier
from waiting_room.gate import Gate, GateSettings
from waiting_room.gate.answers import Answer, wants_html
from waiting_room.gate.entry import FORM, MAX_FORM, Pass, Visit
from waiting_room.gate.paths import is_protected
from waiting_room.settings import SettingsError

SECRET, OLD_SECRET = "s" * 32, "o" * 32
WAITING = "https://room.example/"
COOKIE = "__Host-waiting-room"
HTML = "text/html,application/xhtml+xml,*/*;q=0.8"


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
        verifier = Verifier(doors.EXPECTED, self.keys, self.clock, ended)
        self.gate = Gate(settings(**changes), verifier, self.clock)

    def get(self, path: str = "/", method: str = "GET", query: str = "", **headers: str) -> Any:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.gate.check(Visit(method, path, query, sent))

    def post_token(self, value: str, **headers: str) -> Answer:
        visit = Visit("POST", "/waiting-room/enter", "", {"content-type": FORM, **headers})
        return self.gate.enter(visit, urlencode({"token": value}).encode())


def cookies(answer: Answer) -> dict[str, http.cookies.Morsel[str]]:
    jar: http.cookies.SimpleCookie = http.cookies.SimpleCookie()
    for name, value in answer.headers:
        if name == "Set-Cookie":
            jar.load(value)
    return dict(jar)


def header(answer: Answer, name: str) -> str:
    return dict(answer.headers)[name]


def cookie_pair(passed: Pass) -> str:
    assert passed.set_cookie is not None
    return passed.set_cookie.partition(";")[0]


def test_a_token_in_the_header_lets_in_and_sets_a_cookie_that_lets_in_again() -> None:
    site = Site()
    first = site.get(authorization=f"Bearer {token()}")
    assert isinstance(first, Pass)
    assert first.claims is not None
    assert first.claims["sub"] == VISITOR
    again = site.get(cookie=f"other=1; {cookie_pair(first)}; more=2")
    assert isinstance(again, Pass)
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
    assert isinstance(site.get(cookie=pair), Pass)
    site.clock.now = START + 3600
    assert isinstance(site.get(cookie=pair), Answer)


def test_a_cookie_of_another_event_issuer_or_secret_is_no_pass() -> None:
    pair = cookie_pair(Site().get(authorization=token()))
    assert isinstance(Site().get(cookie=pair), Pass)
    assert isinstance(Site(secret="x" * 32).get(cookie=pair), Answer)
    for expected in (Expected("Other", ISSUER), Expected(EVENT, "https://other")):
        clock = Clock(START + 5)
        other = Gate(settings(), Verifier(expected, FakeKeys(), clock), clock)
        assert isinstance(other.check(Visit("GET", "/", "", {"cookie": pair})), Answer)


def test_a_new_secret_does_not_turn_out_those_inside() -> None:
    pair = cookie_pair(Site(secret=OLD_SECRET).get(authorization=token()))
    assert isinstance(Site(old_secrets=(OLD_SECRET,)).get(cookie=pair), Pass)


@pytest.mark.parametrize("algorithm", ["HS256", "HS512", "none"])
def test_a_made_up_cookie_is_no_pass(algorithm: str) -> None:
    claims = {"sub": "a", "aud": EVENT, "iss": ISSUER, "exp": START + 99, "token_use": "gate"}
    key = "k" * 64 if algorithm != "none" else ""
    made = jwt.encode(claims, key, algorithm=algorithm)
    for value in (made, made[:-1], "junk", "", "é" * 5, "a" * 5000, "a.b.c", token()):
        assert isinstance(Site().get(cookie=f"{COOKIE}={value}"), Answer)


def test_another_jwt_of_the_site_under_the_same_secret_is_no_pass() -> None:
    claims = {"sub": "a", "aud": EVENT, "iss": ISSUER, "exp": START + 99, "token_use": "access"}
    made = jwt.encode(claims, SECRET, algorithm="HS256")
    assert isinstance(Site().get(cookie=f"{COOKIE}={made}"), Answer)


def test_a_good_cookie_behind_a_bad_one_is_found() -> None:
    pair = cookie_pair(Site().get(authorization=token()))
    assert isinstance(Site().get(cookie=f"{COOKIE}=junk; {pair}"), Pass)


def test_the_gate_cookie_is_no_access_token() -> None:
    value = cookie_pair(Site().get(authorization=token())).partition("=")[2]
    assert isinstance(Site().get(authorization=value), Answer)


BAD_TOKENS: dict[str, Callable[[], str]] = {
    "nothing": lambda: "",
    "junk": lambda: "junk",
    "another scheme": lambda: "Basic YTpi",
    "a refresh token": lambda: token(use="refresh"),
    "an id token": lambda: token(use="id"),
    "an expired one": lambda: token(at=START - 4000),
    "one not yet valid": lambda: token(at=START + 60),
    "another event's": lambda: signed({"aud": "Other"}),
    "another issuer's": lambda: signed({"iss": "https://evil.example"}),
    "a stranger's": lambda: token(doors.keys(2).keys[1]),
    "100 kB": lambda: "x" * 100_000,
}


@pytest.mark.parametrize("kind", BAD_TOKENS)
def test_a_bad_token_is_turned_away_with_the_reason_in_the_log_only(
    kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    bad = BAD_TOKENS[kind]()
    answer = Site().get("/api", authorization=bad, accept="application/json")
    assert isinstance(answer, Answer)
    assert answer.status == 403
    assert json.loads(answer.body) == {
        "error": "a valid waiting room token is needed", "waiting_room_url": WAITING,
    }  # fmt: skip
    assert header(answer, "Cache-Control") == "no-store"
    assert caplog.messages[-1].startswith("refused: ")
    assert not bad or bad not in caplog.text


def test_a_browser_without_a_token_is_sent_to_wait_and_comes_back_where_it_wanted() -> None:
    site = Site()
    answer = site.get("/shop/é", query="item=5&x=%2F", accept=HTML)
    assert (answer.status, header(answer, "Location")) == (302, WAITING)
    kept = cookies(answer)[f"{COOKIE}-return"]
    assert (kept["httponly"], kept["secure"], kept["samesite"], kept["path"]) == (
        True, True, "Lax", "/",
    )  # fmt: skip
    back = site.post_token(token(), cookie=f"{kept.key}={kept.coded_value}")
    assert (back.status, header(back, "Location")) == (303, "/shop/%C3%A9?item=5&x=%2F")
    assert cookies(back)[f"{COOKIE}-return"]["max-age"] == "0"
    assert isinstance(site.get(cookie=f"{COOKIE}={cookies(back)[COOKIE].value}"), Pass)


def test_a_form_that_needs_the_line_first_is_answered_with_a_get() -> None:
    answer = Site().get("/buy", "POST", accept=HTML)
    assert (answer.status, cookies(answer)) == (303, {})


@pytest.mark.parametrize(
    "address",
    [
        "//evil.example/", "https://evil.example/", "/\\evil.example", "\\\\evil.example", "evil",
        "/a\r\nSet-Cookie: x=y", "/a b", "/é", "", "/" + "a" * 2000, "javascript:alert(1)",
    ],
)  # fmt: skip
def test_nobody_is_sent_to_another_site(address: str) -> None:
    kept = f"{COOKIE}-return={quote(address, safe='')}"
    assert header(Site().post_token(token(), cookie=kept), "Location") == "/"


@given(st.text())
def test_the_way_back_is_always_a_path_of_this_site(path: str) -> None:
    site = Site()
    answer = site.get("/" + path, accept=HTML)
    kept = cookies(answer)
    sent = "; ".join(f"{name}={value.coded_value}" for name, value in kept.items())
    location = header(site.post_token(token(), cookie=sent), "Location")
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
    form = {"content-type": FORM}
    good = urlencode({"token": token()}).encode()
    assert gate.is_entrance(Visit("POST", enter, "", {}))
    assert not gate.is_entrance(Visit("POST", enter + "/x", "", {}))
    answer = gate.enter(Visit("GET", enter, f"token={token()}", form), b"")
    assert (answer.status, header(answer, "Allow")) == (405, "POST")
    for kind in ("", "application/json", "text/plain"):
        assert gate.enter(Visit("POST", enter, "", {"content-type": kind}), good).status == 400
    assert gate.enter(Visit("POST", enter, "", form), b"a" * (MAX_FORM + 1)).status == 413
    assert gate.enter(Visit("POST", enter, "", form), b"\xff").status == 400
    assert gate.enter(Visit("POST", enter, "", form), b"a=1&" * 50).status == 400
    assert gate.enter(Visit("POST", enter, "", form), good).status == 303


def test_a_token_in_an_address_is_not_looked_at() -> None:
    assert isinstance(Site().get("/", query=f"token={token()}"), Answer)


def test_another_header_may_carry_the_token() -> None:
    site = Site(header="X-Waiting-Room")
    assert isinstance(site.get(x_waiting_room=token(), authorization="Basic YTpi"), Pass)
    assert isinstance(site.get(authorization=token()), Answer)


def test_a_preflight_is_let_through_and_a_bare_options_is_not() -> None:
    site = Site()
    assert isinstance(site.get("/", "OPTIONS", access_control_request_method="GET"), Pass)
    assert isinstance(site.get("/", "OPTIONS"), Answer)
    assert isinstance(site.get("/", "GET", access_control_request_method="GET"), Answer)


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
    assert isinstance(site.get(), Answer)
    site.keys.out_of_reach = True
    for sent in ({}, {"authorization": "junk"}, {"authorization": token(at=START - 4000)}):
        assert site.get(**sent) == Pass()
    assert "unchecked" in caplog.text
    checked = site.get(authorization=token())
    assert checked.claims is not None
    site.keys.empty = True
    assert site.get(authorization=token()) == Pass()
    assert site.post_token(token()).status == 303
    assert cookies(site.post_token(token())) == {}
    site.keys.empty = site.keys.out_of_reach = False
    assert isinstance(site.get(), Answer)


def test_those_inside_stay_inside_while_the_room_is_away() -> None:
    site = Site()
    pair = cookie_pair(site.get(authorization=token()))
    site.keys.empty = site.keys.out_of_reach = True
    assert isinstance(site.get(cookie=pair), Pass)


def test_an_ended_session_leaves_where_the_site_looks() -> None:  # 16
    ended = FakeEnded()
    site = Site(ended)
    pair = cookie_pair(site.get(authorization=token()))
    assert isinstance(site.get(cookie=pair), Pass)
    ended.ids.add(VISITOR)
    assert isinstance(site.get(cookie=pair), Answer)
    assert isinstance(site.get(authorization=token()), Answer)


# --- paths -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "protected"),
    [
        ("/checkout", True), ("/checkout/", True), ("/checkout/pay", True), ("/checkouts", False),
        ("/", False), ("/search", False), ("/checkout/terms", False), ("/checkout/terms/a", False),
        ("/checkout/terms/secret", True), ("/checkout/terms/secret/x", True),
        # the same places in other spellings
        ("//checkout", True), ("/./checkout", True), ("/a/../checkout", True), ("/CHECKOUT", True),
        ("/%63heckout", True), ("/checkout/terms/../pay", True), ("/checkout//terms", True),
        ("/checkout/terms/..", True), ("/x/..//checkout", True), ("/\\checkout", True),
        ("/checkout/terms/%2e%2e/pay", True), ("/checkout/Terms", True),
    ],
)  # fmt: skip
def test_the_longest_rule_decides_and_no_spelling_gets_around_it(
    path: str, protected: bool
) -> None:
    include, exclude = ("/checkout", "/checkout/terms/secret"), ("/checkout/terms",)
    assert is_protected(path, include, exclude) is protected


def test_everything_is_behind_the_gate_but_what_is_excluded() -> None:
    for path in ("/", "", "/a", "/static2", "/statics/x", "/static/../a", "/health/deep"):
        assert is_protected(path, ("/",), ("/static", "/health/live")), path
    for path in ("/static", "/static/a.css", "/static/a b.css", "/health/live"):
        assert not is_protected(path, ("/",), ("/static/", "/health/live")), path


def test_a_tie_protects() -> None:
    assert is_protected("/a", ("/a",), ("/a",))


PARTS = st.lists(st.sampled_from(["a", "A", "..", ".", "", "%61", "%2e%2e", "b", "\\"])).map(
    "/".join
)


@given(PARTS)
def test_no_spelling_of_a_path_leaves_an_included_place(rest: str) -> None:
    """Whatever stands behind, resolving dots or not, folding case or not: /a is never open."""
    from waiting_room.gate.paths import plain

    path = "/" + rest
    if plain(path) == "/a" or path == "/a" or path.startswith("/a/"):
        assert is_protected(path, ("/a",), ("/b", "/a/b")) or path.startswith("/a/b")


def test_paths_that_are_not_behind_the_gate_are_let_through_unchecked() -> None:
    assert Site(exclude=("/static",)).get("/static/a.css") == Pass()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("secret", "short"), ("old_secrets", ("short",)), ("event_id", ""), ("issuer", ""),
        ("waiting_room_url", ""), ("waiting_room_url", "javascript:alert(1)"),
        ("waiting_room_url", "https://a\r\nb"), ("public_api", "http://room.example"),
        ("include", "/all"), ("include", ("all",)), ("exclude", ("static",)),
        ("entrance", "enter"), ("entrance", "/"), ("header", "a b"),
    ],
)  # fmt: skip
def test_a_setting_that_cannot_be_meant_is_named(name: str, value: Any) -> None:
    with pytest.raises(SettingsError, match=name.removeprefix("old_").removesuffix("s")):
        settings(**{name: value})


def test_secrets_are_not_in_a_representation() -> None:
    assert SECRET not in repr(settings(old_secrets=(OLD_SECRET,)))
    assert OLD_SECRET not in repr(settings(old_secrets=(OLD_SECRET,)))
