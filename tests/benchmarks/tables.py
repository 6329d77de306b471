# SPDX-License-Identifier: Apache-2.0
"""Printing and keeping what a benchmark measured."""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from tests import servers
from tests.stack import RealRoom

RESULTS = Path(__file__).resolve().parents[2] / "build" / "bench"


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Print a table in Markdown and keep it as JSON under ``build/bench``."""
    print(f"\n### {title}\n")
    print("| " + " | ".join(columns) + " |")
    print("|" + "---|" * len(columns))
    for row in rows:
        print("| " + " | ".join(_cell(cell) for cell in row) + " |")
    RESULTS.mkdir(parents=True, exist_ok=True)
    name = title.split(":")[0].lower().replace(" ", "-")
    kept = {
        "title": title,
        "columns": list(columns),
        "rows": [list(row) for row in rows],
        "measured_at": int(time.time()),
        "machine": f"{os.cpu_count()} cores, {platform.machine()}",
        "python": platform.python_version(),
    }
    (RESULTS / f"{name}.json").write_text(json.dumps(kept, indent=1))


def _cell(cell: Any) -> str:
    return f"{cell:.2f}" if isinstance(cell, float) else str(cell)


def percentile(values: Sequence[float], share: float) -> float:
    """The value that ``share`` of the values do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


@contextmanager
def servers_of_a_room() -> Iterator[tuple[servers.Valkey, str, str]]:
    """A Valkey, the address of a table server, and that server's name."""
    import tempfile

    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        valkey = servers.Valkey(folder)
        stack.callback(valkey.kill)
        if servers.missing_for_dynamodb_local():
            url, name = stack.enter_context(servers.moto_server()), "moto"
        else:
            url, name = stack.enter_context(servers.dynamodb_local()), "DynamoDB Local"
        yield valkey, url, name


def room_on(valkey: servers.Valkey, url: str, **options: Any) -> RealRoom:
    """A room that is set up."""
    real = RealRoom(url, valkey, options)
    real.room.set_up()
    return real
