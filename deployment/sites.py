# SPDX-License-Identifier: Apache-2.0
"""Puts the two static sites together: their own files, and the few modules they take from npm.

There is no bundler: what lies in ``source/sites`` is what a browser gets. ``config.json`` is not
made here; whoever serves the sites writes it (``infrastructure/sites.py``).

    python -m deployment.sites [folder]    # build/sites without one
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from infrastructure.sites import SITES

WORKSPACE = Path("source") / "sites"
NOT_SERVED = ("package.json", "test", "node_modules", "*.test.js")
# site → files of npm modules, copied flat into the site's folder `vendor`
VENDOR = {
    "waiting_room": (),
    "control_panel": (
        "aws4fetch/dist/aws4fetch.esm.js",
        "uplot/dist/uPlot.esm.js",
        "uplot/dist/uPlot.min.css",
    ),
}
NPM_SECONDS = 300  # a slow line loads a few hundred kilobytes


class SitesError(Exception):
    """The sites cannot be built; one sentence says why."""


def build(root: Path, target: Path) -> dict[str, Path]:
    """Build the sites of the checkout at ``root`` into ``target/<site>``; answers their folders.

    Whatever was in those folders before is gone. Raises SitesError.
    """
    install(root)
    modules = root / WORKSPACE / "node_modules"
    built = {}
    for site in SITES:
        folder = target / site
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(root / WORKSPACE / site, folder, ignore=shutil.ignore_patterns(*NOT_SERVED))
        for file in VENDOR[site]:
            (folder / "vendor").mkdir(exist_ok=True)
            shutil.copyfile(modules / file, folder / "vendor" / Path(file).name)
        built[site] = folder
    return built


def install(root: Path) -> None:
    """Fetch the locked npm modules where they are missing or older than the lock file."""
    fetch_modules(root / WORKSPACE)


def fetch_modules(workspace: Path) -> None:
    """Fetch the npm modules that the lock file in ``workspace`` pins, where it is newer than they.

    Raises SitesError.
    """
    lock, done = workspace / "package-lock.json", workspace / "node_modules" / ".package-lock.json"
    if done.exists() and done.stat().st_mtime >= lock.stat().st_mtime:
        return
    npm = Path(sys.executable).with_name("npm")  # of the nodejs wheel, beside this Python
    try:
        subprocess.run(
            [str(npm), "ci", "--ignore-scripts", "--loglevel=error"],
            cwd=workspace,
            check=True,
            timeout=NPM_SECONDS,
            capture_output=True,
            text=True,
        )
    except FileNotFoundError:
        raise SitesError(f"The sites need npm, and {npm} is missing: run `make install`.") from None
    except subprocess.TimeoutExpired:
        raise SitesError(f"npm did not fetch the sites' modules in {NPM_SECONDS} s.") from None
    except subprocess.CalledProcessError as error:
        said = (error.stderr or error.stdout).strip().splitlines()
        raise SitesError(
            f"npm could not fetch the sites' modules: {said[0] if said else error.returncode}"
        ) from None
    done.touch()


def main() -> None:
    """Build into the folder named on the command line."""
    root = Path(__file__).resolve().parent.parent
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else root / "build" / "sites"
    try:
        for site, folder in build(root, target).items():
            print(f"{site}: {folder}")
    except SitesError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
