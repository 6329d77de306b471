# SPDX-License-Identifier: Apache-2.0
"""The join worker of tests: processes a batch of joins as the function does."""

from __future__ import annotations

from collections.abc import Sequence

from waiting_room.domain.errors import Unavailable
from waiting_room.domain.records import Join
from waiting_room.use_cases.room import Room


def process(room: Room, joins: Sequence[Join]) -> frozenset[str]:
    """Process joins of any events; return the messages to deliver again.

    A failure of one event delays its own joins only.
    """
    found = room.workers.intake.sort(joins)
    retry = set(room.workers.intake.refuse(found))
    for event_id, mine in found.accepted.items():
        try:
            retry |= room.workers.assignment.assign(event_id, mine).retry
            room.workers.admission.step_after_joins(event_id)
        except Unavailable:
            retry |= {one.message_id for one in mine}
    return frozenset(retry)
