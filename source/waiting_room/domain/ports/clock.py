# SPDX-License-Identifier: Apache-2.0
"""The clock."""

from __future__ import annotations

from typing import Protocol


class Clock(Protocol):
    """The time as seconds since the epoch, with fraction."""

    def __call__(self) -> float: ...
