# SPDX-License-Identifier: Apache-2.0
"""Lambda bundles, built without Docker: ``make bundles``, or ``bundle(app)`` in the CDK stacks.

A bundle is a folder with three parts: the app's ``app.py``, the modules of ``waiting_room`` that it
imports, and the wheels of its ``requirements.txt`` for Lambda's platform. The lock file pins the
versions and hashes of the wheels. Builds are reproducible, byte for byte.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from fnmatch import fnmatchcase
from pathlib import Path

from infrastructure.assets.module_closure import APPS_FOLDER, SOURCE, reached

APPS = (
    "public_api",
    "private_api",
    "workers",
    "token_authorizer",
    "sample_store",
    "openid",
    "inlet",
    "entrance",
    "gate_store",
)
PLATFORMS = ("aarch64", "x86_64")
PLATFORM = "aarch64"  # Lambda calls it arm64
PYTHON = "3.14"  # the newest version that Lambda supports
GLIBC = "manylinux_2_28"  # Lambda has 2.34; wheels for the older version also run on other machines
ROOT = SOURCE.parent
BUILD = ROOT / "build" / "bundles"
LOCK = ROOT / "requirements" / "local.txt"
# Packages of one bundle only. With awscrt, botocore signs each call of a process with it.
OWN_LOCKS = {"gate_store": ROOT / "requirements" / "gate-store.txt"}

REDIS_CLIENT = ("redis", "async-timeout")  # the client and its own requirement
REDIS_ADAPTER = SOURCE / "waiting_room" / "adapters" / "redis"

# Files that the functions do not need. METADATA and licences stay: scanners read them.
EXCLUDED = (
    ".lock",
    "bin/*",
    "share/*",
    "*/py.typed",
    "*.pyi",
    "*/tests.py",
    "*/tests/*",
    "cffi/*",  # the compiler; cryptography loads only its backend
    "chalice/*",  # the command line; see INCLUDED
    "aws_lambda_powertools/event_handler/*",  # a router; the apps use Chalice
    "*.dist-info/*",  # records of installers; see INCLUDED
)
INCLUDED = (
    "chalice/__init__.py",
    "chalice/app.py",
    "*.dist-info/METADATA",
    "*.dist-info/licenses/*",
)
EPOCH = (1980, 1, 1, 0, 0, 0)  # the oldest time that a zip file can hold


class BundleError(Exception):
    """A bundle cannot be built; the message contains the reason."""


def bundle(
    app: str,
    platform: str = PLATFORM,
    python: str = PYTHON,
    *,
    into: Path = BUILD,
    compiler: str | None = None,
    redis: bool = True,
) -> Path:
    """Build ``into/<platform>/<app>`` and return this folder; replace an existing bundle last.

    Without ``redis`` the bundle has neither the client nor its adapter, and the folder of an app
    with a client is ``<app>-without-redis``.

    ``compiler`` is an interpreter of version ``python`` that adds bytecode to the bundle. Its
    default is the environment variable BUNDLE_COMPILER. Raises BundleError.
    """
    compiler = os.environ.get("BUNDLE_COMPILER", "") if compiler is None else compiler
    if app not in APPS:
        raise BundleError(f"There is no app {app!r}; the apps are {', '.join(APPS)}.")
    if platform not in PLATFORMS:
        raise BundleError(f"Lambda has no {platform!r}; the platforms are {', '.join(PLATFORMS)}.")
    has_client = REDIS_CLIENT[0] in requirements(app)
    redis = redis or not has_client
    done = into / platform / (app if redis else f"{app}-without-redis")
    done.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=done.parent, prefix=f".{app}-") as work:
        folder = Path(work) / app
        _install(locked(app, redis=redis), folder, platform, python)
        _remove_excluded(folder)
        _add_own_code(app, folder, redis=redis)
        if compiler:
            _compile(folder, compiler, python)
        for path in folder.rglob("*"):
            path.chmod(0o755 if path.is_dir() else 0o644)
        shutil.rmtree(done, ignore_errors=True)
        folder.rename(done)
    return done


def requirements(app: str) -> list[str]:
    """Return the normalized names of the distributions in an app's bundle."""
    lines = (APPS_FOLDER / app / "requirements.txt").read_text(encoding="utf-8").splitlines()
    names = (line.partition("#")[0].strip() for line in lines)
    return [normalized(name) for name in names if name]


def normalized(name: str) -> str:
    """Return the normalized name of a distribution (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def locked(app: str, *, redis: bool = True) -> str:
    """Return an app's requirements from the lock file, with version, marker and hashes.

    Without ``redis`` its client is left out.
    """
    locks = [LOCK, *([OWN_LOCKS[app]] if app in OWN_LOCKS else [])]
    text = "\n".join(lock.read_text(encoding="utf-8").rstrip() for lock in locks)
    entries = {
        entry.partition("==")[0]: entry for entry in re.split(r"\n(?=\S)", text) if "==" in entry
    }
    wanted = [name for name in requirements(app) if redis or name not in REDIS_CLIENT]
    for name in wanted:
        if name not in entries:
            raise BundleError(f"{name} of {app} is not locked: add it and run `make lock`.")
    return "\n".join(entries[name] for name in wanted)


def pack(folder: Path) -> Path:
    """Write a bundle's zip file beside its folder, with fixed times, modes and order."""
    archive = folder.with_name(f"{folder.name}.zip")
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        for path in files(folder):
            entry = zipfile.ZipInfo(path.relative_to(folder).as_posix(), EPOCH)
            entry.external_attr = 0o100644 << 16
            packed.writestr(entry, path.read_bytes(), zipfile.ZIP_DEFLATED)
    return archive


def files(folder: Path) -> list[Path]:
    """Return the files of a bundle, in the same order on each machine."""
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _install(pinned: str, folder: Path, platform: str, python: str) -> None:
    command = [
        sys.executable, "-m", "uv", "pip", "install", "--quiet", "--python", sys.executable,
        "--target", str(folder), "--python-platform", f"{platform}-{GLIBC}",
        "--python-version", python, "--only-binary", ":all:", "--no-deps", "--require-hashes",
        "--no-compile-bytecode", "--link-mode", "copy", "--requirements", "-",
    ]  # fmt: skip
    done = subprocess.run(command, input=pinned, capture_output=True, text=True, check=False)
    if done.returncode:  # without a network, the wheels of an earlier build are enough
        command.append("--offline")
        cached = subprocess.run(command, input=pinned, capture_output=True, text=True, check=False)
        if not cached.returncode:
            return
        reason = done.stderr.strip() or "(empty)"
        raise BundleError(
            f"The wheels of {folder.name} for Python {python} on {platform} could not be installed."
            f" Check that this machine reaches its package index. Output of uv:\n{reason}"
        )


def _remove_excluded(folder: Path) -> None:
    for path in files(folder):
        name = path.relative_to(folder).as_posix()
        if _any(name, EXCLUDED) and not _any(name, INCLUDED):
            path.unlink()
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.is_dir() and not any(path.iterdir()):
            path.rmdir()


def _any(name: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _add_own_code(app: str, folder: Path, *, redis: bool) -> None:
    shutil.copyfile(APPS_FOLDER / app / "app.py", folder / "app.py")
    for path in reached(app).files:
        if not redis and path.is_relative_to(REDIS_ADAPTER):
            continue
        copy = folder / path.relative_to(SOURCE)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)


def _compile(folder: Path, compiler: str, python: str) -> None:
    """Add bytecode that Python loads without comparing it with the source."""
    is_right = f"import sys; sys.exit('%d.%d' % sys.version_info[:2] != {python!r})"
    compile_all = ["-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash"]
    paths = ["-s", str(folder), "-p", "/var/task", str(folder)]
    try:
        wrong = subprocess.run([compiler, "-c", is_right], check=False).returncode
        done = wrong or subprocess.run([compiler, *compile_all, *paths], check=False).returncode
    except OSError as error:
        raise BundleError(f"{compiler} does not run: {error}.") from None
    if done:
        raise BundleError(f"{compiler} is not Python {python}, or cannot compile the bundle.")


def main() -> None:
    """Build all bundles and print their sizes."""
    parser = argparse.ArgumentParser(description="Build the Lambda bundles of all apps.")
    parser.add_argument("--platform", default=PLATFORM, help=" or ".join(PLATFORMS))
    parser.add_argument("--python", default=PYTHON, help="version, like 3.14")
    chosen = parser.parse_args()
    print(f"Python {chosen.python} on {chosen.platform}, in {BUILD / chosen.platform}")
    print(f"{'app':<18}{'files':>7}{'size':>12}{'zipped':>12}")
    for app in APPS:
        folder = bundle(app, chosen.platform, chosen.python)
        size = sum(path.stat().st_size for path in files(folder))
        zipped = pack(folder).stat().st_size
        print(f"{app:<18}{len(files(folder)):>7}{size / 1e6:>9.2f} MB{zipped / 1e6:>9.2f} MB")


if __name__ == "__main__":
    try:
        main()
    except BundleError as error:
        sys.exit(str(error))
