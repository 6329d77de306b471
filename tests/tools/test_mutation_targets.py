# SPDX-License-Identifier: Apache-2.0
"""The finder of the deliberate breaks: a symbol, a script or a test by its name alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.mutations.targets import Project, TargetError, lines_of

QUEUE = """
import functools

LIMIT = 10
PAGES = "a\x0cb\u2028c"
NAMES: dict[str, int] = {
    "a": LIMIT,
}
if LIMIT:
    try:
        EXTRA = 1
    except ValueError:
        EXTRA_FAILED = 2


class Assigner:
    WAIT = 3

    class Batch:
        def size(self):
            return 1 + 1

    @functools.lru_cache(maxsize=4)
    def assign(self):
        limit = 4

        def decide():
            return limit

        return decide() + 1


async def assign():
    return 5 + 5
"""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    files = {
        "source/room/queue.py": QUEUE,
        "source/room/other.py": "def size():\n    return 1\n",
        "source/store/twin.py": "def size():\n    return 2\n",
        "source/lua/alive.lua": "return 1 == 1\n",
        "source/node_modules/pack/alive.lua": "return 2\n",
        "source/one/view.js": "show(1);\n",
        "source/two/view.js": "show(2);\n",
        "tests/unit/deep/test_room.py": "def test_place():\n    pass\n",
        "tests/races/test_room.py": "",
        "tests/unit/test_queue.py": "def Assigner():\n    pass\n\n\ndef test_join():\n    pass\n",
        "tests/support/memory.py": "class MemoryLog:\n    pass\n",
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return Project(tmp_path)


def found(project: Project, name: str) -> str:
    target = project.find(name)
    return "".join(lines_of(target.path)[target.lines])


@pytest.mark.parametrize(
    ("name", "first", "last"),
    [
        ("LIMIT", "LIMIT = 10", "LIMIT = 10"),
        ("NAMES", "NAMES: dict[str, int] = {", "}"),
        ("EXTRA", "        EXTRA = 1", "        EXTRA = 1"),
        ("EXTRA_FAILED", "        EXTRA_FAILED = 2", "        EXTRA_FAILED = 2"),
        ("Assigner", "class Assigner:", "        return decide() + 1"),
        ("Assigner.WAIT", "    WAIT = 3", "    WAIT = 3"),
        ("Assigner.Batch", "    class Batch:", "            return 1 + 1"),
        ("Assigner.Batch.size", "        def size(self):", "            return 1 + 1"),
        (
            "Assigner.assign",
            "    @functools.lru_cache(maxsize=4)",
            "        return decide() + 1",
        ),
        ("Assigner.assign.decide", "        def decide():", "            return limit"),
        ("assign", "async def assign():", "    return 5 + 5"),
        ("other:size", "def size():", "    return 1"),
        ("store/twin:size", "def size():", "    return 2"),
        ("MemoryLog", "class MemoryLog:", "    pass"),
        ("alive.lua", "return 1 == 1", "return 1 == 1"),
        ("two/view.js", "show(2);", "show(2);"),
    ],
)
def test_a_name_is_found_with_its_lines(project: Project, name: str, first: str, last: str) -> None:
    lines = found(project, name).splitlines()

    assert (lines[0], lines[-1]) == (first, last)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Assigner.place", "no Python file defines Assigner.place: after a rename, give the new"),
        ("assign.limit", "no Python file defines"),  # a local name is no symbol
        ("test_join", "no Python file defines"),  # tests are no target
        ("room/twin:size", "no Python file defines room/twin:size"),
        ("queue:size", "no Python file defines queue:size"),
        ("size", r"more than once: source/room/other.py, source/store/twin.py.* other:size"),
        ("gone.lua", "no file gone.lua: after a rename, give the new name"),
        ("view.js", r"more than one view.js: source/one/view.js, source/two/view.js.* one/view.js"),
    ],
)
def test_a_name_that_is_not_found_once_is_an_error_that_tells_what_to_edit(
    project: Project, name: str, message: str
) -> None:
    with pytest.raises(TargetError, match=message):
        project.find(name)


def test_a_text_is_replaced_in_its_symbol_only(project: Project, tmp_path: Path) -> None:
    path, text = project.broken("Assigner.Batch.size", "return 1", "return 2")

    assert path == tmp_path / "source/room/queue.py"
    assert text == QUEUE.replace("return 1 + 1", "return 2 + 1")


def test_a_decorator_belongs_to_its_function(project: Project) -> None:
    assert project.broken("Assigner.assign", "maxsize=4", "maxsize=1")[1] == QUEUE.replace(
        "maxsize=4", "maxsize=1"
    )


@pytest.mark.parametrize(
    ("name", "old", "message"),
    [
        (
            "Assigner.assign",
            "return 5",
            r"Assigner.assign \(source/room/queue.py\) no longer holds",
        ),
        ("assign", "5", r"holds '5' 2 times: give a longer text"),
        ("alive.lua", "1", r"alive.lua \(source/lua/alive.lua\) holds '1' 2 times"),
    ],
)
def test_a_text_that_does_not_occur_once_is_an_error_that_tells_what_to_edit(
    project: Project, name: str, old: str, message: str
) -> None:
    with pytest.raises(TargetError, match=message):
        project.broken(name, old, "x")


def test_tests_are_found_by_file_name_in_any_folder(project: Project) -> None:
    names = "test_room::test_place[1] races/test_room test_queue"

    assert project.tests(names) == [
        "tests/unit/deep/test_room.py::test_place[1]",
        "tests/races/test_room.py",
        "tests/unit/test_queue.py",
    ]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ("test_gone", "no file test_gone.py"),
        ("test_room", "more than one test_room.py"),
        ("test_queue::test_place", "test_queue.py has no test test_place"),
        ("test_queue::test_jo", "test_queue.py has no test test_jo"),
    ],
)
def test_tests_that_are_not_found_once_are_an_error(
    project: Project, names: str, message: str
) -> None:
    with pytest.raises(TargetError, match=message):
        project.tests(names)
