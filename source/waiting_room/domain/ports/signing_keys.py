# SPDX-License-Identifier: Apache-2.0
"""Ports of the private and the public signing keys."""

from __future__ import annotations

from typing import Protocol

from waiting_room.domain.published_keys import Publication
from waiting_room.domain.signing_keys import KeySet


class KeyStore(Protocol):
    """Private signing keys in a secret store."""

    def load(self) -> KeySet:
        """Return the keys; the adapter caches them for about a minute. Raises NoKeysYet.

        While the store is unavailable, returns the last keys, for at most MAX_STALE_SECONDS.
        """

    def refresh(self) -> KeySet:
        """Read the current keys; an empty set before the first set-up."""

    def save(self, keys: KeySet, before: KeySet) -> None:
        """Replace the keys ``before``; raises Conflict when they are not the current ones."""


class PublicKeys(Protocol):
    """Public signing keys, readable without access to the private keys."""

    def load(self) -> Publication:
        """Return the published keys, cached as by ``KeyStore.load``."""

    def refresh(self) -> Publication:
        """Read the current published keys; none before the first set-up."""

    def save(self, publication: Publication, before: Publication) -> None:
        """Publish; raises Conflict when ``before`` is not current."""
