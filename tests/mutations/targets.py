# SPDX-License-Identifier: Apache-2.0
"""Find what a break changes by its name, and a test file by its name: a move changes no entry."""

from __future__ import annotations

import ast
import io
import os
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

SHIPPED = ("source", "infrastructure", "deployment")
TESTS = ("tests",)
CODE = SHIPPED + TESTS
SCRIPTS = (".lua", ".js", ".mjs", ".html", ".css")
NOT_OURS = {"node_modules", ".venv", "__pycache__", "build", "cdk.out", ".local"}


class TargetError(Exception):
    """The target or the tests of a break cannot be found; the text tells what to edit."""


@dataclass(frozen=True)
class Target:
    """A symbol or a whole script: ``lines`` of ``path``, counted from 0, the last one excluded."""

    path: Path
    lines: slice


class Project:
    """The files below ``root``, read once."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def find(self, name: str) -> Target:
        """Find ``Class.method``, ``function``, ``CONSTANT``, ``stem:name`` or ``script.js``.

        A folder before a stem or a script, ``workers/app:place``, is any above the file.

        Errors: ``TargetError`` unless there is exactly one.
        """
        if name.endswith(SCRIPTS):
            return Target(self._file(name, SHIPPED), slice(None))
        hint, _, symbol = name.rpartition(":")
        *folders, stem = hint.split("/")
        found = [
            one
            for one in self._symbols.get(symbol, [])
            if stem in ("", one.path.stem) and self._is_below(one.path, folders)
        ]
        if not found:
            raise TargetError(
                f"no Python file defines {name}: after a rename, give the new name in the entry"
                " (class and method, without the module)"
            )
        if len(found) > 1:
            raise TargetError(
                f"{name} is defined more than once: {self._list(one.path for one in found)}."
                f" Name the file in the entry, as in {found[0].path.stem}:{symbol}, and if need be"
                " a folder above it"
            )
        return found[0]

    def broken(self, name: str, old: str, new: str) -> tuple[Path, str]:
        """Return the target's file and its whole text with ``old`` replaced in the target.

        Errors: ``TargetError`` unless ``old`` occurs exactly once in the target.
        """
        target = self.find(name)
        lines = lines_of(target.path)
        text = "".join(lines[target.lines])
        if text.count(old) != 1:
            where = f"{name} ({target.path.relative_to(self._root)})"
            raise TargetError(
                f"{where} no longer holds {old!r}: give the present text of the rule in the entry"
                if old not in text
                else f"{where} holds {old!r} {text.count(old)} times: give a longer text"
            )
        lines[target.lines] = [text.replace(old, new)]
        return target.path, "".join(lines)

    def tests(self, names: str) -> list[str]:
        """Return pytest's arguments for ``test_room test_queue::test_name``, relative to the root.

        Of several files of one name, the one with the named test is meant. Errors:
        ``TargetError`` unless each file exists exactly once below ``tests``.
        """
        found = []
        for name in names.split():
            file, colons, node = name.partition("::")
            path = self._file(f"{file}.py", TESTS, node.partition("[")[0].rpartition("::")[2])
            found.append(f"{path.relative_to(self._root).as_posix()}{colons}{node}")
        return found

    @cached_property
    def _files(self) -> list[Path]:
        found = []
        for part in CODE:
            for folder, below, names in os.walk(self._root / part):
                below[:] = sorted(set(below) - NOT_OURS)
                found += [Path(folder, name) for name in sorted(names)]
        return found

    @cached_property
    def _symbols(self) -> dict[str, list[Target]]:
        found: dict[str, list[Target]] = defaultdict(list)
        for path in self._files:
            if path.suffix == ".py" and not path.name.startswith("test_"):
                for name, lines in symbols(path.read_text(encoding="utf-8")):
                    found[name].append(Target(path, lines))
        return found

    def _file(self, name: str, top: tuple[str, ...], function: str = "") -> Path:
        """Find a file by its name; a folder before it, ``unit/test_room.py``, is any above it.

        With ``function``, it is a Python file that defines this function.
        """
        *folders, last = name.split("/")
        found = [
            path
            for path in self._files
            if path.name == last
            and path.relative_to(self._root).parts[0] in top
            and self._is_below(path, folders)
        ]
        if not found:
            raise TargetError(f"there is no file {name}: after a rename, give the new name")
        if function:
            found = [path for path in found if f"def {function}(" in path.read_text("utf-8")]
        if not found:
            raise TargetError(f"{name} has no test {function}: give its new name in the entry")
        if len(found) > 1:
            raise TargetError(
                f"there is more than one {name}: {self._list(found)}."
                f" Name a folder above it in the entry, as in {found[0].parent.name}/{last}"
            )
        return found[0]

    def _is_below(self, path: Path, folders: Iterable[str]) -> bool:
        return set(folders) <= set(path.relative_to(self._root).parts[:-1])

    def _list(self, paths: Iterable[Path]) -> str:
        return ", ".join(path.relative_to(self._root).as_posix() for path in paths)


def lines_of(path: Path) -> list[str]:
    """Return the lines as Python counts them: they end at a line feed only, and keep it."""
    return io.StringIO(path.read_text(encoding="utf-8")).readlines()


def symbols(text: str) -> Iterator[tuple[str, slice]]:
    """Yield each class, function and constant of a module with its lines, decorators included.

    A name holds what is around it: ``Class.method``, ``Class.CONSTANT``, ``function.inner``.
    """
    return _below(ast.parse(text).body, "", in_function=False)


def _below(
    statements: Iterable[ast.stmt], around: str, *, in_function: bool
) -> Iterator[tuple[str, slice]]:
    for node in statements:
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = min(one.lineno for one in (node, *node.decorator_list))
            yield around + node.name, slice(first - 1, node.end_lineno)
            inside = not isinstance(node, ast.ClassDef)
            yield from _below(node.body, f"{around}{node.name}.", in_function=inside)
        elif isinstance(node, ast.Assign | ast.AnnAssign) and not in_function:
            for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                if isinstance(target, ast.Name):
                    yield around + target.id, slice(node.lineno - 1, node.end_lineno)
        else:  # ``if``, ``try`` and ``with`` add nothing to a name
            for name in ("body", "handlers", "orelse", "finalbody"):
                for part in getattr(node, name, []):
                    more = part.body if isinstance(part, ast.ExceptHandler) else [part]
                    yield from _below(more, around, in_function=in_function)
