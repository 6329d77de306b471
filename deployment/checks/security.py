# SPDX-License-Identifier: Apache-2.0
"""Static checks of the project and its dependencies: ``make security``.

Advisory services report known vulnerabilities of the pinned packages. If a service is unreachable
or does not know the packages, the check is reported as NOT CHECKED; with STRICT=1 it then fails.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deployment.checks import secrets_scan

ROOT = secrets_scan.ROOT
BIN = Path(sys.executable).parent
CODE = ("source", "infrastructure", "deployment")
PYTHON_LOCKS = (
    "requirements/local.txt",
    "requirements/dev.txt",
    "requirements/wheel-oldest.txt",
    "requirements/wheel-newest.txt",
)
NODE_LOCKS = (
    "package-lock.json",
    "source/edge/package-lock.json",
    "source/sites/package-lock.json",
    "tests/clients/package-lock.json",
    "tests/firefox/package-lock.json",
    "tests/sign_in_provider/package-lock.json",
    "tests/sites_lint/package-lock.json",
)
SECONDS = 180  # timeout of a service


@dataclass(frozen=True)
class Result:
    """The result of a check; ``asked`` is False if the service was unreachable."""

    name: str
    says: str
    findings: list[str] = field(default_factory=list)
    asked: bool = True


def code() -> Result:
    """Run Bandit on the code."""
    done = _run("bandit", "-q", "-c", "pyproject.toml", "-f", "json", "-r", *CODE)
    found = [
        f"{one['filename']}:{one['line_number']}: {one['test_id']} {one['issue_text']}"
        for one in json.loads(done)["results"]
    ]
    return Result("code (bandit)", f"{len(found)} findings in {', '.join(CODE)}", found)


def secrets() -> Result:
    """Scan the files of the project for secrets."""
    found = [str(one) for one in secrets_scan.scan()]
    return Result("secrets", f"{len(found)} in {len(secrets_scan.files())} files", found)


def pins() -> Result:
    """Check that every dependency is pinned with a hash."""
    found: list[str] = []
    count = 0
    for lock in PYTHON_LOCKS:
        for entry in re.split(r"\n(?=\S)", (ROOT / lock).read_text().strip()):
            count += 1
            if not re.match(r"[\w.\[\]-]+==\S+", entry) or "--hash=sha256:" not in entry:
                found.append(f"{lock}: {entry.splitlines()[0]} has no hash")
    for lock in NODE_LOCKS:
        for name, entry in json.loads((ROOT / lock).read_text())["packages"].items():
            if not name.startswith("node_modules/") or entry.get("link"):
                continue
            count += 1
            if "integrity" not in entry and not entry.get("inBundle"):
                found.append(f"{lock}: {name} has no hash")
            if "resolved" in entry:
                found.append(f"{lock}: {name} names the address it was downloaded from")
    return Result("pins", f"{count} entries, {len(found)} without a hash", found)


def python_advisories() -> Result:
    """Return the known vulnerabilities of the pinned Python packages."""
    name = "advisories (pip-audit)"
    said = _run(
        "pip-audit", "--progress-spinner", "off", "--disable-pip", "--no-deps", "-f", "json",
        "--timeout", "10", "-r", PYTHON_LOCKS[1],
    )  # fmt: skip
    try:
        packages = json.loads(said)["dependencies"]
    except (ValueError, KeyError):
        return Result(name, "the service cannot be reached from here", asked=False)
    return python_result(name, packages)


def python_result(name: str, packages: Iterable[dict[str, Any]]) -> Result:
    """Convert pip-audit's list of packages to a result."""
    packages = list(packages)
    known = [one for one in packages if "skip_reason" not in one]
    found = [
        f"{one['name']} {one['version']}: {hole['id']}" for one in known for hole in one["vulns"]
    ]
    says = (
        f"{len(found)} in {len(known)} packages; {len(packages) - len(known)} are not known there"
    )
    return Result(name, says, found, asked=bool(known))


def node_advisories() -> list[Result]:
    """Return the known vulnerabilities of the pinned Node packages."""
    found = []
    for lock in NODE_LOCKS:
        said = _run("npm", "audit", "--json", "--package-lock-only", cwd=(ROOT / lock).parent)
        found.append(node_result(f"advisories (npm audit, {lock})", said))
    return found


def node_result(name: str, said: str) -> Result:
    """Convert npm's JSON to a result."""
    try:
        content = json.loads(said)
        holes = [
            f"{package}: {hole['severity']}" for package, hole in content["vulnerabilities"].items()
        ]
        total = content["metadata"]["dependencies"]["total"]
    except (ValueError, KeyError, TypeError):
        return Result(name, "the service cannot be reached from here", asked=False)
    return Result(name, f"{len(holes)} in {total} packages", holes)


def _run(tool: str, *arguments: str, cwd: Path = ROOT) -> str:
    """Return the output of a tool; empty after a timeout."""
    env = {**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ.get('PATH', '')}"}
    try:
        done = subprocess.run(
            [str(BIN / tool), *arguments],
            cwd=cwd, env=env, capture_output=True, text=True, timeout=SECONDS,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return ""
    return done.stdout


def verdict(results: Iterable[Result], strict: bool) -> int:
    """Return 1 for a finding, and with ``strict`` also for an unreachable service."""
    return int(any(one.findings or (strict and not one.asked) for one in results))


def main() -> int:
    """Run and report every check."""
    checks: list[Callable[[], Result]] = [code, secrets, pins, python_advisories]
    results = [*(check() for check in checks), *node_advisories()]
    for one in results:
        mark = "NOT CHECKED" if not one.asked else "found" if one.findings else "ok"
        print(f"{mark:11} {one.name}: {one.says}")
        for finding in one.findings:
            print(f"            {finding}")
    return verdict(results, strict=os.environ.get("STRICT", "") == "1")


if __name__ == "__main__":
    argparse.ArgumentParser(prog="make security", description=__doc__).parse_args()
    sys.exit(main())
