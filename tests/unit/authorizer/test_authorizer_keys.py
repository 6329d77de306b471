# SPDX-License-Identifier: Apache-2.0
"""Keys and ended sessions that the authorizer reads; the lesson on cached invalid input."""

from __future__ import annotations

import json
import random
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support import tokens
from tests.support.in_memory_room import EVENT, START, Clock
from tests.support.servers import closed_port
from tests.support.tokens import RoomOverHttp, room_over_http, token
from waiting_room.adapters import refreshing_value
from waiting_room.adapters.http import json_get, room_keys
from waiting_room.adapters.http.json_get import NotFound, get_json
from waiting_room.adapters.http.room_keys import HttpsEndedSessions, HttpsKeys, read_keys
from waiting_room.authorizer.settings import (
    KEY_CACHE_SECONDS,
    MAX_KEY_CACHE_SECONDS,
)
from waiting_room.authorizer.verifier import Accepted, Verifier
from waiting_room.domain.errors import SettingsError, Unavailable
from waiting_room.domain.room_settings import KEY_ACTIVATION_DELAY
from waiting_room.domain.signing_keys import KeySet
from waiting_room.runtime.settings.authorizer import read_authorizer_settings

JWKS = "/.well-known/jwks.json"
PUBLIC_KEY = f"/public_key?event_id={EVENT}"
ENDED = f"/ended_sessions?event_id={EVENT}"
EDGE = 60  # seconds that the edge keeps the key set
FIRST, SECOND, THIRD = (jwk["kid"] for jwk in tokens.jwks_of_the_run()[:3])
INVALID_KEY_SETS = [
    b"", b"junk", b"null", b"[]", b"{}", b'{"keys": []}', b'{"keys": {}}', b'{"keys": [7]}',
    b'{"keys": [{"kty": "oct", "kid": "a", "k": "AA"}]}', b"\xff\xfe", b"[" * 20_000,
    b'{"keys": [{"kty": "RSA", "kid": "a", "n": "AQAB", "e": "AQAB"}]}',
    b'{"keys": [{"kty": "RSA", "kid": "a", "n": 7, "e": "AQAB"}]}', b" " * 70_000,
    b'{"keys": [' + b'{"kty": "RSA"},' * 40 + b'{"kty": "RSA"}]}',
]  # fmt: skip


@pytest.fixture
def room() -> Iterator[RoomOverHttp]:
    with room_over_http() as running:
        running.publish(tokens.keys(1))
        yield running


def keys_of(room: RoomOverHttp, clock: Clock, keep: float = KEY_CACHE_SECONDS) -> HttpsKeys:
    return HttpsKeys(room.url, EVENT, keep, clock)


def down(room: RoomOverHttp) -> None:
    room.replies[JWKS] = (503, b'{"error": "busy"}')


def test_keys_are_read_once_and_again_when_their_time_is_over(room: RoomOverHttp) -> None:  # 17
    clock = Clock()
    keys = keys_of(room, clock)
    assert room.asked[JWKS] == 0
    for _ in range(5):
        assert keys.find(FIRST)
    assert room.asked[JWKS] == 1
    clock.now += KEY_CACHE_SECONDS
    assert keys.find(FIRST)
    assert room.asked[JWKS] == 2


def test_a_key_that_the_room_took_back_is_gone_when_its_time_is_over(room: RoomOverHttp) -> None:
    clock = Clock()
    keys = keys_of(room, clock)
    assert keys.find(FIRST)
    room.publish(KeySet(tokens.keys(2).keys[1:]))
    clock.now += KEY_CACHE_SECONDS
    assert keys.find(FIRST) is None
    assert keys.find(SECOND)


def test_an_unknown_key_is_asked_for_at_most_once_a_minute(room: RoomOverHttp) -> None:  # 17
    clock = Clock()
    keys = keys_of(room, clock, keep=10_000)
    assert keys.find(FIRST)
    for number in range(50):
        assert keys.find(f"made up {number}") is None
        clock.now += 1
    assert room.asked[JWKS] == 2
    room.publish(tokens.keys(2))
    assert keys.find(SECOND) is None
    clock.now += 10
    assert keys.find(SECOND)
    assert room.asked[JWKS] == 3


def test_a_new_key_is_known_at_its_first_token(room: RoomOverHttp) -> None:
    keys = keys_of(room, Clock())
    assert keys.find(FIRST)
    room.publish(tokens.keys(2))
    assert keys.find(SECOND)


def test_a_token_without_a_key_id_is_checked_with_the_only_key(room: RoomOverHttp) -> None:
    clock = Clock()
    keys = keys_of(room, clock)
    only = keys.find(None)
    assert only is not None
    assert only.key_id == FIRST
    room.publish(tokens.keys(2))
    clock.now += KEY_CACHE_SECONDS
    assert keys.find(None) is None


def test_the_last_good_keys_serve_on_while_the_room_is_away(room: RoomOverHttp) -> None:  # 17
    clock = Clock()
    keys = keys_of(room, clock)
    assert keys.find(FIRST)
    down(room)
    for _ in range(100):
        clock.now += 60
        assert keys.find(FIRST)
        assert not keys.reachable() or clock.now < START + KEY_CACHE_SECONDS
    room.publish(tokens.keys(2))
    clock.now += refreshing_value.RETRY_AFTER
    assert keys.find(SECOND)
    assert keys.reachable()


def test_keys_from_before_a_day_of_silence_are_not_used(room: RoomOverHttp) -> None:
    clock = Clock()
    keys = keys_of(room, clock)
    assert keys.find(FIRST)
    down(room)
    clock.now += refreshing_value.MAX_STALE_SECONDS
    assert keys.find(FIRST)
    clock.now += 1
    with pytest.raises(Unavailable):
        keys.find(FIRST)


def test_a_room_that_is_away_is_not_asked_at_every_call(room: RoomOverHttp) -> None:
    clock = Clock()
    keys = keys_of(room, clock)
    assert keys.find(FIRST)
    down(room)
    clock.now += KEY_CACHE_SECONDS
    for _ in range(50):
        clock.now += 0.5
        assert keys.find(FIRST)
    assert room.asked[JWKS] - 1 == 5  # once in RETRY_AFTER seconds


def test_without_any_keys_nothing_is_decided_and_the_room_is_asked_again_soon(
    room: RoomOverHttp,
) -> None:
    clock = Clock()
    keys = keys_of(room, clock)
    down(room)
    for _ in range(3):
        with pytest.raises(Unavailable):
            keys.find(FIRST)
    assert not keys.reachable()
    assert room.asked[JWKS] == 1
    room.publish(tokens.keys(1))
    clock.now += refreshing_value.FIRST_RETRY_AFTER
    assert keys.find(FIRST)


@pytest.mark.parametrize("body", INVALID_KEY_SETS)
def test_an_invalid_response_is_parsed_before_it_is_cached(
    room: RoomOverHttp, body: bytes
) -> None:  # 17
    clock = Clock()
    keys = keys_of(room, clock)
    room.replies[JWKS] = (200, body)
    with pytest.raises(Unavailable):
        keys.find(FIRST)
    room.publish(tokens.keys(1))
    clock.now += KEY_CACHE_SECONDS
    assert keys.find(FIRST)
    room.replies[JWKS] = (200, body)
    clock.now += KEY_CACHE_SECONDS
    assert keys.find(FIRST)


def test_keys_of_no_use_to_us_are_left_out() -> None:
    good = dict(tokens.keys(1).jwks()["keys"][0])
    others = [
        {**good, "kid": "encrypts", "use": "enc"}, {**good, "kid": "other", "alg": "RS512"},
        {**good, "kid": 7}, {**good, "kid": ""}, {"kty": "EC", "kid": "curve"}, "junk",
        {"kty": "RSA", "kid": "short", "n": "w" * 171, "e": "AQAB"},
    ]  # fmt: skip
    assert set(read_keys({"keys": [*others, good]})) == {FIRST}


def test_the_solution_of_aws_has_one_public_key_and_that_serves_too(room: RoomOverHttp) -> None:
    public = tokens.keys(1).keys[0].public
    room.replies[PUBLIC_KEY] = (200, json.dumps(public).encode())
    for status in (403, 404):
        room.replies[JWKS] = (status, b"{}")
        assert keys_of(room, Clock()).find(FIRST)
    room.replies[JWKS] = (500, b"{}")
    with pytest.raises(Unavailable):
        keys_of(room, Clock()).find(FIRST)


def test_a_redirect_is_not_followed(room: RoomOverHttp) -> None:
    room.replies["/elsewhere"] = room.replies[JWKS]
    room.replies[JWKS] = (302, b"/elsewhere")
    with pytest.raises(Unavailable):
        keys_of(room, Clock()).find(FIRST)
    assert room.asked["/elsewhere"] == 0


@pytest.mark.parametrize("address", ["file:///etc/hostname", "ftp://127.0.0.1/x", "data:,x"])
def test_only_http_is_spoken(address: str) -> None:
    with pytest.raises(Unavailable):
        get_json(address, 1000)


def test_nobody_listening_is_unavailable() -> None:
    with closed_port() as port, pytest.raises(Unavailable):
        get_json(f"http://127.0.0.1:{port}/", 1000)


def test_a_rejection_and_a_missing_response_are_different_errors(room: RoomOverHttp) -> None:
    with pytest.raises(NotFound) as refused:
        get_json(f"{room.url}/nothing", 1000)
    assert refused.value.status == 403


def test_a_room_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_get, "TIMEOUT", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        started = time.monotonic()
        with pytest.raises(Unavailable):
            get_json(f"http://127.0.0.1:{silent.getsockname()[1]}/", 1000)
        assert time.monotonic() - started < 2


def test_a_room_that_drips_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_get, "DEADLINE", 0.2)
    stop = threading.Event()

    def drip(server: socket.socket) -> None:
        connection, _ = server.accept()
        with connection:
            connection.recv(4096)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
            while not stop.wait(0.02):
                try:
                    connection.sendall(b" ")
                except OSError:
                    return

    with socket.create_server(("127.0.0.1", 0)) as server:
        dripping = threading.Thread(target=drip, args=(server,))
        dripping.start()
        with pytest.raises(Unavailable, match="too long"):
            get_json(f"http://127.0.0.1:{server.getsockname()[1]}/", 100_000)
        stop.set()
        dripping.join()


def test_ended_sessions_are_known_within_the_time_they_are_kept(room: RoomOverHttp) -> None:  # 16
    clock = Clock()
    ended = HttpsEndedSessions(room.url, EVENT, 5, clock)
    room.replies[ENDED] = (200, b'{"request_ids": ["a"]}')
    assert ended.has("a")
    assert not ended.has("b")
    room.replies[ENDED] = (200, b'{"request_ids": ["a", "b"]}')
    assert not ended.has("b")
    assert room.asked["/ended_sessions"] == 1
    clock.now += 5
    assert ended.has("b")
    room.replies[ENDED] = (500, b"")
    clock.now += 3600
    assert ended.has("b")


def pages(room: RoomOverHttp, count: int, *, endless: bool = False) -> None:
    """Pages of one ended session each, named after its number."""
    for number in range(count):
        token = "" if number == 0 else f"&next_token=page-{number}"
        body: dict[str, object] = {"request_ids": [f"id-{number}"]}
        if endless or number + 1 < count:
            body["next_token"] = f"page-{number + 1}"
        room.replies[ENDED + token] = (200, json.dumps(body).encode())


def test_every_page_of_ended_sessions_is_read(room: RoomOverHttp) -> None:
    pages(room, 3)
    ended = HttpsEndedSessions(room.url, EVENT, 5, Clock())
    assert all(ended.has(f"id-{number}") for number in range(3))
    assert room.asked["/ended_sessions"] == 3


def test_pages_without_end_are_no_list(room: RoomOverHttp, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room_keys, "MAX_ENDED_PAGES", 3)
    pages(room, 3, endless=True)
    with pytest.raises(Unavailable):
        HttpsEndedSessions(room.url, EVENT, 5, Clock()).has("id-0")
    assert room.asked["/ended_sessions"] == 3
    pages(room, 3)
    assert HttpsEndedSessions(room.url, EVENT, 5, Clock()).has("id-2")


def test_pages_that_take_too_long_are_no_list() -> None:
    clock = Clock()

    def slow(_url: str, _longest: int) -> dict[str, object]:
        clock.now += 6
        return {"request_ids": ["a"], "next_token": "x"}

    with pytest.raises(Unavailable):
        HttpsEndedSessions("http://room", EVENT, 5, clock, slow).has("a")


def test_a_page_that_fails_leaves_the_list_that_is_known(room: RoomOverHttp) -> None:
    clock = Clock()
    pages(room, 2)
    ended = HttpsEndedSessions(room.url, EVENT, 5, clock)
    assert ended.has("id-1")
    room.replies[f"{ENDED}&next_token=page-1"] = (503, b"")
    clock.now += 60
    assert ended.has("id-1")


@pytest.mark.parametrize(
    "body",
    [
        b"junk", b"[]", b"{}", b'{"request_ids": 7}', b'{"request_ids": [7]}',
        b'{"request_ids": [], "next_token": 7}', b'{"request_ids": [], "next_token": ""}',
        b'{"request_ids": [], "next_token": "%s"}' % (b"x" * 200),
    ],
)  # fmt: skip
def test_a_list_of_ended_sessions_that_is_none_is_not_taken_for_empty(
    room: RoomOverHttp, body: bytes
) -> None:
    room.replies[ENDED] = (200, body)
    with pytest.raises(Unavailable):
        HttpsEndedSessions(room.url, EVENT, 5, Clock()).has("a")


def test_many_threads_at_a_cold_start_ask_the_room_once(room: RoomOverHttp) -> None:
    keys = keys_of(room, Clock())
    with ThreadPoolExecutor(16) as pool:
        assert all(pool.map(lambda _: keys.find(FIRST) is not None, range(64)))
    assert room.asked[JWKS] == 1


def test_while_one_thread_asks_again_the_others_do_not_wait() -> None:
    clock, asked, answer = Clock(), threading.Event(), threading.Event()
    loads = [lambda: "old", Unavailable, lambda: "new"]

    def load() -> str:
        found = loads.pop(0)
        if len(loads) == 0:
            asked.set()
            answer.wait(10)
        if found is Unavailable:
            raise Unavailable("away")
        return found()

    value = refreshing_value.RefreshingValue(load, 10, clock, "a value")
    assert value.get() == "old"
    clock.now += 10
    assert value.get() == "old"
    clock.now += refreshing_value.RETRY_AFTER
    with ThreadPoolExecutor(1) as pool:
        asking = pool.submit(value.get)
        assert asked.wait(10)
        assert value.get() == "old"
        answer.set()
        assert asking.result() == "new"
    assert value.get() == "new"


def test_after_a_failed_start_nobody_waits_for_another_threads_try() -> None:
    clock, asked, answer = Clock(), threading.Event(), threading.Event()
    tries = []

    def load() -> str:
        tries.append(1)
        if len(tries) == 2:
            asked.set()
            answer.wait(10)
        raise Unavailable("away")

    value = refreshing_value.RefreshingValue(load, 10, clock, "a value")
    with pytest.raises(Unavailable):
        value.get()
    clock.now += refreshing_value.FIRST_RETRY_AFTER
    with ThreadPoolExecutor(1) as pool:
        asking = pool.submit(value.get)
        assert asked.wait(10)
        with pytest.raises(Unavailable):
            value.get()
        answer.set()
        with pytest.raises(Unavailable):
            asking.result()


def rotate_under_load(room: RoomOverHttp, delay: int) -> tuple[int, list[str]]:
    """Four threads verify while 900 s pass and keys rotate twice; accepted, and the refusals.

    An edge in front of the room keeps the key set for a minute, as CloudFront does, and a fifth
    thread makes up key ids, so that no refresh on an unknown key is left for those that exist.
    """
    clock, lock = Clock(), threading.Lock()
    published = tokens.keys(1)
    edge: list[tuple[float, bytes]] = []

    def at_the_edge() -> tuple[int, bytes]:
        with lock:
            if not edge or clock.now - edge[-1][0] >= EDGE:
                edge.append((clock.now, json.dumps(published.jwks()).encode()))
            return 200, edge[-1][1]

    room.replies[JWKS] = at_the_edge
    verifier = Verifier(tokens.EXPECTED, keys_of(room, clock), clock)
    done = [0] * 5
    refused: list[str] = []
    over = threading.Event()
    forged = token(tokens.keys(4).keys[3])

    def visit(number: int) -> None:
        while not over.is_set():
            now = int(clock.now)
            sent = forged if number == 4 else token(published.current(now), at=now)
            decision = verifier.check(sent)
            if number == 4 and isinstance(decision, Accepted):
                refused.append("a made-up key was accepted")
            if number < 4 and not isinstance(decision, Accepted):
                refused.append(decision.reason)
            done[number] += 1

    threads = [threading.Thread(target=visit, args=(number,), daemon=True) for number in range(5)]
    for thread in threads:
        thread.start()
    order = random.Random(3)
    rotations = {100: tokens.jwks_of_the_run()[1], 500: tokens.jwks_of_the_run()[2]}
    for second in range(0, 900, 10):
        if second in rotations:
            published = published.added(rotations[second], int(clock.now) + delay)
        clock.now = START + second + order.random()
        before = list(done)
        while any(now <= then for now, then in zip(done, before, strict=True)):
            assert all(thread.is_alive() for thread in threads)
            time.sleep(0.001)
    over.set()
    for thread in threads:
        thread.join()
    assert {key.key_id for key in published.keys} == {FIRST, SECOND, THIRD}
    return sum(done[:4]) - len(refused), refused


def test_no_valid_token_is_refused_while_keys_rotate_under_load(room: RoomOverHttp) -> None:
    accepted, refused = rotate_under_load(room, KEY_ACTIVATION_DELAY)
    assert refused == []
    assert accepted >= 4 * 90


def test_a_key_that_signs_at_once_would_be_refused_for_a_while(room: RoomOverHttp) -> None:
    assert rotate_under_load(room, 0)[1]


def test_keys_are_never_kept_so_long_that_one_signs_unseen() -> None:
    assert KEY_CACHE_SECONDS <= MAX_KEY_CACHE_SECONDS
    assert MAX_KEY_CACHE_SECONDS + EDGE < KEY_ACTIVATION_DELAY


ENV = {
    "WAITING_ROOM_EVENT_ID": EVENT,
    "PUBLIC_API_ENDPOINT": "https://room.example/api/",
    "ISSUER": "https://room.example/api",
}


def test_settings_come_from_the_environment() -> None:
    read = read_authorizer_settings(ENV)
    assert (read.expected.event_id, read.expected.issuer) == (EVENT, ENV["ISSUER"])
    assert (read.public_api, read.revocation_check) == ("https://room.example/api", False)
    assert (read.key_cache, read.revocation_cache) == (120, 5)
    changed = read_authorizer_settings(
        {**ENV, "REVOCATION_CHECK": "True", "KEY_CACHE_SECONDS": "30"}
    )
    assert (changed.revocation_check, changed.key_cache) == (True, 30)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("WAITING_ROOM_EVENT_ID", ""), ("ISSUER", " "), ("PUBLIC_API_ENDPOINT", ""),
        ("PUBLIC_API_ENDPOINT", "http://room.example"), ("PUBLIC_API_ENDPOINT", "room.example"),
        ("PUBLIC_API_ENDPOINT", "file:///etc/passwd"), ("PUBLIC_API_ENDPOINT", "https://a?b=c"),
        ("REVOCATION_CHECK", "maybe"), ("KEY_CACHE_SECONDS", "0"), ("KEY_CACHE_SECONDS", "x"),
        ("KEY_CACHE_SECONDS", "181"), ("REVOCATION_CACHE_SECONDS", "61"),
    ],
)  # fmt: skip
def test_a_setting_that_cannot_be_meant_is_named(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=name):
        read_authorizer_settings({**ENV, name: value})


def test_a_room_on_this_machine_may_speak_plain_http() -> None:
    read = read_authorizer_settings({**ENV, "PUBLIC_API_ENDPOINT": "http://127.0.0.1:9/api"})
    assert read.public_api == "http://127.0.0.1:9/api"
