# SPDX-License-Identifier: Apache-2.0
"""``docs/architecture.md`` has the dependency table of the test, and names that exist."""

from __future__ import annotations

import re

from tests.docs import markdown
from tests.support.servers import ROOT
from tests.tools.test_dependency_rule import MAY_IMPORT

PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
LIBRARY = ROOT / "source" / "waiting_room"
# Classes of the use cases' folder that are records.
NO_USE_CASES = {
    "Room", "Workers", "Stores", "KeyDelays", "GenerationCache", "Look", "SortedJoins",
    "Entry", "Way", "EntranceStores", "Refill",
}  # fmt: skip


def module(path: str) -> str:
    """Return the dotted name of a folder or module as the page writes it."""
    name = path.removesuffix(".py").replace("/", ".")
    return f"waiting_room.{name}" if (LIBRARY / path).exists() else name


def test_the_dependency_table_is_that_of_the_test() -> None:
    table = {
        module(markdown.code(folder)[0]): {module(one) for one in markdown.code(allowed)}
        for folder, allowed, *_ in markdown.rows(PAGE, "Dependency table")
    }
    assert table == MAY_IMPORT, "write MAY_IMPORT into the table of docs/architecture.md"


def test_every_module_of_the_page_exists() -> None:
    """Paths are relative to the project, ``source``, ``source/waiting_room`` or its use cases."""
    paths = set(re.findall(r"\b((?:apps|[a-z_]+)/(?:[a-z_]+/)*[a-z_]+\.py)\b", PAGE))
    assert len(paths) > 20
    bases = (ROOT, ROOT / "source", LIBRARY, LIBRARY / "use_cases")
    assert {path for path in paths if not any((base / path).exists() for base in bases)} == set()


def test_every_name_of_the_call_paths_is_defined() -> None:
    """A line of a tree is ``Class.method`` or a function, and its module; or a method of a port."""
    trees = PAGE.split("## Call paths\n")[1].split("\n## ")[0]
    lines = re.findall(r"^[│├└─ ]*([A-Za-z_.]+(?:, \w+)*) {2,}(\S+)", trees, re.MULTILINE)
    library = [path.read_text(encoding="utf-8") for path in LIBRARY.rglob("*.py")]
    assert len(lines) > 30
    for names, path in lines:
        base = ROOT / "source" if path.startswith("apps/") else LIBRARY
        module = base / path.rstrip(":;")
        texts = [module.read_text(encoding="utf-8")] if module.suffix == ".py" else library
        for name in re.split(r"[., ]+", names):
            found = (re.search(rf"^ *(?:class|def) {name}\b", text, re.MULTILINE) for text in texts)
            assert any(found), f"{name} is not in {path}: edit docs/architecture.md"


def test_every_use_case_is_in_the_index() -> None:
    folder = LIBRARY / "use_cases"
    listed = set()
    for _, name, file in markdown.rows(PAGE, "Index of use cases"):
        text = (folder / file.strip("`")).read_text(encoding="utf-8")
        listed.update(markdown.code(name))
        assert all(f"class {one}" in text for one in markdown.code(name)), file
    code = "\n".join(path.read_text(encoding="utf-8") for path in folder.rglob("*.py"))
    defined = set(re.findall(r"^class ([A-Z]\w+)[:(]", code, re.MULTILINE))
    assert defined - NO_USE_CASES == listed
