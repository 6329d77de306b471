# SPDX-License-Identifier: Apache-2.0
"""Invoke a worker function of the running local room.

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
from infrastructure.blueprint.resources import TABLE_COUNTER_WORKERS, WORKERS


def main(name: str, payload: str = "") -> int:
    """Invoke the function and print its result; return 1 if the result is an error."""
    names = [function.name for function in (*WORKERS, *TABLE_COUNTER_WORKERS)]
    if name not in names:
        print(f"FUNCTION must be one of {', '.join(names)}.", file=sys.stderr)
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

    result = getattr(app, name)(event, None)
    print(json.dumps(result))
    return int("error" in result)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("function", nargs="?", default="", help="name of a worker")
    parser.add_argument("payload", nargs="?", default="", help="Lambda event, as JSON")
    chosen = parser.parse_args()
    sys.exit(main(chosen.function, chosen.payload))
