# SPDX-License-Identifier: Apache-2.0
"""``make attack``: every attack, bounded, on a room of its own; 1 when one of them succeeded.

It takes three to five minutes.

``ATTACK_SEED`` repeats the choices of a run, ``ATTACK_ONLY=invalid_input,gate`` makes some of the
attacks.
Everything listens on the loopback address, on free ports, and is ended by its process id.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path

from tests.attack import (
    bypass,
    early_token,
    fail_modes,
    gate,
    insiders,
    invalid_input,
    isolation,
    key_rotation,
    logs,
    parsers,
    request_ids,
    templates,
)
from tests.attack.report import Attempt, status, summary, table
from tests.attack.target import Target
from tests.support.local_stack import FAST, running_room

ON_THE_ROOM: dict[str, Callable[[Target], list[Attempt]]] = {
    "request_ids": request_ids.run,
    "invalid_input": invalid_input.run,
    "parsers": parsers.run,
    "isolation": isolation.run,
    "early_token": early_token.run,
    "insiders": insiders.run,
    "logs": logs.run,  # last: it reads what the others left
}
BY_THEMSELVES: dict[str, Callable[[int], list[Attempt]]] = {
    "gate": gate.run,
    "bypass": bypass.run,
    "fail_modes": fail_modes.run,
    "keys": key_rotation.run,
}
SETTINGS = {**FAST, "SCHEDULE_MINUTE_SECONDS": "60", "UNUSED_POSITION_TIMEOUT": "10"}


def main() -> int:
    """Attack, print as it goes, and answer the exit status."""
    seed = int(os.environ.get("ATTACK_SEED", "0")) or int(time.time())
    only = [name for name in os.environ.get("ATTACK_ONLY", "").split(",") if name]
    unknown = set(only) - {*ON_THE_ROOM, *BY_THEMSELVES}
    if unknown:
        print(f"there is no attack {', '.join(sorted(unknown))}", file=sys.stderr)
        return 2
    began = time.monotonic()
    print(f"ATTACK_SEED={seed}", flush=True)
    made: list[Attempt] = []

    def attack(name: str, run: Callable[[], list[Attempt]]) -> None:
        started = time.monotonic()
        try:
            found = run()
        except Exception as error:  # an attack that cannot be made has shown nothing
            traceback.print_exc()
            found = [Attempt(name, "make the attack", f"{type(error).__name__}: {error}", True)]
        if found:
            print(f"\n{table(found)} in {time.monotonic() - started:.0f} s", flush=True)
        made.extend(found)

    on_the_room = {name: run for name, run in ON_THE_ROOM.items() if not only or name in only}
    if on_the_room:
        with (
            tempfile.TemporaryDirectory(prefix="attack-") as folder,
            running_room(Path(folder), **SETTINGS) as room,
        ):
            if {"insiders", "logs"} & set(on_the_room):
                threading.Thread(target=templates.stacks).start()  # Node works meanwhile
            target = Target(room, random.Random(seed))
            for name, run in on_the_room.items():
                attack(name, lambda run=run: run(target))  # type: ignore[misc]
    for name, alone in BY_THEMSELVES.items():
        if not only or name in only:
            attack(name, lambda alone=alone: alone(seed))  # type: ignore[misc]
    print(
        f"\n{summary(len(made), sum(one.succeeded for one in made))} in"
        f" {time.monotonic() - began:.0f} s, ATTACK_SEED={seed}"
    )
    for one in made:
        if one.succeeded:
            print(f"SUCCEEDED  {one.fault}: {one.attempt}: {one.result}")
    return status(made)


if __name__ == "__main__":
    argparse.ArgumentParser(prog="make attack", description=__doc__).parse_args()
    sys.exit(main())
