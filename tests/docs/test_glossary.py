# SPDX-License-Identifier: Apache-2.0
"""Public names and headings do not use the words that docs/glossary.md replaces.

The list of words is deployment/checks/words.toml. Names that begin with an underscore are private.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from deployment.checks.prose import in_name, in_text
from tests.docs import markdown

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = (
    "source/waiting_room", "source/apps", "infrastructure", "deployment", "tests/support",
)  # fmt: skip
GLOSSARY = "docs/glossary.md"

# Replaced words that names may use, with the reason.
TERMS_OF_AWS = {"dead letter": "SQS and CDK: dead_letter_queue, deadLetterTargetArn"}
# Public names that may use a replaced word, with the reason.
ALLOWED: dict[str, str] = {}


def public_names(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield the file and each public name of a folder: packages, modules, classes, functions,
    methods, constants and fields.
    """
    for path in sorted(folder.rglob("*.py")):
        file = str(path.relative_to(ROOT))
        for part in path.relative_to(folder).with_suffix("").parts:
            if not part.startswith("_"):
                yield file, part
        for name in _names_in(ast.parse(path.read_text(encoding="utf-8")).body):
            yield file, name


def _names_in(body: list[ast.stmt]) -> Iterator[str]:
    for node in body:
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                names = [node.name]
            case ast.AnnAssign(target=ast.Name() as target):
                names = [target.id]
            case ast.Assign():
                names = [one.id for one in node.targets if isinstance(one, ast.Name)]
            case _:
                names = []
        public = [name for name in names if not name.startswith("_")]
        yield from public
        if isinstance(node, ast.ClassDef) and public:
            yield from _names_in(node.body)
        if isinstance(node, ast.If):  # TYPE_CHECKING and versions of Python
            yield from _names_in([*node.body, *node.orelse])


def headings(page: str) -> list[str]:
    """The headings of a page in Markdown, without code blocks."""
    text = re.sub(r"^```.*?^```", "", page, flags=re.DOTALL | re.MULTILINE)
    return re.findall(r"^#+ (.+)$", text, flags=re.MULTILINE)


def test_identifiers_of_the_glossary_exist() -> None:
    page = (ROOT / GLOSSARY).read_text(encoding="utf-8")
    columns = [table.column("In the code or API") for table in markdown.tables(page)]
    quoted = {name for cells in columns for cell in cells for name in re.findall("`(.+?)`", cell)}
    assert len(quoted) > 50
    folders = [ROOT / "source/waiting_room", ROOT / "source/apps", ROOT / "infrastructure"]
    files = [path for folder in folders for path in folder.rglob("*.py")]
    files += (ROOT / "docs/api").glob("*.yaml")
    code = "\n".join([path.read_text(encoding="utf-8") for path in files])
    wanted = {name.removeprefix("GET ").removeprefix("POST ") for name in quoted}
    missing = sorted(name for name in wanted if name not in code)
    if missing:
        pytest.fail(f"{GLOSSARY} names identifiers that do not exist: {missing}", pytrace=False)


OFFENDERS = {
    name: (file, words)
    for folder in FOLDERS
    for file, name in public_names(ROOT / folder)
    if (words := [word for word in in_name(name) if word.replaced not in TERMS_OF_AWS])
}


def test_public_names_use_the_terms_of_the_glossary() -> None:
    wrong = [
        f'{file}: rename {name}: "{words[0].replaced}" is "{words[0].instead}" in {GLOSSARY}'
        for name, (file, words) in sorted(OFFENDERS.items())
        if name not in ALLOWED
    ]
    if wrong:
        pytest.fail("\n".join(wrong), pytrace=False)


def test_no_exception_is_unnecessary() -> None:
    assert sorted(ALLOWED.keys() - OFFENDERS.keys()) == []


@pytest.mark.parametrize(
    "page",
    [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(ROOT.glob("docs/*.md"))],
    ids=lambda path: path.name,
)
def test_headings_use_the_terms_of_the_glossary(page: Path) -> None:
    wrong = [
        f'{page.name}: rewrite the heading "{heading}": "{words[0].replaced}" is '
        f'"{words[0].instead}" in {GLOSSARY}'
        for heading in headings(page.read_text(encoding="utf-8"))
        if (words := in_text(heading, ("everywhere", "names")))
    ]
    if wrong:
        pytest.fail("\n".join(wrong), pytrace=False)
