# SPDX-License-Identifier: Apache-2.0
"""``make chaos``: every attack at its long size, with several fresh seeds; the worst result of each
goes to ``docs/reliability.md``.

``CHAOS_SEEDS=5`` sets how many seeds (3). ``CHAOS_SEED`` repeats one, and writes no page.
``CHAOS_ONLY=resets,keys`` runs some attacks. The page is written once every attack has a result.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import platform
import secrets
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from deployment import docs_tables
from tests.chaos import (
    clocks,
    crashes,
    dynamodb_faults,
    joins_queue,
    keys,
    lost_counters,
    rebuilds,
    resets,
    slow_dependencies,
    two_events,
)
from tests.chaos.report import COLUMNS, Result, markdown, rows, worst
from tests.chaos.servers import counter_servers, tables
from tests.chaos.traffic import short_leases
from tests.support import servers

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "reliability.md"
KEPT = ROOT / "build" / "chaos.json"
ORDER = (
    "counters", "rebuilds", "crashes", "queue", "tables", "slow", "clocks", "resets", "events",
    "keys",
)  # fmt: skip
SIZES = (10_000, 100_000, 1_000_000)
SEEDS = 3
CRASHES = 4  # one crash per so many points; the seed selects the points
ONCE = ("rebuilds",)  # the seed changes nothing in it
Attack = Callable[[], list[Result]]


def attacks(tables_url: str, aws_url: str, server: Any, seed: int) -> dict[str, Attack]:
    """Each attack by its name, at its long size; those that take longest come last."""

    def crash() -> list[Result]:
        with short_leases():
            return [crashes.run(tables_url, server, seed=seed, every=CRASHES)]

    def many() -> list[Result]:
        sizes = [size for size in SIZES if size <= _most()]
        return rebuilds.run(tables_url, server, sizes=sizes, seed=seed)

    return {
        "counters": lambda: [
            lost_counters.run(tables_url, server, joins=8_000, rounds=2, pause=1.5, seed=seed)
        ],
        "queue": lambda: [
            joins_queue.run(tables_url, aws_url, server, joins=1_000, seed=seed),
            joins_queue.big_batch(tables_url, server, joins=10_000, seed=seed),
        ],
        "tables": lambda: [
            dynamodb_faults.run(tables_url, server, joins=500, seed=seed, kind=kind)
            for kind in dynamodb_faults.KINDS
        ],
        "slow": lambda: [slow_dependencies.run(aws_url, server, seed=seed)],
        "clocks": lambda: [clocks.run(tables_url, server, seed=seed)],
        "resets": lambda: [
            resets.run(tables_url, server, joins=2_500, resets=25, pause=0.6, seed=seed)
        ],
        "events": lambda: [
            two_events.run(
                tables_url, server, rounds=two_events.ROUNDS, calls=two_events.LOUD_CALLS, seed=seed
            )
        ],
        "keys": lambda: [
            keys.run(tables_url, aws_url, server, rotations=5, seconds=10, seed=seed),
            keys.run(tables_url, aws_url, server, rotations=2, seconds=5, seed=seed, keep=60),
        ],
        "crashes": crash,
        "rebuilds": many,
    }


def _most() -> int:
    return int(os.environ.get("CHAOS_ROWS", "1000000"))


def chosen_seeds(env: Mapping[str, str], fresh: Callable[[], int]) -> list[int]:
    """The seed that is repeated, or so many fresh ones as are wanted."""
    if env.get("CHAOS_SEED"):
        return [int(env["CHAOS_SEED"])]
    return [fresh() for _ in range(int(env.get("CHAOS_SEEDS") or SEEDS))]


def main() -> int:
    """Run, print, write; 1 when a rule was broken."""
    seeds = chosen_seeds(os.environ, lambda: secrets.randbelow(10**9) + 1)
    only = [name for name in os.environ.get("CHAOS_ONLY", "").split(",") if name]
    unknown = set(only) - set(ORDER)
    if unknown:
        print(f"CHAOS_ONLY knows {', '.join(ORDER)}, not {', '.join(sorted(unknown))}.")
        return 2
    logging.disable(logging.WARNING)
    print(f"seeds: {', '.join(map(str, seeds))}", flush=True)
    kept = json.loads(KEPT.read_text()) if only and KEPT.exists() else {}
    clean = True
    with tables() as tables_url, servers.moto_server() as aws_url, counter_servers() as server:
        made = [attacks(tables_url, aws_url, server, seed) for seed in seeds]
        for name in made[0]:
            if only and name not in only:
                continue
            started = time.monotonic()
            runs = [show(one[name]()) for one in (made[:1] if name in ONCE else made)]
            found = [worst(results) for results in zip(*runs, strict=True)]
            print(f"{name}: {time.monotonic() - started:.0f} s; worst:", flush=True)
            show(found)
            clean = clean and all(result.clean for result in found)
            kept[name] = [vars(result) for result in found]
            if not os.environ.get("CHAOS_SEED"):
                keep(kept)
    if not os.environ.get("CHAOS_SEED"):
        write(kept)
    return int(not clean)


def show(found: list[Result]) -> list[Result]:
    """Print results, and what went wrong in them."""
    for result in found:
        print(result, flush=True)
        for sentence in list(dict.fromkeys(result.wrong))[:10]:
            print(f"    {sentence}", flush=True)
    return found


def keep(kept: dict[str, list[dict[str, Any]]]) -> None:
    """Keep the results so far: a run that was ended goes on with ``CHAOS_ONLY``."""
    KEPT.parent.mkdir(exist_ok=True)
    KEPT.write_text(json.dumps(kept, indent=1))


def write(kept: dict[str, list[dict[str, Any]]]) -> None:
    """Put the table where the page has its markers, when the result of no attack is missing."""
    missing = [name for name in ORDER if name not in kept]
    if missing:
        print(f"{PAGE.name} stays as it is: no result of {', '.join(missing)}.")
        return
    found = [Result(**one) for name in ORDER for one in kept.get(name, [])]
    docs_tables.replace(PAGE, "chaos", f"{markdown(COLUMNS, rows(found))}\n{machine()}")


def machine() -> str:
    """Return a sentence about the machine of the run."""
    missing = servers.missing_for_dynamodb_local()
    store = "moto" if missing else "DynamoDB Local"
    return (
        f"Valkey, {store} and the room shared {os.cpu_count()} cores ({platform.machine()}, "
        f"Python {platform.python_version()}), on {time.strftime('%Y-%m-%d')}."
    )


if __name__ == "__main__":
    argparse.ArgumentParser(prog="make chaos", description=__doc__).parse_args()
    sys.exit(main())
