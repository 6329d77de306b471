# SPDX-License-Identifier: Apache-2.0
"""The gate's small decisions at their edges: settings, origins, answers, cookies, requests."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import jwt
import pytest

from waiting_room.authorizer.verifier import EXPIRED, Accepted, Expected, NoToken, Rejected
from waiting_room.domain.errors import SettingsError
from waiting_room.gate import GateSettings, cookie, origins, path_rules, responses
from waiting_room.gate.decision import MAX_FORM, Allow, Gate, Request, _is_own_address
from waiting_room.gate.responses import Rejection, Response
from waiting_room.gate.settings import _check_pyjwt

SECRET, OTHER, NOW = "s" * 32, "o" * 32, 1_800_000_000
EXPECTED = Expected("Sample", "https://room.example")


def settings(**changes: Any) -> GateSettings:
    made: dict[str, Any] = {
        "event_id": "Sample", "issuer": "https://room.example",
        "public_api": "https://room.example/api/", "waiting_room_url": "https://room.example/",
        "secret": SECRET, **changes,
    }  # fmt: skip
    return GateSettings(**made)


# --- settings -------------------------------------------------------------------------------------


def test_a_gate_protects_every_path_and_fails_closed_by_default() -> None:
    made = settings()
    assert (made.include, made.exclude, made.old_secrets) == (("/",), (), ())
    assert (made.entrance_origins, made.cors_origins) == ((), ())
    assert (made.fail_open, made.revocation_check, made.secure_cookie) == (False, False, True)
    assert (made.header, made.entrance) == ("Authorization", "/waiting-room/enter")
    assert (made.clock_skew, made.key_cache, made.revocation_cache) == (60, 120, 5)
    assert SECRET not in repr(settings(old_secrets=(OTHER,)))
    assert OTHER not in repr(settings(old_secrets=(OTHER,)))


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [("clock_skew", 0, 60), ("key_cache", 1, 180), ("revocation_cache", 1, 60)],
)
def test_a_time_is_taken_from_its_lowest_to_its_highest(name: str, low: int, high: int) -> None:
    for value in (low, high):
        assert getattr(settings(**{name: value}), name) == value
    for value in (low - 1, high + 1):
        with pytest.raises(SettingsError, match=f"{name} must be whole seconds from {low} to"):
            settings(**{name: value})


def test_the_verifier_gets_what_the_site_decided() -> None:
    made = settings(clock_skew=7, key_cache=9, revocation_cache=8, revocation_check=True).authorizer
    assert made.expected == Expected("Sample", "https://room.example", 7)
    assert made.public_api == "https://room.example/api"
    assert (made.revocation_check, made.key_cache, made.revocation_cache) == (True, 9, 8)


def test_a_waiting_page_of_the_site_may_have_any_path_outside_the_gate() -> None:
    for page in ("/zzz", "/a", "/wait?x=/checkout", "/w%61it"):
        assert settings(waiting_room_url=page, include=("/checkout",))
    for page in ("/checkout", "/checkout/wait#x", "/waiting-room/enter"):
        with pytest.raises(SettingsError, match="behind the gate"):
            settings(waiting_room_url=page, include=("/checkout",))


def test_a_secret_has_32_bytes_whatever_its_signs() -> None:
    assert settings(secret="é" * 16, old_secrets=["x" * 32])
    for name, value in (
        ("secret", "x" * 31), ("secret", "\ud800" * 32), ("secret", b"x" * 32),
        ("old_secrets", (OTHER, "x" * 31)),
    ):  # fmt: skip
        with pytest.raises(SettingsError, match=f"{name} must have at least 32 bytes"):
            settings(**{name: value})


def test_a_header_has_a_name_of_64_signs_at_most() -> None:
    assert settings(header="X" * 64)
    for name in ("X" * 65, "X_Token", "Ü"):
        with pytest.raises(SettingsError, match="name of a header"):
            settings(header=name)


@pytest.mark.parametrize("version", ["2.4", "2.4.0", "2.10.1", "3.0", "10.1", "unknown"])
def test_a_pyjwt_that_is_new_enough_is_taken(version: str) -> None:
    _check_pyjwt(version)


@pytest.mark.parametrize("version", ["2.3", "2.3.9", "1.10.0", "0.9"])
def test_an_older_pyjwt_is_not(version: str) -> None:
    with pytest.raises(SettingsError, match="PyJWT"):
        _check_pyjwt(version)


def test_a_cookie_has_the_name_of_its_event_and_the_prefix_of_https() -> None:
    made = settings(event_id="a b;é")
    assert made.cookie_name == "__Host-waiting-room-a%20b%3B%C3%A9"
    plain = settings(secure_cookie=False)
    assert plain.cookie_name == "waiting-room-Sample"
    assert plain.return_cookie_name == "waiting-room_return-Sample"


# --- origins --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "origin"),
    [
        ("https://Shop.Example/a?b#c", "https://shop.example"),
        ("https://shop.example:443/", "https://shop.example"),
        ("http://shop.example:80", "http://shop.example"),
        ("https://shop.example:80/", "https://shop.example:80"),
        ("http://shop.example:443/", "http://shop.example:443"),
        ("http://[::1]:8080/", "http://[::1]:8080"), ("https://[::1]/", "https://[::1]"),
        ("https://a_b-c.1/", "https://a_b-c.1"),
        ("ftp://shop.example", None), ("//shop.example", None), ("/path", None), ("", None),
        ("https://", None), ("https://me@shop.example", None), ("https://@shop.example", None),
        ("https://shop.example:x", None), ("https://shop.example:65536", None),
        ("https://[::1", None), ("https://é.example", None), ("https://a b.example", None),
        ("https://shop.example/é", None), ("null", None), ("https://a..b/", None),
        ("https://-a/", None), ("https://a-/", None), ("https://a.:8/", "https://a.:8"),
        ("https://a:0/", None), ("https://[::g]/", None), ("https://[0:0::1]/", "https://[::1]"),
    ],
)  # fmt: skip
def test_an_address_has_the_origin_that_a_browser_writes(address: str, origin: str | None) -> None:
    assert origins.origin_of(address) == origin
    assert origins.is_origin(address) is (address == origin)


def test_the_own_origin_is_that_of_the_host_that_was_asked() -> None:
    host = {"host": "shop.example:8443"}
    both = {"https://shop.example:8443", "http://shop.example:8443"}
    assert origins.own_origins(host, secure=True) == {"https://shop.example:8443"}
    assert origins.own_origins(host, secure=False) == both
    assert origins.own_origins({"host": "a" * 300}, secure=True) == {f"https://{'a' * 300}"}
    for wrong in ("", "a" * 301, "a/b", "a b", "é", "a:x", "[::1"):
        assert origins.own_origins({"host": wrong}, secure=True) == frozenset()
    assert origins.own_origins({}, secure=True) == frozenset()


@pytest.mark.parametrize(
    ("headers", "good"),
    [
        ({"origin": "https://own"}, True), ({"origin": "https://page"}, True),
        ({"origin": "https://x"}, False), ({"origin": ""}, False), ({"origin": "null"}, False),
        ({"origin": "https://x", "sec-fetch-site": "same-origin"}, False),
        ({"sec-fetch-site": "same-origin"}, True), ({"sec-fetch-site": "same-site"}, False),
        ({"referer": "https://own/page"}, True), ({"referer": "https://page/x?y"}, True),
        ({"referer": "https://x/"}, False), ({"referer": ""}, False), ({}, False),
    ],
)  # fmt: skip
def test_a_form_comes_from_the_site_or_the_waiting_page(
    headers: dict[str, str], good: bool
) -> None:
    own, others = frozenset(["https://own"]), frozenset(["https://page"])
    assert origins.is_sent_by(headers, own, others) is good


@pytest.mark.parametrize(
    ("headers", "navigates"),
    [
        ({}, True), ({"sec-fetch-mode": "navigate"}, True), ({"sec-fetch-mode": "cors"}, False),
        ({"sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}, True),
        ({"sec-fetch-mode": "navigate", "sec-fetch-dest": "iframe"}, False),
        ({"sec-fetch-dest": "image"}, False), ({"x-requested-with": "XMLHttpRequest"}, False),
        ({"x-requested-with": "com.example.app"}, True), ({"x-requested-with": "fetch"}, False),
        ({"sec-purpose": "prefetch;prerender"}, False), ({"purpose": "Prefetch"}, False),
        ({"x-moz": "prefetch"}, False), ({"sec-purpose": "preview"}, False),
        ({"purpose": "other"}, True),
    ],
)  # fmt: skip
def test_only_a_page_in_a_tab_is_a_navigation(headers: dict[str, str], navigates: bool) -> None:
    assert origins.is_navigation(headers) is navigates


def test_a_preflight_is_an_options_request_that_names_a_method() -> None:
    asks = {"access-control-request-method": "PUT"}
    assert origins.is_preflight("OPTIONS", asks)
    assert not origins.is_preflight("GET", asks)
    assert not origins.is_preflight("OPTIONS", {})


def grant(method: str, names: str = "") -> dict[str, str] | None:
    asked = {"access-control-request-method": method, "access-control-request-headers": names}
    found = origins.preflight_grant(asked)
    return None if found is None else dict(found)


def test_a_preflight_is_granted_what_it_asks_for() -> None:
    assert grant("PUT") == {"Access-Control-Allow-Methods": "PUT", "Access-Control-Max-Age": "600"}
    found = grant("M" * 32, " x-a, x-b ")
    assert found is not None
    assert found["Access-Control-Allow-Headers"] == "x-a, x-b"
    many = ",".join(["x" * 30] * 64)
    assert len(many) <= 2_000
    assert grant("GET", many) is not None
    assert grant("GET", "x" * 64) is not None


@pytest.mark.parametrize(
    ("method", "names"),
    [("", ""), ("M" * 33, ""), ("A B", ""), ("GET", "x" * 65), ("GET", "a b"), ("GET", "a,,b"),
     ("GET", ",".join(["x"] * 65)), ("GET", ",".join(["x" * 64] * 31)), ("GET", "é")],
)  # fmt: skip
def test_a_preflight_that_names_no_request_is_granted_nothing(method: str, names: str) -> None:
    assert grant(method, names) is None


# --- paths and addresses --------------------------------------------------------------------------


def test_a_path_that_is_too_long_is_protected() -> None:
    longest = "/open/" + "x" * (path_rules.MAX_PATH - 6)
    assert not path_rules.is_protected(longest, ["/"], ["/open"])
    assert path_rules.is_protected(longest + "x", ["/"], ["/open"])


def test_the_longest_rule_decides_and_include_wins_a_tie() -> None:
    for include, exclude, protected in (
        (["/"], ["/a"], False), (["/", "/a/b"], ["/a"], True), (["/a"], ["/a"], True),
        (["/a/"], ["/a"], True), ([], [], False), (["/x"], [], False), (["/"], ["/a/b/c"], True),
        (["/"], ["/a/"], False), (["/A"], [], True), (["/"], ["/A"], True),
    ):  # fmt: skip
        assert path_rules.is_protected("/a/b", include, exclude) is protected
    assert path_rules.is_protected("", ["/"], [])


def test_an_address_to_come_back_to_is_a_path_of_this_site() -> None:
    for good in ("/", "/a?b=c", "/" + "x" * 1_499):
        assert _is_own_address(good)
    for wrong in ("", "a", "//x", "/\\x", "/a b", "/é", "/\x00", "/" + "x" * 1_500):
        assert not _is_own_address(wrong)


# --- answers --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("accept", "html"),
    [
        ("text/html", True), ("", False), ("*/*", False), ("application/json", False),
        ("text/html, application/json", True), ("text/html;q=0.4,application/json;q=0.5", False),
        ("TEXT/HTML ; Q=0.5", True), ("text/html;q=0", False), ("text/html;q=0.000", False),
        ("text/html;q=1.000", True), ("text/html;q=1.001", False), ("text/html;q=2", False),
        ("text/html;q=x", False), ("text/html;level=1;q=0", False), ("text/html;level=1", True),
        ("text/html;q=0.1,text/html;q=0.9,application/json;q=0.5", True),
    ],
)  # fmt: skip
def test_a_caller_that_would_rather_see_a_page_gets_one(accept: str, html: bool) -> None:
    assert responses.wants_html(accept) is html


def said(answer: Response) -> dict[str, str]:
    return dict(answer.headers)


@pytest.mark.parametrize(("as_html", "kind"), [(True, "text/html"), (False, "application/json")])
def test_every_refusal_is_whole_not_stored_and_not_guessed(as_html: bool, kind: str) -> None:
    why = Rejection("Sample", "https://room.example/?a&b")
    for answer, status in (
        (responses.rejected(as_html, why), 403), (responses.service_unavailable(as_html, why), 503),
        (responses.forbidden_origin(as_html, why), 403), (responses.no_cookie(as_html, why), 403),
    ):  # fmt: skip
        assert answer.status == status
        assert said(answer)["Content-Type"].startswith(kind)
        assert said(answer)["Content-Length"] == str(len(answer.body))
        assert said(answer)["Cache-Control"] == "no-store"
        assert said(answer)["X-Content-Type-Options"] == "nosniff"
        assert ("Retry-After" in said(answer)) is (status == 503)
        if as_html:
            assert b'href="https://room.example/?a&amp;b"' in answer.body
        else:
            assert json.loads(answer.body)["error"]


def test_a_browser_is_sent_on_by_the_status_of_its_method() -> None:
    for method, status in (("GET", 302), ("HEAD", 302), ("POST", 303), ("PUT", 303)):
        answer = responses.to_waiting_room(method, "https://r/", "a=1", "b=2")
        assert answer.status == status
        assert ("Location", "https://r/") in answer.headers
        assert [value for name, value in answer.headers if name == "Set-Cookie"] == ["a=1", "b=2"]
    assert responses.preflight_rejected().status == responses.no_upgrade().status == 403
    assert responses.preflight((("X", "y"),)) == Response(
        204, (("Cache-Control", "no-store"), ("X", "y"))
    )


def test_an_answer_that_a_script_may_read_names_its_origin_alone() -> None:
    before = responses.rejected(False, Rejection("Sample", "https://r/"))
    after = responses.with_cors(before, "https://shop.example")
    assert (after.status, after.body) == (before.status, before.body)
    assert after.headers[: len(before.headers)] == before.headers
    assert said(after)["Access-Control-Allow-Origin"] == "https://shop.example"
    assert said(after)["Vary"] == "Origin"


# --- cookies --------------------------------------------------------------------------------------


def sealed(**changes: Any) -> str:
    claims = {
        "sub": "r", "queue_position": 7, "exp": NOW + 60, "aud": "Sample",
        "iss": "https://room.example", "token_use": "gate", **changes,
    }  # fmt: skip
    kept = {name: value for name, value in claims.items() if value is not None}
    return jwt.encode(kept, SECRET, "HS256")


def test_a_cookie_holds_until_its_second_with_any_secret_that_still_verifies() -> None:
    claims: Any = {"sub": "r", "queue_position": 7, "exp": NOW + 60, "more": "x"}
    value = cookie.seal(claims, EXPECTED, SECRET)
    known = cookie.unseal(value, EXPECTED, [OTHER, SECRET], NOW + 59.9)
    assert known is not None
    assert known.request_id == "r"
    assert "more" not in known.claims
    assert cookie.unseal(value, EXPECTED, [SECRET], NOW + 60) is None
    assert cookie.unseal(value, EXPECTED, [OTHER], NOW) is None
    assert cookie.unseal(value, EXPECTED, [], NOW) is None


@pytest.mark.parametrize(
    "changes",
    [{"token_use": "access"}, {"token_use": None}, {"aud": "Other"}, {"aud": ["Sample"]},
     {"aud": None}, {"iss": "x"}, {"iss": None}, {"sub": None}, {"exp": None}, {"exp": True},
     {"exp": float(NOW + 60)}, {"exp": "x"}, {"sub": 5}],
)  # fmt: skip
def test_a_signed_cookie_of_other_content_proves_nothing(changes: dict[str, Any]) -> None:
    assert cookie.unseal(sealed(), EXPECTED, [SECRET], NOW) is not None
    assert cookie.unseal(sealed(**changes), EXPECTED, [SECRET], NOW) is None


def test_a_cookie_has_as_many_signs_as_browsers_keep() -> None:
    base = len(sealed(pad=""))
    fits = next(
        text
        for size in range(cookie.MAX_COOKIE - base, 0, -1)
        if len(text := sealed(pad="x" * size)) <= cookie.MAX_COOKIE
    )
    assert len(fits) >= cookie.MAX_COOKIE - 2
    assert cookie.unseal(fits, EXPECTED, [SECRET], NOW) is not None
    longer = sealed(pad="x" * (cookie.MAX_COOKIE - base))
    assert len(longer) > cookie.MAX_COOKIE
    assert cookie.unseal(longer, EXPECTED, [SECRET], NOW) is None


def test_an_address_of_any_signs_fits_into_a_cookie_and_comes_back() -> None:
    for address in ("/", "/a?b=c", "/é", "/" + '",;\\ %' * 250):
        value = cookie.pack(address)
        assert value.isascii()
        assert not set(value) & set('",;\\ =%')
        assert cookie.unpack(value) == address
    for junk in ("", "a", "é", "____", "%", "%zz", "L"):
        assert not cookie.unpack(junk).startswith("/")


def test_an_expired_session_and_a_missing_one_have_different_reasons() -> None:
    claims: Any = {"sub": "r", "queue_position": 7, "exp": NOW + 60}
    value = cookie.seal(claims, EXPECTED, SECRET)
    assert isinstance(cookie.read_session(value, EXPECTED, [OTHER, SECRET], NOW), Accepted)
    assert cookie.read_session(value, EXPECTED, [OTHER, SECRET], NOW + 60) == Rejected(EXPIRED)
    assert cookie.read_session(value, EXPECTED, [OTHER], NOW + 60) is None


def test_the_first_four_cookies_of_a_name_are_looked_at() -> None:
    header = 'x=0; a=1;a="2" ; b=9; a=3=3;a=4; a=5; ab=6; a'
    assert list(cookie.values(header, "a")) == ["1", "2", "3=3", "4"]
    assert list(cookie.values("", "a")) == []


def test_a_cookie_is_sent_with_https_only_unless_the_site_has_none() -> None:
    kept = "a=b; Max-Age=5; Path=/; HttpOnly; SameSite=Lax"
    assert cookie.set_cookie("a", "b", 5, secure=False) == kept
    assert cookie.set_cookie("a", "b", 5, secure=True) == f"{kept}; Secure"


@pytest.mark.parametrize(("left", "age"), [(60, 60), (0, 0), (-5, 0)])
def test_a_cookie_never_lasts_longer_than_its_token(left: int, age: int) -> None:
    made: Any = {"sub": "r", "queue_position": 7, "exp": NOW + left}
    verifier = SimpleNamespace(expected=EXPECTED, ended=None, check=lambda _: Accepted(made))
    passed = Gate(settings(), verifier, lambda: NOW + 0.9).check(Request("GET", "/", "", {}))  # type: ignore[arg-type]
    assert isinstance(passed, Allow)
    assert passed.set_cookie is not None
    assert f"; Max-Age={age};" in passed.set_cookie
    assert passed.until == NOW + left


# --- the entrance's form --------------------------------------------------------------------------


def test_a_form_has_the_type_of_a_form_and_ten_fields_at_most() -> None:
    gate = Gate(settings())
    kind, page = "application/x-www-form-urlencoded", "https://room.example"

    def status(body: bytes, content_type: str = kind) -> int:
        headers = {"origin": page, "content-type": content_type}
        return gate.enter(Request("POST", "/waiting-room/enter", "", headers), body).status

    assert status(b"&".join([b"a=1"] * 10), f"{kind.upper()} ; charset=utf-8") == 403
    assert status(b"&".join([b"a=1"] * 11)) == 400
    assert status(b"", f"text/plain;{kind}") == 400
    assert status(b"a" * MAX_FORM) == 403
    assert status(b"a" * (MAX_FORM + 1)) == 413


# --- the way back, and what is logged -------------------------------------------------------------

ENTER, RETURN = "/waiting-room/enter", "__Host-waiting-room_return-Sample"


def test_who_comes_back_is_sent_to_the_page_that_was_wanted_and_it_is_forgotten() -> None:
    claims: Any = {"sub": "r", "queue_position": 7, "exp": NOW + 60}
    session = cookie.seal(claims, EXPECTED, SECRET)
    sent = {"cookie": f"{RETURN}=%2Fa%3Fb; __Host-waiting-room-Sample={session}"}
    verifier = SimpleNamespace(expected=EXPECTED, keys=None)
    gate = Gate(settings(), verifier, lambda: NOW)  # type: ignore[arg-type]
    for method in ("GET", "HEAD"):
        answer = gate.enter(Request(method, ENTER, "back", sent), b"")
        assert (answer.status, said(answer)["Location"]) == (303, "/a?b")
        assert f"{RETURN}=; Max-Age=0;" in said(answer)["Set-Cookie"]
    script = gate.enter(Request("GET", ENTER, "back", {**sent, "sec-fetch-mode": "cors"}), b"")
    assert said(script)["Location"] == "/a?b"
    assert "Set-Cookie" not in said(script)
    assert gate.enter(Request("GET", ENTER, "other", sent), b"").status == 405
    assert gate.enter(Request("PUT", ENTER, "back", sent), b"").status == 405
    assert gate.enter(Request("POST", ENTER, "back", sent), b"").status == 403


def test_the_page_that_was_wanted_is_kept_for_a_day_in_the_own_browser() -> None:
    verifier = SimpleNamespace(expected=EXPECTED, ended=None, check=lambda _: NoToken("no token"))
    gate = Gate(settings(), verifier, lambda: NOW)  # type: ignore[arg-type]

    def kept(method: str, path: str, query: str = "") -> list[str]:
        answer = gate.check(Request(method, path, query, {"accept": "text/html"}))
        assert isinstance(answer, Response)
        return [value for name, value in answer.headers if name == "Set-Cookie"]

    def of(address: str) -> str:
        return f"{RETURN}={cookie.pack(address)}; Max-Age=86400;"

    assert kept("GET", "/a", "b=c")[0].startswith(of("/a?b=c"))
    assert kept("GET", "/é")[0].startswith(of("/%C3%A9"))
    assert kept("GET", "/a", "x" * 2_000)[0].startswith(of("/a"))
    assert kept("GET", "/" + "x" * 2_000)[0].startswith(f"{RETURN}=; Max-Age=0;")
    assert kept("POST", "/a")[0].startswith(of("/a"))
    assert kept("HEAD", "/a") == []


@pytest.mark.parametrize(
    ("decision", "level"), [(NoToken("junk"), "INFO"), (Rejected("forged"), "WARNING")]
)
def test_a_token_that_can_be_read_and_is_refused_is_worth_a_warning(
    decision: Any, level: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    verifier = SimpleNamespace(expected=EXPECTED, ended=None, check=lambda _: decision)
    gate = Gate(settings(), verifier, lambda: NOW)  # type: ignore[arg-type]
    for accept, status in (("text/html", 302), ("application/json", 403)):
        answer = gate.check(Request("GET", "/", "", {"accept": accept}))
        assert isinstance(answer, Response)
        assert answer.status == status
    script = {"accept": "text/html", "sec-fetch-mode": "cors"}
    page = gate.check(Request("GET", "/", "", script))
    assert isinstance(page, Response)
    assert page.status == 403
    assert {record.levelname for record in caplog.records} == {level}
