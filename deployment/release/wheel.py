# SPDX-License-Identifier: Apache-2.0
"""The wheel of the gate and the authorizer: ``make wheel``, for sites of any host.

It contains only the modules of ``waiting_room`` that these import: no Redis, and of AWS the signed
client of the gate of a site, which its extra installs botocore for. The build
backend is the one that ``requirements/local.txt`` pins by hash, so nothing is downloaded. Builds
are reproducible byte by byte.

    python -m deployment.release.wheel [folder]    # build/wheel without one
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from infrastructure.assets.module_closure import SOURCE, reached_from

ROOT = SOURCE.parent
BUILD = ROOT / "build" / "wheel"
MODULES = (
    "waiting_room.gate",
    "waiting_room.site_gate",
    "waiting_room.runtime.lambda_authorizer",
)
EPOCH = "315532800"  # 1980, the earliest time of a zip file
BACKEND = "import sys, setuptools.build_meta as made; print(made.build_wheel(sys.argv[1]))"
SECONDS = 120


class WheelError(Exception):
    """The wheel cannot be built; the message states the reason."""


def build(into: Path = BUILD) -> Path:
    """Build the wheel into a folder, delete older ones, and return its file."""
    into.mkdir(parents=True, exist_ok=True)
    for old in into.glob("*.whl"):
        old.unlink()
    with tempfile.TemporaryDirectory() as folder:
        stage(Path(folder))
        done = subprocess.run(
            [sys.executable, "-c", BACKEND, str(into.absolute())],
            cwd=folder,
            env={**os.environ, "SOURCE_DATE_EPOCH": EPOCH},
            capture_output=True,
            text=True,
            timeout=SECONDS,
        )
    made = list(into.glob("*.whl"))
    if done.returncode or len(made) != 1:
        said = done.stderr.strip().splitlines()
        raise WheelError(f"The wheel cannot be built: {said[-1] if said else done.returncode}")
    return made[0]


def stage(folder: Path) -> None:
    """Copy the sources of the wheel: its modules, the licence, the project's description."""
    for name in ("pyproject.toml", "LICENSE", "NOTICE"):
        shutil.copyfile(ROOT / name, folder / name)
    for path in files():
        target = folder / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)


def files() -> list[Path]:
    """Return the files of the package that are in the wheel."""
    return sorted([*reached_from(*MODULES).files, SOURCE / "waiting_room" / "py.typed"])


def main() -> None:
    """Build into the folder named on the command line."""
    parser = argparse.ArgumentParser(description="Build the wheel of the gate and authorizer.")
    parser.add_argument("folder", nargs="?", type=Path, default=BUILD)
    folder = parser.parse_args().folder
    try:
        print(build(folder))
    except WheelError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
