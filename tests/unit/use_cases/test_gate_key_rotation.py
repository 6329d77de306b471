# SPDX-License-Identifier: Apache-2.0
"""Rotation of the root keys of the gate: no session that was issued becomes invalid."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.fakes.events import MemoryEvents
from tests.support.fakes.gate_keys import MemoryGateKeys
from tests.support.in_memory_room import START, Clock, InMemoryRoom
from waiting_room.domain.actors import Actor, ActorKind
from waiting_room.domain.errors import KeysBusy, UnknownKey
from waiting_room.domain.events.schema import MAX_SECONDS
from waiting_room.domain.gate.credentials import GateSession, decode_session, encode_session
from waiting_room.domain.gate.root_keys import (
    ACTIVATION,
    CLOCKS,
    LONGEST_SESSION,
    RootKey,
    RootKeys,
    new_root_key,
)
from waiting_room.use_cases.gate.key_rotation import GateKeyRotation

ADA = Actor(ActorKind.PERSON, "arn:aws:iam::1:user/ada")


def rotation(clock: Clock, root: RootKeys | None = None) -> tuple[MemoryGateKeys, GateKeyRotation]:
    store = MemoryGateKeys(root or RootKeys(), clock)
    return store, GateKeyRotation(store, MemoryEvents(), clock, new_root_key)


@given(st.lists(st.integers(1, 4 * 86_400), min_size=1, max_size=12), st.integers(0, 3_600))
def test_no_rotation_ends_a_session(pauses: list[int], lag: int) -> None:
    """Each session is valid to its end, also by copies of the keys that are an hour old."""
    clock = Clock()
    store, keys = rotation(clock)
    keys.set_up()
    copies, sessions = [(clock(), store.root)], []
    for pause in pauses:
        clock.now += pause
        for age in (0, min(lag, ACTIVATION - 1)):  # of the copy that issues the session
            root = [kept for at, kept in copies if at <= clock() - age or at == START][-1]
            now = int(clock())
            end = now + 2 * MAX_SECONDS - 1
            session = GateSession("sale", 1, 1, now, end)
            sessions.append((end, encode_session(session, root.of_event("sale", now))))
        for end, session in sessions:
            if clock() < end:
                assert decode_session(session, store.keys("sale")), (pauses, end)
        try:
            keys.rotate()
        except KeysBusy:
            assert not keys.is_due()
        copies.append((clock(), store.root))
        assert 1 <= len(store.root.keys) <= 2
        for _, session in sessions[-2:]:
            assert decode_session(session, store.keys("sale"))
            oldest = [kept for at, kept in copies if at <= clock() - lag or at == START][-1]
            assert decode_session(session, oldest.of_event("sale", clock()))


def test_a_set_up_creates_the_first_key_once() -> None:
    clock = Clock()
    store, keys = rotation(clock)
    keys.set_up()
    first = store.root
    assert [(len(key.secret), key.signs_from) for key in first.keys] == [(64, 0)]
    keys.set_up()
    assert store.root == first


def test_a_concurrent_set_up_is_enough() -> None:
    class Late(MemoryGateKeys):
        def save(self, keys: RootKeys, before: RootKeys) -> None:
            super().save(RootKeys((RootKey("other", "7" * 64),)), before)
            super().save(keys, before)

    store = Late(RootKeys(), Clock())
    GateKeyRotation(store, MemoryEvents(), Clock(), new_root_key).set_up()
    assert [key.key_id for key in store.root.keys] == ["other"]


def test_a_new_key_signs_later_and_the_older_one_is_kept() -> None:
    clock = Clock()
    store, keys = rotation(clock)
    keys.set_up()
    first = store.root.keys[0].key_id
    keys.rotate(actor=ADA)
    second = store.root.keys[0].key_id
    assert store.keys("sale").signing == first
    clock.now += ACTIVATION
    assert (store.keys("sale").signing, set(store.keys("sale").keys)) == (second, {first, second})
    clock.now += LONGEST_SESSION + CLOCKS - 1
    assert not keys.is_due()
    with pytest.raises(KeysBusy) as refused:
        keys.rotate()
    assert refused.value.retry_after == 1
    clock.now += 1
    assert keys.is_due()
    keys.rotate()
    assert [key.key_id for key in store.root.keys][1:] == [second]


def test_a_revoked_key_verifies_no_more_and_the_other_one_signs_at_once() -> None:
    clock = Clock()
    store, keys = rotation(clock)
    keys.set_up()
    session = encode_session(GateSession("sale", 1, 1, START, START + 600), store.keys("sale"))
    keys.rotate()
    second, first = (key.key_id for key in store.root.keys)
    with pytest.raises(UnknownKey, match="revoke is not the id of a key of the gate"):
        keys.rotate("none")
    keys.rotate(first)
    assert store.keys("sale").signing == second
    assert decode_session(session, store.keys("sale")) is None
    keys.rotate(second)
    (only,) = store.root.keys
    assert only.key_id not in (first, second)
    assert store.keys("sale").signing == only.key_id


def test_the_log_has_the_ids_and_no_secret(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    store, keys = rotation(Clock())
    keys.set_up()
    keys.rotate(actor=ADA)
    line = json.loads(caplog.messages[-1])
    assert (line["change"], line["who"]) == ("gate_keys", ADA.who)
    assert line["after"] == [key.key_id for key in store.root.keys]
    assert not [key for key in store.root.keys if key.secret in caplog.text]
    assert "secret" not in repr(store.root)


STORED = f'{{"root_keys": [["b", "{"6" * 64}", 5], ["a", "{"5" * 64}", 0]]}}'


def test_the_stored_form_never_changes() -> None:
    keys = RootKeys((RootKey("b", "6" * 64, 5), RootKey("a", "5" * 64)))
    assert keys.to_json() == STORED
    assert RootKeys.from_json(STORED) == keys


@pytest.mark.parametrize(
    "text",
    [
        "", "x", "{}", "[]", '{"root_keys": []}', '{"root_keys": 5}', '{"root_keys": [5]}',
        STORED.replace("6" * 64, "6" * 31), STORED.replace('"b"', '"a:b"'),
        STORED.replace("5]", '"5"]'), STORED.replace("5]", "true]"), STORED.replace('"b"', "null"),
        STORED.replace(f'"{"6" * 64}"', str([0] * 64)),
        STORED.replace("[[", f'[["c", "{"7" * 64}", 0], ['),
    ],
)  # fmt: skip
def test_another_text_holds_no_keys(text: str) -> None:
    with pytest.raises(ValueError, match="the secret holds no root keys"):
        RootKeys.from_json(text)


def test_the_set_up_of_a_room_creates_keys_of_the_gate(in_memory_room: InMemoryRoom) -> None:
    in_memory_room.room.workers.setup.run()
    kept: Any = in_memory_room.gate_keys
    assert kept.keys("Sample").keys != kept.keys("other").keys


def test_each_change_is_announced() -> None:
    store, events = MemoryGateKeys(RootKeys(), Clock()), MemoryEvents()
    keys = GateKeyRotation(store, events, Clock(), new_root_key)
    keys.set_up()
    assert events.gates() == 0
    keys.rotate()
    assert events.gates() == 1
    keys.rotate(store.root.keys[1].key_id)
    with pytest.raises(UnknownKey):
        keys.rotate("none")
    assert events.gates() == 3
