# SPDX-License-Identifier: Apache-2.0
"""Finding 8: two rotations at once, and the secret store away: tokens that nobody can verify."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from unittest.mock import patch

from tests.attack.report import Attempt
from tests.chaos import keys
from tests.chaos.servers import counter_servers, tables
from tests.support import servers

FAULT = "keys"
SEEDS = 2
ROTATIONS, SECONDS, VISITORS = 2, 2, 300


def run(seed: int) -> list[Attempt]:
    """The attack of ``make chaos``, short, over a few seeds, on servers of its own."""
    return list(_attempts(seed))


def _attempts(seed: int) -> Iterator[Attempt]:
    logging.getLogger("waiting_room").setLevel(logging.ERROR)
    with (
        tables() as tables_url,
        servers.moto_server() as aws_url,
        counter_servers() as server,
        patch.object(keys, "VISITORS", VISITORS),
    ):
        for one in range(seed, seed + SEEDS):
            found = keys.run(
                tables_url, aws_url, server, rotations=ROTATIONS, seconds=SECONDS, seed=one
            )
            yield Attempt(
                FAULT, f"rotations at once and no secret store, seed {one}",
                f"{found.notes}; {len(found.wrong)} wrong"
                + (f": {found.wrong[0]}" if found.wrong else ""),
                not found.clean,
            )  # fmt: skip
