# SPDX-License-Identifier: Apache-2.0
"""Builds the two static sites.

esbuild bundles the script of the waiting page, and the console with its npm modules into one
script and one style sheet, each with a source map. The page to which a sign-in returns has a script
of its own. The languages of the waiting page are written into its HTML files. All other files are
copied from ``source/sites`` unchanged. The stack that serves the sites adds ``config.json``
(``infrastructure/blueprint/site_config.py``).

    python -m infrastructure.assets.sites [folder]    # build/sites without one
"""

from __future__ import annotations

import argparse
import fcntl
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from infrastructure.assets.page_languages import compact_words, with_languages
from infrastructure.blueprint.site_config import PREVIEW, SITES, with_preview

WORKSPACE = Path("source") / "sites"
NOT_SERVED = ("package.json", "test", "node_modules", "*.test.js")
# site → entry files that esbuild bundles with their imports
BUNDLED: dict[str, tuple[str, ...]] = {
    "waiting_room": ("page.js", "visit.js", "branding.js"),
    "console": ("console.js", "console.css", "callback.js"),
}
# site → files that esbuild minifies, and for which browsers; start.js runs in all
MINIFIED: dict[str, dict[str, str]] = {
    "waiting_room": {"start.js": "es5", "style.css": "chrome85,firefox77,safari13.1"}
}
# site → files that are served inside a bundle only. Pages of others import the other modules of the
# waiting page, so these are served as well.
INSIDE: dict[str, tuple[str, ...]] = {
    "waiting_room": ("view.js", "extras.js", "screen.js", "shop.js", "storage.js"),
    "console": ("*.js", "*.css"),
}
PRELOAD = re.compile(r' *<link rel="modulepreload" href="[^"]*">\n')  # of modules in the bundle
INDENT = re.compile(r"\n +")
# The oldest browsers of the waiting page: see start.js.
OLDEST_BROWSERS = "chrome85,firefox77,safari13.1"
NPM_SECONDS = 300  # enough to download ten megabytes over a slow connection
BUNDLE_SECONDS = 60  # bundling takes less than one second on a busy machine


class SitesError(Exception):
    """The sites cannot be built; the message contains the reason."""


def build(root: Path, target: Path) -> dict[str, Path]:
    """Build the sites of the checkout at ``root`` into ``target/<site>``; return their folders.

    Existing content of these folders is deleted. Raises SitesError.
    """
    install(root)
    built = {}
    for site in SITES:
        folder = target / site
        shutil.rmtree(folder, ignore_errors=True)
        excluded = shutil.ignore_patterns(*NOT_SERVED, *INSIDE[site])
        shutil.copytree(root / WORKSPACE / site, folder, ignore=excluded)
        _delete_empty_folders(folder)
        _bundle(root / WORKSPACE, site, folder)
        if site == SITES[0]:
            (folder / PREVIEW).write_text(with_preview((folder / "index.html").read_text("utf-8")))
        for file in folder.glob("*.html"):
            text = PRELOAD.sub("", with_languages(file.read_text("utf-8")))
            file.write_text(INDENT.sub("\n", text), "utf-8")
        compact_words(folder / "words")
        built[site] = folder
    return built


def install(root: Path) -> None:
    """Install the locked npm modules if they are missing or older than the lock file."""
    fetch_modules(root / WORKSPACE)


def fetch_modules(workspace: Path) -> None:
    """Install the npm modules of the lock file in ``workspace``, unless they are up to date.

    Of two processes one installs and the other waits, because npm first deletes what is there.
    Raises SitesError.
    """
    with (workspace / "package-lock.json").open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        _fetch_modules(workspace)


def _fetch_modules(workspace: Path) -> None:
    lock, done = workspace / "package-lock.json", workspace / "node_modules" / ".package-lock.json"
    if done.exists() and done.stat().st_mtime >= lock.stat().st_mtime:
        return
    modules = workspace / "node_modules"
    if modules.is_symlink():  # npm would empty the target folder, which other checkouts use
        modules.unlink()
    npm = ("npm", "ci", "--ignore-scripts", "--loglevel=error")
    _run(npm, workspace, NPM_SECONDS, "fetch the sites' modules")
    done.touch()


def _delete_empty_folders(folder: Path) -> None:
    """Delete the folders whose modules are in a bundle only."""
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.is_dir() and not any(path.iterdir()):
            path.rmdir()


def _bundle(workspace: Path, site: str, folder: Path) -> None:
    """Bundle the files of a site into ``folder``. Raises SitesError."""
    esbuild = workspace / "node_modules" / "esbuild" / "bin" / "esbuild"
    usual = (
        "--minify", "--legal-comments=inline", "--charset=utf8", "--log-level=error",
        "--allow-overwrite", f"--outdir={folder}",
    )  # fmt: skip
    bundled = (
        "node", str(esbuild), *BUNDLED[site], "--bundle", "--format=esm", "--sourcemap",
        f"--target={OLDEST_BROWSERS}", "--supported:destructuring=true",  # has a bug in old Safari
    )  # fmt: skip
    _run((*bundled, *usual), workspace / site, BUNDLE_SECONDS, f"bundle the site {site}")
    for name, browsers in MINIFIED.get(site, {}).items():
        if (workspace / site / name).is_file():
            minified = ("node", str(esbuild), name, f"--target={browsers}")
            _run((*minified, *usual), workspace / site, BUNDLE_SECONDS, f"minify {name}")


def _run(command: Sequence[str], folder: Path, seconds: float, what: str) -> None:
    """Run a program of the nodejs wheel in ``folder``. Raises SitesError."""
    program = Path(sys.executable).with_name(command[0])  # in the folder of this interpreter
    try:
        subprocess.run(
            [str(program), *command[1:]],
            cwd=folder,
            check=True,
            timeout=seconds,
            capture_output=True,
            text=True,
        )
    except FileNotFoundError:
        raise SitesError(
            f"The sites need {command[0]}, and {program} is missing: run `make install`."
        ) from None
    except subprocess.TimeoutExpired:
        raise SitesError(f"{command[0]} did not {what} in {seconds:.0f} s.") from None
    except subprocess.CalledProcessError as error:
        output = (error.stderr or error.stdout).strip().splitlines()
        raise SitesError(
            f"{command[0]} could not {what}: {output[0] if output else error.returncode}"
        ) from None


def main() -> None:
    """Build the sites into the folder named on the command line, or into build/sites."""
    root = Path(__file__).resolve().parents[2]
    parser = argparse.ArgumentParser(description="Build the static sites.")
    parser.add_argument("folder", nargs="?", type=Path, default=root / "build" / "sites")
    target = parser.parse_args().folder
    try:
        for site, folder in build(root, target).items():
            print(f"{site}: {folder}")
    except SitesError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
