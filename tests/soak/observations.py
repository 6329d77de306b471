# SPDX-License-Identifier: Apache-2.0
"""What the soak itself knows of its visits, and the comparison with the tables and the API.

Pure: everything is read before. Times are epoch seconds.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

SHOWN = 5  # request ids or places named in a check that does not hold


@dataclass(frozen=True)
class Check:
    """A sentence that must hold, and what was found."""

    sentence: str
    holds: bool
    found: str


@dataclass(frozen=True)
class Row:
    """A row of the positions table; position 0: of a line that was reset."""

    request_id: str
    generation: int
    position: int


@dataclass(frozen=True)
class Result:
    """A row of the token table: what became of a position."""

    request_id: str
    generation: int
    position: int
    kind: str  # token or expired
    status: str = ""  # open, completed or abandoned
    expires_at: int = 0


@dataclass(frozen=True)
class Tables:
    """What is stored in the end. ``dead`` is the text of each dead letter."""

    generation: int
    rows: Collection[Row]
    results: Collection[Result]
    dead: Collection[str]
    queued: int  # messages that wait or are under way


@dataclass(frozen=True)
class Told:
    """What the API says in the end."""

    figures: Mapping[str, Any]  # of /metrics
    waiting: int  # of /waiting_num
    ended: Collection[str]  # of /ended_sessions


@dataclass
class Observations:
    """What visitors and the operator were answered."""

    joins: dict[str, float] = field(default_factory=dict)  # request id → when it was accepted
    places: dict[str, int] = field(default_factory=dict)
    waits: list[tuple[float, float]] = field(default_factory=list)  # joined at, s to the place
    changed: list[str] = field(default_factory=list)
    tokens: dict[str, float] = field(default_factory=dict)  # request id → when it came
    other_tokens: list[str] = field(default_factory=list)  # a second call gave another set
    ends: dict[str, str] = field(default_factory=dict)  # request id → confirmed status
    raises: defaultdict[int, list[tuple[float, int]]] = field(
        default_factory=lambda: defaultdict(list)
    )  # generation → (when it was asked for, the most that the counter can be from then on)

    def joined(self, request_id: str, at: float) -> None:
        """A join was accepted."""
        self.joins[request_id] = at

    def placed(self, request_id: str, position: int, at: float) -> None:
        """A visitor learned the position, for the first time or again."""
        if request_id not in self.places:
            self.places[request_id] = position
            self.waits.append((self.joins[request_id], at - self.joins[request_id]))
        elif self.places[request_id] != position:
            self.changed.append(request_id)

    def raised(self, generation: int, by: int, at: float) -> None:
        """The operator is about to raise the counter, whatever the answer will be."""
        steps = self.raises[generation]
        steps.append((at, (steps[-1][1] if steps else 0) + by))

    def most_served(self, generation: int, at: float) -> int:
        """The most that the counter can have been at a moment."""
        return max((most for when, most in self.raises[generation] if when <= at), default=0)


def compare(observed: Observations, tables: Tables, told: Told, now: float) -> list[Check]:
    """Everything that must agree."""
    return [
        *_places(observed, tables),
        *_tokens(observed, tables),
        *_figures(tables, told, now),
    ]


def _places(observed: Observations, tables: Tables) -> list[Check]:
    rows = {row.request_id: row for row in tables.rows}
    lost = [
        one for one in observed.joins
        if one not in rows and not any(one in letter for letter in tables.dead)
    ]  # fmt: skip
    held = Counter((row.generation, row.position) for row in tables.rows if row.position)
    twice = [f"{generation}:{place}" for (generation, place), n in held.items() if n > 1]
    moved = [
        *observed.changed,
        *(one for one, at in observed.places.items() if one in rows and rows[one].position != at),
    ]  # fmt: skip
    return [
        Check("the queue is empty", tables.queued == 0, f"{tables.queued} messages"),
        _none("no accepted join is lost", lost, f"{len(observed.joins):,} joins"),
        _none("no position is held twice", twice, f"{len(held):,} positions"),
        _none("no position changed", moved, f"{len(observed.places):,} learned"),
    ]


def _tokens(observed: Observations, tables: Tables) -> list[Check]:
    rows = {row.request_id: row for row in tables.rows}
    tokens = {one.request_id: one for one in tables.results if one.kind == "token"}
    unwritten = [one for one in observed.tokens if one not in tokens]
    early = [
        one for one, at in observed.tokens.items()
        if one in rows and rows[one].position > observed.most_served(rows[one].generation, at)
    ]  # fmt: skip
    several = [
        one for one, count in Counter(row.request_id for row in tables.results).items() if count > 1
    ]
    not_ended = [
        one for one, status in observed.ends.items()
        if one not in tokens or tokens[one].status != status
    ]  # fmt: skip
    return [
        _none("no token is above the serving counter", early, f"{len(observed.tokens):,} tokens"),
        _none("each token is in the tables", unwritten, f"{len(observed.tokens):,} tokens"),
        _none("a second call gives the same tokens", observed.other_tokens, "all the same"),
        _none("no request has two outcomes", several, f"{len(tables.results):,} outcomes"),
        _none("each ended session is in the tables", not_ended, f"{len(observed.ends):,} ended"),
    ]


def _figures(tables: Tables, told: Told, now: float) -> list[Check]:
    places = [
        one for one in tables.rows if one.generation == tables.generation and one.position
    ]  # fmt: skip
    results = [one for one in tables.results if one.generation == tables.generation]
    tokens = [one for one in results if one.kind == "token"]
    ended = {one.request_id for one in tokens if one.status != "open" and one.expires_at > now}
    holes = int(told.figures["holes"])
    counted = {
        "queue_counter": len(places) + holes,
        "waiting_num": len(places) - len(results),
        "total_tokens": len(tokens),
        "positions_expired": len(results) - len(tokens),
        "active_tokens": sum(one.status == "open" and one.expires_at > now for one in tokens),
        "completed_sessions": sum(one.status == "completed" for one in tokens),
        "abandoned_sessions": sum(one.status == "abandoned" for one in tokens),
    }
    checks = [
        Check(
            f"{name} is what the tables hold",
            told.figures[name] == count,
            f"{told.figures[name]:,} told, {count:,} in the tables",
        )
        for name, count in counted.items()
    ]
    checks.append(
        Check(
            "/waiting_num is what the tables hold",
            told.waiting == counted["waiting_num"],
            f"{told.waiting:,} told, {counted['waiting_num']:,} in the tables",
        )
    )
    checks.append(
        Check("nobody waits once every turn is over", told.waiting == 0, f"{told.waiting:,} told")
    )
    differ = sorted(ended.symmetric_difference(told.ended))
    checks.append(_none("/ended_sessions is what the tables hold", differ, f"{len(ended):,} ended"))
    return checks


def _none(sentence: str, wrong: Collection[str], otherwise: str) -> Check:
    """A check that nothing is in ``wrong``. Request ids are of this machine's own visitors."""
    named = ", ".join(list(wrong)[:SHOWN])
    return Check(sentence, not wrong, f"{len(wrong):,}: {named}" if wrong else otherwise)
