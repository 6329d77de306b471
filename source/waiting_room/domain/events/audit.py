# SPDX-License-Identifier: Apache-2.0
"""Audit log of an event: who changed what and when, with the values before and after.

It has three parts. Changes of documents and operations are stored entries. Moves of the serving
counter are the rows of the serving log. Phase changes by the clock are derived from the documents
when the log is read.
"""

from __future__ import annotations

import heapq
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from waiting_room.domain.actors import Actor, ActorKind
from waiting_room.domain.errors import InvalidInput
from waiting_room.domain.events.document import complete
from waiting_room.domain.events.registry import Deciding, decode_deciding, encode_deciding
from waiting_room.domain.limits import AUDIT_LIFE
from waiting_room.domain.parsing import UNREADABLE, is_whole
from waiting_room.domain.records import ServingMove

PAGE = 100  # entries on one page
KEY = re.compile(r"audit#[0-9]{13}#(?:[0-9a-f]{8}|~)", re.ASCII)
LATEST = 10**11  # epoch s; no time of an entry is later
MOST_VERSIONS = 10**12


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One change at ``at`` (epoch s); ``before`` and ``after`` have changed members only."""

    at: float
    who: str
    role: str
    what: str
    before: Mapping[str, Any] = field(default_factory=dict)
    after: Mapping[str, Any] = field(default_factory=dict)

    def response(self) -> dict[str, Any]:
        """Return the entry as the API returns it."""
        return {
            "at": round(self.at, 3),
            "who": self.who,
            "role": self.role,
            "what": self.what,
            "before": dict(self.before),
            "after": dict(self.after),
        }


@dataclass(frozen=True, slots=True)
class LoggedEntry:
    """A stored entry and its key; keys are in the order of their times."""

    key: str
    entry: AuditEntry


@dataclass(frozen=True, slots=True)
class LoggedMove:
    """A move of the serving counter in a generation."""

    generation: int
    move: ServingMove


@dataclass(frozen=True, slots=True)
class AuditMark:
    """Place in the log after which the next page begins: a mark of each part, latest first.

    ``until`` (epoch s) is the end of the time in which ``deciding`` applied. ``deciding`` is None
    while the event did not exist. ``version`` is 0 before the first move that a page contains;
    moves after ``first_at``, the time of the first page, are then left out.
    """

    first_at: float
    change: str
    until: float
    deciding: Deciding | None
    operation: str
    generation: int = 0
    version: int = 0

    def to_json(self) -> dict[str, Any]:
        """Return the mark as JSON; times are in microseconds, so that all numbers are whole."""
        deciding = encode_deciding(self.deciding) if self.deciding else None
        return {
            "f": round(self.first_at * 1e6), "c": self.change,
            "u": round(self.until * 1e6), "d": deciding,
            "o": self.operation, "g": self.generation, "v": self.version,
        }  # fmt: skip

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> AuditMark:
        """Return the mark that ``to_json`` returned; raises InvalidInput for any other content."""
        try:
            found = cls(
                content["f"] / 1e6, content["c"], content["u"] / 1e6,
                decode_deciding(content["d"]) if content["d"] is not None else None,
                content["o"], content["g"], content["v"],
            )  # fmt: skip
            valid = (
                found.to_json() == dict(content)
                and all(KEY.fullmatch(key) for key in (found.change, found.operation))
                and 0 <= found.first_at <= LATEST
                and 0 <= found.until <= LATEST
                and all(
                    is_whole(number) and 0 <= number < MOST_VERSIONS
                    for number in (found.generation, found.version)
                )
                and all(
                    value is None or (is_whole(value) and 0 <= value <= LATEST)
                    for value in content["d"] or ()
                )
            )
        except UNREADABLE:
            valid = False
        if not valid:
            raise InvalidInput("next_token is invalid; use the value from the previous page")
        return found


def audit_entry(
    at: float, actor: Actor, what: str, before: Mapping[str, Any], after: Mapping[str, Any]
) -> AuditEntry:
    """Return the entry of a change that ``actor`` made."""
    return AuditEntry(at, actor.who, _role(actor.kind), what, before, after)


def move_entry(move: ServingMove) -> AuditEntry:
    """Return the entry of a move of the serving counter, from its row."""
    kind, _, who = move.actor.partition(" ")
    return AuditEntry(
        move.at, who or "unknown", _role(kind), "admit",
        {"serving_counter": move.previous}, {"serving_counter": move.current},
    )  # fmt: skip


def _role(kind: str) -> str:
    """Return the role of a kind of actor; a caller without an identity counts as a person."""
    return ActorKind.PERSON.value if kind in ("", ActorKind.UNKNOWN) else str(kind)


def key_at(at: float, end: str = "~") -> str:
    """Return a key at ``at`` (epoch s); without ``end``, the key after all entries of that time."""
    return f"audit#{int(at * 1000):013d}#{end}"


def phase_changes(deciding: Deciding | None, since: float, until: float) -> Iterator[AuditEntry]:
    """Yield the phase changes by the clock of one document, latest first.

    The document applied from ``since`` until before ``until`` (epoch s). A time that it had already
    reached when it was written changes no phase by the clock.
    """
    if deciding is None:
        return
    schedule, control = deciding.schedule, deciding.control
    times = {
        time
        for time in (
            schedule["pre_queue_at"], schedule["opens_at"], schedule["closes_at"],
            control["paused_at"], control["draining_since"], control["closed_at"],
        )
        if time is not None and since < time < until
    }  # fmt: skip
    for time in sorted(times, reverse=True):
        before, after = deciding.phase(time - 1), deciding.phase(time)
        if before is not after:
            phases: list[dict[str, Any]] = [{"phase": before.value}, {"phase": after.value}]
            yield AuditEntry(time, "schedule", ActorKind.SCHEDULE.value, "phase", *phases)


def deciding_before(deciding: Deciding | None, change: AuditEntry) -> Deciding | None:
    """Return the deciding members before a change of the document; None: there was no event."""
    if change.what == "create":
        return None
    if change.what == "delete":
        return deciding_of(complete(change.before))
    if deciding is None:
        return None
    return Deciding(
        mode=change.before.get("mode", deciding.mode),
        schedule={**deciding.schedule, **change.before.get("schedule", {})},
        control={**deciding.control, **change.before.get("control", {})},
    )


def deciding_of(document: Mapping[str, Any]) -> Deciding:
    """Return the deciding members of a document."""
    return Deciding(document["mode"], document["schedule"], document["control"])


def page_of(
    mark: AuditMark,
    changes: Sequence[LoggedEntry],
    operations: Sequence[LoggedEntry],
    moves: Sequence[LoggedMove],
    now: float,
) -> tuple[list[AuditEntry], AuditMark | None]:
    """Return the page after ``mark``, latest first, and the mark of the next page.

    Each part holds its latest PAGE + 1 entries before its mark, or all if it has fewer. Entries of
    one part stay in its order.
    """
    # of entries at the same time, moves come first: their times are cut to whole seconds
    parts: tuple[Iterable[_Step], ...] = (
        (
            (move_entry(one.move), {"generation": one.generation, "version": one.move.version})
            for one in moves
            if mark.version or one.move.at <= mark.first_at
        ),
        ((one.entry, {"operation": one.key}) for one in operations),
        _document_steps(mark, changes, now),
    )
    entries: list[AuditEntry] = []
    for entry, passed in heapq.merge(*parts, key=lambda step: -step[0].at):
        if len(entries) == PAGE:
            return entries, mark
        entries.append(entry)
        mark = replace(mark, **passed)
    return entries, None


_Step = tuple[AuditEntry, dict[str, Any]]  # an entry, and the members of the mark after it


def _document_steps(mark: AuditMark, changes: Sequence[LoggedEntry], now: float) -> Iterator[_Step]:
    """Yield the changes of the document, and between them the phase changes by the clock."""
    deciding, until = mark.deciding, mark.until
    for one in changes:
        for found in phase_changes(deciding, one.entry.at, until):
            yield found, {"until": found.at}
        deciding, until = deciding_before(deciding, one.entry), one.entry.at
        yield one.entry, {"change": one.key, "deciding": deciding, "until": until}
    if len(changes) <= PAGE:  # no earlier change is stored
        for found in phase_changes(deciding, now - AUDIT_LIFE, until):
            yield found, {"until": found.at}
