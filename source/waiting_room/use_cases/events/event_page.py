# SPDX-License-Identifier: Apache-2.0
"""The title, brand, texts and block of an event, which its waiting pages show."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from waiting_room.domain.events.page import NONE, page_of

if TYPE_CHECKING:
    from waiting_room.use_cases.events.directory import EventDirectory


def event_page(directory: EventDirectory, event_id: str) -> dict[str, Any]:
    """Return the response of ``GET /page``; raises InvalidInput for an event that is unknown."""
    stored = directory.document(event_id)
    if stored is None:
        return {"event_id": event_id, "title": "", "page": dict(NONE), "version": ""}
    return {"event_id": event_id, **page_of(stored.document)}
