# SPDX-License-Identifier: Apache-2.0
"""Call a worker function of the running room by hand: ``python -m deployment.local.invoke NAME``.

On AWS: ``aws lambda invoke``. For example ``rotate_keys``, ``sweep_positions``.
"""

from __future__ import annotations

import json
import os
import sys

from deployment.local import config
from deployment.local.stack import HANDLERS, ROOT
from infrastructure.resources import WORKERS


def main(name: str) -> int:
    """Call it, print its answer; the exit status."""
    names = [function.name for function in WORKERS]
    if name not in names:
        print(f"The functions are: {', '.join(names)}.", file=sys.stderr)
        return 2
    folder = config.read(os.environ, ROOT).folder
    try:
        os.environ.update(json.loads((folder / HANDLERS).read_text()))
    except OSError:
        print("No room is running here: start one with `make run`.", file=sys.stderr)
        return 1
    from workers import app

    print(json.dumps(getattr(app, name)({}, None)))
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:2] or [""]))
