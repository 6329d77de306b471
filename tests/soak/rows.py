# SPDX-License-Identifier: Apache-2.0
"""What rows cost the emulator of this machine: ``python -m tests.soak.rows ROWS``.

Fills the tables and times what the sweep of a minute and a token call ask of them, once with moto's
own tables and once with the corrected ones, in turn, in one run.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tests.support.servers import ROOT, aws_client, create_tables, free_port, process
from waiting_room.adapters.dynamodb.outcomes import DynamoOutcomes
from waiting_room.adapters.dynamodb.positions import DynamoPositions
from waiting_room.domain.records import Outcome, OutcomeKind, Position

EVENT, GENERATION = "Sample", 1
SPAN = 2_000  # positions of a sweep's step
TURNS = 5
PLAIN = """
import sys
from deployment.local.moto import memory, server, tables
memory.apply = tables.apply = lambda: None
server.main(int(sys.argv[1]), None)
"""


@contextmanager
def emulator(*, corrected: bool) -> Iterator[str]:
    """The address of an AWS emulator."""
    port = free_port()
    words = ("-m", "deployment.local.moto.server") if corrected else ("-c", PLAIN)
    with process(sys.executable, *words, str(port), port=port, cwd=ROOT):
        yield f"http://127.0.0.1:{port}"


class Filled:
    """Tables with so many positions, each with a token."""

    def __init__(self, url: str, rows: int) -> None:
        client = aws_client("dynamodb", url)
        names = create_tables(client, "rows")
        self._positions = DynamoPositions(
            client, names["QUEUE_POSITIONS_TABLE"], names["SERVING_LOG_TABLE"]
        )
        self._outcomes = DynamoOutcomes(client, names["TOKENS_TABLE"])
        self._rows, self._now = rows, int(time.time())
        for first in range(1, rows + 1, 500):
            span = range(first, min(rows, first + 499) + 1)
            self._positions.insert(
                [Position(EVENT, GENERATION, f"r{place}", place, self._now) for place in span]
            )
            self._outcomes.put_expired([self._token(place) for place in span])  # in batches

    def _token(self, place: int) -> Outcome:
        kind, until = OutcomeKind.TOKEN, self._now + 3600
        return Outcome(EVENT, GENERATION, place, f"r{place}", kind, self._now, until)

    def sweep(self) -> None:
        """What a sweep reads of the last places, and the audit's count."""
        first = max(1, self._rows - SPAN + 1)
        assert len(list(self._positions.in_range(EVENT, GENERATION, first, self._rows))) > 0
        assert len(list(self._outcomes.in_range(EVENT, GENERATION, first, self._rows))) > 0
        self._positions.count(EVENT, GENERATION, first, self._rows)

    def ended(self) -> None:
        """What a call for the ended sessions reads."""
        self._outcomes.ended_page(EVENT, GENERATION, self._now, 1_000, None)

    def token(self) -> None:
        """The table calls of a token: the row, the outcome that stands."""
        place = self._rows // 2
        assert self._positions.get(EVENT, f"r{place}")
        self._outcomes.put_if_absent(self._token(place))


def fastest(call: Callable[[], Any]) -> float:
    """Milliseconds, the least of a few turns: what else runs here only adds to them."""
    times = []
    for _ in range(TURNS):
        began = time.perf_counter()
        call()
        times.append(1000 * (time.perf_counter() - began))
    return min(times)


def main(rows: int) -> None:
    """Print the table."""
    found: dict[str, list[float]] = {}
    for corrected in (False, True):
        with emulator(corrected=corrected) as url:
            filled = Filled(url, rows)
            for name in ("sweep", "ended", "token"):
                found.setdefault(name, []).append(fastest(getattr(filled, name)))
    print(f"| {rows:,} rows in each table | moto's own ms | corrected ms | times as fast |")
    print("|---|---:|---:|---:|")
    for name, (before, after) in found.items():
        print(f"| {name} | {before:,.1f} | {after:,.1f} | {before / after:,.1f} |")


if __name__ == "__main__":
    try:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000)
    except subprocess.SubprocessError as error:
        sys.exit(str(error))
