# SPDX-License-Identifier: Apache-2.0
"""Modules that an app imports, directly or through other modules.

Imports inside functions count. Imports under TYPE_CHECKING do not: they never run.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[2] / "source"
APPS_FOLDER = SOURCE / "apps"
PACKAGE = "waiting_room"
# Data files that a module reads, relative to its folder. A test finds files that are not listed.
DATA = {
    "waiting_room/adapters/redis/counters.py": "lua/*.lua",
    "waiting_room/runtime/room_words.py": "../../sites/waiting_room/words/*.json",
}


@dataclass(frozen=True)
class Reached:
    """Files of the shared package, and names of the other top-level modules."""

    files: frozenset[Path]
    others: frozenset[str]


def reached(app: str) -> Reached:
    """Return the modules that ``source/apps/<app>/app.py`` imports."""
    return _reached([APPS_FOLDER / app / "app.py"], set())


def reached_from(*modules: str) -> Reached:
    """Return modules of the shared package and all modules that they import."""
    files = {path for name in modules for path in _files_of(name)}
    return _reached(list(files), files)


def _reached(to_read: list[Path], files: set[Path]) -> Reached:
    others: set[str] = set()
    while to_read:
        for name in imports(to_read.pop().read_text(encoding="utf-8")):
            if name.partition(".")[0] != PACKAGE:
                others.add(name.partition(".")[0])
                continue
            new = set(_files_of(name)) - files
            files |= new
            to_read += new
    files |= {data for path in files for data in _data_of(path)}
    return Reached(frozenset(files), frozenset(others))


def imports(code: str) -> Iterator[str]:
    """Yield the dotted names that a module imports, including names that may be submodules."""
    pending: list[ast.AST] = [ast.parse(code)]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.If) and _for_type_checkers(node.test):
            pending += node.orelse
        else:
            pending += ast.iter_child_nodes(node)


def _for_type_checkers(test: ast.expr) -> bool:
    name = test.attr if isinstance(test, ast.Attribute) else getattr(test, "id", "")
    return name == "TYPE_CHECKING"


def _files_of(name: str) -> Iterator[Path]:
    """Yield the files that an import of ``name`` runs: its packages, and the module itself."""
    folder = SOURCE
    for part in name.split("."):
        if (folder / f"{part}.py").is_file():
            yield folder / f"{part}.py"
        folder = folder / part
        if (folder / "__init__.py").is_file():
            yield folder / "__init__.py"


def _data_of(path: Path) -> Iterator[Path]:
    pattern = DATA.get(path.relative_to(SOURCE).as_posix())
    found = path.parent.glob(pattern) if pattern else iter(())
    return (data.resolve() for data in found)
