# SPDX-License-Identifier: Apache-2.0
"""Each rule of the gate's cookies, pages and origins by itself."""

from __future__ import annotations

import jwt
import pytest

from tests.support.in_memory_room import EVENT, ISSUER
from tests.support.token_claims import CLAIMS, EXPECTED, LONG_AGO
from tests.support.tokens import VISITOR
from waiting_room.gate import cookie, responses
from waiting_room.gate.origins import is_navigation, origin_of
from waiting_room.gate.path_rules import is_protected
from waiting_room.gate.responses import wants_html

SECRETS = ("s" * 32, "o" * 32)


@pytest.mark.parametrize(("now", "good"), [(LONG_AGO, True), (LONG_AGO + 99.9, True),
                                           (LONG_AGO + 100, False)])  # fmt: skip
def test_a_cookie_holds_until_the_end_of_its_token_by_the_given_clock(
    now: float, good: bool
) -> None:
    sealed = cookie.seal(CLAIMS, EXPECTED, SECRETS[0])
    assert (cookie.unseal(sealed, EXPECTED, SECRETS, now) is not None) is good


def test_a_cookie_of_another_use_or_without_a_visitor_is_no_pass() -> None:
    bound = {"aud": EVENT, "iss": ISSUER, "exp": LONG_AGO + 100, "sub": VISITOR}
    for changes, good in (
        ({"token_use": "gate"}, True), ({"token_use": "access"}, False),
        ({"token_use": "z"}, False),
        ({"token_use": "gate", "sub": 5}, False), ({"token_use": "gate", "exp": True}, False),
    ):  # fmt: skip
        made = jwt.encode({**bound, **changes}, SECRETS[0], "HS256")
        assert (cookie.unseal(made, EXPECTED, SECRETS, LONG_AGO) is not None) is good, changes


def test_a_cookie_longer_than_browsers_keep_is_no_pass_and_the_first_four_are_looked_at() -> None:
    made = cookie.seal({**CLAIMS, "sub": "x" * 6000}, EXPECTED, SECRETS[0])
    assert cookie.unseal(made, EXPECTED, SECRETS, LONG_AGO) is None
    header = "; ".join(f"a={number}; b=x" for number in range(6))
    assert list(cookie.values(header, "a")) == ["0", "1", "2", "3"]
    assert list(cookie.values('a="x y"; aa=1; A=2', "a")) == ["x y"]


@pytest.mark.parametrize(
    ("accept", "html"),
    [
        ("text/html", True), ("", False), ("*/*", False), ("application/json", False),
        ("text/html;q=0", False), ("text/html;q=0.5,application/json;q=0.5", True),
        ("text/html;q=0.4,application/json;q=0.5", False), ("text/html; q = 1", True),
        ("text/html;level=1;q=0.3, application/json;q=0.2", True), ("text/html;q=2", False),
        ("text/html;q=0.3,text/html;q=0.9,application/json;q=0.8", True),
        ("application/json, text/html;q=x", False), ("TEXT/HTML", True),
    ],
)  # fmt: skip
def test_a_page_is_for_who_names_html_and_likes_json_no_better(accept: str, html: bool) -> None:
    assert wants_html(accept) is html


@pytest.mark.parametrize("segment", ["-a", "!a", "+", "a", "~", ".a"])
def test_a_step_back_takes_one_segment_whatever_it_begins_with(segment: str) -> None:
    assert not is_protected(f"/static/{segment}/../y", ("/",), ("/static",))
    assert is_protected(f"/static/{segment}/../../y", ("/",), ("/static",))


def test_each_refusal_of_the_gate_has_its_status() -> None:
    url = "https://room.example/"
    for as_html in (True, False):
        why = responses.Rejection(EVENT, url)
        assert responses.rejected(as_html, why).status == 403
        assert responses.forbidden_origin(as_html, why).status == 403
        told = responses.service_unavailable(as_html, why)
        assert (told.status, dict(told.headers)["Retry-After"]) == (503, "5")
    assert responses.no_upgrade().status == responses.preflight_rejected().status == 403
    assert responses.preflight(()).status == 204
    for method, status in (("GET", 302), ("HEAD", 302), ("POST", 303), ("DELETE", 303)):
        assert responses.to_waiting_room(method, url).status == status


@pytest.mark.parametrize(
    ("address", "origin"),
    [
        ("https://a.example/x", "https://a.example"), ("http://a.example:80", "http://a.example"),
        ("https://a.example:443/", "https://a.example"), ("https://A.example", "https://a.example"),
        ("https://a.example:80", "https://a.example:80"), ("https://[::1]:8/", "https://[::1]:8"),
        ("http://a.example:443", "http://a.example:443"), ("ftp://a.example", None),
        ("https://me@a.example", None), ("https://@a.example", None), ("https:///x", None),
        ("https://é.example", None), ("https://a b/", None), ("https://a:x", None), ("", None),
    ],
)  # fmt: skip
def test_an_origin_is_scheme_host_and_unusual_port(address: str, origin: str | None) -> None:
    assert origin_of(address) == origin


@pytest.mark.parametrize(
    ("sent", "shows"),
    [
        ({}, True), ({"sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}, True),
        ({"sec-fetch-mode": "cors"}, False), ({"sec-fetch-mode": "z"}, False),
        ({"sec-fetch-dest": "iframe"}, False), ({"sec-fetch-dest": "a"}, False),
        ({"sec-purpose": "prefetch;prerender"}, False), ({"purpose": "Prefetch"}, False),
        ({"x-moz": "prefetch"}, False), ({"purpose": "preview"}, False), ({"purpose": "x"}, True),
        ({"x-requested-with": "XMLHttpRequest"}, False),
    ],
)  # fmt: skip
def test_a_navigation_shows_a_page_in_a_tab(sent: dict[str, str], shows: bool) -> None:
    assert is_navigation(sent) is shows
