# SPDX-License-Identifier: Apache-2.0
"""An inlet in memory, and a room that records its calls."""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from tests.support.fakes.inlet import MemoryInlet
from tests.support.in_memory_room import EVENT, START, Clock
from waiting_room.domain.errors import Unavailable
from waiting_room.domain.events.alarms import Alarm
from waiting_room.inlet.runner import InletRunner
from waiting_room.inlet.settings import InletSettings
from waiting_room.inlet.strategies import RoomMetrics
from waiting_room.runtime.settings.inlet import read_inlet_settings

FOREVER = 1e9
NUMBERS = itertools.count()  # of messages: each has an id of its own


@dataclass
class CountingRoom:
    """The RoomApi port with settable metrics; ``fail`` makes increments time out.

    ``plan`` lists the results of the next increments: "lost" (made, no response), "failed" (not
    made) or "".
    """

    metrics_now: RoomMetrics = field(default_factory=RoomMetrics)
    increments: list[int] = field(default_factory=list)
    sessions: set[str] = field(default_factory=set)
    fail: bool = False
    plan: list[str] = field(default_factory=list)
    calls: set[str] = field(default_factory=set)
    ended_by: dict[str, str] = field(default_factory=dict)
    all_come: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)

    def metrics(self, event_id: str) -> RoomMetrics:
        """Settings of a test and recorded calls of the inlet."""
        return self.metrics_now

    def increment(self, event_id: str, by: int, call_id: str) -> int:
        """Raise the counter, once for a call."""
        planned = self.plan.pop(0) if self.plan else ""
        if self.fail or planned == "failed":
            raise Unavailable("no response")
        with self.lock:
            if call_id not in self.calls:
                self.calls.add(call_id)
                self.increments.append(by)
                serving = self.metrics_now.serving + by
                tokens = serving if self.all_come else self.metrics_now.tokens
                self.metrics_now = replace(self.metrics_now, serving=serving, tokens=tokens)
            if planned == "lost":
                raise Unavailable("no response")
            return self.metrics_now.serving

    def end_sessions(
        self, event_id: str, request_ids: Sequence[str], status: int, call_id: str
    ) -> int:
        """End sessions that live; those that this call ended count again."""
        with self.lock:
            living = self.sessions.intersection(request_ids)
            self.sessions -= living
            self.ended_by.update(dict.fromkeys(living, call_id))
            active = self.metrics_now.active - len(living)
            self.metrics_now = replace(self.metrics_now, active=active)
            return sum(self.ended_by.get(one) == call_id for one in request_ids)


@dataclass
class InletHarness:
    """An inlet, its room, its row, its alarm, and a clock that its pauses turn."""

    env: dict[str, Any] = field(default_factory=dict)
    store: MemoryInlet = field(default_factory=MemoryInlet)
    room: CountingRoom = field(default_factory=CountingRoom)
    clock: Clock = field(default_factory=Clock)
    alarm: Callable[[], Alarm] = lambda: Alarm.OK

    def __post_init__(self) -> None:
        self.opened_at: list[tuple[float, int]] = []
        self.inlet = self.another()

    def another(self, **env: Any) -> InletRunner:
        """Another run on the same room and row."""
        chosen = inlet_settings(**{**self.env, **env})
        return InletRunner(chosen, self.store, self.room, self.alarm, self.clock, self.pause)

    def pause(self, seconds: float) -> None:
        """Time passes."""
        self.clock.now += seconds

    def periodic(self, event: dict[str, Any] | None = None, left: float = FOREVER) -> list[int]:
        """Run a scheduled minute; return the positions that each tick admitted."""
        end = self.clock.now + left
        done = self.inlet.run_periodic(event or {}, lambda: end - self.clock.now)
        return [one.by for one in done]

    @property
    def last(self) -> tuple[int, str]:
        """Return the last run of the row."""
        record = self.store.read(EVENT)
        assert record
        return record.last_increment, record.last_reason


def inlet_settings(**env: Any) -> InletSettings:
    """Settings as a deployment would give them."""
    return read_inlet_settings(
        {
            "EVENT_ID": EVENT,
            "PRIVATE_API_ENDPOINT": "https://private.example/api",
            "AWS_REGION": "eu-central-1",
            "SERVING_LOG_TABLE": "ServingLog",
            **{key: str(value) for key, value in env.items()},
        }
    )


def sns(*messages: object, ids: Sequence[str] | None = None) -> dict[str, Any]:
    """A Lambda event of SNS; a message that is no text is sent as JSON."""
    return {
        "Records": [
            {
                "EventSource": "aws:sns",
                "Sns": {
                    "MessageId": ids[index] if ids else f"message-{next(NUMBERS)}",
                    "Message": message if isinstance(message, str) else json.dumps(message),
                },
            }
            for index, message in enumerate(messages)
        ]
    }


__all__ = ["EVENT", "FOREVER", "START", "CountingRoom", "InletHarness", "inlet_settings", "sns"]
