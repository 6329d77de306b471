# SPDX-License-Identifier: Apache-2.0
"""The KeyStore and PublicKeys ports in memory."""

from __future__ import annotations

import threading
from dataclasses import replace

from waiting_room.domain.errors import Conflict, NoKeysYet
from waiting_room.domain.published_keys import Publication
from waiting_room.domain.signing_keys import KeySet


class MemoryKeys:
    """The KeyStore port in memory; it has no cache."""

    def __init__(self, keys: KeySet | None = None) -> None:
        self._keys = keys or KeySet(())
        self._lock = threading.Lock()

    def load(self) -> KeySet:
        """The keys."""
        if not self._keys.keys:
            raise NoKeysYet
        return self._keys

    def refresh(self) -> KeySet:
        """The keys; an empty set before the first."""
        return self._keys

    def save(self, keys: KeySet, before: KeySet) -> None:
        """Replace the keys."""
        with self._lock:
            if self._keys.version != before.version:
                raise Conflict
            self._keys = replace(keys, version=f"{int(before.version or 0) + 1}")


class MemoryPublicKeys:
    """The PublicKeys port in memory; it has no cache."""

    def __init__(self, publication: Publication | None = None) -> None:
        self._publication = publication or Publication()
        self._lock = threading.Lock()

    def refresh(self) -> Publication:
        """The published keys."""
        return self._publication

    load = refresh

    def save(self, publication: Publication, before: Publication) -> None:
        """Publish."""
        with self._lock:
            if self._publication.version != before.version:
                raise Conflict
            self._publication = publication
