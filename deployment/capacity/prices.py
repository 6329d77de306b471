# SPDX-License-Identifier: Apache-2.0
"""List prices of a region, read from ``prices.toml``."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

FILE = Path(__file__).with_name("prices.toml")


class UnknownPrice(Exception):
    """Nobody wrote down what this costs; the sentence says what."""


@dataclass(frozen=True)
class Prices:
    """US dollars for one of each, in one region, as known on a date."""

    region: str
    known_on: str
    hours_per_month: float
    by_name: dict[str, float]
    nodes: dict[str, float]

    def __getitem__(self, name: str) -> float:
        if name not in self.by_name:
            raise UnknownPrice(f"{FILE.name} has no price for {name} in {self.region}")
        return self.by_name[name]

    def node_hour(self, node: str) -> float:
        """One ElastiCache node, as "engine type", for an hour."""
        if node not in self.nodes:
            raise UnknownPrice(f"{FILE.name} has no price for the node {node} in {self.region}")
        return self.nodes[node]


def regions(path: Path = FILE) -> list[str]:
    """The regions whose prices are known."""
    return list(tomllib.loads(path.read_text())["regions"])


def load(region: str, path: Path = FILE) -> Prices:
    """The prices of a region; raises UnknownPrice for one that nobody wrote down."""
    kept = tomllib.loads(path.read_text())
    if region not in kept["regions"]:
        known = ", ".join(kept["regions"])
        raise UnknownPrice(f"{path.name} knows {known}, not {region}")
    index = kept["regions"].index(region)
    return Prices(
        region=region,
        known_on=kept["known_on"],
        hours_per_month=kept["hours_per_month"],
        by_name={name: values[index] for name, values in kept["prices"].items()},
        nodes={name: values[index] for name, values in kept["nodes"].items()},
    )
