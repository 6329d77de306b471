# SPDX-License-Identifier: Apache-2.0
"""Sessions at a gate on real servers: renewals, ends, lost counters and the stream at once."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass
from typing import Any

import pytest

from tests.apps.gate_room import ME
from tests.integration.test_races import at_once
from tests.support.fakes.gate_keys import MemoryGateKeys
from tests.support.in_memory_room import ISSUER
from tests.support.real_stores import RealRoom
from waiting_room.adapters.access_tokens import PublishedKeys, VerifiedTokens
from waiting_room.domain.errors import SessionRefused
from waiting_room.domain.gate.credentials import GateSession
from waiting_room.domain.records import Outcome, SessionStatus
from waiting_room.use_cases.gate.entrance import GatedEvents
from waiting_room.use_cases.gate.gate_sessions import GateSessions

VISITORS = 6
RENEWALS = 5  # of each thread


@dataclass
class Clock:
    """A clock that all functions share; each renewal is later than the one before."""

    now: float

    def __call__(self) -> float:
        return self.now


@dataclass
class Gate:
    """An event behind a gate on real servers."""

    real: RealRoom
    clock: Clock

    def sessions(self) -> GateSessions:
        """The sessions, as a new function sees them."""
        stores = self.real.new_stores()
        tokens = VerifiedTokens(
            PublishedKeys(stores.public_keys, time.monotonic), ISSUER, self.clock
        )
        return GateSessions(
            GatedEvents(stores.documents, self.clock), MemoryGateKeys(clock=self.clock),
            stores.outcomes, stores.positions, stores.log, tokens, self.clock,
        )  # fmt: skip

    def begin(self) -> list[GateSession]:
        """Serve visitors and begin their sessions."""
        real, joins = self.real, self.real.joins(VISITORS)
        real.room.workers.assignment.assign(real.event_id, joins)
        real.room.control.increment(real.event_id, VISITORS)
        sessions = self.sessions()
        tokens = (real.room.tokens.issue(real.event_id, join.request_id) for join in joins)
        return [sessions.begin(real.event_id, token["access_token"]) for token in tokens]

    def rows(self) -> list[Outcome]:
        """The outcomes, as the stream has them now."""
        return list(self.real.outcomes.in_range(self.real.event_id, 1, 1, VISITORS))

    def counted(self, after: int = 0) -> int:
        """The number of sessions that last ``after`` seconds more, as the counters have it."""
        now = int(self.clock.now) + after
        return self.real.room.counters.counts(self.real.event_id, now).sessions


@pytest.fixture
def gate(tables_url: str, valkey: Any) -> Gate:
    clock = Clock(1_800_000_000.0)
    real = RealRoom(tables_url, valkey, clock=clock)
    real.room.workers.setup.run()
    documents = real.event_documents(real.room)
    documents.patch(real.event_id, {"protect": [{"path": "/checkout"}]}, None, actor=ME)
    real.room.directory.refresh()
    return Gate(real, clock)


def test_renewals_and_ends_at_once_leave_what_the_rows_say(gate: Gate) -> None:
    begun, images = gate.begin(), gate.rows()
    assert gate.counted() == VISITORS
    gate.clock.now += 300
    functions = [gate.sessions() for _ in range(4)]
    ended = {1, 2, 3}

    def act(index: int) -> list[str]:
        results, function = [], functions[index % 4]
        for turn in range(RENEWALS):
            gate.clock.now += 1
            if turn == 2 and index < 3:
                function.end(begun[index])
            try:
                renewed = function.renew(begun[(index + turn) % VISITORS])
                results.append("renewed")
                assert renewed.expires >= begun[0].expires
            except SessionRefused as error:
                results.append(error.reason)
            images.extend(gate.rows())
        return results

    results = at_once(8, act)
    assert {reason for one in results for reason in one} <= {"renewed", "session_ended"}
    rows = {row.position: row for row in gate.rows()}
    for position, row in rows.items():
        assert (row.status is SessionStatus.COMPLETED) == (position in ended)
        seen = [one.session_until or 0 for one in images if one.position == position]
        assert max(seen) == row.session_until, "no end is ever moved back"
    for session in begun[:3]:
        with pytest.raises(SessionRefused):
            functions[0].renew(session)
    deliveries = [*images, *gate.rows()]
    random.Random(7).shuffle(deliveries)  # the stream keeps the order; the counters need none
    publisher = gate.real.room.publisher
    at_once(4, lambda index: publisher.publish_outcomes(deliveries[index::4]))
    counts = gate.real.room.counters.counts(gate.real.event_id, int(gate.clock.now))
    assert (counts.sessions, counts.tokens, counts.completed) == (3, VISITORS, 3)
    ends = sorted(rows[position].session_until or 0 for position in set(rows) - ended)
    left = [gate.counted(end - int(gate.clock.now)) for end in ends]
    assert left == [sum(one > end for one in ends) for end in ends]


def test_lost_counters_have_the_sessions_again(gate: Gate, valkey: Any) -> None:
    begun = gate.begin()
    gate.clock.now += 300
    function = gate.sessions()
    function.end(begun[0])
    valkey.client().flushall()
    renewed = function.renew(begun[1])

    def act(index: int) -> None:
        if index == 0:
            valkey.client().flushall()
        gate.real.new_room().publisher.publish_outcomes(gate.rows())

    at_once(4, act)
    assert gate.counted() == VISITORS - 1
    after = renewed.expires - 1 - int(gate.clock.now)
    assert gate.counted(after) == 1
    valkey.client().flushall()
    assert (gate.counted(), gate.counted(after)) == (VISITORS - 1, 1)
