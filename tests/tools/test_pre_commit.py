# SPDX-License-Identifier: Apache-2.0
"""The commit hooks are valid, and run programs of the locked environment without a network."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from pre_commit.clientlib import load_config

from tests.support.servers import ROOT

HOOKS: list[dict[str, Any]] = [
    hook
    for repo in load_config(str(ROOT / ".pre-commit-config.yaml"))["repos"]
    for hook in repo["hooks"]
]
IDS = ["ruff-check", "ruff-format", "mypy", "secrets", "prose"]


def test_each_check_has_a_hook() -> None:
    assert [hook["id"] for hook in HOOKS] == IDS


def test_each_hook_runs_a_program_of_the_virtual_environment() -> None:
    repos = load_config(str(ROOT / ".pre-commit-config.yaml"))["repos"]
    assert {repo["repo"] for repo in repos} == {"local"}
    for hook in HOOKS:
        assert hook["language"] in ("system", "unsupported"), hook["id"]
        folder, _, program = hook["entry"].split()[0].rpartition("/")
        assert folder == ".venv/bin", hook["id"]
        assert (Path(sys.executable).parent / program).exists(), hook["id"]


def test_each_module_that_a_hook_runs_exists() -> None:
    modules = [hook["entry"].split(" -m ")[1] for hook in HOOKS if " -m " in hook["entry"]]
    assert len(modules) == 2
    for module in modules:
        assert (ROOT / module.replace(".", "/")).with_suffix(".py").exists(), module
