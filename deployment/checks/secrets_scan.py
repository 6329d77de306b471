# SPDX-License-Identifier: Apache-2.0
"""Scans the repository for secrets: ``python -m deployment.checks.secrets_scan``.

It reads every file that `.gitignore` does not name, except lock files, which contain many hashes.
It does not need git, so it also checks a copy of the project without its history.
"""

from __future__ import annotations

import math
import os
import re
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PATTERNS = {
    "AWS access key": re.compile(r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"),
    "private key": re.compile(r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----"),
    "private JWK": re.compile(r"[\"'][dpq][\"']\s*:\s*[\"'][\w-]{80,}[\"']"),
    "signed token": re.compile(r"\beyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{40,}"),
    "token of a service": re.compile(
        r"\b(?:gh[pousr]_\w{36}|xox[abprs]-[\w-]{10,}|AIza[\w-]{35}|npm_\w{36}|sk_live_\w{16,}"
        r"|glpat-[\w-]{20}|pypi-[\w-]{50,})"
    ),
    "address with a password": re.compile(r"\b[a-z][a-z0-9+]*://[^\s/:@{}$]+:[^\s/:@{}$]{4,}@"),
    "assigned secret": re.compile(
        r"(?i)(?:secret|passw(?:or)?d|api_?key|auth_?token|access_?key)[\w\"'\]]{0,20}\s*[:=]\s*"
        r"[\"'](?P<value>[\w+/=~.-]{16,})[\"']"
    ),
}
MIN_ENTROPY = 3.0  # bits per character; more in random hexadecimal, less in most words
LOCKS = ("package-lock.json", "requirements/dev.txt", "requirements/local.txt")
# random keys do not contain such a part
MADE_UP = re.compile(r"(?i)EXAMPLE|TEST|UNKNOWN|TEMPORARY|0123456789|secret")


@dataclass(frozen=True)
class Finding:
    """The location of a probable secret, without its text."""

    path: str
    line: int
    kind: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.kind}"


def look(path: str, text: str) -> Iterator[Finding]:
    """Yield the probable secrets of a text."""
    for number, line in enumerate(text.splitlines(), 1):
        for kind, pattern in PATTERNS.items():
            for found in pattern.finditer(line):
                value = found.groupdict().get("value")
                if MADE_UP.search(value or found[0]):
                    continue
                if value is None or (entropy(value) >= MIN_ENTROPY and not _is_name(value)):
                    yield Finding(path, number, kind)


def entropy(text: str) -> float:
    """Return the entropy of a text in bits per character."""
    counts = Counter(text).values()
    return -sum(n / len(text) * math.log2(n / len(text)) for n in counts)


def _is_name(value: str) -> bool:
    """Return whether a value consists of words with separators, or is the name of a setting."""
    words = re.split(r"[-_./]", value)
    return all(re.fullmatch(r"[a-z]*|[A-Z]*|[A-Z][a-z]+|\d{1,10}", word) for word in words)


def ignored(root: Path) -> list[str]:
    """Return the patterns of names in ``.gitignore``; ValueError for any other pattern."""
    lines = (root / ".gitignore").read_text().splitlines()
    patterns = [line.removesuffix("/") for line in lines if line and not line.startswith("#")]
    for pattern in patterns:
        if "/" in pattern or pattern.startswith("!"):
            raise ValueError(f".gitignore: {pattern} is no pattern of a name")
    return [".git", *patterns]


def files(root: Path = ROOT) -> list[str]:
    """Return the paths below ``root`` that git can track, sorted."""
    patterns = ignored(root)

    def kept(names: list[str]) -> list[str]:
        return [name for name in names if not any(fnmatch(name, one) for one in patterns)]

    found: list[str] = []
    for folder, folders, names in os.walk(root):
        folders[:] = kept(folders)
        found += [str((Path(folder) / name).relative_to(root)) for name in kept(names)]
    return sorted(found)


def scan(root: Path = ROOT) -> list[Finding]:
    """Return the findings of all files."""
    found: list[Finding] = []
    for path in files(root):
        if path.endswith(LOCKS):
            continue
        try:
            found += look(path, (root / path).read_text())
        except (
            UnicodeDecodeError,
            FileNotFoundError,
        ):  # an image; a file removed meanwhile
            continue
    return found


def main() -> int:
    """Print the findings; return 1 if there are any."""
    found = scan()
    for finding in found:
        print(finding)
    print(f"secrets: {len(found)} found in {len(files())} files")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
