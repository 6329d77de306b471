# SPDX-License-Identifier: Apache-2.0
"""The title, brand, texts and block of an event, which its waiting pages show."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from waiting_room.domain.events.page import page_of
from waiting_room.domain.events.schema import defaults

if TYPE_CHECKING:
    from waiting_room.use_cases.events.directory import EventDirectory


def event_page(directory: EventDirectory, event_id: str) -> dict[str, Any]:
    """Return the response of ``GET /page``; raises InvalidInput for an event that is unknown."""
    stored = directory.document(event_id)
    return {"event_id": event_id, **page_of(stored.document if stored else defaults())}
