# SPDX-License-Identifier: Apache-2.0
"""End a session, list ended and expired sessions, and return the status of one visitor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from waiting_room.domain import expiry, joins, sessions
from waiting_room.domain.actors import UNKNOWN, Actor
from waiting_room.domain.errors import NoLiveSession, RoomWasReset
from waiting_room.domain.expiry import TurnState
from waiting_room.domain.visitor_lookup import VisitorQuery, reference_of
from waiting_room.use_cases import change_log
from waiting_room.use_cases.position_lookup import PositionLookup

if TYPE_CHECKING:
    from waiting_room.domain.ports.clock import Clock
    from waiting_room.domain.ports.outcomes import Outcomes
    from waiting_room.domain.ports.positions import Positions
    from waiting_room.domain.ports.serving_log import ServingLog
    from waiting_room.domain.records import Ending, SessionStatus
    from waiting_room.use_cases.audit_recorder import AuditRecorder
    from waiting_room.use_cases.counters.room_counters import RoomCounters
    from waiting_room.use_cases.events.directory import EventDirectory
    from waiting_room.use_cases.generation_cache import GenerationCache

ENDED_PAGE = 1_000  # request ids of one response: 40 KB


class VisitorSessions:
    """Sessions, by request id."""

    def __init__(
        self,
        events: EventDirectory,
        positions: Positions,
        outcomes: Outcomes,
        log: ServingLog,
        counters: RoomCounters,
        lookup: PositionLookup,
        recorder: AuditRecorder,
        generations: GenerationCache,
        clock: Clock,
    ) -> None:
        self._events, self._counters, self._lookup = events, counters, lookup
        self._positions, self._outcomes, self._log = positions, outcomes, log
        self._recorder, self._generations, self._clock = recorder, generations, clock

    def end(
        self,
        event_id: str,
        request_id: str,
        status: object,
        *,
        actor: Actor = UNKNOWN,
        call_id: str = "",
        audited: bool = False,
        queue_position: object = None,
    ) -> None:
        """End the session of a token, once, also after the token expired.

        If ``audited``, the audit log gets an entry, which costs one more write. With the
        ``queue_position`` of the token, the call needs no read while the generation is known. A
        position that is not the request's own is ignored.

        A token that expired is no longer counted as active; its session can still be ended, as
        operators do with the list of expired tokens. A call that ``actor`` repeats with the same
        ``call_id`` succeeds again. Raises NoLiveSession, InvalidInput, and RoomWasReset for an
        earlier generation, also when the reset comes between the read and the write.
        """
        self._events.check(event_id)
        chosen = sessions.check_status(status)
        position = sessions.check_queue_position(queue_position)
        checked, now = joins.check_request_id(request_id), self._clock()
        known = self._generations.get(event_id, now) if position else None
        if position and known is not None:
            mark = actor.mark(call_id)
            ending = self._outcomes.end_session(
                event_id, known, position, chosen, int(now), mark, checked
            )
            if ending.outcome and ending.outcome.request_id == checked:
                self._finish(ending, actor, audited)
                return
        generation, row = self._positions.get_with_generation(
            event_id, checked, known_generation=None, consistent=True
        )
        self._generations.put(event_id, generation, now)
        if row is None:
            raise NoLiveSession
        if row.generation < generation:
            raise RoomWasReset
        self._end(event_id, row.generation, row.position, chosen, actor, call_id, audited)

    def end_by_session(
        self,
        event_id: str,
        session: object,
        status: object,
        *,
        actor: Actor = UNKNOWN,
        call_id: str = "",
    ) -> None:
        """End a session by its id ``<event>:<generation>:<position>``; otherwise as ``end``."""
        self._events.check(event_id)
        chosen = sessions.check_status(status)
        generation, position = sessions.session_of(event_id, session)
        if generation < self._log.read(event_id).generation:
            raise RoomWasReset
        self._end(event_id, generation, position, chosen, actor, call_id, True)

    def _end(
        self,
        event_id: str,
        generation: int,
        position: int,
        status: SessionStatus,
        actor: Actor,
        call_id: str,
        audited: bool,
    ) -> None:
        """End the session of a generation and position, count it and record it."""
        now, mark = int(self._clock()), actor.mark(call_id)
        ending = self._outcomes.end_session(event_id, generation, position, status, now, mark)
        self._finish(ending, actor, audited)

    def _finish(self, ending: Ending, actor: Actor, audited: bool) -> None:
        """Count an ended session and record it; raises NoLiveSession, RoomWasReset."""
        ended = sessions.check_ended(ending)
        event_id, position = ended.event_id, ended.position
        if not self._counters.count_outcome(ended):
            raise RoomWasReset
        change_log.record(
            event_id, "session", actor, "open", ended.status.value,
            generation=ended.generation, position=position,
        )  # fmt: skip
        if audited:
            values = [{"sessions": {str(position): one}} for one in ("open", ended.status.value)]
            self._recorder.append(event_id, "end_session", actor, *values)

    def ended(
        self, event_id: str, after: tuple[int, int, int] | None = None
    ) -> tuple[list[str], tuple[int, int, int] | None]:
        """Return a page of request ids whose session ended before its token expired.

        Also returns the mark of the next page (None: the last one). A page has at most ENDED_PAGE
        ids. A mark from before a reset starts again at the first page.
        """
        self._events.check(event_id)
        generation = self._log.read(event_id).generation
        mark = after[1:] if after and after[0] == generation else None
        ids, following = self._outcomes.ended_page(
            event_id, generation, int(self._clock()), ENDED_PAGE, mark
        )
        return ids, (generation, *following) if following else None

    def expired(
        self, event_id: str, limit: int, after: tuple[int, int] | None
    ) -> tuple[list[str], tuple[int, int] | None]:
        """Return a page of request ids whose token expired and whose session is open.

        Also returns the mark of the next page (None: the last one).
        """
        self._events.check(event_id)
        generation = self._log.read(event_id).generation
        rows, following = self._outcomes.expired_page(
            event_id, generation, int(self._clock()), limit, after
        )
        return [row.request_id for row in rows], following

    def request_status(self, event_id: str, query: VisitorQuery | str) -> dict[str, Any]:
        """Return the status of one visitor for an operator; raises UnknownRequest.

        ``query`` is a request id if it is a text.
        """
        event = self._events.event(event_id)
        if isinstance(query, str):
            query = VisitorQuery(request_id=query)
        row, status = self._lookup.find(event_id, query)
        outcome = self._outcomes.get(event_id, row.generation, row.position)
        now = int(self._clock())
        turn = expiry.turn_of(row, status, event, now)
        state = sessions.state_of(
            outcome,
            served=turn.state is TurnState.SERVED,
            position_expired=turn.state is TurnState.EXPIRED,
            now=now,
        )
        content: dict[str, Any] = {
            "request_id": row.request_id,
            "queue_number": row.position,
            "reference": reference_of(row.position, row.request_id),
            "entry_time": row.entry_time,
            "state": state.value,
        }
        if state is sessions.VisitorState.ELIGIBLE and turn.expires_in is not None:
            content["expires_in"] = turn.expires_in
        if state is sessions.VisitorState.TOKEN_ISSUED and outcome:
            content["expires_in"] = outcome.expires_at - now
        return content
