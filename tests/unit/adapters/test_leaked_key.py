# SPDX-License-Identifier: Apache-2.0
"""What `docs/security.md` says to do when a signing key has leaked."""

from __future__ import annotations

import jwt
import pytest

from tests.support.in_memory_room import EVENT, ISSUER, InMemoryRoom
from waiting_room.adapters.http.room_keys import read_keys
from waiting_room.authorizer.verifier import Accepted, Expected, Rejected, Verifier
from waiting_room.domain.errors import Gone, Unavailable


class Published:
    """The keys as a verifier finds them at the room."""

    def __init__(self, world: InMemoryRoom) -> None:
        self._world = world

    def find(self, key_id: str | None) -> jwt.PyJWK | None:
        return read_keys(self._world.room.keys.jwks()).get(key_id or "")

    def reachable(self) -> bool:
        return True


def test_a_leaked_key_can_be_taken_out() -> None:
    world = InMemoryRoom()
    world.room.workers.setup.run()
    first, second = world.visitors(2)
    world.serve(2)
    old = world.token(first)["access_token"]
    verifier = Verifier(Expected(EVENT, ISSUER), Published(world), world.clock)
    assert isinstance(verifier.check(old), Accepted)

    world.room.keys.rotate(revoke=jwt.get_unverified_header(old)["kid"])

    with pytest.raises(Unavailable) as waits:
        world.token(second)
    assert waits.value.retry_after == 60  # what an edge keeps of the public keys is gone then
    world.clock.now += 60
    assert isinstance(verifier.check(old), Rejected)
    assert isinstance(verifier.check(world.token(second)["access_token"]), Accepted)
    with pytest.raises(Gone, match="retired; join again"):
        world.token(first)
