# SPDX-License-Identifier: Apache-2.0
"""Builds the scripts of the edge: terser shortens ``source/edge``.

CloudFront publishes at most MAX_BYTES of source. The options keep what NGINX JavaScript and
CloudFront Functions can run: no function moves into an array literal.

    python -m infrastructure.assets.edge    # prints the size of each script
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from infrastructure.assets import sites

WORKSPACE = Path("source") / "edge"
SCRIPTS = ("decision.js",)
MAX_BYTES = 10_240
SECONDS = 60  # terser takes about a second
COMPRESS = (
    "passes=3,arrows=false,unsafe_arrows=false,arguments=false,reduce_funcs=false,reduce_vars=false,"
    "collapse_vars=false,inline=0"
)


def minify(root: Path, script: str) -> str:
    """Return a script of ``source/edge`` in its short form. Raises SitesError."""
    workspace = root / WORKSPACE
    sites.fetch_modules(workspace)
    terser = workspace / "node_modules" / "terser" / "bin" / "terser"
    node = Path(sys.executable).with_name("node")
    done = subprocess.run(
        [
            str(node), str(terser), str(workspace / script), "--module", "--ecma", "5",
            "--compress", COMPRESS, "--mangle", "--toplevel",
        ],
        capture_output=True, text=True, timeout=SECONDS,
    )  # fmt: skip
    if done.returncode != 0:
        raise sites.SitesError(f"terser cannot read {script}: {done.stderr.strip()[:200]}")
    if len(done.stdout.encode()) > MAX_BYTES:
        raise sites.SitesError(
            f"{script} has {len(done.stdout.encode())} bytes; CloudFront takes {MAX_BYTES}"
        )
    return done.stdout


def main() -> None:
    """Print the size of each script."""
    for script in SCRIPTS:
        size = len(minify(Path(__file__).resolve().parents[2], script).encode())
        print(f"{script}: {size} of {MAX_BYTES} bytes")


if __name__ == "__main__":
    main()
