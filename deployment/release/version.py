# SPDX-License-Identifier: Apache-2.0
"""The version of the project: `pyproject.toml` holds it, and the OpenAPI documents repeat it.

python -m deployment.release.version          # print the version
python -m deployment.release.version 0.2.0    # set it in pyproject.toml and the documents
"""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
VERSION = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-(alpha|beta|rc)\.\d+)?")
IN_PROJECT = re.compile(r'^version = "([^"]+)"$', re.M)
IN_DOCUMENT = re.compile(r"^  version: (\S+)$", re.M)


def current(root: Path = ROOT) -> str:
    """Return the version in `pyproject.toml`."""
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    return str(project["project"]["version"])


def documents(root: Path = ROOT) -> list[Path]:
    """Return the OpenAPI documents, which repeat the version in their `info` object."""
    return sorted((root / "docs" / "api").glob("*.yaml"))


def outdated(root: Path = ROOT) -> list[str]:
    """Return the documents with another version than `pyproject.toml`, each as a sentence."""
    wanted, found = current(root), []
    for path in documents(root):
        version = IN_DOCUMENT.search(path.read_text(encoding="utf-8"))
        if version is None or version[1] != wanted:
            found.append(
                f"{path.relative_to(root)} does not have the version {wanted}:"
                f" run `python -m deployment.release.version {wanted}`"
            )
    return found


def change(version: str, root: Path = ROOT) -> None:
    """Set the version in all files; raise ValueError unless it is a semantic version."""
    if not VERSION.fullmatch(version):
        raise ValueError(f"version must be like 0.2.0 or 0.2.0-rc.1, not {version!r}")
    _replace(root / "pyproject.toml", IN_PROJECT, f'version = "{version}"')
    for path in documents(root):
        _replace(path, IN_DOCUMENT, f"  version: {version}")


def _replace(path: Path, pattern: re.Pattern[str], line: str) -> None:
    text, count = pattern.subn(lambda _: line, path.read_text(encoding="utf-8"), count=1)
    if not count:
        raise ValueError(f"{path.name} has no line with a version")
    path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    if sys.argv[1:]:
        try:
            change(sys.argv[1])
        except ValueError as error:
            sys.exit(str(error))
    print(current())
