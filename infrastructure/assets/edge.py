# SPDX-License-Identifier: Apache-2.0
"""Builds the CloudFront Functions of the gate from ``source/edge``; terser shortens them.

CloudFront publishes at most MAX_BYTES of source. The options keep what NGINX JavaScript and
CloudFront Functions can run: no function moves into an array literal.

    python -m infrastructure.assets.edge    # prints their sizes
"""

from __future__ import annotations

import subprocess
import sys
from functools import cache
from pathlib import Path

from infrastructure.assets import sites

WORKSPACE = Path("source") / "edge"
MAX_BYTES = 10_240
SECONDS = 60  # terser takes about a second
COMPRESS = (
    "passes=3,arrows=false,unsafe_arrows=false,arguments=false,reduce_funcs=false,reduce_vars=false,"
    "collapse_vars=false,inline=0,top_retain=handler"
)
OPTION = "const OPEN_WITHOUT_STORE = false;"
SET_ADDRESS = Path("infrastructure") / "constructs" / "edge" / "set_address.js"


def cloudfront_function(root: Path, *, open_without_store: bool = False) -> str:
    """Return the published gate: adapter and decision as one short script.

    ``open_without_store``: requests pass while the function can read no rule. Raises SitesError.
    """
    decision, adapter = (
        (root / WORKSPACE / name).read_text(encoding="utf-8")
        for name in ("decision.js", "cloudfront.js")
    )
    decision = decision.replace("export default", "const decision =")
    adapter = adapter.replace("import decision from './decision.js';\n", "")
    if open_without_store:
        adapter = adapter.replace(OPTION, OPTION.replace("false", "true"))
    short = minify(root, decision + adapter)
    if len(short.encode()) > MAX_BYTES:
        raise sites.SitesError(
            f"the gate has {len(short.encode())} bytes; CloudFront takes {MAX_BYTES}"
        )
    return short


def room_functions(root: Path) -> dict[str, str]:
    """Return the functions beside the gate: ``room`` and ``page`` (viewer requests of the room's
    paths) and ``response`` (viewer response). Raises SitesError.
    """
    folder = root / WORKSPACE
    scripts = {
        name: (folder / f"{file}.js").read_text(encoding="utf-8")
        for name, file in (("room", "room"), ("response", "response"), ("page", "page_request"))
    }
    address = (root / SET_ADDRESS).read_text(encoding="utf-8")  # rate limits count by it
    scripts["room"] = address.replace("function handler(", "function setAddress(") + scripts["room"]
    return {name: minify(root, script) for name, script in scripts.items()}


@cache
def minify(root: Path, script: str) -> str:
    """Return the short form of a script, made once in a process. Raises SitesError."""
    workspace = root / WORKSPACE
    sites.fetch_modules(workspace)
    terser = workspace / "node_modules" / "terser" / "bin" / "terser"
    node = Path(sys.executable).with_name("node")
    done = subprocess.run(
        [
            str(node), str(terser), "--module", "--ecma", "5", "--compress", COMPRESS,
            "--mangle", "reserved=[handler]", "--toplevel",
        ],
        input=script, capture_output=True, text=True, timeout=SECONDS,
    )  # fmt: skip
    if done.returncode != 0:
        raise sites.SitesError(f"terser cannot read the script: {done.stderr.strip()[:200]}")
    return done.stdout


def main() -> None:
    """Print the size of each published function."""
    root = Path(__file__).resolve().parents[2]
    for name, script in {"gate": cloudfront_function(root), **room_functions(root)}.items():
        print(f"{name}: {len(script.encode())} of {MAX_BYTES} bytes")


if __name__ == "__main__":
    main()
