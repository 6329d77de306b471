# SPDX-License-Identifier: Apache-2.0
"""Port of the clock."""

from __future__ import annotations

from typing import Protocol


class Clock(Protocol):
    """Returns the time in seconds since the epoch, with fraction."""

    def __call__(self) -> float: ...
