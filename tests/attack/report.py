# SPDX-License-Identifier: Apache-2.0
"""The attempts of an attack and their results."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

LONGEST = 100  # characters of a column


@dataclass(frozen=True)
class Attempt:
    """One attempt; ``succeeded`` means that the attacker got what no one may get."""

    fault: str
    attempt: str
    result: str
    succeeded: bool


def table(attempts: Iterable[Attempt]) -> str:
    """A line for each attempt, in columns, and a line that counts them."""
    found = list(attempts)
    lines = [
        (
            "SUCCEEDED" if one.succeeded else "failed",
            *(_short(text) for text in (one.fault, one.attempt, one.result)),
        )
        for one in found
    ]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    wrong = sum(one.succeeded for one in found)
    return "\n".join([*(_line(cells, widths) for cells in lines), summary(len(found), wrong)])


def summary(count: int, succeeded: int) -> str:
    """Return one line with the number of attempts, and of those that succeeded."""
    return f"{count} attempts, {succeeded} succeeded"


def status(attempts: Sequence[Attempt]) -> int:
    """The exit status of a run: 1 when an attempt succeeded or nothing was attempted."""
    return int(not attempts or any(one.succeeded for one in attempts))


def _short(text: str) -> str:
    """One printable line."""
    plain = "".join(sign if sign.isprintable() else " " for sign in text)
    return plain if len(plain) <= LONGEST else f"{plain[: LONGEST - 1]}…"


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = (cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
    return "  ".join(padded).rstrip()
