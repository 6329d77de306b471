# SPDX-License-Identifier: Apache-2.0
"""Loading a signing key: the usual loader's key, and a damaged one noticed before it signs."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode

import jwt
import pytest

from tests.support.in_memory_room import one_jwk
from waiting_room.domain.records import Outcome, OutcomeKind
from waiting_room.domain.signing_keys import (
    MOST_LOADED,
    RSA_MEMBERS,
    Signer,
    SigningKey,
    private_key,
)


def flipped(text: str) -> str:
    """A number with one of its lower bits changed."""
    value = bytearray(urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    value[-1] ^= 2
    return urlsafe_b64encode(value).decode().rstrip("=")


def test_a_key_is_the_one_that_the_usual_loader_makes() -> None:
    usual = jwt.PyJWK(one_jwk(), algorithm="RS256").key
    assert private_key(one_jwk()).private_numbers() == usual.private_numbers()


@pytest.mark.parametrize("member", RSA_MEMBERS)
def test_a_damaged_key_never_signs(member: str) -> None:
    jwk = one_jwk()
    with pytest.raises(ValueError, match="damaged"):
        private_key({**jwk, member: flipped(jwk[member])})


def test_a_signer_remembers_only_the_keys_of_the_last_rotations() -> None:
    signer = Signer()
    outcome = Outcome("Sample", 1, 1, "r", OutcomeKind.TOKEN, 1_800_000_000, 1_800_003_600)
    for number in range(3 * MOST_LOADED):
        signer.sign(outcome, SigningKey({**one_jwk(), "kid": f"key-{number}"}))
    assert list(signer._loaded) == [f"key-{n}" for n in range(2 * MOST_LOADED, 3 * MOST_LOADED)]
