# SPDX-License-Identifier: Apache-2.0
"""Each rule of tokens and of the room's keys by itself."""

from __future__ import annotations

import json
from typing import Any

import jwt
import pytest

from tests.support import tokens
from tests.support.in_memory_room import EVENT, Clock
from tests.support.openid_room import Reply, serving
from tests.support.token_claims import CLAIMS, EXPECTED, LONG_AGO
from tests.support.tokens import VISITOR, FakeEnded, FakeKeys, signed
from waiting_room.adapters.http.json_get import get_json
from waiting_room.adapters.http.room_keys import HttpsEndedSessions, read_keys
from waiting_room.adapters.refreshing_value import RefreshingValue
from waiting_room.authorizer.verifier import (
    CONTEXT_CLAIMS,
    Accepted,
    NoToken,
    Rejected,
    Verifier,
    check_claims,
    token_from_header,
)
from waiting_room.domain.errors import (
    Unavailable,
)
from waiting_room.domain.limits import MAX_STALE_SECONDS


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
        with pytest.raises(Unavailable, match="the thing cannot be read"):
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
