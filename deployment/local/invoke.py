# SPDX-License-Identifier: Apache-2.0
"""Call a worker function of the running room by hand.

``python -m deployment.local.invoke NAME [PAYLOAD]``; the payload is JSON. For example
``sweep_positions``. On AWS: ``aws lambda invoke``.
"""

from __future__ import annotations

import argparse
import json
import os
import sys

from deployment.local import config
from deployment.local.room import HANDLERS, ROOT
from infrastructure.blueprint.resources import WORKERS


def main(name: str, payload: str = "") -> int:
    """Call it, print its answer; the exit status: 1 when the answer is an error."""
    names = [function.name for function in WORKERS]
    if name not in names:
        print(f"The functions are: {', '.join(names)}.", file=sys.stderr)
        return 2
    try:
        event = json.loads(payload or "{}")
    except (ValueError, RecursionError):
        print("The payload is not JSON.", file=sys.stderr)
        return 2
    folder = config.read(os.environ, ROOT).folder
    try:
        os.environ.update(json.loads((folder / HANDLERS).read_text()))
    except OSError:
        print("No room is running here: start one with `make run`.", file=sys.stderr)
        return 1
    from apps.workers import app

    answer = getattr(app, name)(event, None)
    print(json.dumps(answer))
    return int("error" in answer)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("function", nargs="?", default="", help="name of a worker")
    parser.add_argument("payload", nargs="?", default="", help="Lambda event, as JSON")
    chosen = parser.parse_args()
    sys.exit(main(chosen.function, chosen.payload))
