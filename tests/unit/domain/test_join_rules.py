# SPDX-License-Identifier: Apache-2.0
"""Each rule of joins by itself."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from tests.support.in_memory_room import EVENT, START, InMemoryRoom
from tests.support.tokens import VISITOR
from waiting_room.domain.errors import (
    InvalidInput,
    WrongClientSecret,
)
from waiting_room.domain.joins import (
    check_client_secret,
    parse_join,
    seconds_until_again,
    split_at_reset,
)
from waiting_room.domain.records import Position


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
        json.dumps({"event_id": "-A"}), json.dumps({"event_id": ""}), json.dumps({}),
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
    in_memory_room = InMemoryRoom()
    joins = [in_memory_room.join(at) for at in (9.0, 10.0, 10.5)]
    before, after = split_at_reset(joins, 10.0)
    assert (before, after) == (joins[:2], joins[2:])
