# SPDX-License-Identifier: Apache-2.0
"""Checks the tree and builds the files of a release: ``make release``; steps: docs/releasing.md.

`build/release/<version>` gets the Lambda bundles of both platforms, the CloudFormation templates
with their assets, the templates that need no CDK, the wheel, and `SHA256SUMS`, which
`sha256sum --check` reads.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from deployment.release import checks, version, wheel
from infrastructure.assets import bundle

BUILD = version.ROOT / "build" / "release"
SUMS = "SHA256SUMS"
Builder = Callable[[Path], None]


class ReleaseError(Exception):
    """The release cannot be built; the text says why."""


def bundles(into: Path) -> None:
    """Write a zip file for each app and platform."""
    work = into / "work"
    for platform in bundle.PLATFORMS:
        for app in bundle.APPS:
            packed = bundle.pack(bundle.bundle(app, platform, into=work))
            (into / platform).mkdir(parents=True, exist_ok=True)
            packed.rename(into / platform / packed.name)
    shutil.rmtree(work)


def templates(into: Path) -> None:
    """Write the CloudFormation templates and their assets, as `make synth` does."""
    done = subprocess.run(
        ["npx", "cdk", "synth", "--quiet", "--output", str(into)],
        cwd=version.ROOT,
        env=_with_tools(),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise ReleaseError(f"cdk synth failed: {done.stderr.strip()}")


def package(into: Path) -> None:
    """Build the wheel of the gate and the authorizer."""
    wheel.build(into)


def dist(into: Path) -> None:
    """Write the templates and assets that need no CDK, as `make dist` does."""
    done = subprocess.run(
        [sys.executable, "-m", "infrastructure.templates", "--output", str(into)],
        cwd=version.ROOT,
        env=_with_tools(),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise ReleaseError(f"make dist failed: {(done.stdout + done.stderr).strip()}")


def _with_tools() -> dict[str, str]:
    """Return the environment with the Node of .venv first in the path."""
    tools = version.ROOT / ".venv" / "bin"
    return {**os.environ, "PATH": f"{tools}{os.pathsep}{os.environ.get('PATH', '')}"}


BUILDERS: Mapping[str, Builder] = {
    "bundles": bundles,
    "templates": templates,
    "dist": dist,
    "wheel": package,
}


def build(into: Path, builders: Mapping[str, Builder] = BUILDERS) -> Path:
    """Build each part into a folder of its own below ``into``, then the sums; return their file.

    A folder of an earlier build is deleted first.
    """
    shutil.rmtree(into, ignore_errors=True)
    for name, builder in builders.items():
        folder = into / name
        folder.mkdir(parents=True)
        builder(folder)
        if not any(folder.iterdir()):
            raise ReleaseError(f"{name}: nothing was built")
    sums = into / SUMS
    sums.write_text("".join(f"{sha256(one)}  {one.relative_to(into)}\n" for one in files(into)))
    return sums


def files(folder: Path) -> list[Path]:
    """Return the files below a folder, sorted."""
    return sorted(path for path in folder.rglob("*") if path.is_file())


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal digits."""
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def main() -> int:
    """Check, run the tests of frozen names, build, and print the next steps."""
    found = checks.problems()
    for problem in found:
        print(f"release: {problem}")
    if found:
        return 1
    tests = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *checks.FROZEN_NAMES], cwd=version.ROOT, check=False
    )
    if tests.returncode:
        print("release: a frozen name changed; decision 0114 describes how to change one")
        return 1
    number = version.current()
    try:
        sums = build(BUILD / number)
    except (ReleaseError, bundle.BundleError, wheel.WheelError) as error:
        print(f"release: {error}")
        return 1
    print(f"release: {number} is in {sums.parent}, with {SUMS}")
    print(f"release: before you tag, these must have passed: {', '.join(checks.BEFORE)}")
    print(f"release: then `git tag --annotate v{number}` and publish; see docs/releasing.md")
    return 0


if __name__ == "__main__":
    argparse.ArgumentParser(prog="make release", description=__doc__).parse_args()
    sys.exit(main())
