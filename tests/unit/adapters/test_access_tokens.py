# SPDX-License-Identifier: Apache-2.0
"""Verification of access tokens with the published keys."""

from __future__ import annotations

import pytest

from tests.support import tokens
from tests.support.fakes.keys import MemoryPublicKeys
from tests.support.faults import FaultInjector
from tests.support.in_memory_room import EVENT, ISSUER, Clock, in_use
from waiting_room.adapters.access_tokens import UNKNOWN_KEY_PAUSE, PublishedKeys, VerifiedTokens
from waiting_room.domain.errors import SessionRefused, Unavailable
from waiting_room.domain.published_keys import Publication


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def published() -> FaultInjector:
    return FaultInjector(MemoryPublicKeys(in_use(tokens.keys())))


@pytest.fixture
def verified(published: FaultInjector, clock: Clock) -> VerifiedTokens:
    return VerifiedTokens(PublishedKeys(published, clock), ISSUER, clock)


def reason(verified: VerifiedTokens, token: str, event_id: str = EVENT) -> str:
    with pytest.raises(SessionRefused) as raised:
        verified.request_id(event_id, token)
    return raised.value.reason


def test_an_access_token_names_its_request(verified: VerifiedTokens, clock: Clock) -> None:
    assert verified.request_id(EVENT, tokens.token()) == tokens.VISITOR
    assert reason(verified, tokens.token(), "other") == "invalid_token"
    for use in ("id", "refresh"):
        assert reason(verified, tokens.token(use=use)) == "invalid_token"
    for changes in ({"iss": "https://evil.example"}, {"token_use": "id"}, {"exp": "soon"}):
        assert reason(verified, tokens.signed(changes)) == "invalid_token"
    clock.now += 3599
    assert verified.request_id(EVENT, tokens.token()) == tokens.VISITOR
    clock.now += 1
    assert reason(verified, tokens.token()) == "token_expired"


class Copy:
    """Published keys whose copy has one key; the table has ``count``."""

    def __init__(self, count: int) -> None:
        self.count, self.reads = count, 0

    def load(self) -> Publication:
        return in_use(tokens.keys())

    def refresh(self) -> Publication:
        self.reads += 1
        return in_use(tokens.keys(self.count))


def test_a_new_key_is_found_at_once(clock: Clock) -> None:
    keys = PublishedKeys(Copy(2), clock)  # type: ignore[arg-type]
    token = tokens.token(tokens.keys(2).keys[1])
    assert VerifiedTokens(keys, ISSUER, clock).request_id(EVENT, token) == tokens.VISITOR


def test_an_unknown_key_is_looked_for_once_a_minute(clock: Clock) -> None:
    copy = Copy(1)
    verified = VerifiedTokens(PublishedKeys(copy, clock), ISSUER, clock)  # type: ignore[arg-type]
    token = tokens.token(tokens.keys(2).keys[1])
    for seconds, reads in ((0, 1), (0, 1), (UNKNOWN_KEY_PAUSE - 1, 1), (1, 2), (1, 2)):
        clock.now += seconds
        assert reason(verified, token) == "invalid_token"
        assert verified.request_id(EVENT, tokens.token()) == tokens.VISITOR
        assert copy.reads == reads


def test_a_token_without_a_key_id_is_invalid(published: FaultInjector) -> None:
    assert PublishedKeys(published, Clock()).find(None) is None
    assert PublishedKeys(published, Clock()).reachable()


def test_without_keys_nothing_is_decided(
    verified: VerifiedTokens, published: FaultInjector
) -> None:
    published.fail("load", "before")
    with pytest.raises(Unavailable):
        verified.request_id(EVENT, tokens.token())
