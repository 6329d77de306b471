# SPDX-License-Identifier: Apache-2.0
"""Which paths are behind the gate, in whatever way they are spelled."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable
from urllib.parse import quote, unquote

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from waiting_room.gate.path_rules import MAX_PATH, interpretations, is_normalised, is_protected
from waiting_room.gate.wsgi import read_request

CHECKOUT = ("/checkout", "/checkout/terms/secret"), ("/checkout/terms",)


@pytest.mark.parametrize(
    ("path", "protected"),
    [
        ("/checkout", True), ("/checkout/", True), ("/checkout/pay", True), ("/checkouts", False),
        ("/", False), ("/search", False), ("/checkout/terms", False), ("/checkout/terms/", False),
        ("/checkout/terms/a", False), ("/checkout/terms/secret", True),
        ("/checkout/terms/secret/x", True),
        # the same places in other spellings
        ("//checkout", True), ("/./checkout", True), ("/a/../checkout", True), ("/CHECKOUT", True),
        ("/%63heckout", True), ("/checkout/terms/../pay", True), ("/checkout//terms", True),
        ("/checkout/terms/..", True), ("/x/..//checkout", True), ("/\\checkout", True),
        ("/checkout/terms/%2e%2e/pay", True), ("/checkout/Terms", True),
        ("/%2563heckout", True), ("/%252563heckout", True), ("/checkout;a=b", True),
        ("/;x/checkout", True), ("/a;x/..;y/checkout", True), ("/a/..%5ccheckout", True),
        ("/a//../checkout", True), ("/a/..//..//checkout", True), ("//shop.example/checkout", True),
        ("/checkout?x", True), ("/checkout#x", True), ("/checkout%3Fx", True),
        ("/search%3Fx", False), ("/search%23x", False),
        ("/checkout%00", True),
        ("/checkout\0.css", True), ("/chec\u212aout", True), ("/checkout/terms;/../pay", True),
        ("/checkout/terms%2f..%2fpay", True), ("/checkout/terms/%252e%252e/pay", True),
        ("/../checkout", True), ("/checkout/.", True), ("/checkout/x/..", True),
        # what cannot be read for certain
        ("http://shop.example/search", True), ("*", True), ("shop.example:443", True),
        ("search", True), ("/search/\ufffd", True), ("/search\n", True),
        ("/search/%c0%af", True), ("/search/%ff", True), ("/search/%00", True),
        ("/search/" + "x" * MAX_PATH, True), ("/" + "//;%3b" * 999, True),
        # odd and harmless: every reading is outside
        ("/search//x", False), ("/search/%2541", False), ("/search/a;b=c", False),
        ("/search/100%", False), ("/search/é%20", False), ("/search/../find", False),
        ("/checkout/terms//a", False), ("/checkout/terms/a%2520b", False),
        ("/checkout/terms/./a", False), ("/checkout/terms/é", False),
    ],
)  # fmt: skip
def test_the_longest_rule_decides_and_no_spelling_gets_around_it(
    path: str, protected: bool
) -> None:
    assert is_protected(path, *CHECKOUT) is protected


def test_everything_is_behind_the_gate_but_what_is_excluded() -> None:
    for path in (
        "/",
        "",
        "/a",
        "/static2",
        "/statics/x",
        "/static/../a",
        "/health/deep",
        "/STATIC",
    ):
        assert is_protected(path, ("/",), ("/static", "/health/live")), path
    for path in ("/static", "/static/a.css", "/static/a b.css", "/health/live", "/static/é.css"):
        assert not is_protected(path, ("/",), ("/static/", "/health/live")), path


def test_a_tie_protects() -> None:
    assert is_protected("/a", ("/a",), ("/a",))
    assert is_protected("/a", ("/",), ("/",))


@pytest.mark.parametrize(
    ("raw", "path", "protected"),
    [
        ("/static/a.css", "/static/a.css", False), ("/static/caf%C3%A9", "/static/café", False),
        ("/%73tatic/a", "/static/a", True), ("/static/..%2fbuy", "/static/../buy", True),
        ("/static%2fa", "/static/a", True),
    ],
)  # fmt: skip
def test_the_path_as_it_was_sent_is_one_more_reading(raw: str, path: str, protected: bool) -> None:
    assert is_protected(path, ("/",), ("/static",), raw=raw) is protected


@pytest.mark.parametrize(
    ("path", "protected"),
    [
        ("/shop/checkout", True), ("/shop/pay", True), ("/shop/checkout/terms", False),
        ("/shop/search", False), ("/shop", False), ("/shop/", False), ("/shop/open", False),
        ("/shop/pay/free", False), ("/shop/PAY/free", True), ("/shop//pay/free/../x", True),
        ("/shop/pay/free/vault", True), ("/shophttp://shop.example/search", True),
    ],
)  # fmt: skip
def test_rules_hold_with_and_without_the_prefix_of_the_server(path: str, protected: bool) -> None:
    include = ("/checkout", "/shop/pay", "/pay/free/vault")
    exclude = ("/shop/checkout/terms", "/pay/free", "/open")
    assert is_protected(path, include, exclude, mount="/shop") is protected


def test_a_prefix_that_is_not_the_paths_start_opens_nothing() -> None:
    assert is_protected("/shop", ("/",), ("/shop",), mount="/shop")
    assert is_protected("/shop/x", ("/",), (), mount="/shop")


# --- any server's reading ------------------------------------------------------------------------

SERVERS: tuple[Callable[[str], str], ...] = (
    unquote,
    str.lower,
    str.casefold,
    lambda path: path.replace("\\", "/"),
    lambda path: re.sub("/+", "/", path),
    lambda path: "/".join(part.partition(";")[0] for part in path.split("/")),
    lambda path: path.partition("?")[0],
    lambda path: path.partition("#")[0],
    lambda path: path.partition("\0")[0],
    lambda path: posixpath.normpath(path) if path else "/",
    lambda path: "/" + posixpath.normpath(path).lstrip("/"),
    lambda path: path.rstrip("/") or "/",
    lambda path: re.sub("^//[^/]*", "", path) or "/",
    lambda path: path.encode("utf-8", "replace").decode("latin-1").encode("latin-1").decode(),
)
SEGMENTS = [
    "a", "A", "b", "c", "..", ".", "", "%61", "%2e%2e", "%2E.", "\\", "%5c..", "a;x", ";", "..;",
    "%252e%252e", "%2561", "%2f", "a%2f..", "?", "#", "%3f", "%00", "\0", "%ff", "%c1%a1", "é", "%",
]  # fmt: skip
SPELLED = st.lists(st.sampled_from(SEGMENTS), max_size=7).map(lambda parts: "/" + "/".join(parts))
FIXED = settings(max_examples=400, derandomize=True)
RULES = st.lists(st.sampled_from(["/", "/a", "/a/b", "/b", "/b/a", "/a/b/c"]), max_size=3)


def alone(path: str, include: list[str], exclude: list[str]) -> bool:
    """Whether a path that has one reading is protected: the rule, word by word."""

    def longest(rules: list[str]) -> int:
        fit = [rule.rstrip("/") for rule in rules]
        return max((len(rule) for rule in fit if f"{path}/".startswith(f"{rule}/")), default=-1)

    return longest(include) >= max(0, longest(exclude))


@FIXED
@given(SPELLED, RULES, RULES, st.lists(st.sampled_from(range(len(SERVERS))), max_size=6))
@example("/b/..;/a", ["/a"], ["/b"], [5, 9])
@example("/b/%252e%252e/a", ["/a"], ["/b"], [0, 0, 9])
def test_no_spelling_reaches_a_protected_path(
    sent: str, include: list[str], exclude: list[str], server: list[int]
) -> None:
    """Whatever a server does to a path, in whatever order: what it reads is not open."""
    read = sent
    for step in server:
        read = SERVERS[step](read)
        if not read.startswith("/"):
            return
    if alone(read, include, exclude):
        assert is_protected(sent, include, exclude)


@FIXED
@given(SPELLED, RULES, RULES)
def test_what_is_open_is_open_in_every_reading(
    sent: str, include: list[str], exclude: list[str]
) -> None:
    found = interpretations(sent)
    if found is None:
        assert is_protected(sent, include, exclude) is bool(include)
    elif not is_protected(sent, include, exclude):
        assert not any(alone(read, include, exclude) for read in found)


@FIXED
@given(st.text(), RULES, RULES, st.text(max_size=5), st.text())
def test_any_text_is_a_path_that_is_open_or_not(
    path: str, include: list[str], exclude: list[str], mount: str, raw: str
) -> None:
    assert is_protected(path, include, exclude, mount, raw) in (True, False)


@FIXED
@given(st.binary(max_size=30), st.sampled_from(["", "/shop", "shop", "/", "/\xe9"]))
def test_any_bytes_of_an_environ_are_read(sent: bytes, mount: str) -> None:
    raw = sent.decode("latin-1")
    visit = read_request({
        "REQUEST_METHOD": "GET", "SCRIPT_NAME": mount, "PATH_INFO": raw, "RAW_URI": quote(sent),
        "QUERY_STRING": raw, "HTTP_COOKIE": raw,
    })  # fmt: skip
    assert is_protected(visit.path, ("/",), (), visit.mount, visit.raw)


def test_a_plain_path_has_one_reading() -> None:
    for path in ("/", "/a", "/a/", "/.well-known/x", "/a.b/...", "/é", "/a b", "/a&b=c"):
        assert is_normalised(path), path
    for path in ("", "a", "/a/.", "/a//", "/%41", "/a;", "/a?", "/a#", "/\\", "/a\n", "/\ud800"):
        assert not is_normalised(path), path


def test_the_work_for_one_path_is_bounded() -> None:
    hard = ["/" + "//;%3b" * 1000, "/" + "%25" * 2000 + "41", "/" + "a/../" * 1600, "/;" * 4000]
    for path in hard:
        found = interpretations(path)
        assert found is None or len(found) <= 96
