# SPDX-License-Identifier: Apache-2.0
"""``make chaos``: every attack at its long size; the table goes to ``docs/reliability.md``.

``CHAOS_SEED`` repeats a run. ``CHAOS_ONLY=resets,keys`` runs some of them and replaces their rows.
"""

from __future__ import annotations

import json
import logging
import os
import platform
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests import servers
from tests.chaos import (
    bad_tables,
    clocks,
    crashes,
    joins_queue,
    keys,
    lost_counters,
    rebuilds,
    resets,
    slow,
)
from tests.chaos.crowd import quick_claims
from tests.chaos.places import counter_servers, tables
from tests.chaos.report import COLUMNS, Result, markdown, rows

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "reliability.md"
KEPT = ROOT / "build" / "chaos.json"
FIRST, LAST = "<!-- make chaos: first -->\n", "<!-- make chaos: last -->\n"
ORDER = (
    "counters", "rebuilds", "crashes", "queue", "tables", "slow", "clocks", "resets", "keys",
)  # fmt: skip
SIZES = (10_000, 100_000, 1_000_000)
Attack = Callable[[], list[Result]]


def attacks(tables_url: str, aws_url: str, server: object, seed: int) -> dict[str, Attack]:
    """Each attack by its name, at its long size; those that take longest come last."""

    def crash() -> list[Result]:
        with quick_claims():
            return [crashes.run(tables_url, server, seed=seed)]

    return {
        "counters": lambda: [
            lost_counters.run(
                tables_url,
                server,
                joins=20_000,
                rounds=5,
                pause=2.0,
                seed=seed,  # type: ignore[arg-type]
            )
        ],
        "queue": lambda: [
            joins_queue.run(tables_url, aws_url, server, joins=2_000, seed=seed),
            joins_queue.big_batch(tables_url, server, joins=10_000, seed=seed),
        ],
        "tables": lambda: [
            bad_tables.run(tables_url, server, joins=1_000, seed=seed, kind=kind)
            for kind in bad_tables.KINDS
        ],
        "slow": lambda: [slow.run(aws_url, server, seed=seed)],
        "clocks": lambda: [clocks.run(tables_url, server, seed=seed + more) for more in range(5)],
        "resets": lambda: [
            resets.run(tables_url, server, joins=5_000, resets=50, pause=0.6, seed=seed)
        ],
        "keys": lambda: [keys.run(tables_url, aws_url, server, rotations=6, seconds=60, seed=seed)],
        "crashes": crash,
        "rebuilds": lambda: rebuilds.run(
            tables_url, server, sizes=[size for size in SIZES if size <= _most()], seed=seed
        ),
    }


def _most() -> int:
    return int(os.environ.get("CHAOS_ROWS", "1000000"))


def main() -> int:
    """Run, print, write; 1 when a rule was broken."""
    logging.disable(logging.WARNING)
    seed = int(os.environ.get("CHAOS_SEED", "0")) or int(time.time())
    only = [name for name in os.environ.get("CHAOS_ONLY", "").split(",") if name]
    kept = json.loads(KEPT.read_text()) if only and KEPT.exists() else {}
    clean = True
    with tables() as tables_url, servers.moto_server() as aws_url, counter_servers() as server:
        for name, attack in attacks(tables_url, aws_url, server, seed).items():
            if only and name not in only:
                continue
            found = attack()
            for result in found:
                print(result, flush=True)
                for sentence in list(dict.fromkeys(result.wrong))[:10]:
                    print(f"    {sentence}", flush=True)
                clean = clean and result.clean
            kept[name] = [vars(result) for result in found]
            write(kept)
    return int(not clean)


def write(kept: dict[str, list[dict[str, Any]]]) -> None:
    """Keep the results, and put the table where the page has its markers."""
    KEPT.parent.mkdir(exist_ok=True)
    KEPT.write_text(json.dumps(kept, indent=1))
    page = PAGE.read_text()
    start, rest = page.split(FIRST)
    _, end = rest.split(LAST)
    found = [Result(**one) for name in ORDER for one in kept.get(name, [])]
    PAGE.write_text(f"{start}{FIRST}\n{markdown(COLUMNS, rows(found))}\n{machine()}\n\n{LAST}{end}")


def machine() -> str:
    """What it ran on."""
    missing = servers.missing_for_dynamodb_local()
    store = "moto" if missing else "DynamoDB Local"
    return (
        f"Valkey, {store} and the room shared {os.cpu_count()} cores ({platform.machine()}, "
        f"Python {platform.python_version()}), on {time.strftime('%Y-%m-%d')}."
    )


if __name__ == "__main__":
    sys.exit(main())
