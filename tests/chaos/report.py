# SPDX-License-Identifier: Apache-2.0
"""Result of an attack, and the table of all results."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace


@dataclass
class Result:
    """Result of an attack.

    ``lost``: accepted joins without a position. ``duplicated``: positions held twice. ``wrong``: a
    sentence for each other broken rule. ``recovery``: the longest, in seconds.
    """

    attack: str
    cases: int = 0
    unit: str = "joins"
    lost: int = 0
    duplicated: int = 0
    wrong: list[str] = field(default_factory=list)
    recovery: float | None = None
    seed: int = 0
    notes: str = ""
    seeds: int = 1  # number of runs, of which this is the worst

    @property
    def clean(self) -> bool:
        """Return whether every rule held."""
        return not (self.lost or self.duplicated or self.wrong)

    def __str__(self) -> str:
        took = "" if self.recovery is None else f", recovered in {self.recovery:.2f} s"
        return (
            f"{self.attack}: {self.cases} {self.unit}, {self.lost} lost, {self.duplicated} "
            f"duplicated, {len(self.wrong)} wrong{took} (seed {self.seed}) {self.notes}"
        )


def worst(results: Sequence[Result]) -> Result:
    """The run that broke most, of those the slowest to recover; it knows how many there were."""
    chosen = max(
        results, key=lambda one: (one.lost + one.duplicated + len(one.wrong), one.recovery or 0.0)
    )
    return replace(chosen, seeds=len(results))


COLUMNS = ("attack", "cases run", "lost", "duplicated", "wrong", "recovery", "seeds", "worst seed")


def rows(results: Iterable[Result]) -> list[tuple[str, ...]]:
    """The results as cells."""
    return [
        (
            found.attack + (f" ({found.notes})" if found.notes else ""),
            f"{found.cases:,} {found.unit}",
            str(found.lost),
            str(found.duplicated),
            str(len(found.wrong)),
            "" if found.recovery is None else f"{found.recovery:.2f} s",
            str(found.seeds),
            str(found.seed),
        )
        for found in results
    ]


def markdown(columns: Sequence[str], cells: Iterable[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    lines += ["| " + " | ".join(row) + " |" for row in cells]
    return "\n".join(lines) + "\n"
