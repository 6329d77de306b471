# SPDX-License-Identifier: Apache-2.0
"""Checks of a load test: a rule, whether it holds, and the observed numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from deployment.load_test.record import Record


@dataclass(frozen=True)
class Check:
    """A rule that must hold."""

    sentence: str
    holds: bool
    found: str


@dataclass(frozen=True)
class Rows:
    """Numbers of DynamoDB rows of the generation."""

    positions: int
    tokens: int


def check(
    record: Record,
    *,
    alone: bool,
    metrics: Mapping[str, Any] | None,
    rows: Rows | None,
    admitted: int | None,
) -> list[Check]:
    """Return the checks of a finished test.

    ``alone``: the queue was empty before, and no other visitors joined. ``metrics`` of the private
    API and ``rows`` are None if they cannot be read. ``admitted`` is the serving counter that the
    operator of the test set, None without an operator.
    """
    found = [*_visitors(record), *_numbers(record, alone)]
    if admitted is not None and alone:
        found.append(_nobody_early(record))
    if metrics is not None and alone:
        found += _counters(record, metrics, admitted)
    if rows is not None and alone:
        found += _rows(record, rows, metrics or {})
    return found


def _visitors(record: Record) -> list[Check]:
    joined = [one for one in record.visitors if one.joined is not None]
    without = sum(one.number is None for one in joined)
    ended = sorted({one.ended for one in record.visitors if one.ended})
    lost = sum(one.admitted is None for one in joined)
    return [
        Check(
            "every accepted join became a position", without == 0, f"{without} without a position"
        ),
        Check(
            "every visitor was admitted",
            lost == 0 and not ended,
            f"{lost} of {len(joined)} without a token{': ' if ended else ''}{'; '.join(ended)}",
        ),
    ]


def _numbers(record: Record, alone: bool) -> list[Check]:
    numbers = [one.number for one in record.visitors if one.number is not None]
    twice = len(numbers) - len(set(numbers))
    checks = [
        Check("no two visitors have the same position", twice == 0, f"{twice} assigned twice")
    ]
    if alone:
        whole = sorted(numbers) == list(range(1, len(numbers) + 1))
        last = max(numbers, default=0)
        checks.append(
            Check("the positions are 1 to n without a gap", whole, f"{len(numbers)} up to {last}")
        )
    return checks


def _nobody_early(record: Record) -> Check:
    early = [
        one
        for one in record.visitors
        if one.admitted is not None
        and one.number is not None
        and one.number > record.bound_at(one.admitted)
    ]
    return Check(
        "no visitor was admitted before the position was served",
        not early,
        f"{len(early)} too early",
    )


def _counters(record: Record, metrics: Mapping[str, Any], admitted: int | None) -> list[Check]:
    joined = sum(one.joined is not None for one in record.visitors)
    tokens = sum(one.admitted is not None for one in record.visitors)
    wanted = {"queue_counter": joined + int(metrics["holes"]), "total_tokens": tokens}
    if admitted is not None:
        wanted["serving_counter"] = admitted
    wrong = {name: metrics[name] for name, value in wanted.items() if metrics[name] != value}
    shown = ", ".join(f"{name} {metrics[name]}" for name in wanted)
    return [Check("the counters equal what the visitors saw", not wrong, shown)]


def _rows(record: Record, rows: Rows, metrics: Mapping[str, Any]) -> list[Check]:
    joined = sum(one.joined is not None for one in record.visitors)
    tokens = sum(one.admitted is not None for one in record.visitors)
    right = (rows.positions, rows.tokens) == (joined, tokens)
    if metrics:
        counted = int(metrics["queue_counter"]) - int(metrics["holes"])
        right = right and (counted, metrics["total_tokens"]) == (rows.positions, rows.tokens)
    return [
        Check(
            "the tables contain one row for each, and the counters agree",
            right,
            f"{rows.positions} positions, {rows.tokens} tokens",
        )
    ]
