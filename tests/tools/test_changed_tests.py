# SPDX-License-Identifier: Apache-2.0
"""`make test-changed` maps each file to tests that exist, and says why it chose them."""

from __future__ import annotations

import subprocess
from fnmatch import fnmatch
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from deployment.checks import changed_tests
from deployment.checks.changed_tests import ALL, RULES, rule_of, select
from deployment.checks.secrets_scan import files
from tests.support.servers import ROOT

CODE = ("source/", "infrastructure/", "deployment/")


def test_each_source_file_selects_tests_that_exist() -> None:
    sources = [one for one in files() if one.startswith(CODE) and "node_modules" not in one]
    assert sources
    for file in sources:
        tests, _ = rule_of(file)
        assert tests
        assert tests != ALL, f"Add a line for {file} to RULES in deployment/checks/changed_tests.py"
        for test in tests:
            assert list(ROOT.glob(test)), (file, test)


def test_each_rule_matches_a_file_and_names_tests_that_exist() -> None:
    every = files()
    for pattern, tests, later in RULES:
        assert [one for one in every if fnmatch(one, pattern)], pattern
        for test in tests:
            assert test == "{file}" or list(ROOT.glob(test)), test
        for word in later.replace(";", " ").split():
            assert not word.startswith("tests/") or (ROOT / word).exists(), word


def test_a_rule_of_the_domain_runs_its_unit_tests_and_the_dependency_rule() -> None:
    chosen = select(["source/waiting_room/domain/joins.py"])
    assert list(chosen) == [
        "tests/tools/test_dependency_rule.py", "tests/tools/test_requirements.py",
        "tests/unit/domain", "tests/unit/use_cases",
    ]  # fmt: skip
    assert chosen["tests/unit/domain"] == ["source/waiting_room/domain/joins.py"]


def test_a_fake_selects_the_tests_that_use_the_fakes() -> None:
    assert list(select(["tests/support/fakes/counters.py"])) == [
        "tests/chaos", "tests/contract", "tests/integration", "tests/unit",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "file", ["source/apps/private_api/app.py", "infrastructure/blueprint/permissions.py"]
)
def test_a_route_and_a_permission_select_the_test_of_the_roles(file: str) -> None:
    assert "tests/tools/test_operator_routes.py" in select([file])


def test_a_test_in_a_selected_folder_is_not_listed_again() -> None:
    assert list(select(["tests/docs/test_lessons.py"])) == ["tests/docs/test_lessons.py"]
    assert list(select(["tests/docs/test_lessons.py", "docs/api/public.yaml"])) == [
        "tests/docs", "tests/fuzz/test_documents.py",
    ]  # fmt: skip


@pytest.mark.parametrize("file", ["pyproject.toml", "requirements/dev.txt", "tests/conftest.py",
                                  "tests/support/servers.py", "unheard/of.txt"])  # fmt: skip
def test_a_file_without_a_rule_selects_all_tests(file: str) -> None:
    assert list(select([file, "source/waiting_room/domain/joins.py"])) == ["tests"]


def test_a_removed_test_selects_nothing() -> None:
    assert select(["tests/docs/test_that_was_removed.py"]) == {}


class Commands:
    """Replaces `subprocess.run`: records commands and returns the output of git."""

    def __init__(self, outputs: dict[str, str], code: int = 0) -> None:
        self.ran: list[list[str]] = []
        self._outputs, self._code = outputs, code

    def __call__(self, command: list[str], **_: Any) -> Any:
        self.ran.append(command)
        if command[0] != "git":
            return SimpleNamespace(returncode=5)
        text = self._outputs.get(command[1])
        if text is None:
            return SimpleNamespace(returncode=128, stdout="", stderr="fatal: no repository\nmore")
        return SimpleNamespace(returncode=0, stdout=text, stderr="")


def run(monkeypatch: pytest.MonkeyPatch, outputs: dict[str, str]) -> Commands:
    commands = Commands(outputs)
    monkeypatch.setattr(subprocess, "run", commands)
    assert changed_tests.main("main", ["-q"]) in (0, 5)
    return commands


def test_changed_and_untracked_files_are_selected_and_the_reason_is_printed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    outputs = {"merge-base": "abc\n", "diff": "deployment/local/config.py\n",
               "ls-files": "docs/new-page.md\n"}  # fmt: skip
    commands = run(monkeypatch, outputs)
    assert ["git", "diff", "--name-only", "abc"] in commands.ran
    assert {"tests/local", "tests/docs", "-q"} <= set(commands.ran[-1])
    told = capsys.readouterr().out
    assert "tests/local  because of deployment/local/config.py" in told
    assert "before merging, also run: tests/e2e" in told


def test_without_the_base_branch_the_files_are_compared_with_head(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    commands = run(monkeypatch, {"diff": "README.md\n", "ls-files": ""})
    assert ["git", "diff", "--name-only", "HEAD"] in commands.ran


def test_nothing_runs_when_no_file_changed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    commands = run(monkeypatch, {"merge-base": "abc\n", "diff": "", "ls-files": ""})
    assert all(command[0] == "git" for command in commands.ran)
    assert "no changed file has a test" in capsys.readouterr().out


def test_outside_of_a_repository_all_tests_run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    commands = run(monkeypatch, {})
    assert "tests" in commands.ran[-1]
    assert "fatal: no repository; the changed files are unknown" in capsys.readouterr().out


def test_without_git_all_tests_run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    ran = []

    def no_git(command: list[str], **_: Any) -> Any:
        if command[0] == "git":
            raise FileNotFoundError
        ran.append(command)
        return SimpleNamespace(returncode=0)

    monkeypatch.setattr(subprocess, "run", no_git)
    assert changed_tests.main() == 0
    assert "tests" in ran[-1]
    assert "git is not installed" in capsys.readouterr().out


@pytest.mark.parametrize("name", [".venv", "node_modules"])
def test_a_link_to_a_shared_environment_is_ignored_by_git(name: str) -> None:
    """A pattern with a slash at its end matches folders only, not links to folders."""
    assert name in (ROOT / ".gitignore").read_text().splitlines()
