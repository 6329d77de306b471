# SPDX-License-Identifier: Apache-2.0
"""Printing and keeping what a benchmark measured; the servers that benchmarks run on."""

from __future__ import annotations

import json
import os
import platform
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from tests.support import servers
from tests.support.real_stores import RealRoom

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "build" / "bench"


def table(
    title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]], *, name: str = ""
) -> None:
    """Print a table in Markdown and keep it as ``build/bench/{name}.json``.

    Its name is the title up to the colon, unless given.
    """
    name = name or title.split(":")[0].lower().replace(" ", "-")
    print(f"\n### {title}\n\n{markdown(columns, rows)}", flush=True)
    RESULTS.mkdir(parents=True, exist_ok=True)
    kept = {
        "title": title,
        "columns": list(columns),
        "rows": [list(row) for row in rows],
        "measured_at": int(time.time()),
        "machine": f"{os.cpu_count()} cores, {platform.machine()}",
        "busy": round(os.getloadavg()[0], 1),
        "python": platform.python_version(),
    }
    (RESULTS / f"{name}.json").write_text(json.dumps(kept, indent=1) + "\n")


def markdown(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """A table in Markdown; numbers to the right."""
    right = [bool(rows) and not isinstance(cell, str) for cell in rows[0]]
    lines = [
        "| " + " | ".join(columns) + " |",
        "|" + "".join("---:|" if to_right else "---|" for to_right in right),
        *("| " + " | ".join(_cell(cell) for cell in row) + " |" for row in rows),
    ]
    return "\n".join(lines)


def _cell(cell: Any) -> str:
    if isinstance(cell, float):
        return f"{cell:,.0f}" if abs(cell) >= 100 else f"{cell:.2f}"
    return f"{cell:,}" if isinstance(cell, int) else str(cell)


def percentile(values: Sequence[float], share: float) -> float:
    """The value that ``share`` of the values do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def number_setting(name: str, default: int) -> int:
    """A size from the environment: ``make bench ROUNDS=50``."""
    return int(os.environ.get(name) or default)


def numbers_setting(name: str, default: Sequence[int]) -> list[int]:
    """Sizes from the environment: ``make bench SIZES=1000,10000``."""
    given = os.environ.get(name)
    return [int(part) for part in given.split(",")] if given else list(default)


@contextmanager
def servers_of_a_room() -> Iterator[tuple[servers.Valkey, str, str]]:
    """A Valkey, the address of a table server, and that server's name."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        valkey = servers.Valkey(folder)
        stack.callback(valkey.kill)
        if servers.missing_for_dynamodb_local():
            url, name = stack.enter_context(servers.moto_server()), "moto"
        else:
            url, name = stack.enter_context(servers.dynamodb_local()), "DynamoDB Local"
        yield valkey, url, name


def room_on(valkey: servers.Valkey | None, url: str, **options: Any) -> RealRoom:
    """A room that is set up; with the options IN_TABLES it has no Valkey."""
    real = RealRoom(url, valkey, options)
    real.room.workers.setup.run()
    return real
