# SPDX-License-Identifier: Apache-2.0
"""Event documents: validation, default values and patches.

A document is always complete: a member that a caller omits has its default value.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from waiting_room.domain.events.phase import phase_of
from waiting_room.domain.events.schema import EVENT_SCHEMA, defaults

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """A document as stored. ``version`` counts the changes of this event id, from 1."""

    event_id: str
    version: int
    document: Document

    def response(self, now: float) -> dict[str, Any]:
        """Return the response: the document with event id, version and phase at ``now``."""
        return {
            "event_id": self.event_id,
            "version": self.version,
            "phase": phase_of(self.document, now).value,
            **self.document,
        }


def is_gated(document: Mapping[str, Any]) -> bool:
    """Return whether an event is behind a gate: it has at least one protecting rule."""
    return bool(document["protect"])


def merge_patch(target: Any, patch: Any) -> Any:
    """Apply a JSON Merge Patch (RFC 7396)."""
    if not isinstance(patch, Mapping):
        return patch
    merged = dict(target) if isinstance(target, Mapping) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = merge_patch(merged.get(name), value)
    return merged


def changed_members(
    before: Mapping[str, Any], after: Mapping[str, Any]
) -> tuple[Document, Document]:
    """Return the members that differ, as two objects: before and after."""
    old: Document = {}
    new: Document = {}
    for name in [*before, *(name for name in after if name not in before)]:
        a, b = before.get(name), after.get(name)
        if a == b:
            continue
        if isinstance(a, dict) and isinstance(b, dict):
            a, b = changed_members(a, b)
        old[name], new[name] = a, b
    return old, new


def without_defaults(document: Mapping[str, Any]) -> Document:
    """Return the members that differ from their default values."""
    return changed_members(defaults(), document)[1]


def complete(content: Mapping[str, Any]) -> Document:
    """Return the document with the default value of each absent member."""
    return _complete(content, EVENT_SCHEMA)


def _complete(content: Mapping[str, Any], schema: Mapping[str, Any]) -> Document:
    found: Document = {}
    for name, default in defaults(dict(schema)).items():
        member = schema["properties"][name]
        if "default" not in member:
            found[name] = _complete(content.get(name, {}), member)
        else:
            found[name] = content.get(name, default)
    return found
