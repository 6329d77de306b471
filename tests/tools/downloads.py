# SPDX-License-Identifier: Apache-2.0
"""Downloads what the tests need beside Python packages, so that no test needs a network.

These are the locked Node modules of the sites, the edge and the tests, and the wheels of the Lambda
bundles, which stay in the cache of uv. ``make install`` runs it:

    python -m tests.tools.downloads
"""

from __future__ import annotations

import argparse
import platform
import sys
import tempfile
from pathlib import Path

from infrastructure.assets import sites
from infrastructure.assets.bundle import APPS, PLATFORMS, PYTHON, bundle
from tests.support.servers import ROOT


def workspaces() -> list[Path]:
    """Return the folders of the checkout that have a lock file of Node modules."""
    return sorted(lock.parent for lock in ROOT.glob("*/*/package-lock.json"))


def main() -> None:
    argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0]).parse_args()
    for workspace in workspaces():
        sites.fetch_modules(workspace)
    here = f"{sys.version_info[0]}.{sys.version_info[1]}"
    with tempfile.TemporaryDirectory() as folder:
        for app in APPS if platform.machine() in PLATFORMS else ():
            bundle(app, platform.machine(), here, into=Path(folder), compiler="")
        for name in PLATFORMS:  # as on Lambda
            bundle("token_authorizer", name, PYTHON, into=Path(folder), compiler="")


if __name__ == "__main__":
    main()
