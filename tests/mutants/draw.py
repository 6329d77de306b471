# SPDX-License-Identifier: Apache-2.0
"""Which mutants there are, and which of them a seed draws. The operators are those of Cosmic Ray.

Left out is what no behaviour depends on: annotations (never evaluated here), imports for type
checkers, the arguments of ``dataclass``, and the numbers of module constants (tuning values).
"""

from __future__ import annotations

import ast
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "source" / "waiting_room"
FOLDERS = ("", "adapters", "gate")
LEFT_OUT = {"__init__", "ports", "wiring", "snapshot"}  # no decision of their own
FAKES = "memory"  # twins in memory are part of the tests
NUMBERS = "core/NumberReplacer"


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change: the ``occurrence``-th place of ``file`` where ``operator`` fits."""

    file: str
    operator: str
    occurrence: int
    line: int
    column: int

    @property
    def name(self) -> str:
        """The same for the same text of the file."""
        return f"{self.file}:{self.line} {self.operator.removeprefix('core/')} {self.occurrence}"


def modules() -> list[Path]:
    """The pure modules, the adapters and the gate."""
    return [
        path
        for folder in FOLDERS
        for path in sorted((PACKAGE / folder).glob("*.py"))
        if path.stem not in LEFT_OUT and not path.stem.startswith(FAKES)
    ]


def draw(seed: str, count: int) -> list[Mutant]:
    """``count`` mutants; the same for the same seed and code.

    The places in the code are drawn first and one change of each place then: an addition has eleven
    changes and a comparison eight, and they would leave little room for the rest.
    """
    places: dict[tuple[str, int, int, str], list[Mutant]] = {}
    for path in modules():
        for mutant in mutants(path):
            place = (mutant.file, mutant.line, mutant.column, _family(mutant.operator))
            places.setdefault(place, []).append(mutant)
    chance = random.Random(seed)
    drawn: list[Mutant] = []
    for place in chance.sample(sorted(places), len(places)):
        if len(drawn) == count:
            break
        mutant = chance.choice(places[place])
        if _is_program(mutant):
            drawn.append(mutant)
    return drawn


def _family(operator: str) -> str:
    """``ReplaceBinaryOperator`` of ``core/ReplaceBinaryOperator_Add_Sub``."""
    return operator.removeprefix("core/").partition("_")[0]


def _is_program(mutant: Mutant) -> bool:
    """Cosmic Ray takes the star between parameters for a product, which makes no program, and
    cannot replace the starred part of a tuple of exceptions."""
    try:
        compile(mutated(mutant), "mutant", "exec")
    except (SyntaxError, AttributeError):
        return False
    return True


def mutants(path: Path) -> Iterator[Mutant]:
    """Every mutant of a module that counts."""
    from cosmic_ray.ast import ast_nodes, get_ast
    from cosmic_ray.plugins import get_operator, operator_names

    text = path.read_text(encoding="utf-8")
    tree, unwanted = get_ast(text), _Unwanted(text)
    for name in sorted(operator_names()):
        kind = get_operator(name)
        if kind.arguments() or name == "core/NoOp":
            continue
        operator = kind()
        places = (place for node in ast_nodes(tree) for place in operator.mutation_positions(node))
        for occurrence, (start, _end) in enumerate(places):
            if not unwanted.holds(start, number=name == NUMBERS):
                file = path.relative_to(ROOT).as_posix()
                yield Mutant(file, name, occurrence, *start)


def mutated(mutant: Mutant) -> str:
    """The text of the file with the mutant in it."""
    from cosmic_ray.mutating import mutate_code
    from cosmic_ray.plugins import get_operator

    text = (ROOT / mutant.file).read_text(encoding="utf-8")
    changed: str | None = mutate_code(text, get_operator(mutant.operator)(), mutant.occurrence)
    if changed is None:
        raise ValueError(f"{mutant.name} does not fit the file")
    return changed


def changed_lines(mutant: Mutant) -> tuple[str, str]:
    """The first line that differs: as it is, and as the mutant has it."""
    before = (ROOT / mutant.file).read_text(encoding="utf-8").splitlines()
    after = mutated(mutant).splitlines()
    for old, new in zip(before, after, strict=False):
        if old != new:
            return old.strip(), new.strip()
    return "", ""


class _Unwanted:
    """The places of a module where a change means nothing."""

    def __init__(self, text: str) -> None:
        tree = ast.parse(text)
        self._spans = list(_spans(tree))
        self._constants = [
            _span(node)
            for node in tree.body
            if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None
        ]

    def holds(self, place: tuple[int, int], *, number: bool) -> bool:
        """Whether a change at ``place`` (line, column) is left out."""
        spans = self._spans + (self._constants if number else [])
        return any(first <= place <= last for first, last in spans)


Span = tuple[tuple[int, int], tuple[int, int]]


def _span(node: Any) -> Span:
    return (node.lineno, node.col_offset), (node.end_lineno, node.end_col_offset)


def _spans(tree: ast.AST) -> Iterator[Span]:
    for node in ast.walk(tree):
        if isinstance(node, ast.arg | ast.AnnAssign) and node.annotation is not None:
            yield _span(node.annotation)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.returns is not None:
            yield _span(node.returns)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            yield _span(node)
        if isinstance(node, ast.ClassDef):
            for one in node.decorator_list:
                if "dataclass" in ast.unparse(one):
                    (line, column), last = _span(one)
                    yield (line, column - 1), last
