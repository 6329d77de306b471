# SPDX-License-Identifier: Apache-2.0
"""Finds words that the glossary replaces: ``python -m deployment.checks.prose [REVISION]``.

Checks the lines that differ from REVISION, which is HEAD unless given. `words.toml` is the list.
A word in backquotes is a name, and is not checked.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
WORDS = Path(__file__).with_name("words.toml")
SUFFIXES = {".py", ".md", ".yaml", ".yml", ".toml", ".js", ".html", ".css", ".lua", ""}
# These files quote replaced words, or are not ours.
EXEMPT = (
    "LICENSE",
    "deployment/checks/words.toml",
    "docs/glossary.md",
    "tests/docs/test_glossary.py",
    "tests/tools/test_prose.py",
)
LOCKS = ("requirements/", "package-lock.json")


@dataclass(frozen=True)
class Word:
    """A replaced word, and the words to use instead."""

    replaced: str
    instead: str


@dataclass(frozen=True)
class Offence:
    """A replaced word in a changed line."""

    path: str
    line: int
    word: Word

    def __str__(self) -> str:
        return f'{self.path}:{self.line}: "{self.word.replaced}": use "{self.word.instead}"'


@cache
def words(*sections: str) -> tuple[Word, ...]:
    """Return the words of sections of `words.toml`: "everywhere", "names"."""
    content = tomllib.loads(WORDS.read_text(encoding="utf-8"))
    return tuple(Word(*one) for section in sections for one in content[section].items())


def in_text(text: str, sections: Sequence[str] = ("everywhere",)) -> list[Word]:
    """Return the replaced words of a text, without those in backquotes."""
    plain = re.sub(r"`[^`]*`", " ", text).lower()
    return [word for word in words(*sections) if _pattern(word.replaced).search(plain)]


def in_name(name: str) -> list[Word]:
    """Return the replaced words of a name in snake_case, CamelCase or kebab-case."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|[_\-./]+", " ", name)
    return in_text(spaced, ("everywhere", "names"))


@cache
def _pattern(word: str) -> re.Pattern[str]:
    return re.compile(rf"\b{re.escape(word)}(?:s|es|ed|ing)?\b")


def changed_lines(diff: str) -> Iterator[tuple[str, int, str]]:
    """Yield path, number and text of each line that a diff in git's unified format adds."""
    path, number, in_hunk = "", 0, False
    for line in diff.splitlines():
        if line.startswith("diff --git "):
            in_hunk = False
        elif not in_hunk and line.startswith("+++ "):
            path = line.removeprefix("+++ ").removeprefix("b/").rstrip("\t")
        elif found := re.match(r"@@ -\S+ \+(\d+)", line):
            number, in_hunk = int(found[1]), True
        elif in_hunk and line.startswith("+"):
            yield path, number, line[1:]
            number += 1
        elif in_hunk and line.startswith(" "):
            number += 1


def offences(diff: str) -> list[Offence]:
    """Return the replaced words in the lines that a diff adds to code and prose."""
    return [
        Offence(path, number, word)
        for path, number, text in changed_lines(diff)
        if path not in EXEMPT and not path.startswith(LOCKS) and Path(path).suffix in SUFFIXES
        for word in in_text(text)
    ]


def main(revision: str = "HEAD") -> int:
    """Print the offences of the changed lines; return 1 when there is one, 2 without git."""
    command = ["git", "diff", "--no-ext-diff", "--no-color", "-U0", revision, "--"]
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        print("prose: git is not installed; the changed lines are unknown")
        return 2
    if done.returncode:
        print(f"prose: {done.stderr.strip()}")
        return 2
    found = offences(done.stdout)
    for one in found:
        print(one)
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:2]))
