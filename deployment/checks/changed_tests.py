# SPDX-License-Identifier: Apache-2.0
"""Runs the tests that cover the changed files: ``make test-changed`` (BASE=main is the default).

Changed are the files that differ from where the branch left BASE, and the untracked ones. `RULES`
maps a file to its tests; a file without a rule selects all tests. Without git, all tests run.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Iterable, Sequence
from fnmatch import fnmatch
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ALL = ("tests",)
NONE = ()
# Pattern of files, tests to run first, and what to run before the change is merged.
# The first matching line counts. `*` also matches slashes.
RULES: tuple[tuple[str, tuple[str, ...], str], ...] = (
    ("source/waiting_room/domain/*", ("tests/unit/domain", "tests/unit/use_cases"),
     "tests/apps tests/contract tests/integration tests/tools/test_hops.py; make broken"),
    ("source/waiting_room/use_cases/*", ("tests/unit/domain", "tests/unit/use_cases"),
     "tests/apps tests/contract tests/integration tests/tools/test_hops.py; make broken"),
    ("source/waiting_room/adapters/http/*",
     ("tests/unit/adapters", "tests/unit/inlet", "tests/unit/gate"), "tests/fuzz"),
    ("source/waiting_room/adapters/*", ("tests/unit/adapters", "tests/contract"),
     "tests/integration tests/chaos"),
    ("source/waiting_room/runtime/*", ("tests/unit/runtime", "tests/apps", "tests/docs"),
     "tests/fuzz"),
    ("source/waiting_room/authorizer/*",
     ("tests/unit/authorizer", "tests/unit/gate", "tests/apps/test_token_authorizer*.py"),
     "tests/fuzz"),
    ("source/waiting_room/gate/*", ("tests/unit/authorizer", "tests/unit/gate"), "tests/fuzz"),
    ("source/waiting_room/inlet/*", ("tests/unit/inlet", "tests/apps/test_inlet*.py"),
     "tests/e2e/test_inlets.py"),
    ("source/waiting_room/openid/*", ("tests/unit/openid", "tests/apps/test_openid*.py"),
     "tests/e2e"),
    ("source/waiting_room/*", ("tests/unit",), ""),
    ("source/apps/command_line/*", ("tests/unit/command_line",), "tests/e2e"),
    ("source/apps/*",
     ("tests/apps", "tests/docs", "tests/fuzz/test_documents.py",
      "tests/tools/test_operator_routes.py"),
     "tests/fuzz tests/infrastructure"),
    ("source/edge/*", ("tests/sites", "tests/unit/domain/gate"), ""),
    ("source/sites/*", ("tests/sites",), "tests/e2e; make screenshots"),
    ("infrastructure/*", ("tests/infrastructure", "tests/tools/test_operator_routes.py"),
     "make synth"),
    ("deployment/local/*", ("tests/local",), "tests/e2e"),
    ("deployment/checks/*", ("tests/tools",), ""),
    ("deployment/release/*", ("tests/tools", "tests/e2e/test_wheel.py"), ""),
    ("deployment/*", ("tests/tools", "tests/unit/inlet"), "tests/e2e"),
    ("docs/images/*", NONE, ""),
    ("*.md", ("tests/docs", "tests/infrastructure/test_*docs.py",
              "tests/infrastructure/test_migrating.py"), ""),
    ("docs/*", ("tests/docs", "tests/fuzz/test_documents.py"), "tests/fuzz"),
    ("tests/*/test_*.py", ("{file}",), ""),
    ("tests/support/in_memory_room.py",
     ("tests/apps", "tests/unit/use_cases", "tests/docs", "tests/tools"),
     "tests/contract tests/integration tests/fuzz tests/chaos"),
    ("tests/support/fakes/*",
     ("tests/contract", "tests/unit", "tests/integration", "tests/chaos"),
     "tests/apps tests/fuzz"),
    ("tests/mutations/*", ("tests/tools",), "make broken"),
    ("tests/tools/*", ("tests/tools",), ""),
    ("tests/unit/use_cases/*", ("tests/unit/use_cases",), ""),
    ("tests/fuzz/*", ("tests/fuzz",), ""),
    ("tests/chaos/*", ("tests/chaos", "tests/tools"), ""),
    ("tests/contract/*", ("tests/contract",), ""),
    ("tests/integration/*", ("tests/integration",), ""),
    ("tests/infrastructure/*", ("tests/infrastructure",), ""),
    ("tests/sites_lint/*", ("tests/sites",), ""),
    ("tests/clients/*", ("tests/e2e",), ""),
    ("tests/firefox/*", ("tests/e2e",), ""),
    ("tests/sign_in_provider/*", ("tests/e2e/console",), ""),
    ("tests/attack/*", ("tests/tools",), "make attack"),
    ("tests/on_sale/*", ("tests/tools",), "make on-sale"),
    ("tests/soak/*", ("tests/tools",), "make soak"),
    ("tests/mutants/*", ("tests/tools",), "make mutants"),
    ("tests/benchmarks/*", ("tests/tools", "tests/docs"), "make bench"),
    ("tests/screenshots/*", NONE, "make screenshots"),
    (".github/*", ("tests/tools",), ""),
    (".ci/*", ("tests/tools",), ""),
    ("mkdocs.yml", ("tests/docs",), "make docs"),
    (".pre-commit-config.yaml", ("tests/tools",), ""),
    ("LICENSE", ("tests/tools", "tests/e2e/test_wheel.py"), ""),
    ("NOTICE", ("tests/e2e/test_wheel.py",), ""),
    ("Makefile", ("tests/tools", "tests/docs", "tests/infrastructure/test_*docs.py"), ""),
)  # fmt: skip
# Each change of Python code can break the dependency rule or use a package that is not pinned.
WITH_CODE = ("tests/tools/test_dependency_rule.py", "tests/tools/test_requirements.py")


def rule_of(file: str) -> tuple[tuple[str, ...], str]:
    """Return the tests of a file, and what to run later; ALL for a file without a rule."""
    for pattern, tests, later in RULES:
        if fnmatch(file, pattern):
            chosen = tuple(test.format(file=file) for test in tests)
            return ((*chosen, *WITH_CODE) if _is_code(file) else chosen), later
    return ALL, ""


def _is_code(file: str) -> bool:
    return file.endswith(".py") and not file.startswith("tests/")


def changed(base: str) -> list[str]:
    """Return the changed and untracked files; raise LookupError where git cannot list them."""
    since = _git("merge-base", base, "HEAD") or ["HEAD"]
    return sorted({*_git("diff", "--name-only", since[0]),
                   *_git("ls-files", "--others", "--exclude-standard")})  # fmt: skip


def _git(*arguments: str) -> list[str]:
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        raise LookupError("git is not installed") from None
    if done.returncode:
        if arguments[0] == "merge-base":  # no such branch: compare with HEAD
            return []
        raise LookupError(done.stderr.strip().splitlines()[0])
    return done.stdout.splitlines()


def select(files: Iterable[str]) -> dict[str, list[str]]:
    """Return the tests to run, each with the changed files that select it.

    A test in a selected folder is not listed again.
    """
    chosen: dict[str, list[str]] = {}
    for file in files:
        for test in rule_of(file)[0]:
            for path in sorted(str(one.relative_to(ROOT)) for one in ROOT.glob(test)):
                chosen.setdefault(path, []).append(file)
    inner = [one for one in chosen if any(str(folder) in chosen for folder in Path(one).parents)]
    return {path: chosen[path] for path in sorted(chosen) if path not in inner}


def report(chosen: dict[str, list[str]], later: Iterable[str]) -> Iterable[str]:
    """Yield a line for each test path with the reason, and one for what to run later."""
    if "tests" in chosen:
        yield "a changed file without a rule selects all tests: about 20 minutes, Ctrl-C stops them"
    for path, reasons in chosen.items():
        more = f" and {len(reasons) - 3} more" if len(reasons) > 3 else ""
        yield f"{path}  because of {', '.join(reasons[:3])}{more}"
    for one in sorted({one for one in later if one}):
        yield f"before merging, also run: {one}"


def main(base: str = "main", arguments: Sequence[str] = ()) -> int:
    """Print the selection and run it; return the exit code of pytest."""
    try:
        files = changed(base)
    except LookupError as error:
        print(f"test-changed: {error}; the changed files are unknown, so all tests run", flush=True)
        chosen: dict[str, list[str]] = {ALL[0]: ["unknown changes"]}
    else:
        chosen = select(files)
        later = [rule_of(file)[1] for file in files]
        text = "\n".join(report(chosen, later)) or "test-changed: no changed file has a test"
        print(text, flush=True)
    if not chosen:
        return 0
    command = [sys.executable, "-m", "pytest", "-n", "2", "--dist", "loadfile", *chosen, *arguments]
    return subprocess.run(command, cwd=ROOT, check=False).returncode


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        prog="make test-changed",
        usage='make test-changed [BASE=main] [PYTEST_ARGS="-x"]',
        description="Run the tests that cover the changed files.",
    )
    parser.add_argument("base", nargs="?", default="main", help="the branch to compare with")
    parser.add_argument("pytest", nargs=argparse.REMAINDER, help="arguments of pytest")
    chosen = parser.parse_args()
    sys.exit(main(chosen.base, chosen.pytest))
