# SPDX-License-Identifier: Apache-2.0
"""What an inlet does when it is started: one method for each kind of start.

A run first writes what it is about to do, under the condition that no other run wrote meanwhile,
and only then moves the serving counter. So of two runs at once only one acts, an event delivered
twice acts once, and a crash in between loses one step, which the next one mends.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from waiting_room.errors import Conflict, InvalidInput, Unavailable
from waiting_room.inlet import (
    Alarm,
    Departures,
    Figures,
    InletRecord,
    Opening,
    braked,
    max_size,
    periodic,
    read_departures,
)
from waiting_room.inlet_automatic import ANSWER_COUNTS, Flow, Targets, decide, signal
from waiting_room.inlet_ports import AlarmReader, InletStore, RoomApi
from waiting_room.inlet_settings import InletSettings

logger = logging.getLogger("waiting_room")
MINUTE = 60.0
LAST_CALLS = 12.0  # s that one tick may take: the store, CloudWatch, and two calls of the room
WRITE_TRIES = 8
SEEN = 100  # event ids remembered against double delivery
HELD = Opening(0, "another run was at work")
Decide = Callable[[InletRecord], tuple[Opening, Mapping[str, Any]]]


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

        def tick(index: int) -> Opening:
            return self._step(
                lambda record: (
                    self._held(record) or periodic(record.targets["increment_by"], index, ticks),
                    {},
                )
            )

        return self._minute(event, left, tick)

    def run_automatic(self, event: Mapping[str, Any], left: Callable[[], float]) -> list[Opening]:
        """A minute of ticks of the closed loop."""
        return self._minute(event, left, lambda _: self._step(self._decide, tries=1))

    def run_max_size(self, event: Mapping[str, Any]) -> Opening:
        """Messages about departures, or a run on schedule, which fills what is free."""
        if not event.get("Records"):
            return self._step(lambda record: self._fill(record, 0, 0, fill=True))
        record = self._store.read(self._settings.event_id)
        seen = record.seen if record else ()
        ids, departures = self._departures(event["Records"], seen)
        ended = self._end_sessions(departures)
        exited = sum(one.exited for one in departures)
        return self._step(
            lambda record: self._fill(record, ended + exited, exited, fill=False), seen=ids
        )

    def report_health(self, health: object) -> None:
        """What the site says of itself. Raises InvalidInput; Conflict when no inlet ran yet."""
        if isinstance(health, bool) or not isinstance(health, (int, float)):
            raise InvalidInput("health must be a number from 0 (down) to 1 (well)")
        if not 0 <= health <= 1:
            raise InvalidInput("health must be a number from 0 (down) to 1 (well)")
        self._store.report_health(self._settings.event_id, float(health), int(self._clock()))

    # --- how it does it ----------------------------------------------------------------------

    def _minute(
        self, event: Mapping[str, Any], left: Callable[[], float], tick: Callable[[int], Opening]
    ) -> list[Opening]:
        """Ticks at even distances; one that is missed is not made up for."""
        if not self._begin(str(event.get("id") or "")):
            return []
        ticks = self._settings.ticks_per_minute
        start, length = self._clock(), MINUTE / ticks
        done: list[Opening] = []
        for index in range(ticks):
            wait = start + index * length - self._clock()
            if left() < max(0.0, wait) + (LAST_CALLS if index else 0.0):
                logger.warning("the function's time ends before tick %d of %d", index + 1, ticks)
                break
            if wait <= -length:
                continue
            if wait > 0:
                self._pause(wait)
            done.append(tick(index))
        return done

    def _begin(self, event_id: str) -> bool:
        """Note a scheduled event; False when it was delivered before."""
        if not event_id:
            return True
        for _ in range(WRITE_TRIES):
            record = self._store.read(self._settings.event_id)
            if record and event_id in record.seen:
                return False
            try:
                self._store.write(record, self._next(record, (event_id,)))
                return True
            except Conflict:
                continue
        return False

    def _step(
        self, decision: Decide, *, seen: Sequence[str] = (), tries: int = WRITE_TRIES
    ) -> Opening:
        """Decide, write it down, do it."""
        for _ in range(tries):
            before = self._store.read(self._settings.event_id)
            record = self._next(before, seen)
            opening, memory = decision(record)
            after = replace(
                record,
                memory=memory,
                last_at=int(self._clock()),
                last_increment=opening.increment,
                last_reason=opening.reason,
            )
            try:
                self._store.write(before, after)
            except Conflict:
                continue
            if opening.increment:
                self._open(opening, after)
            return opening
        return HELD

    def _open(self, opening: Opening, record: InletRecord) -> None:
        try:
            serving = self._room.increment(record.event_id, opening.increment)
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
            raise
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

    def _held(self, record: InletRecord) -> Opening | None:
        """Why nothing may be opened now; None when something may."""
        reason = "paused by an operator" if record.paused else ""
        reason = reason or self._settings.window.closed(self._clock())
        reason = reason or braked(self._read_alarm(), self._settings.go_on_insufficient_data)
        return Opening(0, reason) if reason else None

    def _read_alarm(self) -> Alarm:
        if not self._settings.alarm:
            return Alarm.NONE
        try:
            return self._alarm()
        except Unavailable as error:
            logger.warning("the alarm cannot be read, so it holds: %s", error)
            return Alarm.MISSING

    def _decide(self, record: InletRecord) -> tuple[Opening, Mapping[str, Any]]:
        now = self._clock()
        reason = "paused by an operator" if record.paused else self._settings.window.closed(now)
        if reason:
            return Opening(0, reason), record.memory
        decision = decide(
            Flow.from_json(record.memory),
            self._room.figures(record.event_id),
            Targets(**record.targets),
            signal(
                self._read_alarm(),
                self._settings.go_on_insufficient_data,
                record.health,
                now - record.health_at,
            ),
            now,
            tick=MINUTE / self._settings.ticks_per_minute,
            no_show_after=self._settings.no_show_after,
        )
        return decision.opening, decision.flow.to_json()

    def _fill(
        self, record: InletRecord, left: int, exited: int, *, fill: bool
    ) -> tuple[Opening, Mapping[str, Any]]:
        held = self._held(record)
        if held:
            return held, record.memory
        now = self._clock()
        figures = self._with_own_move(self._room.figures(record.event_id), record.memory, now)
        opening = max_size(record.targets["max_size"], figures, left, exited, fill=fill)
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
    ) -> tuple[list[str], list[Departures]]:
        """The new messages of an event; those that cannot be meant are logged and left out."""
        ids: list[str] = []
        found: list[Departures] = []
        for record in records:
            notice = record.get("Sns") or {}
            message_id = str(notice.get("MessageId") or "")
            if message_id and (message_id in seen or message_id in ids):
                continue
            try:
                found.append(read_departures(str(notice.get("Message") or "")))
            except InvalidInput as error:
                logger.warning("a message about departures was left out: %s", error)
            if message_id:
                ids.append(message_id)
        return ids, found

    def _end_sessions(self, departures: Sequence[Departures]) -> int:
        completed = tuple(dict.fromkeys(one for part in departures for one in part.completed))
        done = set(completed)
        abandoned = tuple(
            dict.fromkeys(one for part in departures for one in part.abandoned if one not in done)
        )
        event_id = self._settings.event_id
        ended = self._room.end_sessions(event_id, completed, 1) if completed else 0
        return ended + (self._room.end_sessions(event_id, abandoned, -1) if abandoned else 0)
