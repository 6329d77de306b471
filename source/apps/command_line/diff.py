# SPDX-License-Identifier: Apache-2.0
"""Differences between the documents of a file and the current ones: pure functions.

A file contains the members that it sets. A member that it leaves out stays as it is; ``null``
restores the default (JSON Merge Patch, RFC 7396).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from waiting_room.domain.errors import InvalidInput
from waiting_room.domain.events.document import StoredEvent, changed_members, merge_patch
from waiting_room.domain.events.phase import Phase, phase_of
from waiting_room.domain.events.validation import ADDED, patch_document, replace_document

Document = dict[str, Any]
STOPPED = (Phase.PAUSED, Phase.DRAINING, Phase.CLOSED)


class InvalidEntry(Exception):
    """A file has an invalid document; the text names the event and the member."""


@dataclass(frozen=True)
class Change:
    """A member with its value before and after.

    ``member`` is a path such as ``turn.expires_after``. A value is None if the member is null or
    absent.
    """

    member: str
    before: Any
    after: Any


@dataclass(frozen=True)
class EventDiff:
    """The difference of one event.

    ``version`` is the current one; None if the event does not exist. ``content`` is the body of
    the call that makes the change: a new document, or a merge patch. ``refusal`` is the reason for
    which the file is not applied to this event.
    """

    event_id: str
    version: int | None
    changes: tuple[Change, ...]
    content: Document
    refusal: str = ""

    @property
    def kind(self) -> str:
        """``create``, ``update``, ``refused`` or ``none``."""
        if self.refusal:
            return "refused"
        if self.version is None:
            return "create"
        return "update" if self.changes else "none"


def compare(
    event_id: str, current: Mapping[str, Any] | None, wanted: Mapping[str, Any], now: float
) -> EventDiff:
    """Return the difference of an event to a file.

    ``current`` is the document as the API returns it; None if the event does not exist. A file
    that would end a pause, a drain or a closing at ``now`` (epoch s) is refused: only an action
    does that. Raises InvalidEntry.
    """
    try:
        if current is None:
            document = merge_patch({}, wanted)
            replace_document(document, event_id, None)
            return EventDiff(event_id, None, tuple(_changes({}, document)), document)
        before = {name: value for name, value in current.items() if name not in ADDED}
        stored = StoredEvent(event_id, current["version"], before)
        after = patch_document(wanted, stored)
    except InvalidInput as error:
        raise InvalidEntry(f"{event_id}: {error}") from None
    changes = tuple(_changes(*changed_members(before, after)))
    refusal = _refusal(before, after, now) if changes else ""
    return EventDiff(event_id, stored.version, changes, changed_members(before, after)[1], refusal)


def _refusal(before: Document, after: Document, now: float) -> str:
    phase, then = phase_of(before, now), phase_of(after, now)
    if phase not in STOPPED or then in (phase, Phase.CLOSED):
        return ""
    return (
        f"the event is {phase}, and the file would make it {then}: "
        "run an action first, such as `waiting-room open`"
    )


def _changes(before: Any, after: Mapping[str, Any], path: str = "") -> Iterator[Change]:
    """Yield the members of ``after`` that are not objects, with their value in ``before``."""
    for name, value in after.items():
        inner = f"{path}.{name}" if path else name
        old = before.get(name) if isinstance(before, Mapping) else None
        if isinstance(value, Mapping) and value:
            yield from _changes(old, value, inner)
        else:
            yield Change(inner, old, value)
