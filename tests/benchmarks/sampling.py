# SPDX-License-Identifier: Apache-2.0
"""Whose code a call spends its time in, by looking at it two thousand times a second.

A sampler, because a profiler makes every Python call dearer and so blames the wrong code.
"""

from __future__ import annotations

import signal
import time
from collections import Counter
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Any

INTERVAL = 0.0005  # s
# The first mark found decides, from the innermost frame outwards: the standard library's time
# belongs to whoever called it.
WAITING = (
    ("/socket.py", "readinto"),
    ("/http/client.py", "send"),
    ("/redis/connection.py", "send_packed_command"),
    ("/redis/_parsers/socket.py", "_read_from_socket"),
    ("/wait.py", "poll_wait_for_socket"),
)
GROUPS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("signing", ("/jwt/", "/cryptography/", "signing.py")),
    ("the room", ("/source/",)),
    ("client library", ("/botocore/", "/urllib3/", "/redis/", "/jmespath/", "/dateutil/")),
    ("Chalice", ("/chalice/",)),
)
NAMES = ("the room", "client library", "signing", "Chalice", "network", "rest")


def shares(call: Callable[[], Any], seconds: float) -> list[float]:
    """Percent of the time of ``call``, repeated for ``seconds``, in the order of ``NAMES``."""
    seen: Counter[str] = Counter()

    def look(_number: int, frame: FrameType | None) -> None:
        seen[_group(frame)] += 1

    before = signal.signal(signal.SIGALRM, look)
    signal.setitimer(signal.ITIMER_REAL, INTERVAL, INTERVAL)
    try:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            call()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    total = seen.total() or 1
    return [100 * seen[name] / total for name in NAMES]


def _group(frame: FrameType | None) -> str:
    innermost = frame
    while frame is not None:
        file = frame.f_code.co_filename
        if frame is innermost and _waits(file, frame.f_code.co_name, WAITING):
            return "network"
        for name, marks in GROUPS:
            if any(mark in file for mark in marks):
                return name
        frame = frame.f_back
    return "rest"


def _waits(file: str, function: str, places: Sequence[tuple[str, str]]) -> bool:
    return any(file.endswith(end) and function == name for end, name in places)
