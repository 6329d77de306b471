# SPDX-License-Identifier: Apache-2.0
"""Time that is left of a Lambda invocation."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any


def time_left(context: Any) -> Callable[[], float]:
    """Return a function that gives the seconds left of this invocation; 75 s without a context."""
    remaining = getattr(context, "get_remaining_time_in_millis", None)
    if remaining is None:
        end = time.monotonic() + 75
        return lambda: end - time.monotonic()
    return lambda: remaining() / 1000
