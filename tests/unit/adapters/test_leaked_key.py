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

    def __init__(self, in_memory_room: InMemoryRoom) -> None:
        self._in_memory_room = in_memory_room

    def find(self, key_id: str | None) -> jwt.PyJWK | None:
        return read_keys(self._in_memory_room.room.keys.jwks()).get(key_id or "")

    def reachable(self) -> bool:
        return True


def test_a_leaked_key_can_be_taken_out() -> None:
    in_memory_room = InMemoryRoom()
    in_memory_room.room.workers.setup.run()
    first, second = in_memory_room.visitors(2)
    in_memory_room.serve(2)
    old = in_memory_room.token(first)["access_token"]
    verifier = Verifier(Expected(EVENT, ISSUER), Published(in_memory_room), in_memory_room.clock)
    assert isinstance(verifier.check(old), Accepted)

    in_memory_room.room.keys.rotate(revoke=jwt.get_unverified_header(old)["kid"])

    with pytest.raises(Unavailable) as waits:
        in_memory_room.token(second)
    assert waits.value.retry_after == 60  # what an edge keeps of the public keys is gone then
    in_memory_room.clock.now += 60
    assert isinstance(verifier.check(old), Rejected)
    assert isinstance(verifier.check(in_memory_room.token(second)["access_token"]), Accepted)
    with pytest.raises(Gone, match="retired; join again"):
        in_memory_room.token(first)
