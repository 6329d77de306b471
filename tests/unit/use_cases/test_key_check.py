# SPDX-License-Identifier: Apache-2.0
"""The hourly check of the keys: which states of the stores it reports, and which it accepts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.support.in_memory_room import InMemoryRoom
from waiting_room.domain.gate.root_keys import RootKeys
from waiting_room.domain.published_keys import Publication
from waiting_room.domain.signing_keys import KeySet
from waiting_room.use_cases.key_rotation import CHANGE_TIME


def faults(held: InMemoryRoom) -> list[str]:
    return held.room.workers.key_check.faults()


def test_a_new_room_and_a_rotated_one_have_no_fault(in_memory_room: InMemoryRoom) -> None:
    assert faults(in_memory_room) == []
    in_memory_room.room.keys.rotate()  # the new key does not sign yet
    assert faults(in_memory_room) == []
    in_memory_room.clock.now += 400
    assert faults(in_memory_room) == []


def no_secret(held: InMemoryRoom) -> None:
    held.keys.store._keys = KeySet(())


def nothing_published(held: InMemoryRoom) -> None:
    held.public_keys.store._publication = Publication()


def older_secret(held: InMemoryRoom) -> None:
    before = held.keys.load()
    held.room.keys.rotate()
    held.clock.now += 400
    held.keys.store._keys = before


def no_gate_key(held: InMemoryRoom) -> None:
    held.gate_keys.store.root = RootKeys()


@pytest.mark.parametrize(
    ("damage", "expected"),
    [
        (no_secret, ["no published key can sign tokens"]),
        (
            nothing_published,
            ["no published key can sign tokens", "the secret has a key that is not published"],
        ),
        (older_secret, ["the secret does not have the newest published key"]),
        (no_gate_key, ["the gate has no root key"]),
    ],
)
def test_a_fault_is_named(
    in_memory_room: InMemoryRoom, damage: Callable[[InMemoryRoom], None], expected: list[str]
) -> None:
    damage(in_memory_room)
    assert faults(in_memory_room) == expected


def test_a_change_in_progress_is_no_fault_until_its_lease_ends(
    in_memory_room: InMemoryRoom,
) -> None:
    in_memory_room.room.keys.rotate()
    store, now = in_memory_room.public_keys.store, int(in_memory_room.clock())
    announced = replace(
        store.refresh(),
        keys=(*store.refresh().keys[:1], replace(store.refresh().keys[1], confirmed=False)),
        lease_id="rotation",
        lease_until=now + CHANGE_TIME,
    )
    store._publication = announced
    assert faults(in_memory_room) == []
    in_memory_room.clock.now += CHANGE_TIME
    assert faults(in_memory_room) == ["the secret has a key that is not published"]
