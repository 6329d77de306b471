# SPDX-License-Identifier: Apache-2.0
"""What an attack tried and what came of it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Attempt:
    """One attempt; ``succeeded`` means that the attacker got what no one may get."""

    fault: str
    attempt: str
    result: str
    succeeded: bool
