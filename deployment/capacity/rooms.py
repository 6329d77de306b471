# SPDX-License-Identifier: Apache-2.0
"""Rooms that fit into one account and region, by the quotas of ``quotas.toml``: ``make rooms``.

The numbers of resources are those of the templates in a folder of CDK. Throttles and concurrency
are not resources: all rooms of a region share them.
"""

from __future__ import annotations

import argparse
import json
import sys
import tomllib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deployment.capacity.quotas import FILE

Template = Mapping[str, Any]


@dataclass(frozen=True)
class Row:
    """A quota, and how many resources of it one room has."""

    name: str
    quota: int
    used: int

    @property
    def rooms(self) -> int:
        """Return how many such rooms fit."""
        return self.quota // self.used


def rows(templates: Iterable[Template], path: Path = FILE) -> list[Row]:
    """Return the quotas of which a room with these templates has resources, the scarcest first."""
    used: Counter[str] = Counter()
    for template in templates:
        for made in template["Resources"].values():
            used[made["Type"]] += _weight(made)
    known = tomllib.loads(path.read_text())["resources"]
    found = [Row(name, quota, used[kind]) for kind, (quota, name) in known.items() if used[kind]]
    return sorted(found, key=lambda row: (row.rooms, row.name))


def table(found: Iterable[Row]) -> str:
    """Return the rows as Markdown."""
    lines = [f"| {row.name} | {row.quota:,} | {row.used} | {row.rooms:,} |" for row in found]
    return "\n".join(["| quota | default | of one room | rooms |", "|---|---:|---:|---:|", *lines])


def _weight(made: Mapping[str, Any]) -> int:
    """Return how much of its quota a resource uses: a replication group has several nodes."""
    return int(made.get("Properties", {}).get("NumCacheClusters", 1))


def main(folder: Path) -> str:
    """Return the table for the templates in a folder. Raises SystemExit if there are none."""
    files = sorted(folder.glob("*.template.json"))
    if not files:
        sys.exit(f"There are no templates in {folder}: run make synth first.")
    found = rows(json.loads(file.read_text(encoding="utf-8")) for file in files)
    fit = min((row.rooms for row in found), default=0)
    return f"{table(found)}\n\n{fit} rooms like this fit into one account and region."


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="deployment.capacity.rooms", description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", default=Path("cdk.out"))
    print(main(parser.parse_args().folder))
