# SPDX-License-Identifier: Apache-2.0
"""Limits of the keys and the ended sessions that the authorizer reads; no network."""

from __future__ import annotations

from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from tests.support import tokens
from waiting_room.adapters.http import json_get, room_keys
from waiting_room.adapters.http.json_get import NotFound
from waiting_room.adapters.http.room_keys import (
    ENDED_DEADLINE,
    MAX_ENDED_PAGE_BYTES,
    MAX_ENDED_PAGES,
    MAX_KEY_SET_BYTES,
    MAX_KEYS,
    MAX_PAGE_TOKEN,
    UNKNOWN_KEY_PAUSE,
    HttpsEndedSessions,
    HttpsKeys,
    read_keys,
)
from waiting_room.authorizer.settings import AuthorizerSettings
from waiting_room.authorizer.verifier import Expected
from waiting_room.domain.errors import Unavailable

GOOD = dict(tokens.keys(1).jwks()["keys"][0])
KID = GOOD["kid"]


class Room:
    """Answers each address in turn; the clock is the test's."""

    def __init__(self, *answers: Any) -> None:
        self.answers, self.now = list(answers), 1_000.0
        self.asked: list[tuple[str, int]] = []

    def get(self, address: str, longest: int) -> Any:
        self.asked.append((address, longest))
        told = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(told, Exception):
            raise told
        return told

    def keys(self, keep: float = 300) -> HttpsKeys:
        return HttpsKeys("https://r/api", "a b/c", keep, lambda: self.now, self.get)

    def ended(self, keep: float = 5) -> HttpsEndedSessions:
        return HttpsEndedSessions("https://r/api", "a b/c", keep, lambda: self.now, self.get)


def named(count: int) -> list[dict[str, str]]:
    return [{**GOOD, "kid": f"k{number}"} for number in range(count)]


def test_a_key_set_has_32_keys_at_most() -> None:
    assert len(read_keys({"keys": named(MAX_KEYS)})) == MAX_KEYS
    with pytest.raises(Unavailable, match="no key set"):
        read_keys({"keys": named(MAX_KEYS + 1)})


@pytest.mark.parametrize("content", [None, [], "x", {"keys": None}, {"keys": {}}, {"keys": "x"}])
def test_what_is_no_key_set_is_none(content: Any) -> None:
    with pytest.raises(Unavailable, match="no key set"):
        read_keys(content)


def test_a_key_may_leave_out_its_algorithm_and_its_use() -> None:
    bare = {name: GOOD[name] for name in ("kty", "kid", "n", "e")}
    assert set(read_keys(bare)) == {KID}
    assert set(read_keys({**bare, "alg": "RS256", "use": "sig"})) == {KID}


@pytest.mark.parametrize(
    "change",
    [{"kty": "EC"}, {"kty": None}, {"alg": "PS256"}, {"alg": None}, {"use": "enc"}, {"n": 5},
     {"e": None}, {"kid": None}, {"kid": ""}, {"n": ""}, {"n": "é"}, {"e": "AA"}],
)  # fmt: skip
def test_a_key_that_is_not_for_signatures_with_rs256_is_left_out(change: dict[str, Any]) -> None:
    with pytest.raises(Unavailable, match="no usable key"):
        read_keys({"keys": [{**GOOD, **change}]})


@pytest.mark.parametrize(
    ("bits", "usable"), [(2047, False), (2048, True), (8192, True), (8193, False)]
)
def test_a_key_has_a_usual_length(bits: int, usable: bool) -> None:
    number = (1 << (bits - 1)) | 1
    public = rsa.RSAPublicNumbers(65_537, number).public_key()
    entry = {**RSAAlgorithm.to_jwk(public, as_dict=True), "kid": "k"}
    try:
        assert bool(read_keys({"keys": [entry]})) is usable
    except Unavailable:
        assert not usable


def test_an_unknown_key_is_asked_for_again_after_a_minute() -> None:
    room = Room({"keys": named(1)})
    keys = room.keys()
    for passed, asked in ((0.0, 2), (UNKNOWN_KEY_PAUSE - 0.5, 2), (0.5, 3)):
        room.now += passed
        assert keys.find("unknown") is None
        assert len(room.asked) == asked
    assert room.asked[0] == ("https://r/api/.well-known/jwks.json", MAX_KEY_SET_BYTES)


def test_a_known_key_and_no_key_id_ask_for_nothing_more() -> None:
    room = Room({"keys": named(2)})
    keys = room.keys()
    assert isinstance(keys.find("k1"), jwt.PyJWK)
    assert keys.find(None) is None
    assert len(room.asked) == 1
    assert Room({"keys": named(1)}).keys().find(None) is not None


def test_a_room_with_one_public_key_is_asked_by_the_events_name() -> None:
    room = Room(NotFound(404), GOOD)
    assert room.keys().find(KID) is not None
    assert room.asked[1] == ("https://r/api/public_key?event_id=a%20b%2Fc", MAX_KEY_SET_BYTES)


def test_a_room_is_reachable_when_its_last_answer_came() -> None:
    room = Room(Unavailable("away"), {"keys": named(1)}, Unavailable("away"))
    keys = room.keys(keep=10)
    assert keys.reachable() is False
    room.now += 10
    assert keys.reachable() is True
    room.now += 10
    assert keys.reachable() is False
    assert keys.find("k0") is not None


def page(token: Any = None, *ids: Any) -> dict[str, Any]:
    return {"request_ids": list(ids), "next_token": token}


def test_pages_are_read_until_one_names_no_next() -> None:
    room = Room(page("t/1", "a"), page("x" * MAX_PAGE_TOKEN, "b"), {"request_ids": ["c"]})
    ended = room.ended()
    assert [ended.has(name) for name in ("a", "b", "c", "d")] == [True, True, True, False]
    assert ended.has("A"), "an id is the same in either case"
    first, second, third = room.asked
    assert first == ("https://r/api/ended_sessions?event_id=a%20b%2Fc", MAX_ENDED_PAGE_BYTES)
    assert second[0] == f"{first[0]}&next_token=t%2F1"
    assert third[0].endswith("x" * MAX_PAGE_TOKEN)


@pytest.mark.parametrize(
    "content",
    [None, [], {}, {"request_ids": None}, {"request_ids": [5]}, {"request_ids": "abc"}, page(5),
     page(""), page("x" * (MAX_PAGE_TOKEN + 1)), page(True), page([])],
)  # fmt: skip
def test_what_is_no_page_is_not_taken_for_one(
    content: Any, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(Unavailable):
        Room(content).ended().has("a")
    assert "no list of ended sessions" in caplog.text


def test_the_last_page_that_is_read_may_be_the_two_hundredth() -> None:
    def made(count: int) -> Room:
        return Room(*[page("t", str(number)) for number in range(count - 1)], page(None, "last"))

    assert made(MAX_ENDED_PAGES).ended().has("last")
    longer = made(MAX_ENDED_PAGES + 1)
    with pytest.raises(Unavailable):
        longer.ended().has("last")
    assert len(longer.asked) == MAX_ENDED_PAGES == 200


@pytest.mark.parametrize(("passed", "known"), [(ENDED_DEADLINE, True), (ENDED_DEADLINE + 1, False)])
def test_all_pages_together_have_ten_seconds(passed: float, known: bool) -> None:
    room = Room(page("t", "a"), page(None, "b"))

    def get(address: str, longest: int) -> Any:
        if "next_token" not in address:
            room.now += passed
        return room.get(address, longest)

    ended = HttpsEndedSessions("https://r", "e", 60, lambda: room.now, get)
    if known:
        assert ended.has("b")
    else:
        with pytest.raises(Unavailable):
            ended.has("b")
        assert len(room.asked) == 1


def test_ended_sessions_are_looked_up_only_where_the_settings_say_so() -> None:
    for wanted in (True, False):
        settings = AuthorizerSettings(
            expected=Expected("e", "i"), public_api="https://r", revocation_check=wanted,
            key_cache=10, revocation_cache=5,
        )  # fmt: skip
        assert (room_keys.https_verifier(settings).ended is not None) is wanted


class Parts:
    """An answer that comes in parts, each of which takes some time."""

    def __init__(self, *parts: bytes) -> None:
        self.parts = [*parts, b""]

    def read1(self, _most: int) -> bytes:
        return self.parts.pop(0)


def test_an_answer_has_so_many_bytes_at_most() -> None:
    assert json_get._read(Parts(b"ab", b"c"), 3) == b"abc"
    with pytest.raises(Unavailable, match="too large"):
        json_get._read(Parts(b"ab", b"cd"), 3)


def test_an_answer_comes_within_five_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    for passed, whole in ((5.0, True), (5.1, False)):
        times = iter([100.0, 100.0, 100.0 + passed])
        monkeypatch.setattr(json_get.time, "monotonic", lambda times=times: next(times))
        if whole:
            assert json_get._read(Parts(b"a", b"b"), 9) == b"ab"
        else:
            with pytest.raises(Unavailable, match="takes too long"):
                json_get._read(Parts(b"a", b"b"), 9)
