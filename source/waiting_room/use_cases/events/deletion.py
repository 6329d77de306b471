# SPDX-License-Identifier: Apache-2.0
"""Removal of what a deleted event leaves, beside its document and its registry entry."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from waiting_room.domain.errors import Unavailable

if TYPE_CHECKING:
    from waiting_room.domain.ports.admission import AdmissionStates
    from waiting_room.domain.ports.serving_log import ServingLog
    from waiting_room.use_cases.counters.room_counters import RoomCounters

logger = logging.getLogger("waiting_room")
COUNTERS_LIFE = 60  # s until the counters end; no function has an older copy of the registry


class Leftovers:
    """Records of a deleted event that no other event needs.

    The generation, the audit log and the outcomes stay, and the history until its time to live.
    """

    def __init__(self, log: ServingLog, admission: AdmissionStates, counters: RoomCounters) -> None:
        self._log, self._admission, self._counters = log, admission, counters

    def generation(self, event_id: str) -> int:
        """Return the generation of an event that is about to be deleted."""
        return self._log.read(event_id).generation

    def remove(self, event_id: str, generation: int) -> None:
        """Delete the admission record and let the counters end.

        What a failure leaves is harmless: both belong to a generation that has ended.
        """
        try:
            self._admission.delete(event_id)
        except Unavailable as error:
            logger.warning(
                "admission record of %s not deleted, it has no effect: %s", event_id, error
            )
        try:
            self._counters.discard(event_id, generation, COUNTERS_LIFE)
        except Unavailable as error:
            logger.warning("counters of %s not deleted, they have no effect: %s", event_id, error)
