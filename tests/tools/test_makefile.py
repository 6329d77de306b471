# SPDX-License-Identifier: Apache-2.0
"""Each make target is phony, has help text, and is listed in its group by `make help`."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from deployment.checks import prose, security
from tests.support.servers import ROOT
from tests.tools import downloads

MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
FILES = {".venv/uv", ".venv/local", ".venv/dev"}  # some of the targets that are files
GROUPS = ["Run", "Check", "Deploy", "Operate", "Measure"]


def targets() -> list[str]:
    """Return the targets that are not files, in order."""
    return re.findall(r"^([a-z][a-z-]*):", MAKEFILE, re.M)


def help_texts() -> dict[str, str]:
    return dict(re.findall(r"^([a-z][a-z-]*):.*## (.+)$", MAKEFILE, re.M))


def test_each_target_is_phony() -> None:
    phony = " ".join(re.findall(r"^\.PHONY: (.+)$", MAKEFILE, re.M)).split()
    assert sorted(phony) == sorted(targets()), "Add each target to a .PHONY line of the Makefile"
    assert set(re.findall(r"^([\w./-]+):", MAKEFILE, re.M)) - set(phony) >= FILES


def test_each_target_has_help_text_in_the_words_of_the_glossary() -> None:
    texts = help_texts()
    assert sorted(texts) == sorted(targets()), "Add `## text` to the target in the Makefile"
    for target, text in texts.items():
        assert prose.in_text(text, ("everywhere", "names")) == [], target


def test_the_groups_are_in_the_order_of_use() -> None:
    assert re.findall(r"^##@ (.+)$", MAKEFILE, re.M) == GROUPS


def test_make_help_lists_each_target_below_its_group() -> None:
    if not shutil.which("make") or not shutil.which("awk"):
        pytest.skip("make or awk is not installed")
    done = subprocess.run(
        ["make", "--no-print-directory", "help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    lines = done.stdout.splitlines()
    listed = [line.split()[0] for line in lines if line.startswith("  ")]
    assert listed == targets()
    assert [line for line in lines if line and not line.startswith("  ")] == GROUPS


@pytest.mark.parametrize(
    ("argument", "printed"), [("", True), ("ONLY=--all", True), ("ONLY=Gate", False)]
)
def test_the_removal_of_one_stack_does_not_print_the_commands_for_the_whole_room(
    argument: str, printed: bool
) -> None:
    if not shutil.which("make"):
        pytest.skip("make is not installed")
    done = subprocess.run(
        ["make", "--dry-run", "destroy", *filter(None, [argument])],
        cwd=ROOT,
        env={name: one for name, one in os.environ.items() if name not in ("MAKEFLAGS", "ONLY")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "cdk destroy" in done.stdout
    assert ("-m deployment.account.remains" in done.stdout) is printed


@pytest.mark.parametrize(
    ("target", "version", "rejected"),
    [("lint", "Python 3.0.1", True), ("lint", "", False), ("clean", "Python 3.0.1", False)],
)
def test_another_python_than_that_of_the_environment_is_rejected(
    target: str, version: str, rejected: bool, tmp_path: Path
) -> None:
    """``PYTHON=python3.14 make test`` would run the tests on the Python of ``.venv``."""
    if not shutil.which("make"):
        pytest.skip("make is not installed")
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    used = f"Python {platform.python_version()}"
    python.write_text(f"#!/bin/sh\necho {version or used}\n")
    python.chmod(0o755)
    done = subprocess.run(
        ["make", "--dry-run", "--file", str(ROOT / "Makefile"), target],
        cwd=tmp_path, env={**os.environ, "PYTHON": sys.executable},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ("rm -rf .venv" in done.stderr) is rejected, done.stderr
    if rejected:
        assert f"is {used} and .venv has {version}" in done.stderr


def test_make_install_downloads_the_node_modules_of_every_lock_file() -> None:
    """After it, no test needs a network."""
    assert ".venv/downloads" in re.findall(r"^install: (.+?) ##", MAKEFILE, re.M)[0].split()
    found = {str(folder.relative_to(ROOT)) for folder in downloads.workspaces()}
    assert {"source/edge", "source/sites", "tests/clients"} <= found
    locks = {f"{folder}/package-lock.json" for folder in found} | {"package-lock.json"}
    assert locks == set(security.NODE_LOCKS), "Add the lock file to NODE_LOCKS of make security"


def test_git_ignores_the_downloaded_templates_of_a_deployment() -> None:
    ignored = (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()
    assert {"cdk.out/", "cdk.deployed/"} <= set(ignored)


def commands() -> list[str]:
    """The modules of the project that targets run, and those that the documents name."""
    found = {*re.findall(r"-m ((?:deployment|infrastructure|tests)[\w.]*)", MAKEFILE),
             "tests.support.templates.synthesized", "tests.tools.suite_times"}  # fmt: skip
    first = "deployment.load_test"  # gevent must be imported before ssl
    return sorted(found, key=lambda module: (module != first, module))


# Each command runs with an unknown option, in one process: most of the time is imports.
REJECTING = """
import runpy, sys
for module in sys.argv[1:]:
    sys.argv = [module, "--unknown-option"]
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=False)
        print(module, "started", flush=True)
    except SystemExit as ended:
        print(module, ended.code, flush=True)
"""


def test_each_command_rejects_an_unknown_option_before_it_starts() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", REJECTING, *commands()],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": "source:."},
        capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.stdout.splitlines() == [f"{module} 2" for module in commands()], done.stderr
