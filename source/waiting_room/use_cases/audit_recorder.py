# SPDX-License-Identifier: Apache-2.0
"""Record in the audit log the changes of operators that no document contains."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from waiting_room.domain.actors import Actor
from waiting_room.domain.errors import Unavailable

if TYPE_CHECKING:
    from waiting_room.domain.ports.audit import AuditLog
    from waiting_room.domain.ports.clock import Clock

logger = logging.getLogger("waiting_room")


class AuditRecorder:
    """Records a change after it was made. A failure never reaches the caller of the change."""

    def __init__(self, audit: AuditLog, clock: Clock) -> None:
        self._audit, self._clock = audit, clock

    def append(
        self,
        event_id: str,
        change: str,
        actor: Actor,
        before: Mapping[str, Any],
        after: Mapping[str, Any],
    ) -> None:
        """Store an entry of the audit log; imports its module on first use."""
        from waiting_room.domain.events.audit import audit_entry

        try:
            self._audit.append(event_id, audit_entry(self._clock(), actor, change, before, after))
        except Unavailable as error:
            logger.error("audit entry not written, the change log has the change: %s", error)
