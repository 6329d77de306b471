# SPDX-License-Identifier: Apache-2.0
"""The parameter that makes the room use restored tables instead of those of the stack.

A backup or point-in-time recovery of DynamoDB creates a new table with another name. The stack
keeps its own tables, so that no data is lost when it uses others.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from infrastructure.blueprint.resources import COUNTERS, TABLES, Table
from infrastructure.parameters.parameter import ParameterError, Parameters, texts

# The end of a stream's ARN is its label: the time when it was enabled.
LABEL = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3,6}"
ENTRY = rf"[A-Za-z]+=[A-Za-z0-9_.-]{{3,255}}(@{LABEL})?"


@dataclass(frozen=True, kw_only=True)
class RestoredTable:
    """The name of a table, and the label of its stream; empty without one."""

    name: str
    stream: str = ""


@dataclass(frozen=True, kw_only=True)
class RestoredConfig(Parameters):
    """The restored tables that the room uses; by default it uses those of its stack."""

    entries: tuple[str, ...] = texts(
        "RestoredTables",
        "tables that the room uses instead of its own, as `make restore` prints them"
        " ([operations.md](operations.md#restore-tables))",
        pattern=ENTRY,
        constraint="Table=name or Table=name@label-of-its-stream, separated by commas, as"
        " make restore prints them",
    )

    def __post_init__(self) -> None:
        parts = [one.partition("=")[0] for one in self.entries]
        for part in parts:
            if parts.count(part) > 1:
                raise ParameterError(f"The parameter RestoredTables must name {part} only once.")
        names = [table.name for table in self.tables.values()]
        for name in names:
            if names.count(name) > 1:
                raise ParameterError(
                    f"The parameter RestoredTables must not give the name {name} to two tables."
                )

    def of(self, *, serverless: bool) -> dict[str, RestoredTable]:
        """Return the restored tables by the names of the room's tables; none by default.

        Raises ParameterError unless each table of the profile is in the parameter, and no other.
        """
        given = self.tables
        if not given:
            return {}
        wanted = {table.name: table for table in tables_of(serverless=serverless)}
        for name, table in wanted.items():
            if name not in given:
                raise ParameterError(
                    f"The parameter RestoredTables must name {name} too: the tables of a room"
                    " belong together."
                )
            if table.stream and not given[name].stream:
                raise ParameterError(
                    f"The parameter RestoredTables must give the label of the stream of {name},"
                    f" as {name}={given[name].name}@2026-01-31T12:00:00.000: enable its stream"
                    " first."
                )
            if given[name].stream and not table.stream:
                raise ParameterError(
                    f"The parameter RestoredTables must not give a stream of {name}: the room"
                    " reads none."
                )
        for name in given:
            if name not in wanted:
                profile = "" if name != COUNTERS.name else " of this profile"
                raise ParameterError(
                    f"The parameter RestoredTables must not name {name}: the tables{profile} are"
                    f" {', '.join(wanted)}."
                )
        return given

    @property
    def tables(self) -> dict[str, RestoredTable]:
        """Return the restored tables by the names of the room's tables, as they are given."""
        found = {}
        for one in self.entries:
            part, _, value = one.partition("=")
            name, _, stream = value.partition("@")
            found[part] = RestoredTable(name=name, stream=stream)
        return found


def tables_of(*, serverless: bool) -> tuple[Table, ...]:
    """Return the tables of a room with a profile."""
    return (*TABLES, COUNTERS) if serverless else TABLES


def digest(restored: Mapping[str, RestoredTable]) -> str:
    """Return a short text that differs for other tables; empty without restored tables."""
    if not restored:
        return ""
    names = ",".join(f"{part}={table.name}" for part, table in sorted(restored.items()))
    return hashlib.sha256(names.encode()).hexdigest()[:8].title()
