# SPDX-License-Identifier: Apache-2.0
"""Runs of an inlet: one method for each kind of Lambda event.

A run first writes its decision, on condition that no other run wrote in the meantime. Then it
raises the serving counter. So only one of two concurrent runs raises it. A crash between the two
steps loses one increment, which the next run makes up for.

The row also stores the ids of handled ticks and messages. A Lambda event that is delivered twice
takes effect once, and a retry finishes a run that ended early. An increment without a response is
sent again before the next tick, with the same call id: the room raises the counter once for it.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from waiting_room.domain.errors import Conflict, Unavailable
from waiting_room.domain.events.alarms import Alarm, alarm_hold_reason
from waiting_room.domain.retry import TooManyConflicts, retry_on_conflict
from waiting_room.inlet.exit_notices import end_sessions, new_exit_notices
from waiting_room.inlet.ports import AlarmReader, InletStore, RoomApi
from waiting_room.inlet.settings import InletSettings
from waiting_room.inlet.strategies import (
    IncrementDecision,
    InletRecord,
    RoomMetrics,
    max_size,
    periodic,
    with_missing_alarm,
)

logger = logging.getLogger("waiting_room")
MINUTE = 60.0
OWN_MOVE_SECONDS = 60.0  # for which an own move overrides metrics that do not include it yet
TICK_SECONDS = 12.0  # limit of one tick: the store, CloudWatch and two calls of the private API
WRITE_TRIES = 8
MAX_HANDLED_IDS = 120  # ticks or messages of at least six minutes, against double delivery
OTHER_RUN = IncrementDecision(0, "another run changed the inlet first")
ALREADY_DONE = IncrementDecision(0, "another run handled this Lambda event")
NewIds = Sequence[str]  # those ids of a step that no step before it handled
Decide = Callable[[InletRecord, NewIds], tuple[IncrementDecision, Mapping[str, Any]]]


class _NoResponse(Unavailable):
    """An increment got no response and may have been made; ``call_id`` repeats it safely."""

    def __init__(self, message: str, by: int, call_id: str) -> None:
        super().__init__(message)
        self.by, self.call_id = by, call_id


class InletRunner:
    """The inlet of one event. ``clock`` returns epoch seconds, ``pause`` waits for seconds."""

    def __init__(
        self,
        settings: InletSettings,
        store: InletStore,
        room: RoomApi,
        alarm: AlarmReader,
        clock: Callable[[], float],
        pause: Callable[[float], None],
    ) -> None:
        self._settings, self._store, self._room, self._alarm = settings, store, room, alarm
        self._clock, self._pause = clock, pause

    def run_periodic(
        self, event: Mapping[str, Any], left: Callable[[], float]
    ) -> list[IncrementDecision]:
        """Run the ticks of a minute; ``left`` returns the seconds that the function still has."""
        ticks = self._settings.ticks_per_minute

        def tick(index: int, mark: Sequence[str]) -> IncrementDecision:
            def rule(record: InletRecord, _: NewIds) -> tuple[IncrementDecision, Mapping[str, Any]]:
                held, alarm = self._hold(record)
                return held or with_missing_alarm(
                    periodic(record.targets["increment_by"], index, ticks), alarm
                ), {}

            return self._decide_and_increment(rule, ids=mark)

        return self._minute(event, left, tick)

    def run_max_size(self, event: Mapping[str, Any]) -> IncrementDecision:
        """Handle exit notices (SNS), or fill the free capacity (schedule)."""
        if not event.get("Records"):
            return self._decide_and_increment(
                lambda record, _: self._decide_max_size(record, 0, 0, fill=True)
            )
        record = self._store.read(self._settings.event_id)
        notices = new_exit_notices(event["Records"], record.handled_ids if record else ())
        exits = end_sessions(self._room, self._settings.event_id, notices)

        def rule(record: InletRecord, ids: NewIds) -> tuple[IncrementDecision, Mapping[str, Any]]:
            new = [one for one in exits if one.message_id in ids]
            left, unnamed = sum(one.left for one in new), sum(one.unnamed for one in new)
            return self._decide_max_size(record, left, unnamed, fill=False)

        return self._decide_and_increment(rule, ids=[one.message_id for one in exits])

    def _minute(
        self,
        event: Mapping[str, Any],
        left: Callable[[], float],
        tick: Callable[[int, Sequence[str]], IncrementDecision],
    ) -> list[IncrementDecision]:
        """Run ticks at equal intervals; a missed tick is not made up for.

        The run ends early when the inlet does not work in the rest of the minute.
        A failed tick does not stop the others. Raises Unavailable at the end if one failed, so that
        Lambda reports the failure and retries the event.
        """
        ticks, event_id = self._settings.ticks_per_minute, str(event.get("id") or "")
        record = self._store.read(self._settings.event_id) if event_id else None
        start, length = self._clock(), MINUTE / ticks
        done: list[IncrementDecision] = []
        lost: _NoResponse | None = None
        failed = 0
        for index in range(ticks):
            mark = (f"{event_id}#{index}",) if event_id else ()
            if record and mark and mark[0] in record.handled_ids:
                continue
            due = start + index * length
            if index and self._settings.window.is_closed_throughout(due, start + MINUTE):
                break  # AWS charges for the time in which the function would sleep
            wait = due - self._clock()
            if left() < max(0.0, wait) + (TICK_SECONDS if index else 0.0):
                logger.warning("skipped tick %d of %d and later: no time left", index + 1, ticks)
                break
            if wait <= -length:
                continue
            if wait > 0:
                self._pause(wait)
            try:
                if lost:
                    self._repeat_increment(lost)
                    lost = None
                done.append(tick(index, mark))
            except _NoResponse as error:
                lost = error
            except Unavailable as error:
                failed += 1
                logger.error("tick %d of %d failed: %s", index + 1, ticks, error)
        if lost or failed:
            raise Unavailable(f"{failed + bool(lost)} of {ticks} ticks were not done")
        return done

    def _repeat_increment(self, lost: _NoResponse) -> None:
        """Repeat an increment that got no response: the room makes it once."""
        serving = self._room.increment(self._settings.event_id, lost.by, lost.call_id)
        logger.info("increment by %d done, serving counter is %d", lost.by, serving)

    def _decide_and_increment(
        self, rule: Decide, *, ids: Sequence[str] = (), tries: int = WRITE_TRIES
    ) -> IncrementDecision:
        """Decide, write the decision, increment; do nothing if all ``ids`` were handled before."""
        try:
            for attempt in retry_on_conflict(self._clock, most=tries):
                with attempt:
                    return self._try_once(rule, ids)
        except TooManyConflicts:
            pass
        return OTHER_RUN

    def _try_once(self, rule: Decide, ids: Sequence[str]) -> IncrementDecision:
        """Decide, write and increment once; raises Conflict when another run wrote first."""
        before = self._store.read(self._settings.event_id)
        done = before.handled_ids if before else ()
        new = [one for one in ids if one not in done]
        if ids and not new:
            return ALREADY_DONE
        record = self._with_alarm(self._next_record(before, ids))
        decision, state = rule(record, new)
        after = replace(
            record,
            controller_state=state,
            last_at=int(self._clock()),
            last_increment=decision.by,
            last_reason=decision.reason,
        )
        self._store.write(before, after)
        if decision.by:
            self._increment(decision, after)
        return decision

    def _increment(self, decision: IncrementDecision, record: InletRecord) -> None:
        call_id = uuid.uuid4().hex
        try:
            serving = self._room.increment(record.event_id, decision.by, call_id)
        except Unavailable as error:
            logger.error("increment got no response, will be repeated: %s", error)
            failed = replace(
                record,
                version=record.version + 1,
                last_increment=0,
                last_reason="the private API timed out or failed",
            )
            try:
                self._store.write(record, failed)
            except (Conflict, Unavailable) as cause:
                logger.warning("failed increment not recorded: %s", type(cause).__name__)
            raise _NoResponse(str(error), decision.by, call_id) from None
        logger.info(
            "admitted %d positions, serving counter is %d: %s",
            decision.by,
            serving,
            decision.reason,
        )

    def _next_record(self, before: InletRecord | None, ids: Sequence[str]) -> InletRecord:
        """Return the record of this run, with the deployment's current settings."""
        chosen = self._settings
        if before is None or before.strategy is not chosen.strategy:
            fresh = InletRecord(chosen.event_id, chosen.strategy, chosen.targets, chosen.targets)
            version, paused = (before.version, before.paused) if before else (0, False)
            before = replace(fresh, version=version, paused=paused)
        if before.deployed != chosen.targets:
            before = replace(before, deployed=chosen.targets, targets=chosen.targets)
        handled = (*before.handled_ids, *(one for one in ids if one not in before.handled_ids))
        return replace(before, version=before.version + 1, handled_ids=handled[-MAX_HANDLED_IDS:])

    def _stop_reason(self, record: InletRecord) -> str:
        """Return why the inlet does not work now; empty when it works."""
        return (
            "paused by an operator"
            if record.paused
            else self._settings.window.closed_reason(self._clock())
        )

    def _with_alarm(self, record: InletRecord) -> InletRecord:
        """Return the record with the alarm's state; a stopped inlet does not read it."""
        alarm = None if self._stop_reason(record) else self._read_alarm()
        holds = bool(alarm and alarm_hold_reason(alarm, self._settings.go_on_insufficient_data))
        return replace(record, alarm=self._settings.alarm, alarm_state=alarm, alarm_holds=holds)

    def _hold(self, record: InletRecord) -> tuple[IncrementDecision | None, Alarm]:
        """Return a decision to hold, or None, and the alarm's state."""
        alarm = record.alarm_state or Alarm.NONE
        reason = self._stop_reason(record) or alarm_hold_reason(
            alarm, self._settings.go_on_insufficient_data
        )
        return IncrementDecision(0, reason) if reason else None, alarm

    def _read_alarm(self) -> Alarm:
        if not self._settings.alarm:
            return Alarm.NONE
        try:
            alarm = self._alarm()
        except Unavailable as error:
            logger.warning("alarm state not read, the inlet holds: %s", error)
            return Alarm.UNREADABLE
        if alarm is Alarm.MISSING:
            logger.error(
                "alarm %s of CLOUDWATCH_ALARM_NAME does not exist, ON_INSUFFICIENT_DATA decides",
                self._settings.alarm,
            )
        return alarm

    def _decide_max_size(
        self, record: InletRecord, left: int, exited: int, *, fill: bool
    ) -> tuple[IncrementDecision, Mapping[str, Any]]:
        held, alarm = self._hold(record)
        if held:
            return held, record.controller_state
        now = self._clock()
        metrics = self._with_own_move(
            self._room.metrics(record.event_id), record.controller_state, now
        )
        decision = with_missing_alarm(
            max_size(record.targets["max_size"], metrics, left, exited, fill=fill), alarm
        )
        if not decision.by:
            return decision, record.controller_state
        return decision, {
            "generation": metrics.generation,
            "moved_to": metrics.serving + decision.by,
            "moved_at": now,
        }

    @staticmethod
    def _with_own_move(metrics: RoomMetrics, memory: Mapping[str, Any], now: float) -> RoomMetrics:
        """Return the metrics with the inlet's own last move, which they may not include yet."""
        recent = now - float(memory.get("moved_at", 0.0)) < OWN_MOVE_SECONDS
        if not recent or memory.get("generation") != metrics.generation:
            return metrics
        return replace(metrics, serving=max(metrics.serving, int(memory["moved_to"])))
