# SPDX-License-Identifier: Apache-2.0
"""Every package that the code imports is pinned, so that a fresh machine has it."""

from __future__ import annotations

import re
import sys
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from infrastructure.assets.module_closure import imports

ROOT = Path(__file__).resolve().parents[2]
OURS = {path.name for path in (*ROOT.iterdir(), *(ROOT / "source").iterdir()) if path.is_dir()}
# What AWS Lambda gives its functions, and what an own requirements file installs for its folder.
FROM_LAMBDA = {"snapshot_restore_py"}
OWN_FILE = {"tests/mutants": "requirements/mutants.txt"}


@cache
def pinned(file: str) -> frozenset[str]:
    lines = (ROOT / file).read_text(encoding="utf-8").splitlines()
    return frozenset(normal(line.partition("==")[0]) for line in lines if "==" in line)


def normal(distribution: str) -> str:
    return re.sub(r"[-_.]+", "-", distribution).lower()


@cache
def distributions() -> dict[str, list[str]]:
    return dict(packages_distributions())


def folders() -> list[str]:
    found = {"app.py", "source", "deployment", "infrastructure", "tests"}
    return sorted(name for name in found | set(OWN_FILE) if (ROOT / name).exists())


@pytest.mark.parametrize("folder", folders())
def test_every_import_is_pinned(folder: str) -> None:
    top = ROOT / folder
    files = [top] if top.is_file() else sorted(top.rglob("*.py"))
    inner = [ROOT / own for own in OWN_FILE if own != folder]
    allowed = pinned("requirements/dev.txt") | pinned(OWN_FILE.get(folder, "requirements/dev.txt"))
    missing = set()
    for path in files:
        if any(path.is_relative_to(own) for own in inner) or "node_modules" in path.parts:
            continue
        for dotted in imports(path.read_text(encoding="utf-8")):
            package = dotted.partition(".")[0]
            if package in OURS | FROM_LAMBDA or package in sys.stdlib_module_names:
                continue
            owners = {normal(name) for name in distributions().get(package, [package])}
            if not owners & allowed and not (ROOT / folder / f"{package}.py").exists():
                missing.add(f"{path.relative_to(ROOT)}: {package}")
    assert not missing
