# SPDX-License-Identifier: Apache-2.0
"""Rules of a session: states of a visitor, end of a session."""

from __future__ import annotations

import re
from enum import StrEnum

from waiting_room.domain.errors import InvalidInput, NoLiveSession
from waiting_room.domain.parsing import LARGEST, is_whole
from waiting_room.domain.records import Ending, Outcome, SessionStatus

SESSION = re.compile(r"(.+):([1-9][0-9]{0,11}):([1-9][0-9]{0,11})", re.ASCII | re.DOTALL)
BY_NUMBER = {1: SessionStatus.COMPLETED, -1: SessionStatus.ABANDONED}
TO_NUMBER = {status: number for number, status in BY_NUMBER.items()}


class VisitorState(StrEnum):
    """State of one visitor, as operators see it."""

    WAITING = "waiting"
    ELIGIBLE = "eligible"
    TOKEN_ISSUED = "token_issued"  # noqa: S105
    COMPLETED = "completed"
    ABANDONED = "abandoned"
    POSITION_EXPIRED = "position_expired"
    TOKEN_EXPIRED = "token_expired"  # noqa: S105


def check_status(value: object) -> SessionStatus:
    """Convert 1 to completed and -1 to abandoned; raises InvalidInput for any other value."""
    if isinstance(value, bool) or not isinstance(value, int) or value not in BY_NUMBER:
        raise InvalidInput("status must be 1 (completed) or -1 (abandoned)")
    return BY_NUMBER[value]


def check_queue_position(value: object) -> int | None:
    """Return an optional position; raises InvalidInput unless it is a number from 1 to LARGEST."""
    if value is None:
        return None
    if not is_whole(value) or not 1 <= value <= LARGEST:
        raise InvalidInput(f"queue_position must be a whole number from 1 to {LARGEST}")
    return value


def session_of(event_id: str, value: object) -> tuple[int, int]:
    """Return generation and position of a session id ``<event>:<generation>:<position>``.

    Raises InvalidInput for any other value, and for a session of another event.
    """
    found = SESSION.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise InvalidInput("session must be <event>:<generation>:<position>")
    if found[1] != event_id:
        raise InvalidInput("session must belong to this event")
    return int(found[2]), int(found[3])


def check_ended(ending: Ending) -> Outcome:
    """Return the row of a session that this call ended.

    Raises NoLiveSession, with the current status if there is one.
    """
    current = ending.outcome
    if ending.done and current:
        return current
    if current is not None and current.status in TO_NUMBER:
        raise NoLiveSession("the status of this session is already set", TO_NUMBER[current.status])
    raise NoLiveSession


def state_of(
    outcome: Outcome | None, *, served: bool, position_expired: bool, now: int
) -> VisitorState:
    """Return the state of a visitor who has a position."""
    if outcome is not None and outcome.is_token:
        if outcome.status is not SessionStatus.OPEN:
            return VisitorState(outcome.status.value)
        return VisitorState.TOKEN_ISSUED if now < outcome.expires_at else VisitorState.TOKEN_EXPIRED
    if outcome is not None or position_expired:
        return VisitorState.POSITION_EXPIRED
    return VisitorState.ELIGIBLE if served else VisitorState.WAITING
