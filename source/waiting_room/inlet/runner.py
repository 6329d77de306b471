# SPDX-License-Identifier: Apache-2.0
"""What an inlet does when it is started: one method for each kind of start.

A run first writes what it is about to do, under the condition that no other run wrote meanwhile,
and only then moves the serving counter. So of two runs at once only one acts, and a crash in
between loses one step, which the next one mends. What was handled is noted with it, tick by tick
and message by message: an event delivered twice acts once, and one whose run ended early is
finished by its retry. A step that got no answer is sent again before the next tick, with the same
id, for which the room moves the counter once.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from waiting_room.domain.errors import Conflict, InvalidInput, Unavailable
from waiting_room.domain.parsing import UNREADABLE
from waiting_room.domain.retry import TooManyConflicts, retry_on_conflict
from waiting_room.inlet.automatic import (
    OWN_MOVE_SECONDS,
    ControllerState,
    Targets,
    decide,
    health_signal,
)
from waiting_room.inlet.ports import AlarmReader, InletStore, RoomApi
from waiting_room.inlet.settings import InletSettings
from waiting_room.inlet.strategies import (
    Alarm,
    ExitNotice,
    IncrementDecision,
    InletRecord,
    RoomMetrics,
    alarm_hold_reason,
    max_size,
    parse_exit_notice,
    periodic,
    with_missing_alarm,
)

logger = logging.getLogger("waiting_room")
MINUTE = 60.0
TICK_SECONDS = 12.0  # s that one tick may take: the store, CloudWatch, and two calls of the room
WRITE_TRIES = 8
MAX_HANDLED_IDS = (
    120  # ticks or messages remembered against double delivery: those of six minutes and more
)
OTHER_RUN = IncrementDecision(0, "another run was at work")
ALREADY_DONE = IncrementDecision(0, "another run has done it")
NewIds = Sequence[str]  # of the ids that a step handles, those that no step before it did
Decide = Callable[[InletRecord, NewIds], tuple[IncrementDecision, Mapping[str, Any]]]


class _NoResponse(Unavailable):
    """An increment got no answer: perhaps it was made. ``call_id`` repeats it."""

    def __init__(self, message: str, by: int, call_id: str) -> None:
        super().__init__(message)
        self.by, self.call_id = by, call_id


@dataclass(frozen=True)
class _Exits:
    """How many visitors left by one message, ``unnamed`` of them without a session that ended."""

    message_id: str
    left: int
    unnamed: int


class InletRunner:
    """The inlet of one event. ``clock`` gives epoch seconds, ``pause`` waits for seconds."""

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
        """A minute of ticks; ``left`` tells how many seconds the function still has."""
        ticks = self._settings.ticks_per_minute

        def tick(index: int, mark: Sequence[str]) -> IncrementDecision:
            def decision(
                record: InletRecord, _: NewIds
            ) -> tuple[IncrementDecision, Mapping[str, Any]]:
                held, alarm = self._hold(record)
                return held or with_missing_alarm(
                    periodic(record.targets["increment_by"], index, ticks), alarm
                ), {}

            return self._decide_and_increment(decision, seen=mark)

        return self._minute(event, left, tick)

    def run_automatic(
        self, event: Mapping[str, Any], left: Callable[[], float]
    ) -> list[IncrementDecision]:
        """A minute of ticks of the closed loop."""
        return self._minute(
            event,
            left,
            lambda _, mark: self._decide_and_increment(self._decide_automatic, seen=mark, tries=1),
        )

    def run_max_size(self, event: Mapping[str, Any]) -> IncrementDecision:
        """Messages about departures, or a run on schedule, which fills what is free."""
        if not event.get("Records"):
            return self._decide_and_increment(
                lambda record, _: self._decide_max_size(record, 0, 0, fill=True)
            )
        record = self._store.read(self._settings.event_id)
        told = self._exit_notices(event["Records"], record.handled_ids if record else ())
        left = self._end_sessions(told)

        def fill(record: InletRecord, fresh: NewIds) -> tuple[IncrementDecision, Mapping[str, Any]]:
            new = [one for one in left if one.message_id in fresh]
            gone = sum(one.left for one in new)
            return self._decide_max_size(record, gone, sum(one.unnamed for one in new), fill=False)

        return self._decide_and_increment(fill, seen=[one.message_id for one in left])

    def report_health(self, health: object) -> None:
        """What the site says of itself. Raises InvalidInput; Conflict when no inlet ran yet."""
        if isinstance(health, bool) or not isinstance(health, (int, float)):
            raise InvalidInput("health must be a number from 0 (down) to 1 (well)")
        if not 0 <= health <= 1:
            raise InvalidInput("health must be a number from 0 (down) to 1 (well)")
        self._store.report_health(self._settings.event_id, float(health), int(self._clock()))

    # --- how it does it ----------------------------------------------------------------------

    def _minute(
        self,
        event: Mapping[str, Any],
        left: Callable[[], float],
        tick: Callable[[int, Sequence[str]], IncrementDecision],
    ) -> list[IncrementDecision]:
        """Ticks at even distances; one that is missed is not made up for.

        One that fails does not stop the others. Raises Unavailable at the end when one was left
        undone, so that the failure shows, and a retry of the event does what it can.
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
            wait = start + index * length - self._clock()
            if left() < max(0.0, wait) + (TICK_SECONDS if index else 0.0):
                logger.warning("the function's time ends before tick %d of %d", index + 1, ticks)
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
        """Repeat an increment that got no answer: the room makes it once."""
        serving = self._room.increment(self._settings.event_id, lost.by, lost.call_id)
        logger.info("the increment by %d is done, the counter stands at %d", lost.by, serving)

    def _decide_and_increment(
        self, rule: Decide, *, seen: Sequence[str] = (), tries: int = WRITE_TRIES
    ) -> IncrementDecision:
        """Decide, write it down, do it; nothing where all of ``seen`` was handled before."""

        def attempt() -> IncrementDecision:
            before = self._store.read(self._settings.event_id)
            done = before.handled_ids if before else ()
            fresh = [one for one in seen if one not in done]
            if seen and not fresh:
                return ALREADY_DONE
            record = self._with_alarm(self._next_record(before, seen))
            decision, state = rule(record, fresh)
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

        try:
            return retry_on_conflict(attempt, self._clock, most=tries)
        except TooManyConflicts:
            return OTHER_RUN

    def _increment(self, decision: IncrementDecision, record: InletRecord) -> None:
        call_id = uuid.uuid4().hex
        try:
            serving = self._room.increment(record.event_id, decision.by, call_id)
        except Unavailable as error:
            logger.error("the inlet's increment got no answer: %s", error)
            failed = replace(
                record,
                version=record.version + 1,
                last_increment=0,
                last_reason="the private API did not answer",
            )
            try:
                self._store.write(record, failed)
            except (Conflict, Unavailable):
                logger.warning("another run wrote first")
            raise _NoResponse(str(error), decision.by, call_id) from None
        logger.info("opened %d places up to %d: %s", decision.by, serving, decision.reason)

    def _next_record(self, before: InletRecord | None, seen: Sequence[str]) -> InletRecord:
        """The record of this run, with the deployment's settings taken up."""
        chosen = self._settings
        if before is None or before.strategy is not chosen.strategy:
            fresh = InletRecord(chosen.event_id, chosen.strategy, chosen.targets, chosen.targets)
            version, paused = (before.version, before.paused) if before else (0, False)
            before = replace(fresh, version=version, paused=paused)
        if before.deployed != chosen.targets:
            before = replace(before, deployed=chosen.targets, targets=chosen.targets)
        kept = (*before.handled_ids, *(one for one in seen if one not in before.handled_ids))
        return replace(before, version=before.version + 1, handled_ids=kept[-MAX_HANDLED_IDS:])

    def _stop_reason(self, record: InletRecord) -> str:
        """Why the inlet does not work at all now; empty when it does."""
        return (
            "paused by an operator"
            if record.paused
            else self._settings.window.closed_reason(self._clock())
        )

    def _with_alarm(self, record: InletRecord) -> InletRecord:
        """The record with the alarm as it stands; nobody looks at it while the inlet is stopped."""
        alarm = None if self._stop_reason(record) else self._read_alarm()
        holds = bool(alarm and alarm_hold_reason(alarm, self._settings.go_on_insufficient_data))
        return replace(record, alarm=self._settings.alarm, alarm_state=alarm, alarm_holds=holds)

    def _hold(self, record: InletRecord) -> tuple[IncrementDecision | None, Alarm]:
        """Why nothing may be opened now, None when something may; and how the alarm stands."""
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
            logger.warning("the alarm cannot be read, so it holds: %s", error)
            return Alarm.UNREADABLE
        if alarm is Alarm.MISSING:
            logger.error("no alarm has the name that CLOUDWATCH_ALARM_NAME gives")
        return alarm

    def _decide_automatic(
        self, record: InletRecord, _: NewIds
    ) -> tuple[IncrementDecision, Mapping[str, Any]]:
        now = self._clock()
        if reason := self._stop_reason(record):
            return IncrementDecision(0, reason), record.controller_state
        alarm = record.alarm_state or Alarm.NONE
        decision = decide(
            ControllerState.from_json(record.controller_state),
            self._room.metrics(record.event_id),
            Targets(**record.targets),
            health_signal(
                alarm,
                self._settings.go_on_insufficient_data,
                record.health,
                now - record.health_at,
            ),
            now,
            tick=MINUTE / self._settings.ticks_per_minute,
            no_show_after=self._settings.no_show_after,
        )
        return with_missing_alarm(decision.increment, alarm), decision.state.to_json()

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
        """The metrics, where a move decided a moment ago may not show yet."""
        recent = now - float(memory.get("moved_at", 0.0)) < OWN_MOVE_SECONDS
        if not recent or memory.get("generation") != metrics.generation:
            return metrics
        return replace(metrics, serving=max(metrics.serving, int(memory["moved_to"])))

    def _exit_notices(
        self, records: Sequence[Mapping[str, Any]], seen: Sequence[str]
    ) -> dict[str, ExitNotice]:
        """The new messages of an event by id; what cannot be meant is logged, and nobody left."""
        found: dict[str, ExitNotice] = {}
        for record in records:
            try:
                notice = record["Sns"]
                message_id, message = notice.get("MessageId") or "", notice["Message"]
                if not (isinstance(message_id, str) and isinstance(message, str)):
                    raise TypeError
            except UNREADABLE as error:
                logger.warning("a record is no SNS message: %s", type(error).__name__)
                continue
            message_id = message_id or str(uuid.uuid4())
            if message_id in seen or message_id in found:
                continue
            try:
                told = parse_exit_notice(message)
            except InvalidInput as error:
                logger.warning("a message about departures was left out: %s", error)
                told = ExitNotice()
            for fault in told.faults:
                logger.warning("a part of a message about departures was left out: %s", fault)
            found[message_id] = told
        return found

    def _end_sessions(self, told: Mapping[str, ExitNotice]) -> list[_Exits]:
        """End the sessions that messages name. The id of the message is that of the calls, so a
        run that is made again after a failure counts again whom the first one counted."""
        completed = {one for part in told.values() for one in part.completed}
        named: set[str] = set()
        left = []
        for message_id, part in told.items():
            ended = 0
            for ids, status in ((part.completed, 1), (part.abandoned, -1)):
                new = tuple(
                    one for one in ids if one not in named and (status == 1 or one not in completed)
                )
                named.update(new)
                if new:
                    ended += self._room.end_sessions(
                        self._settings.event_id, new, status, message_id
                    )
            left.append(_Exits(message_id, max(ended, part.exited), max(0, part.exited - ended)))
        return left
