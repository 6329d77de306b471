# SPDX-License-Identifier: Apache-2.0
"""List prices of a region, read from ``prices.toml``."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

FILE = Path(__file__).with_name("prices.toml")


class UnknownPrice(Exception):
    """A price is missing; the message names it."""


@dataclass(frozen=True)
class Prices:
    """Unit prices of a region in US dollars, as of a date."""

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
        """Return the hourly price of an ElastiCache node, named "engine type"."""
        if node not in self.nodes:
            raise UnknownPrice(f"{FILE.name} has no price for the node {node} in {self.region}")
        return self.nodes[node]


def regions(path: Path = FILE) -> list[str]:
    """Return the regions with prices."""
    return list(tomllib.loads(path.read_text())["regions"])


def load(region: str, path: Path = FILE) -> Prices:
    """Load the prices of a region; raises UnknownPrice for an unknown one."""
    kept = tomllib.loads(path.read_text())
    if region not in kept["regions"]:
        known = ", ".join(kept["regions"])
        raise UnknownPrice(f"{path.name} has no prices for the region {region}; it has {known}")
    index = kept["regions"].index(region)
    return Prices(
        region=region,
        known_on=kept["known_on"],
        hours_per_month=kept["hours_per_month"],
        by_name={name: values[index] for name, values in kept["prices"].items()},
        nodes={name: values[index] for name, values in kept["nodes"].items()},
    )
