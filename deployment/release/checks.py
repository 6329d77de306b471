# SPDX-License-Identifier: Apache-2.0
"""Checks of the tree before a release: clean, versioned, described in the changelog."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

from deployment.release import version

# Run by `make release`: a name that a deployed stack stores may change only in two releases.
FROZEN_NAMES = ("tests/infrastructure/test_frozen_ids.py", "tests/contract/test_persisted_names.py")
# Run by a person before the release; docs/releasing.md says what each shows.
BEFORE = (
    "make check",
    "make security",
    "make scan",
    "make matrix",
    "make broken",
    "make chaos",
    "make fuzz",
)
Git = Callable[..., str]


class NoGit(Exception):
    """git cannot be run here; the text says why."""


def git(*arguments: str, root: Path = version.ROOT) -> str:
    """Return what a git command prints; raise NoGit when it fails."""
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=root, capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        raise NoGit("git is not installed: a release is made from a clone") from None
    if done.returncode:
        raise NoGit(f"git {arguments[0]}: {done.stderr.strip()}")
    return done.stdout


def problems(root: Path = version.ROOT, run_git: Git = git) -> list[str]:
    """Return what must change before a release, each as a sentence; empty when nothing must."""
    number = version.current(root)
    found = [] if version.VERSION.fullmatch(number) else [f"version {number} is not like 0.2.0"]
    found += version.outdated(root)
    found += _changelog(number, (root / "CHANGELOG.md").read_text(encoding="utf-8"))
    try:
        if run_git("status", "--porcelain"):
            found.append("the tree has uncommitted changes: commit or remove them")
        if run_git("tag", "--list", f"v{number}").strip():
            found.append(f"the tag v{number} exists: set the next version")
    except NoGit as error:
        found.append(str(error))
    return found


def _changelog(number: str, text: str) -> list[str]:
    """Return the problems of the changelog's section of a version."""
    title = re.search(rf"^## \[{re.escape(number)}\](.*)$", text, re.M)
    if title is None:
        return [f"CHANGELOG.md has no section `## [{number}] - YYYY-MM-DD`: rename *Unreleased*"]
    found = []
    if not re.fullmatch(r" - \d{4}-\d\d-\d\d", title[1]):
        found.append(f"the section [{number}] of CHANGELOG.md has no date: add ` - YYYY-MM-DD`")
    section = text[title.end() :].partition("\n## ")[0]
    if not re.search(r"^- ", section, re.M):
        found.append(f"the section [{number}] of CHANGELOG.md is empty: list the changes")
    if not re.search(r"^- Upgrade: ", section, re.M):
        found.append(f"the section [{number}] of CHANGELOG.md has no line `- Upgrade: …`")
    return found
