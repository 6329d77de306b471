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
from waiting_room.inlet.automatic import ANSWER_COUNTS, Flow, Targets, decide, signal
from waiting_room.inlet.ports import AlarmReader, InletStore, RoomApi
from waiting_room.inlet.settings import InletSettings
from waiting_room.inlet.strategies import (
    Alarm,
    Departures,
    Figures,
    InletRecord,
    Opening,
    braked,
    max_size,
    noted,
    periodic,
    read_departures,
)

logger = logging.getLogger("waiting_room")
MINUTE = 60.0
LAST_CALLS = 12.0  # s that one tick may take: the store, CloudWatch, and two calls of the room
WRITE_TRIES = 8
SEEN = 120  # ticks or messages remembered against double delivery: those of six minutes and more
HELD = Opening(0, "another run was at work")
DONE = Opening(0, "another run has done it")
Fresh = Sequence[str]  # of the ids that a step handles, those that no step before it did
Decide = Callable[[InletRecord, Fresh], tuple[Opening, Mapping[str, Any]]]


class _Unanswered(Unavailable):
    """An increment got no answer: perhaps it was made. ``call_id`` repeats it."""

    def __init__(self, message: str, by: int, call_id: str) -> None:
        super().__init__(message)
        self.by, self.call_id = by, call_id


@dataclass(frozen=True)
class _Left:
    """How many visitors left by one message, ``unnamed`` of them without a session that ended."""

    message_id: str
    left: int
    unnamed: int


class Inlet:
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

    def run_periodic(self, event: Mapping[str, Any], left: Callable[[], float]) -> list[Opening]:
        """A minute of ticks; ``left`` tells how many seconds the function still has."""
        ticks = self._settings.ticks_per_minute

        def tick(index: int, mark: Sequence[str]) -> Opening:
            def decision(record: InletRecord, _: Fresh) -> tuple[Opening, Mapping[str, Any]]:
                held, alarm = self._held(record)
                return held or noted(
                    periodic(record.targets["increment_by"], index, ticks), alarm
                ), {}

            return self._step(decision, seen=mark)

        return self._minute(event, left, tick)

    def run_automatic(self, event: Mapping[str, Any], left: Callable[[], float]) -> list[Opening]:
        """A minute of ticks of the closed loop."""
        return self._minute(
            event, left, lambda _, mark: self._step(self._decide, seen=mark, tries=1)
        )

    def run_max_size(self, event: Mapping[str, Any]) -> Opening:
        """Messages about departures, or a run on schedule, which fills what is free."""
        if not event.get("Records"):
            return self._step(lambda record, _: self._fill(record, 0, 0, fill=True))
        record = self._store.read(self._settings.event_id)
        told = self._departures(event["Records"], record.seen if record else ())
        left = self._end_sessions(told)

        def fill(record: InletRecord, fresh: Fresh) -> tuple[Opening, Mapping[str, Any]]:
            new = [one for one in left if one.message_id in fresh]
            gone = sum(one.left for one in new)
            return self._fill(record, gone, sum(one.unnamed for one in new), fill=False)

        return self._step(fill, seen=[one.message_id for one in left])

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
        tick: Callable[[int, Sequence[str]], Opening],
    ) -> list[Opening]:
        """Ticks at even distances; one that is missed is not made up for.

        One that fails does not stop the others. Raises Unavailable at the end when one was left
        undone, so that the failure shows, and a retry of the event does what it can.
        """
        ticks, event_id = self._settings.ticks_per_minute, str(event.get("id") or "")
        record = self._store.read(self._settings.event_id) if event_id else None
        start, length = self._clock(), MINUTE / ticks
        done: list[Opening] = []
        lost: _Unanswered | None = None
        failed = 0
        for index in range(ticks):
            mark = (f"{event_id}#{index}",) if event_id else ()
            if record and mark and mark[0] in record.seen:
                continue
            wait = start + index * length - self._clock()
            if left() < max(0.0, wait) + (LAST_CALLS if index else 0.0):
                logger.warning("the function's time ends before tick %d of %d", index + 1, ticks)
                break
            if wait <= -length:
                continue
            if wait > 0:
                self._pause(wait)
            try:
                if lost:
                    self._again(lost)
                    lost = None
                done.append(tick(index, mark))
            except _Unanswered as error:
                lost = error
            except Unavailable as error:
                failed += 1
                logger.error("tick %d of %d failed: %s", index + 1, ticks, error)
        if lost or failed:
            raise Unavailable(f"{failed + bool(lost)} of {ticks} ticks were not done")
        return done

    def _again(self, lost: _Unanswered) -> None:
        """Repeat an increment that got no answer: the room makes it once."""
        serving = self._room.increment(self._settings.event_id, lost.by, lost.call_id)
        logger.info("the increment by %d is done, the counter stands at %d", lost.by, serving)

    def _step(
        self, decision: Decide, *, seen: Sequence[str] = (), tries: int = WRITE_TRIES
    ) -> Opening:
        """Decide, write it down, do it; nothing where all of ``seen`` was handled before."""

        def attempt() -> Opening:
            before = self._store.read(self._settings.event_id)
            done = before.seen if before else ()
            fresh = [one for one in seen if one not in done]
            if seen and not fresh:
                return DONE
            record = self._watching(self._next(before, seen))
            opening, memory = decision(record, fresh)
            after = replace(
                record,
                memory=memory,
                last_at=int(self._clock()),
                last_increment=opening.increment,
                last_reason=opening.reason,
            )
            self._store.write(before, after)
            if opening.increment:
                self._open(opening, after)
            return opening

        try:
            return retry_on_conflict(attempt, self._clock, most=tries)
        except TooManyConflicts:
            return HELD

    def _open(self, opening: Opening, record: InletRecord) -> None:
        call_id = uuid.uuid4().hex
        try:
            serving = self._room.increment(record.event_id, opening.increment, call_id)
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
            raise _Unanswered(str(error), opening.increment, call_id) from None
        logger.info("opened %d places up to %d: %s", opening.increment, serving, opening.reason)

    def _next(self, before: InletRecord | None, seen: Sequence[str]) -> InletRecord:
        """The record of this run, with the deployment's settings taken up."""
        chosen = self._settings
        if before is None or before.strategy is not chosen.strategy:
            fresh = InletRecord(chosen.event_id, chosen.strategy, chosen.targets, chosen.targets)
            version, paused = (before.version, before.paused) if before else (0, False)
            before = replace(fresh, version=version, paused=paused)
        if before.deployed != chosen.targets:
            before = replace(before, deployed=chosen.targets, targets=chosen.targets)
        kept = (*before.seen, *(one for one in seen if one not in before.seen))
        return replace(before, version=before.version + 1, seen=kept[-SEEN:])

    def _stopped(self, record: InletRecord) -> str:
        """Why the inlet does not work at all now; empty when it does."""
        return (
            "paused by an operator"
            if record.paused
            else self._settings.window.closed(self._clock())
        )

    def _watching(self, record: InletRecord) -> InletRecord:
        """The record with the alarm as it stands; nobody looks at it while the inlet is stopped."""
        alarm = None if self._stopped(record) else self._read_alarm()
        brakes = bool(alarm and braked(alarm, self._settings.go_on_insufficient_data))
        return replace(record, alarm=self._settings.alarm, alarm_state=alarm, alarm_brakes=brakes)

    def _held(self, record: InletRecord) -> tuple[Opening | None, Alarm]:
        """Why nothing may be opened now, None when something may; and how the alarm stands."""
        alarm = record.alarm_state or Alarm.NONE
        reason = self._stopped(record) or braked(alarm, self._settings.go_on_insufficient_data)
        return Opening(0, reason) if reason else None, alarm

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

    def _decide(self, record: InletRecord, _: Fresh) -> tuple[Opening, Mapping[str, Any]]:
        now = self._clock()
        if reason := self._stopped(record):
            return Opening(0, reason), record.memory
        alarm = record.alarm_state or Alarm.NONE
        decision = decide(
            Flow.from_json(record.memory),
            self._room.figures(record.event_id),
            Targets(**record.targets),
            signal(
                alarm,
                self._settings.go_on_insufficient_data,
                record.health,
                now - record.health_at,
            ),
            now,
            tick=MINUTE / self._settings.ticks_per_minute,
            no_show_after=self._settings.no_show_after,
        )
        return noted(decision.opening, alarm), decision.flow.to_json()

    def _fill(
        self, record: InletRecord, left: int, exited: int, *, fill: bool
    ) -> tuple[Opening, Mapping[str, Any]]:
        held, alarm = self._held(record)
        if held:
            return held, record.memory
        now = self._clock()
        figures = self._with_own_move(self._room.figures(record.event_id), record.memory, now)
        opening = noted(
            max_size(record.targets["max_size"], figures, left, exited, fill=fill), alarm
        )
        if not opening.increment:
            return opening, record.memory
        return opening, {
            "generation": figures.generation,
            "moved_to": figures.serving + opening.increment,
            "moved_at": now,
        }

    @staticmethod
    def _with_own_move(figures: Figures, memory: Mapping[str, Any], now: float) -> Figures:
        """The figures, where a move decided a moment ago may not show yet."""
        recent = now - float(memory.get("moved_at", 0.0)) < ANSWER_COUNTS
        if not recent or memory.get("generation") != figures.generation:
            return figures
        return replace(figures, serving=max(figures.serving, int(memory["moved_to"])))

    def _departures(
        self, records: Sequence[Mapping[str, Any]], seen: Sequence[str]
    ) -> dict[str, Departures]:
        """The new messages of an event by id; what cannot be meant is logged, and nobody left."""
        found: dict[str, Departures] = {}
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
                told = read_departures(message)
            except InvalidInput as error:
                logger.warning("a message about departures was left out: %s", error)
                told = Departures()
            for fault in told.faults:
                logger.warning("a part of a message about departures was left out: %s", fault)
            found[message_id] = told
        return found

    def _end_sessions(self, told: Mapping[str, Departures]) -> list[_Left]:
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
            left.append(_Left(message_id, max(ended, part.exited), max(0, part.exited - ended)))
        return left
