# SPDX-License-Identifier: Apache-2.0
"""Port of the key-value store that the gate at the edge reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol


class EdgeStore(Protocol):
    """The store of the edge. Its version is that of the whole store. Each call costs money."""

    def version(self) -> str:
        """Return the current version of the whole store."""

    def items(self) -> dict[str, str]:
        """Return all items; one call for each 50 of them."""

    def update(self, puts: Mapping[str, str], deletes: Sequence[str], version: str) -> str:
        """Write and delete at most 50 items, all or none; return the next version.

        Raises Conflict when ``version`` is not the current one.
        """
