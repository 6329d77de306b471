# SPDX-License-Identifier: Apache-2.0
"""Each rule of what stands before the room by itself: tokens, cookies, keys, forms, marks."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import jwt
import pytest
import urllib3
from botocore.credentials import Credentials

from tests.support import tokens
from tests.support.in_memory_room import EVENT, ISSUER, START, Clock, InMemoryRoom
from tests.support.openid_room import Reply, serving
from tests.support.tokens import VISITOR, FakeEnded, FakeKeys, signed
from waiting_room.adapters.http.json_get import get_json
from waiting_room.adapters.http.private_api import PrivateApi
from waiting_room.adapters.http.public_api import PublicApi
from waiting_room.adapters.http.room_keys import HttpsEndedSessions, read_keys
from waiting_room.adapters.refreshing_value import RefreshingValue
from waiting_room.authorizer.verifier import (
    CONTEXT_CLAIMS,
    Accepted,
    Expected,
    NoToken,
    Rejected,
    Verifier,
    check_claims,
    token_from_header,
)
from waiting_room.domain.errors import (
    InvalidInput,
    PositionExpired,
    RoomError,
    Unavailable,
    WrongClientSecret,
)
from waiting_room.domain.joins import (
    check_client_secret,
    parse_join,
    seconds_until_again,
    split_at_reset,
)
from waiting_room.domain.limits import MAX_STALE_SECONDS
from waiting_room.domain.records import Position, SessionStatus
from waiting_room.gate import cookie, responses
from waiting_room.gate.origins import is_navigation, origin_of
from waiting_room.gate.path_rules import is_protected
from waiting_room.gate.responses import wants_html
from waiting_room.openid import protocol
from waiting_room.runtime import http_api, lambda_events

EXPECTED = Expected(EVENT, ISSUER)
LONG_AGO = 1_000_000  # the real clock is far behind it: only the given one may count
CLAIMS: dict[str, Any] = {
    "aud": EVENT, "sub": VISITOR, "queue_position": 7, "token_use": "access",
    "iat": LONG_AGO, "nbf": LONG_AGO, "exp": LONG_AGO + 100, "iss": ISSUER,
}  # fmt: skip


# --- tokens -----------------------------------------------------------------------------------


def test_the_given_clock_alone_decides_when_a_token_is_over() -> None:
    made = signed({name: CLAIMS[name] for name in ("iat", "nbf", "exp")})
    for now, good in ((LONG_AGO, True), (LONG_AGO + 99, True), (LONG_AGO + 100, False)):
        decision = Verifier(EXPECTED, FakeKeys(), Clock(now)).check(made)
        assert isinstance(decision, Accepted) is good, now
    far = 4_000_000_000  # the real clock is far before it
    later = signed({"iat": far + 10**9, "nbf": far, "exp": far + 100})
    assert isinstance(Verifier(EXPECTED, FakeKeys(), Clock(far)).check(later), Accepted)


@pytest.mark.parametrize(
    ("changes", "now", "reason"),
    [
        ({}, LONG_AGO - 2, ""),
        ({}, LONG_AGO - 2.5, "the token is not valid yet"),
        ({}, LONG_AGO + 99.9, ""),
        ({}, LONG_AGO + 100, "the token is expired"),
        ({"nbf": None}, LONG_AGO, "a time of the token is not a whole number"),
        ({"exp": 1e9}, LONG_AGO, "a time of the token is not a whole number"),
        ({"iat": True}, LONG_AGO, "a time of the token is not a whole number"),
        ({"sub": ""}, LONG_AGO, "the token names no visitor"),
        ({"sub": 5}, LONG_AGO, "the token names no visitor"),
        ({"aud": [EVENT]}, LONG_AGO, "the token is for another event"),
        ({"aud": "A"}, LONG_AGO, "the token is for another event"),
        ({"aud": "z"}, LONG_AGO, "the token is for another event"),
        ({"iss": "a"}, LONG_AGO, "the token is from another issuer"),
        ({"iss": "z"}, LONG_AGO, "the token is from another issuer"),
        ({"token_use": "aaa"}, LONG_AGO, "the token is not an access token"),
        ({"token_use": "id"}, LONG_AGO, "the token is not an access token"),
    ],
)
def test_the_claims_of_a_token_are_judged(changes: dict[str, Any], now: float, reason: str) -> None:
    decision = check_claims({**CLAIMS, **changes}, EXPECTED, now)
    assert (decision.reason if isinstance(decision, Rejected) else "") == reason


def test_claims_that_lack_a_time_or_a_name_are_refused() -> None:
    for name in ("nbf", "exp", "sub", "aud", "iss", "token_use"):
        left = {key: value for key, value in CLAIMS.items() if key != name}
        assert isinstance(check_claims(left, EXPECTED, LONG_AGO), Rejected), name


def test_only_flat_claims_are_passed_on() -> None:
    decision = check_claims({**CLAIMS, "queue_position": [7], "extra": "x"}, EXPECTED, LONG_AGO)
    assert isinstance(decision, Accepted)
    assert set(decision.claims) == set(CONTEXT_CLAIMS) - {"queue_position"}
    assert decision.request_id == VISITOR


@pytest.mark.parametrize(
    ("header", "token"),
    [
        ("a.b.c", "a.b.c"), ("  a.b.c ", "a.b.c"), ("Bearer a.b.c", "a.b.c"),
        ("bEARER   a.b.c ", "a.b.c"), ("Basic a", None), ("Bearer a b", None), ("Bearer", None),
        ("Bearer ", None), ("", None), (" ", None), ("é", None), (b"a.b.c", None), (None, None),
    ],
)  # fmt: skip
def test_a_header_holds_one_token_alone_or_after_its_scheme(
    header: object, token: str | None
) -> None:
    assert token_from_header(header) == token


@pytest.mark.parametrize("algorithm", ["HS256", "ES256", "none", "ZZ", "A", None, 5])
def test_a_token_that_says_another_algorithm_is_refused_before_a_key_is_looked_for(
    algorithm: object,
) -> None:
    made = signed({}, headers={"x": "y"})
    head, rest = made.split(".", 1)
    fields = json.loads(jwt.utils.base64url_decode(head))
    fields["alg"] = algorithm
    forged = jwt.utils.base64url_encode(json.dumps(fields).encode()).decode() + "." + rest
    keys = FakeKeys(empty=True)  # asking it would raise
    decision = Verifier(EXPECTED, keys, Clock()).check(forged)
    assert isinstance(decision, Rejected | NoToken)


def test_only_an_accepted_token_is_asked_about_its_end() -> None:
    ended = FakeEnded({VISITOR})
    assert Verifier(EXPECTED, FakeKeys(), Clock(), ended).check(signed({})) == Rejected(
        "the session was ended"
    )
    forged = signed({"iss": "another"})
    assert Verifier(EXPECTED, FakeKeys(), Clock(), ended).check(forged) != Rejected(
        "the session was ended"
    )


# --- the room's keys --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "used"),
    [
        ({}, True), ({"alg": "RS256"}, True), ({"alg": "HS256"}, False), ({"alg": "ZZ"}, False),
        ({"alg": None}, False), ({"use": "sig"}, True), ({"use": "enc"}, False),
        ({"use": "z"}, False), ({"use": None}, False), ({"kty": "A"}, False), ({"kty": "Z"}, False),
        ({"e": 65537}, False), ({"n": None}, False), ({"n": "!"}, False), ({"e": ""}, False),
    ],
)  # fmt: skip
def test_a_published_key_is_used_if_it_is_an_rs256_key_that_signs(
    changes: dict[str, Any], used: bool
) -> None:
    first, second = tokens.keys(2).jwks()["keys"]
    bare = {name: value for name, value in first.items() if name not in ("alg", "use")}
    found = read_keys({"keys": [{**bare, **changes}, second]})
    assert (first["kid"] in found) is used
    assert second["kid"] in found


@pytest.mark.parametrize("address", ["http://[bad/", "http://127.0.0.1:port/", "//["])
def test_a_redirect_to_no_address_is_no_answer(address: str) -> None:
    with (
        serving(lambda *_: Reply(302, {"Location": address}, "")) as url,
        pytest.raises(Unavailable),
    ):
        get_json(f"{url}/jwks", 100)


@pytest.mark.parametrize(("count", "good"), [(32, True), (33, False)])
def test_a_key_set_has_32_keys_at_most(count: int, good: bool) -> None:
    key = tokens.keys(1).jwks()["keys"][0]
    content = {"keys": [key, *[{"kty": "EC"}] * (count - 1)]}
    if good:
        assert len(read_keys(content)) == 1
        return
    with pytest.raises(Unavailable):
        read_keys(content)


@pytest.mark.parametrize("bits", [1024, 2040])
def test_a_key_that_is_too_short_is_not_used(bits: int) -> None:
    good = tokens.keys(1).jwks()["keys"][0]
    modulus = (1 << (bits - 1)) + 1
    short = jwt.utils.base64url_encode(modulus.to_bytes(bits // 8, "big")).decode()
    with pytest.raises(Unavailable):
        read_keys({"keys": [{**good, "n": short}]})


@pytest.mark.parametrize(("seconds", "good"), [(0.0, True), (5.0, True), (5.5, False)])
def test_the_pages_of_ended_sessions_have_ten_seconds(seconds: float, good: bool) -> None:
    now = [0.0]

    def get(address: str, longest: int) -> Any:
        now[0] += seconds
        last = "next_token" in address and address.endswith("page-2")
        return {"request_ids": ["a"], **({} if last else {"next_token": "page-" + (
            "2" if "page-1" in address else "1")})}  # fmt: skip

    ended = HttpsEndedSessions("https://room", EVENT, 5, lambda: now[0], get)
    if good:
        assert ended.has("a")
        assert now[0] == 3 * seconds
        return
    with pytest.raises(Unavailable):
        ended.has("a")


@pytest.mark.parametrize(
    "page",
    [
        [], None, "x", {}, {"request_ids": None}, {"request_ids": "ab"}, {"request_ids": [5]},
        {"request_ids": ["a", 5]}, {"request_ids": [], "next_token": ""},
        {"request_ids": [], "next_token": 5}, {"request_ids": [], "next_token": "x" * 129},
    ],
)  # fmt: skip
def test_a_page_that_is_no_list_of_ended_sessions_is_not_taken_for_one(page: Any) -> None:
    ended = HttpsEndedSessions("https://room", EVENT, 5, lambda: 0.0, lambda *_: page)
    with pytest.raises(Unavailable):
        ended.has("a")


class Source:
    """A source that answers or fails as it is told, with a clock."""

    def __init__(self) -> None:
        self.now, self.value, self.asked = 100.0, 1, 0
        self.down = False
        self.kept = RefreshingValue(self.load, 60, lambda: self.now, "the thing")

    def load(self) -> int:
        self.asked += 1
        if self.down:
            raise Unavailable("down")
        return self.value


def test_a_kept_value_is_read_again_when_its_time_is_over() -> None:
    source = Source()
    for now, asked in ((100.0, 1), (159.9, 1), (160.0, 2), (219.9, 2), (220.0, 3)):
        source.now = now
        assert source.kept.get() == 1
        assert source.asked == asked, now


def test_a_source_that_is_down_is_tried_again_after_a_second_and_with_a_value_after_five() -> None:
    source = Source()
    source.down = True
    for now, asked in ((100.0, 1), (100.9, 1), (101.0, 2), (101.5, 2)):
        source.now = now
        with pytest.raises(Unavailable, match="the thing cannot be known"):
            source.kept.get()
        assert source.asked == asked, now
    assert not source.kept.reachable
    source.down, source.now = False, 102.0
    assert source.kept.get() == 1
    assert source.kept.reachable
    source.down = True
    for now, asked in ((162.0, 4), (166.9, 4), (167.0, 5), (171.9, 5), (172.0, 6)):
        source.now = now
        assert source.kept.get() == 1
        assert source.asked == asked, now


def test_the_last_good_value_serves_for_the_longest_outage_and_not_longer() -> None:
    source = Source()
    source.kept.get()
    source.down, source.now = True, 100.0 + MAX_STALE_SECONDS
    assert source.kept.get() == 1
    source.now += 0.5
    with pytest.raises(Unavailable):
        source.kept.get()


def test_a_value_is_renewed_only_where_it_is_wanted_and_refresh_keeps_it_when_it_fails() -> None:
    source = Source()
    source.kept.renew(lambda value: True)
    assert source.asked == 0, "nothing to renew"
    source.kept.get()
    source.value = 2
    source.kept.renew(lambda value: value != 1)
    assert (source.asked, source.kept.get()) == (1, 1)
    source.kept.renew(lambda value: value == 1)
    assert (source.asked, source.kept.get()) == (2, 2)
    source.down = True
    with pytest.raises(Unavailable):
        source.kept.refresh()
    assert source.kept.get() == 2
    source.kept.hold(7)
    assert source.kept.get() == 7


# --- the gate ---------------------------------------------------------------------------------

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


# --- calls of the room ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "reason", "error"),
    [
        (410, "position_expired", "PositionExpired"), (410, "room_reset", "Gone"),
        (410, "other", "Gone"), (410, 5, "Gone"), (404, "position_expired", "UnknownRequest"),
        (202, "position_expired", "NotServedYet"), (403, "session_ended", "WrongClientSecret"),
    ],
)  # fmt: skip
def test_only_a_410_says_by_its_reason_why(status: int, reason: object, error: str) -> None:
    body = json.dumps({"error": "x", "reason": reason})
    with serving(lambda *_: Reply(status, {}, body)) as url, pytest.raises(RoomError) as raised:
        PublicApi(url, EVENT).access_token("req", None)
    kinds = [kind.__name__ for kind in type(raised.value).__mro__]
    assert error in kinds
    assert ("PositionExpired" in kinds) is (error == "PositionExpired")
    assert PositionExpired.__name__ == "PositionExpired"


def test_the_private_api_follows_no_redirect_with_a_signed_call() -> None:
    asked: list[str] = []

    def answer(method: str, path: str, *_: Any) -> Reply:
        asked.append(path)
        return Reply(307, {"Location": "/elsewhere"}, "{}")

    with serving(answer) as url, urllib3.PoolManager() as pool:
        api = PrivateApi(url, "eu-central-1", lambda: Credentials("a", "b"), pool, lambda _: None)
        with pytest.raises(RoomError):
            api.increment(EVENT, 1, "call")
    assert len(asked) == 1


@pytest.mark.parametrize(
    ("status", "answer", "error"),
    [
        (200, {"serving_num": True}, Unavailable), (200, {"serving_num": "5"}, Unavailable),
        (200, {}, Unavailable), (201, {"serving_num": 5}, RoomError), (199, {}, RoomError),
        (200, [5], RoomError), (404, {"serving_num": 5}, RoomError), (500, {}, Unavailable),
        (499, {}, RoomError), (599, {}, Unavailable),
    ],
)  # fmt: skip
def test_an_answer_of_the_private_api_that_is_not_a_good_200_is_an_error(
    status: int, answer: Any, error: type[Exception]
) -> None:
    class Pool:
        def request(self, *_: Any, **options: Any) -> Any:
            assert options["redirect"] is False
            return SimpleNamespace(
                status=status, read=lambda *_, **__: json.dumps(answer).encode(),
                release_conn=lambda: None,
            )  # fmt: skip

    api = PrivateApi("https://x", "r", lambda: Credentials("a", "b"), Pool(), lambda _: None)
    with pytest.raises(error) as raised:
        api.increment(EVENT, 1, "call")
    assert isinstance(raised.value, Unavailable) is (error is Unavailable)


@pytest.mark.parametrize(("code", "counts"), [(200, 1), (400, 0), (404, 0), (410, 0)])
def test_a_session_that_cannot_be_ended_any_more_is_not_counted(code: int, counts: int) -> None:
    with serving(lambda *_: Reply(code, {}, "{}")) as url:
        api = PrivateApi(url, "r", lambda: Credentials("a", "b"), None, lambda _: None)
        assert api.end_sessions(EVENT, ["r"], 1, "call") == counts


# --- HTTP -------------------------------------------------------------------------------------


def asked(**values: Any) -> Any:
    params = SimpleNamespace(
        getlist=lambda name: values[name], __contains__=lambda name: name in values
    )

    class Params(dict[str, Any]):
        getlist = staticmethod(params.getlist)

    return SimpleNamespace(query_params=Params(values) if values else None)


def test_a_query_parameter_is_given_once() -> None:
    assert http_api.query(asked(a=["x"]), "a") == "x"
    for request in (asked(), asked(b=["x"]), asked(a=[""]), asked(a=["x", "y"])):
        with pytest.raises(InvalidInput, match="a is needed once"):
            http_api.query(request, "a")
    assert http_api.optional_query(asked(a=["x"]), "a") == "x"
    assert http_api.optional_query(asked(a=[""]), "a") == ""
    assert (
        http_api.optional_query(asked(), "a")
        is http_api.optional_query(asked(b=["x"]), "a")
        is None
    )
    with pytest.raises(InvalidInput, match="a may be given once"):
        http_api.optional_query(asked(a=["x", "y"]), "a")


def sent(raw: bytes, kind: str | None = "application/json") -> Any:
    return SimpleNamespace(raw_body=raw, headers={"content-type": kind} if kind else {})


def test_a_body_is_a_json_object_of_16_kib_at_most() -> None:
    for kind in ("application/json", "text/plain;charset=UTF-8", "z/z", "", None):
        assert http_api.body(sent(b'{"a": 1}', kind)) == {"a": 1}
    whole = b'{"a": "' + b"x" * (16_384 - 9) + b'"}'
    assert len(whole) == 16_384
    assert http_api.body(sent(whole))
    for raw, kind in (
        (whole + b" ", "application/json"), (b"[]", "application/json"), (b"", None),
        (b"a=1", "application/x-www-form-urlencoded"), (b"\xff", None),
    ):  # fmt: skip
        with pytest.raises(InvalidInput, match="the body"):
            http_api.body(sent(raw, kind))


def test_a_text_member_and_a_number_of_a_query_have_limits() -> None:
    assert http_api.text({"a": "x" * 5}, "a", longest=5) == "x" * 5
    assert http_api.text({"a": ""}, "a", longest=5) == ""
    for content in ({"a": "x" * 6}, {"a": 5}, {"a": None}, {}):
        with pytest.raises(InvalidInput, match="a is needed"):
            http_api.text(content, "a", longest=5)
    assert http_api.whole_number(None, "n", 1, 9) is None
    assert [http_api.whole_number(text, "n", 1, 9) for text in ("1", "9")] == [1, 9]
    for text in ("0", "10", "", "x", "1.0"):
        with pytest.raises(InvalidInput, match="n must be"):
            http_api.whole_number(text, "n", 1, 9)
    assert (
        http_api.client_secret({}, 5) is http_api.client_secret({"client_secret": None}, 5) is None
    )
    assert http_api.client_secret({"client_secret": "abcde"}, 5) == "abcde"
    for secret in ("abcdef", 5):
        with pytest.raises(InvalidInput, match="client_secret"):
            http_api.client_secret({"client_secret": secret}, 5)


def test_a_page_mark_is_read_as_it_was_given_and_no_other_spelling_is() -> None:
    for mark in ((0, 0), (9999, 10**15 - 1), (15, 7)):
        assert http_api.decode_page_token(http_api.encode_page_token(mark)) == mark
    for end in ((0, 0, 0), (10**9 - 1, 10**12 - 1, 10**15 - 1)):
        assert http_api.decode_ended_page_token(http_api.encode_page_token(end)) == end
    assert http_api.decode_page_token(None) is None
    assert http_api.decode_ended_page_token(None) is None
    good = http_api.encode_page_token((15, 7))
    for token in (
        "", "x", good + "=", good + "!", good[:-1], http_api.encode_page_token((10_000, 1)),
        http_api.encode_page_token((1, 10**15)), http_api.encode_page_token((1, 2, 3)),
        http_api.encode_page_token((1,)), "é",
    ):  # fmt: skip
        with pytest.raises(InvalidInput, match="next_token"):
            http_api.decode_page_token(token)
    for other in ((10**9, 1, 1), (1, 10**12, 1), (1, 1, 10**15), (1, 2)):
        with pytest.raises(InvalidInput, match="next_token"):
            http_api.decode_ended_page_token(http_api.encode_page_token(other))


@pytest.mark.parametrize(("seconds", "stale"), [(0, 5), (1, 4), (5, 0), (60, 0)])
def test_no_answer_is_served_stale_beyond_five_seconds(seconds: int, stale: int) -> None:
    assert http_api.cached(seconds) == f"public, max-age={seconds}, stale-if-error={stale}"


def test_a_view_answers_with_the_status_of_its_error_and_logs_no_text_of_an_unknown_one(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def view(error: Exception | None) -> Any:
        @http_api.json_handler
        def look_up() -> Any:
            if error:
                raise error
            return {"a": 1}

        assert look_up.__name__ == "look_up"
        return look_up()

    assert (view(None).status_code, json.loads(view(None).body)) == (200, {"a": 1})
    busy = view(Unavailable("x", 7))
    assert (busy.status_code, busy.headers["Retry-After"]) == (503, "7")
    assert view(InvalidInput("x")).status_code == 400
    with caplog.at_level(logging.ERROR):
        odd = view(KeyError(VISITOR))
    assert (odd.status_code, json.loads(odd.body)) == (500, {"error": "internal error"})
    assert VISITOR not in caplog.text
    assert "KeyError" in caplog.text


# --- messages ---------------------------------------------------------------------------------


def record(**changes: Any) -> dict[str, Any]:
    made: dict[str, Any] = {
        "messageId": VISITOR, "receiptHandle": "handle", "body": json.dumps({"event_id": EVENT}),
        "attributes": {"SentTimestamp": "1500", "SenderId": "A:b"}, "messageAttributes": None,
    }  # fmt: skip
    return {**made, **changes}


@pytest.mark.parametrize(
    ("sent_at", "good"),
    [
        ("1", True), ("0", False), ("-1", False), ("99999999999999", True),
        ("100000000000000", False), (1500, False), ("1" * 20, False), (None, False),
    ],
)  # fmt: skip
def test_a_join_was_sent_at_a_time(sent_at: object, good: bool) -> None:
    one = record(attributes={"SentTimestamp": sent_at, "SenderId": "A:b"})
    joins, dead = lambda_events.read_joins({"Records": [one]}, EVENT)
    assert (len(joins), len(dead)) == ((1, 0) if good else (0, 1))
    if good:
        assert joins[0].sent_at == int(str(sent_at)) / 1000
    else:
        assert dead[0].sent_at_ms == 0


def test_an_odd_record_is_a_dead_letter_once_and_stops_no_other() -> None:
    odd: list[Any] = [None, {}, record(body=5), record(body=5), record()]
    joins, dead = lambda_events.read_joins({"Records": odd}, EVENT)
    assert len(joins) == 1
    assert [(one.message_id, one.body, one.request_id) for one in dead] == [
        ("", "", ""), (VISITOR, "", VISITOR)
    ]  # fmt: skip
    assert dead[1].sent_at_ms == 1500


def test_a_receipt_says_how_often_a_message_was_received() -> None:
    many = record(attributes={"ApproximateReceiveCount": "12"}, messageId="b")
    odd = [None, {}, record(attributes=None), record(attributes={"ApproximateReceiveCount": "x"})]
    found = lambda_events.receipts({"Records": [record(), many, *odd]})
    assert {name: (one.handle, one.count) for name, one in found.items()} == {
        VISITOR: ("handle", 1), "b": ("handle", 12)
    }  # fmt: skip


@pytest.mark.parametrize(
    ("time", "tick"),
    [
        ("1970-01-01T00:01:40Z", 100.0), ("1970-01-01T00:01:40+00:00", 100.0),
        ("1970-01-01T00:01:40", None), ("soon", None), (5, None), (None, None),
    ],
)  # fmt: skip
def test_a_schedule_says_when_it_started(time: object, tick: float | None) -> None:
    assert lambda_events.read_tick({"time": time}) == tick
    assert lambda_events.read_tick({}) is None


def test_a_stream_tells_of_new_and_changed_rows_and_odd_ones_stop_nobody() -> None:
    image = {
        "event_id": {"S": EVENT}, "generation": {"N": "2"}, "position": {"N": "3"},
        "request_id": {"S": "r"}, "kind": {"S": "token"}, "at": {"N": "9"},
        "session_status": {"S": "open"},
    }  # fmt: skip
    rows = [
        {"eventName": name, "dynamodb": {"NewImage": image}}
        for name in ("INSERT", "MODIFY", "REMOVE", "A", "Z")
    ]
    found = lambda_events.read_outcomes({"Records": [None, {}, {"eventName": "INSERT"}, *rows]})
    assert [(one.generation, one.position, one.at, one.expires_at) for one in found] == [
        (2, 3, 9, 0)
    ] * 2
    assert {one.status for one in found} == {SessionStatus.OPEN}


# --- joins ------------------------------------------------------------------------------------


def test_the_limits_of_a_join_are_within_it() -> None:
    def read(body: str) -> Any:
        return parse_join(body, VISITOR, 1.0, "m", EVENT)

    exactly = json.dumps({"event_id": EVENT})
    assert read(exactly + " " * (16_384 - len(exactly))).request_id == VISITOR
    eight = {"event_id": EVENT} | {f"x{one}": "y" * 256 for one in range(7)}
    assert read(json.dumps(eight))
    hashed = read(json.dumps({"event_id": EVENT, "client_secret_hash": "a" * 64}))
    assert hashed.client_secret_hash == "a" * 64
    for wrong in (
        exactly + " " * (16_385 - len(exactly)), json.dumps({**eight, "x8": 1}),
        json.dumps({"event_id": EVENT, "x": "y" * 257}), json.dumps({"event_id": EVENT, "x": []}),
        json.dumps({"event_id": "A"}), json.dumps({"event_id": "z"}), json.dumps({}),
    ):  # fmt: skip
        with pytest.raises(InvalidInput):
            read(wrong)


def test_a_protected_place_opens_to_its_secret_alone() -> None:
    import hashlib

    row = Position(EVENT, 1, "r", 1, START, hashlib.sha256(b"mine").hexdigest())
    check_client_secret(row, "mine", required=True)
    for secret in ("other", "", None, "\ud800"):
        with pytest.raises(WrongClientSecret):
            check_client_secret(row, secret, required=False)
    bare = replace(row, client_secret_hash="")
    check_client_secret(bare, None, required=False)
    with pytest.raises(WrongClientSecret):
        check_client_secret(bare, "mine", required=True)


def test_a_message_that_says_not_how_often_it_came_comes_again_after_a_second() -> None:
    assert [seconds_until_again(count) for count in (-1, 0, 1)] == [1, 1, 2]


def test_joins_of_before_a_reset_stay_before_it() -> None:
    world = InMemoryRoom()
    joins = [world.join(at) for at in (9.0, 10.0, 10.5)]
    before, after = split_at_reset(joins, 10.0)
    assert (before, after) == (joins[:2], joins[2:])


# --- OpenID -----------------------------------------------------------------------------------

KEY, PROVIDER = "a secret of the provider", "https://openid.example"
REQUEST = protocol.AuthorizationRequest(EVENT, "https://shop.example/cb")


def test_a_transaction_is_good_by_the_given_clock_alone() -> None:
    for now in (LONG_AGO, START + 10**9):
        sealed = protocol.seal_transaction(REQUEST, KEY, PROVIDER, now)
        assert protocol.open_transaction(sealed, KEY, PROVIDER, now) == protocol.Transaction(
            REQUEST, now
        )


def test_what_is_shown_of_a_code_is_neither_its_token_nor_the_sealed_one() -> None:
    said = protocol.AccessToken("r", 7, START, START + 60)
    row = protocol.make_code("the-code", REQUEST, "the-token", said, START)
    assert row.sealed not in repr(row)


@pytest.mark.parametrize(("waited", "stale"), [(149, False), (150, True), (151, True)])
def test_a_transaction_is_stale_once_the_client_gave_it_up(waited: int, stale: bool) -> None:
    assert protocol.Transaction(REQUEST, START).is_stale(START + waited, 150) is stale


def test_the_parameters_of_a_request_mean_it_again() -> None:
    whole = protocol.AuthorizationRequest(EVENT, "https://a/", "openid", "s", "n", "c")
    told = whole.parameters()
    assert told["code_challenge_method"] == "S256"
    assert told["response_type"] == "code"
    assert protocol.AuthorizationRequest.of(told) == whole
    assert protocol.AuthorizationRequest.of({**told, "scope": "openid email"}) == whole
    bare = REQUEST.parameters()
    assert set(bare) == {"client_id", "redirect_uri", "scope", "response_type"}


@pytest.mark.parametrize(
    ("parameters", "error"),
    [
        ({}, None), ({"response_mode": "query"}, None), ({"response_mode": "a"}, "invalid_request"),
        ({"response_mode": "z"}, "invalid_request"), ({"request": "x"}, "request_not_supported"),
        ({"request_uri": "x"}, "request_uri_not_supported"),
    ],
)  # fmt: skip
def test_what_the_provider_does_not_have_is_named(
    parameters: dict[str, str], error: str | None
) -> None:
    found = protocol.unsupported_feature(parameters)
    assert (found[0] if found else None) == error


def test_the_provider_says_that_it_takes_no_request_objects_and_no_claims_parameter() -> None:
    said = protocol.configuration(PROVIDER)
    for name in ("request", "request_uri", "claims"):
        assert said[f"{name}_parameter_supported"] is False


@pytest.mark.parametrize(
    ("uri", "good"),
    [
        ("https://a.example/cb", True), ("http://localhost:3000/cb", True),
        ("http://127.0.0.1/", True), ("http://[::1]/", True), ("http://a.example/", False),
        ("https:///cb", False), ("https://a.example/#x", False), ("https://*.example/", False),
        ("https://a.example:0/", False), ("https://a.example/" + "x" * 1006, True),
        ("https://a.example/" + "x" * 1007, False), ("https://a.example/ x", False),
        ("https://a.example/é", False), ("https://a.example/~!", True), ("ftp://localhost/", False),
    ],
)  # fmt: skip
def test_an_address_that_codes_may_go_to_is_safe(uri: str, good: bool) -> None:
    if good:
        assert protocol.check_redirect_uris([uri]) == (uri,)
        return
    with pytest.raises(ValueError, match=r"address|Port"):
        protocol.check_redirect_uris([uri])


def test_a_form_is_read_within_its_limits() -> None:
    kind = "Application/X-WWW-Form-Urlencoded; charset=utf-8"
    assert protocol.form_pairs(b"a=1&b=", kind) == [("a", "1"), ("b", "")]
    whole = b"a=" + b"x" * 16_382
    assert protocol.form_pairs(whole, kind)
    for body, sent_as in (
        (whole + b"x", kind), (b"a=1", "application/json"), (b"a=1", "z"), (b"\xff", kind),
        (b"&".join(b"a=1" for _ in range(51)), kind), (b"a=%ff", kind),
    ):  # fmt: skip
        with pytest.raises(InvalidInput, match="the body"):
            protocol.form_pairs(body, sent_as)
    assert len(protocol.form_pairs(b"&".join(b"a=1" for _ in range(50)), kind)) == 50


@pytest.mark.parametrize(
    ("claims", "good"),
    [
        ({}, True), ({"queue_position": "x"}, False), ({"iat": None}, False), ({"exp": []}, False),
        ({"exp": float("inf")}, False),
    ],
)  # fmt: skip
def test_the_claims_of_an_access_token_are_read_or_refused(
    claims: dict[str, Any], good: bool
) -> None:
    said = {**CLAIMS, **claims}
    if good:
        assert protocol.parse_access_token(said) == protocol.AccessToken(
            VISITOR, 7, LONG_AGO, LONG_AGO + 100
        )
        return
    with pytest.raises(protocol.InvalidToken, match="no whole number"):
        protocol.parse_access_token(said)
