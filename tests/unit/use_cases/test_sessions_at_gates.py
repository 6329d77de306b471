# SPDX-License-Identifier: Apache-2.0
"""Sessions at a gate: begin, renewal, end, and their count."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.apps.gate_room import LIFE, ME, SALE, GateRoom, request_id_of
from tests.support.in_memory_room import START
from waiting_room.domain.errors import (
    RoomWasReset,
    SessionEnded,
    SessionRefused,
    Unavailable,
    UnknownEvent,
)
from waiting_room.domain.gate.credentials import GateKeys, GateSession, encode_session
from waiting_room.domain.gate.decision import cookie_name
from waiting_room.domain.gate.root_keys import RootKey, RootKeys
from waiting_room.domain.records import OutcomeKind, SessionStatus


@pytest.fixture
def room() -> GateRoom:
    return GateRoom()


def refusal(call: Any, *args: Any) -> str:
    with pytest.raises(SessionRefused) as raised:
        call(*args)
    assert raised.value.members == {"reason": raised.value.reason}
    assert str(raised.value) == SessionRefused.texts[raised.value.reason]
    return raised.value.reason


def test_a_token_begins_a_session_of_its_position(room: GateRoom) -> None:
    first, second = room.enter(2)
    now = int(room.clock.now)
    outcome = room.outcomes.get(SALE, 1, 2)
    assert outcome.session_until == now + LIFE, "the place is held from the token on"
    room.clock.now += 10
    session = room.sessions.begin(SALE, second)
    assert session == GateSession(SALE, 1, 2, now + 10, now + 10 + LIFE)
    assert session.session_id == f"{SALE}:1:2"
    after = room.outcomes.get(SALE, 1, 2)
    assert after == replace(outcome, session_until=session.expires)
    assert after.expires_at == now + 3600
    assert room.sessions.begin(SALE, second) == session
    assert room.sessions.begin(SALE, first).position == 1


def test_no_session_without_a_valid_token_of_the_event(room: GateRoom) -> None:
    token = room.enter()[0]
    visitor = request_id_of(token)
    id_token = room.room.tokens.issue(SALE, visitor)["id_token"]
    forged = token[:-9] + ("A" * 9 if token[-9:] != "A" * 9 else "B" * 9)
    for wrong in ("", "x", "a.b.c", f"{token} {token}", forged, id_token, "é" * 9, "x" * 9000):
        assert refusal(room.sessions.begin, SALE, wrong) == "invalid_token"
    room.event_documents.put("other", {"protect": [{"path": "/b"}]}, None, actor=ME)
    assert refusal(room.sessions.begin, "other", token) == "invalid_token"
    with pytest.raises(UnknownEvent):
        room.sessions.begin("unknown", token)
    room.clock.now += 3600
    assert refusal(room.sessions.begin, SALE, token) == "token_expired"


def test_a_session_that_is_over_does_not_begin_again(room: GateRoom) -> None:
    token = room.enter()[0]
    room.clock.now += LIFE
    assert refusal(room.sessions.begin, SALE, token) == "session_over"


def test_a_token_from_before_the_gate_begins_a_session(room: GateRoom) -> None:
    room.put(protect=[])
    token = room.enter()[0]
    assert room.outcomes.get(SALE, 1, 1).session_until is None
    room.put(protect=[{"path": "/checkout"}])
    for sliding in (False, True):
        room.put(session={"sliding": sliding})
        session = room.sessions.begin(SALE, token)
        assert session.expires == int(room.clock.now) + LIFE


def test_a_renewal_moves_the_end(room: GateRoom) -> None:
    session = room.begin()[0]
    begun = int(room.clock.now)
    for seconds in (300, 899, 10**6):
        early = seconds == 10**6
        room.clock.now += 299 if early else seconds
        renewed = room.sessions.renew(session)
        now = int(room.clock.now)
        if early:
            assert renewed == session, "not due: nothing is written"
        else:
            assert renewed == replace(session, issued=now, expires=now + LIFE)
            session = renewed
    outcome = room.outcomes.get(SALE, 1, 1)
    assert outcome.session_until == session.expires > begun + LIFE
    assert outcome.expires_at == begun + 3600


def test_an_expired_cookie_renews_while_the_session_lasts(room: GateRoom) -> None:
    """The cookie of another host or tab ends before the session, which a renewal moved."""
    session = room.begin()[0]
    room.clock.now += 600
    renewed = room.sessions.renew(session)
    room.clock.now += 600
    assert room.clock.now > session.expires
    assert room.sessions.renew(session).expires == int(room.clock.now) + LIFE
    room.clock.now += LIFE
    for old in (session, renewed):
        assert refusal(room.sessions.renew, old) == "session_over"


def test_a_session_that_does_not_slide_keeps_its_end() -> None:
    room = GateRoom(members={"session": {"sliding": False}})
    session = room.begin()[0]
    room.clock.now += 400
    renewed = room.sessions.renew(session)
    assert renewed == replace(session, issued=int(room.clock.now))
    room.clock.now = session.expires - 1
    assert room.sessions.renew(renewed).expires == session.expires
    room.clock.now += 1
    assert refusal(room.sessions.renew, renewed) == "session_over"


def test_sessions_of_a_closed_event_run_to_their_end(room: GateRoom) -> None:
    token, session = room.enter()[0], None
    session = room.sessions.begin(SALE, token)
    room.clock.now += 400
    room.event_documents.act(SALE, "close", actor=ME)
    assert room.sessions.renew(session).expires == session.expires
    assert room.sessions.begin(SALE, token).expires == session.expires
    room.clock.now = session.expires
    assert refusal(room.sessions.renew, session) == "session_over"


@pytest.mark.parametrize("end", ["request_id", "session", "leave"])
def test_an_ended_session_is_renewed_no_more(room: GateRoom, end: str) -> None:
    token = room.enter()[0]
    session = room.sessions.begin(SALE, token)
    if end == "request_id":
        room.room.sessions.end(SALE, request_id_of(token), 1)
    elif end == "session":
        room.room.sessions.end_by_session(SALE, session.session_id, 1)
    else:
        for _ in range(2):
            room.sessions.end(session)
    room.clock.now += 300
    assert refusal(room.sessions.renew, session) == "session_ended"
    assert refusal(room.sessions.begin, SALE, token) == "session_ended"
    with pytest.raises(SessionEnded):
        room.room.tokens.issue(SALE, request_id_of(token))
    room.stream()
    counts = room.room.metrics.counts(SALE)
    assert (counts.sessions, counts.active, counts.tokens, counts.completed) == (0, 0, 1, 1)


def test_no_session_of_an_earlier_generation(room: GateRoom) -> None:
    token = room.enter()[0]
    session = room.sessions.begin(SALE, token)
    room.room.control.reset(SALE)
    room.clock.now += 300
    assert refusal(room.sessions.renew, session) == "session_ended"
    assert refusal(room.sessions.begin, SALE, token) == "session_ended"
    room.sessions.end(session)
    assert room.outcomes.get(SALE, 1, 1).status is SessionStatus.OPEN
    with pytest.raises(RoomWasReset):
        room.room.sessions.end_by_session(SALE, session.session_id, 1)


def test_no_session_without_an_outcome(room: GateRoom) -> None:
    session = room.begin()[0]
    assert refusal(room.sessions.renew, None) == "no_session"
    room.clock.now += 300
    assert refusal(room.sessions.renew, replace(session, position=2)) == "no_session"
    expired = replace(room.outcomes.get(SALE, 1, 1), position=3, kind=OutcomeKind.EXPIRED)
    room.outcomes.put_if_absent(expired)
    assert refusal(room.sessions.renew, replace(session, position=3)) == "no_session"


def test_the_cookie_with_the_latest_end_counts(room: GateRoom) -> None:
    session = room.begin()[0]
    keys, name = room.gate_keys.keys(SALE), cookie_name("", SALE, secure=True)
    later = replace(session, expires=session.expires + 1)
    made = [encode_session(one, keys) for one in (session, later)]
    find = room.sessions.find
    assert find(SALE, {name: made}, secure=True) == later
    assert find(SALE, {name: ["x", made[0]]}, secure=True) == session
    assert find(SALE, {name: ["x", "y", made[0]]}, secure=True) is None
    assert find(SALE, {name: made}, secure=False) is None
    other = encode_session(replace(session, event_id="other"), keys)
    assert find(SALE, {name: [other]}, secure=True) is None
    forged = GateKeys(keys.signing, dict.fromkeys(keys.keys, "7" * 64))
    assert find(SALE, {name: [encode_session(session, forged)]}, secure=True) is None


def test_a_rotation_of_the_keys_ends_no_session(room: GateRoom) -> None:
    session = room.begin()[0]
    name = cookie_name("", SALE, secure=True)
    cookie = encode_session(session, room.gate_keys.keys(SALE))
    old = room.gate_keys.root.keys
    room.gate_keys.root = RootKeys((RootKey("newest", "8" * 64), old[0]))
    room.clock.now += 300
    found = room.sessions.find(SALE, {name: [cookie]}, secure=True)
    assert found == session
    assert room.sessions.renew(found).issued == START + 301
    room.gate_keys.root = RootKeys((RootKey("x", "9" * 64),))
    assert room.sessions.find(SALE, {name: [cookie]}, secure=True) is None


def test_the_stream_counts_each_session_once(room: GateRoom) -> None:
    """Also that of a caller that crashed after its write."""
    sessions = room.begin(3)
    room.memory.lose()
    for _ in range(3):
        room.stream()
    assert room.counted() == 3
    room.clock.now += 400
    room.sessions.renew(sessions[0])
    assert room.counted() == 3
    for _ in range(2):
        room.stream()
    room.clock.now = sessions[1].expires
    assert room.counted() == 1
    room.memory.lose()
    assert room.counted() == 1, "a rebuild reads the ends from the table"
    assert room.room.metrics.panel(SALE)["active"] == 1
    assert room.room.metrics.panel(SALE)["active_tokens"] == 3
    assert room.room.directory.visible(SALE, room.room.metrics.counts(SALE)).active == 1
    room.put(protect=[])
    assert room.room.metrics.panel(SALE)["active"] == 3
    assert room.room.directory.visible(SALE, room.room.metrics.counts(SALE)).active == 3


def test_the_stream_comes_again_while_the_counters_cannot_count(room: GateRoom) -> None:
    room.begin()
    told = len(room.published)
    room.memory.lose()
    room.memory.refuses_writes = True
    with pytest.raises(Unavailable):
        room.stream()
    assert len(room.published) == told
    room.memory.refuses_writes = False
    room.stream()
    assert room.counted() == 1
    assert [kind for kind, _ in room.published[told:]] == ["token_generated"]
