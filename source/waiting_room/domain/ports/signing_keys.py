# SPDX-License-Identifier: Apache-2.0
"""The private and the public half of the signing keys."""

from __future__ import annotations

from typing import Protocol

from waiting_room.domain.published_keys import Publication
from waiting_room.domain.signing_keys import KeySet


class KeyStore(Protocol):
    """The signing keys, kept secret."""

    def load(self) -> KeySet:
        """The keys, kept by the adapter for a minute or so. Raises NoKeysYet without any.

        The last good ones serve on while they cannot be read, for MAX_STALE_SECONDS at most.
        """

    def refresh(self) -> KeySet:
        """Read the current keys; an empty set before the first."""

    def save(self, keys: KeySet, before: KeySet) -> None:
        """Replace the keys ``before``; raises Conflict when they are not the current ones."""


class PublicKeys(Protocol):
    """The public half of the signing keys, readable without access to the private half."""

    def load(self) -> Publication:
        """The published keys, kept by the adapter as the KeyStore keeps the private ones."""

    def refresh(self) -> Publication:
        """Read the current published keys; none before the first set-up."""

    def save(self, publication: Publication, before: Publication) -> None:
        """Publish; raises Conflict when ``before`` is not current."""
