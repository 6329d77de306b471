# SPDX-License-Identifier: Apache-2.0
"""Actions of operators that change the document of an event."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from waiting_room.domain.errors import InvalidInput, PhaseForbids
from waiting_room.domain.events.phase import Phase, phase_of

Document = dict[str, Any]
EVERY: frozenset[Phase] = frozenset(Phase)
NOT_CLOSED = EVERY - {Phase.CLOSED}


def _control(document: Mapping[str, Any], **times: int | None) -> Document:
    return {**document, "control": {**document["control"], **times}}


def _open(document: Mapping[str, Any], now: int) -> Document:
    schedule = {**document["schedule"], "opens_at": now}
    if schedule["closes_at"] is not None and schedule["closes_at"] <= now:
        schedule["closes_at"] = None
    if schedule["pre_queue_at"] is not None and schedule["pre_queue_at"] > now:
        schedule["pre_queue_at"] = None
    return {
        **_control(document, paused_at=None, draining_since=None, closed_at=None),
        "mode": "queue",
        "schedule": schedule,
    }


Change = Callable[[Mapping[str, Any], int], Document]
ACTIONS: Mapping[str, tuple[frozenset[Phase], Change]] = {
    "open": (EVERY, _open),
    "pause": (frozenset({Phase.OPEN}), lambda one, now: _control(one, paused_at=now)),
    "resume": (frozenset({Phase.PAUSED}), lambda one, _: _control(one, paused_at=None)),
    "drain": (
        frozenset({Phase.OPEN, Phase.PAUSED}),
        lambda one, now: _control(one, paused_at=None, draining_since=now),
    ),
    "close": (NOT_CLOSED, lambda one, now: _control(one, closed_at=now)),
    "pass_through": (NOT_CLOSED, lambda one, _: {**one, "mode": "pass_through"}),
    "queue": (NOT_CLOSED, lambda one, _: {**one, "mode": "queue"}),
}


def act(document: Mapping[str, Any], action: str, now: int) -> Document:
    """Return the document after an action at ``now`` (epoch s).

    Raises InvalidInput for an unknown action, and PhaseForbids when the phase does not allow it.
    """
    if action not in ACTIONS:
        raise InvalidInput(f"action must be one of {', '.join(ACTIONS)}, admit, reset, end_session")
    allowed, change = ACTIONS[action]
    check_phase(document, allowed, now)
    return change(document, now)


def check_phase(document: Mapping[str, Any], allowed: frozenset[Phase], now: float) -> None:
    """Raise PhaseForbids unless the event is in one of the allowed phases at ``now``."""
    phase = phase_of(document, now)
    if phase not in allowed:
        raise PhaseForbids(phase)
