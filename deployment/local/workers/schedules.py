# SPDX-License-Identifier: Apache-2.0
"""Local EventBridge schedules: ``rate(n unit)`` starts a function periodically."""

from __future__ import annotations

import logging
import re
import threading
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from deployment.local.gateway.chalice_apps import LambdaContext
from infrastructure.blueprint.resources import Function
from waiting_room.runtime.safe_traceback import safe_traceback

_RATE = re.compile(r"rate\((\d+) (minute|hour|day)s?\)")
FIRST_START = 1.0  # s until the first start; a rule on AWS does not wait a period either
_MINUTES = {"minute": 1, "hour": 60, "day": 1440}
logger = logging.getLogger(__name__)
Handler = Callable[[dict[str, Any], Any], Any]


def period(expression: str, minute: float = 60.0) -> float:
    """Return the seconds between two starts; ``minute`` is the length of a minute in seconds."""
    found = _RATE.fullmatch(expression)
    if found is None:
        raise ValueError(
            f"{expression!r} is not supported: use rate(n minutes), rate(n hours) or rate(n days)"
        )
    return int(found[1]) * _MINUTES[found[2]] * minute


class Schedule:
    """Starts a function every ``period`` seconds in its own thread; runs never overlap."""

    def __init__(self, function: Function, handler: Handler, minute: float) -> None:
        self._function, self._handler = function, handler
        self._period = period(function.schedule, minute)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=function.name, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Start no more runs."""
        self._stop.set()

    def _run(self) -> None:
        first = min(self._period, FIRST_START)
        next_start = time.monotonic() + first
        while not self._stop.wait(max(0.0, next_start - time.monotonic())):
            next_start = max(next_start + self._period, time.monotonic())
            event = {
                "id": str(uuid.uuid4()),
                "source": "aws.events",
                "detail-type": "Scheduled Event",
                "time": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            }
            try:
                self._handler(event, LambdaContext(self._function.name, self._function.timeout))
            except Exception as error:
                logger.warning("%s failed: %s", self._function.name, safe_traceback(error))
