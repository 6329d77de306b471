# SPDX-License-Identifier: Apache-2.0
"""Root keys of the gate: derivation, and the key that signs."""

from __future__ import annotations

import pytest

from tests.support.fakes.gate_keys import MemoryGateKeys
from waiting_room.domain.errors import NoKeysYet
from waiting_room.domain.gate.credentials import GateSession, decode_session, encode_session
from waiting_room.domain.gate.root_keys import RootKey, RootKeys, derive

NOW = 1_800_000_000


def test_the_derivation_never_changes() -> None:
    """A change would make every session invalid."""
    assert derive("5" * 64, "sale") == (
        "5d6f2f04323c1617276c3500e50965cb86acca8362b0fa620de4e692c167f0d3"
    )


def test_a_key_of_one_event_verifies_no_session_of_another() -> None:
    source = MemoryGateKeys()
    of_sale, of_other = source.keys("sale"), source.keys("other")
    assert not set(of_sale.keys.values()) & set(of_other.keys.values())
    forged = encode_session(GateSession("other", 1, 1, NOW, NOW + 600), of_sale)
    assert decode_session(forged, of_sale)
    assert decode_session(forged, of_other) is None


def test_the_newest_key_signs_from_its_time_on() -> None:
    keys = RootKeys((RootKey("b", "6" * 64, NOW + 10), RootKey("a", "5" * 64)))
    assert keys.of_event("sale", NOW + 9).signing == "a"
    assert keys.of_event("sale", NOW + 10).signing == "b"
    assert set(keys.of_event("sale", NOW).keys) == {"a", "b"}
    assert RootKeys((RootKey("a", "5" * 64, NOW + 10),)).of_event("sale", NOW).signing == "a"


def test_without_a_root_key_there_are_no_keys() -> None:
    with pytest.raises(NoKeysYet):
        MemoryGateKeys(RootKeys()).keys("sale")
