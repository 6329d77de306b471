# SPDX-License-Identifier: Apache-2.0
"""A room in memory with an event behind a gate, and the sessions of its visitors."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import jwt

from tests.support.fakes.gate_keys import MemoryGateKeys
from tests.support.in_memory_room import ISSUER, InMemoryRoom
from waiting_room.adapters.access_tokens import PublishedKeys, VerifiedTokens
from waiting_room.domain.actors import Actor, ActorKind
from waiting_room.domain.gate.credentials import GateSession
from waiting_room.use_cases.gate.entrance import GatedEvents
from waiting_room.use_cases.gate.gate_sessions import GateSessions

ME = Actor(ActorKind.PERSON, "arn:aws:sts::1:assumed-role/me")
SALE = "sale"
LIFE = 900  # s; valid_for + renew_every of the default document
GATED = {"protect": [{"path": "/checkout"}], "site": {"hosts": ["pay.example"], "origins": []}}


@dataclass
class GateRoom(InMemoryRoom):
    """A room with the event SALE behind a gate. ``stream`` delivers changes of the outcomes."""

    members: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.room.workers.setup.run()
        self.put(**self.members)
        self.gate_keys = MemoryGateKeys(clock=self.clock)

    def put(self, **members: Any) -> None:
        """Create the event, or change members of it."""
        if self.documents.store.read(SALE) is None:
            self.event_documents.put(SALE, {**GATED, **members}, None, actor=ME)
        else:
            self.event_documents.patch(SALE, members, None, actor=ME)
        self.room.directory.refresh()

    @property
    def sessions(self) -> GateSessions:
        """The sessions, as a new function sees them."""
        tokens = VerifiedTokens(PublishedKeys(self.public_keys, self.clock), ISSUER, self.clock)
        events = GatedEvents(self.documents, self.clock)
        return GateSessions(
            events, self.gate_keys, self.outcomes, self.positions, self.log, tokens, self.clock
        )

    def enter(self, count: int = 1) -> list[str]:
        """Let visitors join, and serve them; return their access tokens."""
        joins = [self.join(self.clock.now + index / 1000) for index in range(count)]
        self.clock.now += 1
        assert not self.room.workers.assignment.assign(SALE, joins).retry
        self.room.control.increment(SALE, count)
        return [self.access_token(join.request_id) for join in joins]

    def access_token(self, request_id: str) -> str:
        """Return the access token of a visitor."""
        token: str = self.room.tokens.issue(SALE, request_id)["access_token"]
        return token

    def begin(self, count: int = 1) -> list[GateSession]:
        """Return the sessions of new visitors."""
        return [self.sessions.begin(SALE, token) for token in self.enter(count)]

    def stream(self) -> None:
        """Deliver all outcomes to the consumer of their stream, as often as it likes."""
        rows = list(self.outcomes.in_range(SALE, self.generation, 1, 10**6))
        self.room.publisher.publish_outcomes(rows)

    @property
    def generation(self) -> int:
        """The current generation."""
        generation: int = self.log.store.read(SALE).generation
        return generation

    def counted(self) -> int:
        """Return the number of active sessions that the counters have."""
        return self.room.metrics.counts(SALE).sessions


def request_id_of(token: str) -> str:
    """Return the request id of a token."""
    claims = jwt.decode(token, options={"verify_signature": False})
    return str(claims["sub"])
