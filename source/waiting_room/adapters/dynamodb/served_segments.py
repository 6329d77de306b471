# SPDX-License-Identifier: Apache-2.0
"""Served segments of events, from the serving log; a warm function reads only later moves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from waiting_room.domain import serving_counter
from waiting_room.domain.limits import LATEST_MOVES, RATE_WINDOW
from waiting_room.domain.records import EventState, Segment

if TYPE_CHECKING:
    from waiting_room.domain.counter_snapshot import Checkpoint
    from waiting_room.domain.ports.serving_log import ServingLog

MANY_SEGMENTS = 1_000  # in memory, above which those that no caller needs are dropped
CHECKPOINT_MOVES = 2_000  # moves above which a cold function starts from a checkpoint


@dataclass(frozen=True, slots=True)
class _Known:
    generation: int
    version: int
    segments: tuple[Segment, ...]
    first_moved_at: int = 0  # epoch s; 0 if it is not known


class ServedSegments:
    """Segments by event. The result always belongs to the state that the caller has read."""

    def __init__(self, log: ServingLog) -> None:
        self._log = log
        self._known: dict[str, _Known] = {}

    def of(self, state: EventState) -> tuple[Segment, ...]:
        """Return the segments that the serving counter reached, in order of position.

        Segments of expired positions outside the rate window may be missing.
        """
        known = self._known.get(state.event_id)
        if known is None or (known.generation, known.version) > (state.generation, state.version):
            known = self._start(state)
        elif known.generation < state.generation:
            known = _Known(state.generation, 0, ())
        if known.version < state.version:
            moves = list(self._log.moves(state, known.version))
            first_moved_at = known.first_moved_at
            if known.version == 0 and moves:
                first_moved_at = moves[0].at
            segments = serving_counter.segments(
                moves,
                expired_through=state.expired_through,
                version=known.version,
                start=known.segments,
            )
            needed = _needed(segments, state)
            known = _Known(state.generation, state.version, needed, first_moved_at)
        self._known[state.event_id] = known
        return known.segments

    def first_moved_at(self, event_id: str) -> int:
        """Return the time (epoch s) of the first move of the state of the last ``of``.

        It is 0 without a move. A function that started from a checkpoint returns that of its first
        segment.
        """
        return self._known[event_id].first_moved_at

    def _start(self, state: EventState) -> _Known:
        checkpoint: Checkpoint | None = None
        if state.version > CHECKPOINT_MOVES:
            checkpoint = self._log.checkpoint(state.event_id, state.generation)
        if checkpoint is None or checkpoint.version > state.version:
            return _Known(state.generation, 0, ())
        segments = checkpoint.segments
        first_moved_at = segments[0].at if segments else 0
        return _Known(state.generation, checkpoint.version, segments, first_moved_at)


def _needed(segments: list[Segment], state: EventState) -> tuple[Segment, ...]:
    """Return the segments; of many, only those that a caller may need."""
    if len(segments) <= MANY_SEGMENTS or state.move is None:
        return tuple(segments)
    old = state.move.at - RATE_WINDOW
    first = 0
    for index, part in enumerate(segments[:-LATEST_MOVES]):
        if part.last > state.expired_through or part.at >= old:
            break
        first = index + 1
    return tuple(segments[first:])
