# SPDX-License-Identifier: Apache-2.0
"""Jobs of the minute worker: reconciliation, expiry sweep, upkeep of the counters."""

from __future__ import annotations

import logging

from waiting_room.domain.records import EventState
from waiting_room.use_cases.expiry_sweep import ExpirySweep
from waiting_room.use_cases.position_reconciliation import PositionReconciliation

logger = logging.getLogger("waiting_room")


class MinuteJobs:
    """Runs both jobs, even if the first one fails, and records which succeeded."""

    def __init__(self, reconciliation: PositionReconciliation, sweep: ExpirySweep) -> None:
        self._reconciliation, self._sweep = reconciliation, sweep

    def run(self, event_id: str, scheduled_at: float | None = None) -> EventState:
        """Run the jobs of one event; returns the state, raises the first failure at the end."""
        done: dict[str, EventState] = {}
        failed: list[Exception] = []
        jobs = (("reconciliation", self._reconciliation.reconcile), ("sweep", self._sweep.run))
        for task, job in jobs:
            try:
                done[task] = job(event_id, scheduled_at)
            except Exception as error:
                logger.error(
                    "minute job %s of %s failed, the next minute repeats it: %s",
                    task,
                    event_id,
                    type(error).__name__,
                )
                failed.append(error)
        for state in list(done.values())[-1:]:
            self._reconciliation.keep_up(
                state, scheduled_at, reconciled="reconciliation" in done, swept="sweep" in done
            )
        if failed:
            raise failed[0]
        return done["sweep"]
