# SPDX-License-Identifier: Apache-2.0
"""Steps of the automatic admission of all events.

While an event has a queue, a scheduled worker makes a step every STEP seconds, or GATE_STEP seconds
where sessions at a gate limit admission. The join worker
makes the step itself when no visitor waited before, so an idle event admits a visitor at once. A
step first writes its state, on condition that no other worker wrote one since. Then it raises the
serving counter. So one of several concurrent workers admits visitors, and a crash between the two
writes admits too few. The next step reads the counts and corrects this.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from waiting_room.domain.actors import admission as admission_actor
from waiting_room.domain.errors import Conflict, InvalidInput, Unavailable, UnknownEvent
from waiting_room.domain.events.admission import (
    STEP,
    AdmissionStrategy,
    seconds_until_step,
    site_signal,
    step,
    step_interval,
)
from waiting_room.domain.events.admission_times import admits, admits_from, works
from waiting_room.domain.events.document import is_gated
from waiting_room.domain.events.phase import Phase, phase_of
from waiting_room.domain.limits import MAX_INCREMENT

if TYPE_CHECKING:
    from waiting_room.domain.events.registry import RegistryEntry
    from waiting_room.domain.ports.admission import AdmissionStates
    from waiting_room.domain.ports.clock import Clock
    from waiting_room.domain.ports.events import EventDocuments
    from waiting_room.use_cases.counters.room_counters import RoomCounters
    from waiting_room.use_cases.event_control import EventControl
    from waiting_room.use_cases.events.directory import EventDirectory
    from waiting_room.use_cases.gate.headroom_steps import HeadroomSteps

logger = logging.getLogger("waiting_room")
RUN_SECONDS = 65.0  # of a run each minute: the next run starts before this one ends
LOOK_SECONDS = 10.0  # that a function keeps for a step that it starts


@dataclass(frozen=True, slots=True)
class Look:
    """Result of a check of an event: positions admitted, and the time of the next check (epoch s).

    ``has_queue`` is true while visitors wait; ``stepped`` if this check made a step. ``has_line``:
    no visitor waits, and ``line`` of the event behind a gate is set.
    """

    again_at: float
    has_queue: bool = False
    admitted: int = 0
    stepped: bool = False
    has_line: bool = False


def _has_queue(looks: Mapping[str, Look]) -> bool:
    return any(look.has_queue or look.has_line for look in looks.values())


class AdmissionSteps:
    """Admission of the events of a deployment. ``pause`` waits for seconds."""

    def __init__(
        self,
        directory: EventDirectory,
        documents: EventDocuments,
        states: AdmissionStates,
        headroom: HeadroomSteps,
        counters: RoomCounters,
        control: EventControl,
        clock: Clock,
        pause: Callable[[float], None],
    ) -> None:
        self._directory, self._documents, self._states = directory, documents, states
        self._headroom, self._counters, self._control = headroom, counters, control
        self._clock, self._pause = clock, pause
        self._next_look: dict[str, float] = {}  # of the join worker, by event with a queue

    def run_minute(
        self, left: Callable[[], float], send: Callable[[str], None] = lambda _: None
    ) -> int:
        """Make the steps of a minute; return the positions admitted.

        It ends at once when no event has a queue and none opens within the minute. ``left`` returns
        the seconds that the function still has. ``send`` sends a message of an event through the
        join queue. Raises Unavailable at the end if a step failed; the
        other events continue.
        """
        end = self._clock() + RUN_SECONDS
        looks: dict[str, Look] = {}
        admitted = failed = 0
        while True:
            now = self._clock()
            entries = self._directory.all()
            running = [event_id for event_id, entry in entries.items() if works(entry, now)]
            looks = {event_id: looks[event_id] for event_id in running if event_id in looks}
            for event_id in running:
                if event_id in looks and looks[event_id].again_at > now:
                    continue
                try:
                    looks[event_id] = self._look(event_id, entries[event_id], "admit", send)
                    admitted += looks[event_id].admitted
                except Unavailable as error:
                    failed += 1
                    looks[event_id] = Look(now + STEP, has_queue=True)
                    logger.error(
                        "admission step of %s failed, the next one follows: %s", event_id, error
                    )
            now = self._clock()
            due = [look.again_at for look in looks.values()] if _has_queue(looks) else []
            due += [at for entry in entries.values() if (at := admits_from(entry, now, end))]
            if not due:
                break
            wait = max(0.0, min(due) - now)
            if now + wait >= end or left() < wait + LOOK_SECONDS:
                break
            self._pause(wait)
        if failed:
            raise Unavailable(f"{failed} admission steps failed")
        return admitted

    def step_after_joins(self, event_id: str) -> float | None:
        """Make a step after joins got positions, unless visitors waited before.

        Returns the seconds until the next step if visitors wait after this one; otherwise None. It
        never raises for a step that failed: the joins have their positions.
        """
        now = self._clock()
        entry = self._directory.all().get(event_id)
        if entry is None or not admits(entry, now):
            return None
        if 0 < self._next_look.get(event_id, 0.0) - now <= STEP:
            return None
        try:
            look = self._look(event_id, entry, "assign_positions")
        except Unavailable as error:
            logger.error("admission step of %s failed, a later one follows: %s", event_id, error)
            return None
        self._next_look.pop(event_id, None)
        if look.has_queue:
            self._next_look[event_id] = look.again_at
        return look.again_at - now if look.has_queue and look.stepped else None

    def report_health(self, event_id: str, health: object) -> None:
        """Store the site's own health report; raises InvalidInput, UnknownEvent."""
        if isinstance(health, bool) or not isinstance(health, (int, float)):
            raise InvalidInput("health must be a number from 0 (down) to 1 (healthy)")
        if not 0 <= health <= 1:
            raise InvalidInput("health must be a number from 0 (down) to 1 (healthy)")
        if self._documents.read(event_id) is None:
            raise UnknownEvent
        self._states.report_health(event_id, float(health), int(self._clock()))

    def _look(
        self,
        event_id: str,
        entry: RegistryEntry,
        function: str,
        send: Callable[[str], None] = lambda _: None,
    ) -> Look:
        """Read the counts of an event, and make a step if visitors wait and a step is due."""
        now = self._clock()
        interval = step_interval(entry.strategy, is_gated=entry.gated)
        counts = self._counters.counts(event_id, int(now))
        if counts.queue <= counts.serving:
            has_line = entry.gated and self._headroom.look(event_id, entry, counts, function, send)
            return Look(now + interval, has_line=has_line)
        if not admits(entry, now):
            return Look(now + interval)
        record = self._states.read(event_id)
        if wait := seconds_until_step(record.state, now, interval):
            return Look(now + wait, has_queue=True)
        stored = self._documents.read(event_id)  # consistent: the registry may be seconds old
        if stored is None:
            return Look(now + interval)
        phase, actor = phase_of(stored.document, now), admission_actor(function)
        if phase is Phase.PASS_THROUGH:
            served = self._control.serve_waiting(
                event_id, MAX_INCREMENT, counts.generation, "pass_through", actor=actor
            )
            return Look(now + interval, admitted=served, stepped=True)
        admission = stored.document["admission"]
        if not phase.serves or admission["strategy"] == AdmissionStrategy.MANUAL:
            return Look(now + interval)
        if is_gated(stored.document):
            counts = counts.at_gate()
        decision = step(admission, record.state, counts, site_signal(admission, record, now), now)
        after = replace(record, version=record.version + 1, state=decision.state)
        try:
            self._states.write(record, after)
        except Conflict:
            return Look(now + interval, has_queue=True)  # another worker made the step
        served = 0
        if decision.increment:
            served = self._control.serve_waiting(
                event_id, decision.increment, counts.generation, "admission", actor=actor
            )
            logger.info("admitted %d positions of %s: %s", served, event_id, decision.reason)
        return Look(now + interval, decision.state.waiting, served, stepped=True)
