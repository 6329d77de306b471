# SPDX-License-Identifier: Apache-2.0
"""What an operator turns: the serving counter, the message, the generation."""

from __future__ import annotations

import secrets

from waiting_room import reset, serving
from waiting_room.errors import Conflict, InvalidInput
from waiting_room.ledger import WRITE_TRIES, Ledger
from waiting_room.ports import Clock, ServingLog
from waiting_room.records import EventState
from waiting_room.settings import MAX_MESSAGE, Settings


class Controls:
    """The changes that operators and inlets make to an event's record."""

    def __init__(self, settings: Settings, log: ServingLog, ledger: Ledger, clock: Clock) -> None:
        self._settings, self._log = settings, log
        self._ledger, self._clock = ledger, clock

    def increment(self, event_id: str, by: int, reason: str) -> EventState:
        """Move the serving counter by ``by``, never below 0.

        A move back while the counters do not answer would let visitors in above it: it is not made.
        """
        self._settings.event(event_id)
        serving.check_increment(by)
        if by < 0:
            self._ledger.counts(event_id)
        now, mark = self._ledger.now(), secrets.token_hex(8)
        return self._ledger.change(
            event_id, lambda state: serving.move(state, by, now, reason, mark)
        )

    def set_message(self, event_id: str, message: object) -> str:
        """Set the message, of two that come at once the later one."""
        self._settings.event(event_id)
        if not isinstance(message, str) or len(message) > MAX_MESSAGE:
            raise InvalidInput(f"message must be a text of at most {MAX_MESSAGE} characters")
        if any(not (sign.isprintable() or sign == "\n") for sign in message):
            raise InvalidInput("message must be plain text without control characters")
        for _ in range(WRITE_TRIES):
            state = self._log.read(event_id)
            try:
                at = max(self._clock(), state.message_at + 1e-6)  # the later one stands, always
                self._log.set_message(event_id, state.generation, message, at)
                break
            except Conflict:
                continue
        self._ledger.apply(self._log.read(event_id))
        return message

    def start_over(self, event_id: str) -> EventState:
        """Write the next generation, or find the one that another reset wrote at the same time."""
        self._settings.event(event_id)
        before = self._log.read(event_id)
        after = reset.reset(before, self._clock())
        try:
            self._log.reset(before, after)
        except Conflict:
            after = self._log.read(event_id)
        return after
