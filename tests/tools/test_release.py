# SPDX-License-Identifier: Apache-2.0
"""A release is built only from a clean tree with one version and a changelog, and has its sums."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from pathlib import Path

import pytest

from deployment.release import __main__ as release
from deployment.release import checks, version
from tests.docs.markdown import code, rows
from tests.support.servers import ROOT

CHANGELOG = """# Changelog

## [Unreleased]

## [0.2.0] - 2026-11-29

### Changed

- A change.
- Upgrade: deploy with an empty join queue.

## [0.1.0] - 2026-01-01

- First.
"""


def clean(*arguments: str) -> str:
    """git in a clean tree without tags."""
    return ""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of the files that have a version, set to 0.2.0, with its changelog."""
    (tmp_path / "docs").mkdir()
    shutil.copytree(ROOT / "docs" / "api", tmp_path / "docs" / "api")
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    (tmp_path / "CHANGELOG.md").write_text(CHANGELOG)
    version.change("0.2.0", tmp_path)
    return tmp_path


def test_a_clean_tree_with_version_and_changelog_has_no_problem(tree: Path) -> None:
    assert checks.problems(tree, clean) == []


def test_each_document_has_the_version_of_the_project() -> None:
    assert len(version.documents()) == 4
    assert version.outdated() == []


def test_no_package_of_node_has_a_version_of_its_own() -> None:
    for path in ("package.json", "source/sites/console/package.json",
                 "source/sites/waiting_room/package.json"):  # fmt: skip
        assert "version" not in json.loads((ROOT / path).read_text()), path


def test_the_version_is_changed_in_each_file(tree: Path) -> None:
    assert version.current(tree) == "0.2.0"
    project = (tree / "pyproject.toml").read_text()
    assert project.count("0.2.0") == 1
    version.change("0.3.0-rc.1", tree)
    assert version.current(tree) == "0.3.0-rc.1"
    assert version.outdated(tree) == []


def test_a_document_with_another_version_is_named(tree: Path) -> None:
    path = tree / "docs" / "api" / "public.yaml"
    path.write_text(path.read_text().replace("version: 0.2.0", "version: 0.1.0", 1))
    (problem,) = checks.problems(tree, clean)
    assert problem.startswith("docs/api/public.yaml does not have the version 0.2.0: run ")


@pytest.mark.parametrize("text", ["", "0.2", "01.2.3", "v0.2.0", "0.2.0-dev", "0.2.0\n"])
def test_other_texts_are_no_version(tree: Path, text: str) -> None:
    with pytest.raises(ValueError, match="version must be like"):
        version.change(text, tree)


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("## [0.2.0] - 2026-11-29", "## Next", "has no section"),
        (" - 2026-11-29", "", "has no date"),
        ("- A change.\n- Upgrade: deploy with an empty join queue.\n", "", "is empty"),
        ("- Upgrade: ", "- ", "has no line `- Upgrade: "),
    ],
)
def test_a_changelog_that_is_incomplete_is_a_problem(
    tree: Path, old: str, new: str, problem: str
) -> None:
    assert old in CHANGELOG
    (tree / "CHANGELOG.md").write_text(CHANGELOG.replace(old, new))
    found = checks.problems(tree, clean)
    assert any(problem in one for one in found)
    assert all("CHANGELOG.md" in one for one in found)


def test_an_uncommitted_change_and_a_used_tag_are_problems(tree: Path) -> None:
    def git(*arguments: str) -> str:
        return {"status": " M README.md\n", "tag": "v0.2.0\n"}[arguments[0]]

    changed, tagged = checks.problems(tree, git)
    assert "uncommitted" in changed
    assert "v0.2.0 exists" in tagged


def test_without_git_the_problem_says_so(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tree))
    assert checks.problems(tree) == ["git is not installed: a release is made from a clone"]


def test_the_sums_name_each_file_and_an_earlier_build_is_deleted(tmp_path: Path) -> None:
    into = tmp_path / "0.2.0"
    (into / "wheel").mkdir(parents=True)
    (into / "wheel" / "old.whl").write_text("old")

    def wheel(folder: Path) -> None:
        (folder / "new.whl").write_bytes(b"wheel")

    def bundles(folder: Path) -> None:
        (folder / "aarch64").mkdir()
        (folder / "aarch64" / "workers.zip").write_bytes(b"zip")

    sums = release.build(into, {"bundles": bundles, "wheel": wheel})
    assert dict(reversed(line.split("  ")) for line in sums.read_text().splitlines()) == {
        "bundles/aarch64/workers.zip": hashlib.sha256(b"zip").hexdigest(),
        "wheel/new.whl": hashlib.sha256(b"wheel").hexdigest(),
    }


def test_a_part_without_files_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(release.ReleaseError, match="wheel: nothing was built"):
        release.build(tmp_path / "x", {"wheel": lambda folder: None})


def test_nothing_is_built_while_there_is_a_problem(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(checks, "problems", lambda: ["the tree has uncommitted changes"])
    monkeypatch.setattr(release, "build", lambda *_: pytest.fail("a release was built"))
    assert release.main() == 1
    assert capsys.readouterr().out == "release: the tree has uncommitted changes\n"


def test_the_tests_and_targets_that_a_release_names_exist() -> None:
    for path in checks.FROZEN_NAMES:
        assert (ROOT / path).exists(), path
    makefile = (ROOT / "Makefile").read_text()
    page = (ROOT / "docs" / "releasing.md").read_text()
    listed = [code(row[0]) for row in rows(page, "Tests before a release")]
    assert [[command] for command in checks.BEFORE] == listed
    for command in checks.BEFORE:
        assert re.search(rf"^{command.removeprefix('make ')}:", makefile, re.M), command
