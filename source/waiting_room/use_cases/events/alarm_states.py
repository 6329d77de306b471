# SPDX-License-Identifier: Apache-2.0
"""States of the alarms that slow admission, read for the steps.

Steps run inside the VPC, which has no endpoint for CloudWatch. This job runs outside it (decision
0128).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from waiting_room.domain.errors import Unavailable
from waiting_room.domain.events.admission import STEP
from waiting_room.domain.events.admission_times import admits, admits_from
from waiting_room.domain.events.alarms import Alarm

if TYPE_CHECKING:
    from waiting_room.domain.ports.admission import AdmissionStates, Alarms
    from waiting_room.domain.ports.clock import Clock
    from waiting_room.domain.ports.events import EventDocuments
    from waiting_room.use_cases.events.directory import EventDirectory

logger = logging.getLogger("waiting_room")
MINUTE = 60.0
PAGE = 100  # documents of one read, and names of one call of CloudWatch
MOST_LOGGED = 20  # names of missing alarms in one line of the log
REFRESH = 60.0  # s after which an unchanged state is written again
READ_SECONDS = 10.0  # that a function keeps for a round that it starts


class AlarmStates:
    """Reads alarms and stores their states. ``pause`` waits for seconds."""

    def __init__(
        self,
        directory: EventDirectory,
        documents: EventDocuments,
        states: AdmissionStates,
        alarms: Alarms,
        clock: Clock,
        pause: Callable[[float], None],
    ) -> None:
        self._directory, self._documents, self._states = directory, documents, states
        self._alarms, self._clock, self._pause = alarms, clock, pause

    def run_minute(self, left: Callable[[], float]) -> int:
        """Store the states of the alarms of events that admit; return the number of events.

        While visitors of one of them wait, it reads the alarms again each STEP until the minute
        ends. ``left`` returns the seconds that the function still has.
        """
        start = self._clock()
        number = 1
        while True:
            watched = self._watched()
            waiting = self._store(watched) if watched else False
            wait = start + number * STEP - self._clock()
            if not waiting or number * STEP >= MINUTE or left() < max(0.0, wait) + READ_SECONDS:
                return len(watched)
            self._pause(max(0.0, wait))
            number += 1

    def _watched(self) -> dict[str, str]:
        """Return the name of the alarm of each event that admits, or opens soon, and has one.

        The first step of an opening needs the state of its alarm.
        """
        now = self._clock()
        ids = [
            event_id
            for event_id, entry in self._directory.all().items()
            if admits(entry, now) or admits_from(entry, now, now + 2 * MINUTE)
        ]
        stored = [
            event
            for start in range(0, len(ids), PAGE)
            for event in self._documents.read_many(ids[start : start + PAGE])
        ]
        names = {event.event_id: event.document["admission"]["alarm"] for event in stored}
        return {event_id: name for event_id, name in names.items() if name}

    def _store(self, watched: Mapping[str, str]) -> bool:
        """Store the states of alarms, by event; return whether visitors wait in an event."""
        states = self._read(sorted(set(watched.values())))
        waiting = False
        for event_id, name in watched.items():
            record, now = self._states.read(event_id), int(self._clock())
            known = record.alarm_state if record.alarm == name else None
            if known is not states[name] or now - record.alarm_at >= REFRESH:
                self._states.report_alarm(event_id, name, states[name], now)
            waiting = waiting or bool(record.state and record.state.waiting)
        return waiting

    def _read(self, names: list[str]) -> dict[str, Alarm]:
        """Return the state of each alarm; UNREADABLE while CloudWatch does not respond."""
        found: dict[str, Alarm] = {}
        for start in range(0, len(names), PAGE):
            page = names[start : start + PAGE]
            try:
                states = self._alarms.states(page)
            except Unavailable as error:
                logger.warning("alarm states not read, admission slows down: %s", error)
                states = dict.fromkeys(page, Alarm.UNREADABLE)
            found.update({name: states.get(name, Alarm.MISSING) for name in page})
        if missing := [name for name, state in found.items() if state is Alarm.MISSING]:
            logger.error(
                "%d alarms of admission.alarm do not exist, on_insufficient_data decides: %s",
                len(missing),
                _listed(missing),
            )
        return found


def _listed(names: list[str]) -> str:
    return ", ".join(names[:MOST_LOGGED])
