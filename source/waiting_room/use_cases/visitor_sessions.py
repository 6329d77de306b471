# SPDX-License-Identifier: Apache-2.0
"""Visits: how one ends, which have ended, and what an operator is told about one visitor."""

from __future__ import annotations

from typing import Any

from waiting_room.domain import expiry, joins, sessions
from waiting_room.domain.actors import Actor
from waiting_room.domain.errors import NoLiveSession, RoomWasReset
from waiting_room.domain.ports import Outcomes, Positions, ServingLog
from waiting_room.domain.records import Position, PositionStatus
from waiting_room.domain.room_settings import RoomSettings
from waiting_room.domain.visitor_lookup import VisitorQuery, reference_of
from waiting_room.use_cases import change_log
from waiting_room.use_cases.event_state import EventStates
from waiting_room.use_cases.position_lookup import PositionLookup

ENDED_PAGE = 1_000  # request ids of one answer: 40 KB


class VisitorSessions:
    """The visits of an event, by request id."""

    def __init__(
        self,
        settings: RoomSettings,
        positions: Positions,
        outcomes: Outcomes,
        log: ServingLog,
        ledger: EventStates,
        places: PositionLookup,
    ) -> None:
        self._settings, self._ledger, self._places = settings, ledger, places
        self._positions, self._outcomes, self._log = positions, outcomes, log

    def end(
        self, event_id: str, request_id: str, status: object, actor: Actor, call_id: str
    ) -> None:
        """End the session of a token, and count it where the token lives.

        A token that died took its visitor out of the figures already; its session can still be
        ended, once, as operators do with the list of expired tokens.
        Raises NoLiveSession, and RoomWasReset for a line that was reset, also between the read and
        the write.
        """
        self._settings.event(event_id)
        chosen = sessions.check_status(status)
        generation, row = self._positions.get_with_generation(
            event_id, joins.check_request_id(request_id), known_generation=None, consistent=True
        )
        if row is None:
            raise NoLiveSession("this request has no token")
        if row.generation < generation:
            raise RoomWasReset("the waiting room was reset since; join again")
        mark = actor.mark(call_id)
        ended = sessions.check_ended(
            self._outcomes.end_session(
                event_id, row.generation, row.position, chosen, self._ledger.now(), mark
            )
        )
        if not self._ledger.count(ended):
            raise RoomWasReset("the waiting room was reset since; join again")
        change_log.record(
            event_id, "session", actor, "open", ended.status.value,
            generation=row.generation, position=row.position,
        )  # fmt: skip

    def ended(
        self, event_id: str, after: tuple[int, int, int] | None
    ) -> tuple[list[str], tuple[int, int, int] | None]:
        """Request ids of sessions that ended before their token's time was over; and a mark.

        A page has ENDED_PAGE of them at most. A mark of before a reset begins again: what ended
        since the reset is in the pages after it, whole.
        """
        self._settings.event(event_id)
        generation = self._log.read(event_id).generation
        place = after[1:] if after and after[0] == generation else None
        ids, mark = self._outcomes.ended_page(
            event_id, generation, self._ledger.now(), ENDED_PAGE, place
        )
        return ids, (generation, *mark) if mark else None

    def expired(
        self, event_id: str, limit: int, after: tuple[int, int] | None
    ) -> tuple[list[str], tuple[int, int] | None]:
        """Request ids whose token's time is over and whose session nobody ended; and a mark."""
        self._settings.event(event_id)
        generation = self._log.read(event_id).generation
        rows, mark = self._outcomes.expired_page(
            event_id, generation, self._ledger.now(), limit, after
        )
        return [row.request_id for row in rows], mark

    def request_status(self, event_id: str, sought: VisitorQuery) -> dict[str, Any]:
        """Everything an operator asks about one visitor."""
        self._settings.event(event_id)
        row, admission = self._places.place_of(event_id, sought)
        outcome = self._outcomes.get(event_id, row.generation, row.position)
        now = self._ledger.now()
        left = self._time_left(row, admission, now)
        expired = admission.expired_through >= row.position or (left is not None and left < 0)
        state = sessions.state_of(
            outcome,
            served=row.position <= admission.serving,
            position_expired=expired,
            now=now,
        )
        answer: dict[str, Any] = {
            "request_id": row.request_id,
            "queue_number": row.position,
            "reference": reference_of(row.position, row.request_id),
            "entry_time": row.entry_time,
            "state": state.value,
        }
        if state is sessions.VisitorState.ELIGIBLE and left is not None:
            answer["expires_in"] = left
        if state is sessions.VisitorState.TOKEN_ISSUED and outcome:
            answer["expires_in"] = outcome.expires_at - now
        return answer

    def _time_left(self, row: Position, admission: PositionStatus, now: int) -> int | None:
        """Seconds that the turn lasts, where turns end and this one has come."""
        event = self._settings.event(row.event_id)
        if not event.position_expiry_enabled or admission.served_at is None:
            return None
        return expiry.time_left(
            row.entry_time, admission.served_at, event.position_expiry_period, now
        )
