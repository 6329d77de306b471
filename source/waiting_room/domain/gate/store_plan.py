# SPDX-License-Identifier: Apache-2.0
"""Plan of the updates that turn the content of the edge's store into another content.

An update has a limit, and an edge may receive some updates later than others. The order is such
that each state in between is at least as closed as the old or the new content: states of events and
further parts of rules first, then the first values of hosts, deletions last. Parts that no first
value names any more are deleted by a later plan, because an edge can still have the first value
that named them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

MAX_KEYS = 50  # of an update of a CloudFront KeyValueStore
MAX_BYTES = 3_000_000
HEAD = "h:"


@dataclass(frozen=True, slots=True)
class StoreUpdate:
    """One update: items to write, by key, and keys to delete."""

    puts: Mapping[str, str] = field(default_factory=dict)
    deletes: tuple[str, ...] = ()


def plan_updates(
    stored: Mapping[str, str], wanted: Mapping[str, str], *, sweep: bool = False
) -> list[StoreUpdate]:
    """Return the updates from ``stored`` to ``wanted``; none if there is no difference.

    ``sweep`` deletes parts that are not wanted, if nothing else has changed.
    """
    changed = sorted(
        (key for key, value in wanted.items() if stored.get(key) != value),
        key=lambda key: (_is_head(key), key),
    )
    gone = sorted(
        (
            key
            for key in stored
            if key not in wanted and (not _is_part(key) or (sweep and not changed))
        ),
        key=lambda key: (not _is_head(key), key),
    )
    return list(_batches([*changed, *gone], wanted))


def _is_head(key: str) -> bool:
    """Return whether a key is the first value of a host."""
    return key.startswith(HEAD) and not _is_part(key)


def _is_part(key: str) -> bool:
    """Return whether a key is a further part of the rules of a host."""
    return key.startswith(HEAD) and ":" in key[len(HEAD) :]


def _batches(keys: list[str], wanted: Mapping[str, str]) -> Iterator[StoreUpdate]:
    """Yield the updates of keys in their order; a key that is not wanted is deleted."""
    batch: list[str] = []
    size = 0
    for key in keys:
        needed = len(key.encode()) + len(wanted.get(key, "").encode())
        if batch and (len(batch) == MAX_KEYS or size + needed > MAX_BYTES):
            yield _update(batch, wanted)
            batch, size = [], 0
        batch.append(key)
        size += needed
    if batch:
        yield _update(batch, wanted)


def _update(keys: list[str], wanted: Mapping[str, str]) -> StoreUpdate:
    return StoreUpdate(
        {key: wanted[key] for key in keys if key in wanted},
        tuple(key for key in keys if key not in wanted),
    )
