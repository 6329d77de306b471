# SPDX-License-Identifier: Apache-2.0
"""Processor time of the first response of a ready environment, with and without loading at init.

A *ready environment* is one whose init is over, as with provisioned concurrency. Each measurement
is a process of its own that imports the app, and then answers one request. Both sides run in turn.
"""

from __future__ import annotations

import json
import statistics
from typing import Any

from infrastructure.blueprint import loading
from tests.benchmarks.cold_start import PUBLIC, Function, _start, room_for_processes
from tests.benchmarks.tables import number_setting, table

STARTS = number_setting("STARTS", 7)
GOALS = {"queue_num": 6, "generate_token": 15}  # ms of processor time
VIEWS = {".well-known/jwks.json": "jwks"}
CODE = """
import json, sys, time
import {app}.app as loaded
event = json.loads(sys.stdin.read())
init = time.process_time()
answer = loaded.app(event, None)
print(json.dumps([init * 1000, (time.process_time() - init) * 1000]))
assert answer["statusCode"] == 200, answer
"""


def main() -> None:
    """Print the table."""
    rows: list[list[Any]] = []
    with room_for_processes() as (env, functions):
        for function in functions:
            if function.kind != "public":
                continue
            stores = loading.PUBLIC[VIEWS.get(function.name, function.name)]
            code = Function(function.name, CODE.format(app=PUBLIC), function.event)
            sides = (env, {**env, loading.SETTING: ",".join(stores)})
            found: list[list[list[float]]] = [[], []]
            for round_ in range(STARTS):
                for side in (0, 1) if round_ % 2 else (1, 0):
                    done = _start(code, sides[side])
                    assert done.returncode == 0, done.stderr
                    found[side].append(json.loads(done.stdout))
            late, early = (
                [round(statistics.median(run[part] for run in side), 1) for part in (0, 1)]
                for side in found
            )
            rows.append([function.name, *late, *early, GOALS.get(function.name, "-")])
    table(
        f"First response: ms of processor time, medians of {STARTS} processes",
        [
            "function",
            "init, nothing loaded",
            "first response, nothing loaded",
            "init, stores loaded",
            "first response, stores loaded",
            "goal",
        ],
        rows,
        name="first-response",
    )


if __name__ == "__main__":
    main()
