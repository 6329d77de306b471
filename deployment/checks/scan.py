# SPDX-License-Identifier: Apache-2.0
"""Third-party scanners over synthesized templates: ``make scan``.

It runs cfn-lint and checkov on a folder of templates that has all stacks. A finding that
``infrastructure/scan_suppressions.py`` does not list is an error, and so is an entry without a
finding. checkov has an environment of its own, because it pins other versions of shared packages.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from infrastructure.scan_suppressions import CFN_LINT, CHECKOV, Suppression

SUFFIX = ".template.json"
ROOT = Path(__file__).resolve().parents[2]
CHECKOV_COMMAND = ROOT / ".venv" / "scan" / "bin" / "checkov"
REGION = "eu-central-1"
SECONDS = 600  # timeout of a scanner


class ScanError(Exception):
    """A scanner did not run, or did not read a template."""


@dataclass(frozen=True, order=True)
class Finding:
    """A finding of a rule; ``where`` is ``Stack/LogicalId``."""

    rule: str
    where: str
    text: str


@dataclass(frozen=True)
class Reviewed:
    """The findings of a scanner that are not suppressed, and suppressions without a finding."""

    new: list[Finding]
    stale: list[Suppression]
    suppressed: Counter[str]


def review(findings: Iterable[Finding], known: Sequence[Suppression]) -> Reviewed:
    """Compare findings with suppressions."""
    new, used, suppressed = [], set(), Counter[str]()
    for one in findings:
        covering = [at for at in known if at.covers(one.rule, one.where)]
        used.update(covering)
        if covering:
            suppressed[one.rule] += 1
        else:
            new.append(one)
    return Reviewed(sorted(new), [one for one in known if one not in used], suppressed)


def cfn_lint(folder: Path) -> list[Finding]:
    """Return the findings of cfn-lint."""
    from cfnlint import api
    from cfnlint.config import ManualArgs

    return [
        Finding(one.rule.id, _place(file, list(map(str, one.path or []))), str(one.message))
        for file in templates(folder)
        for one in api.lint(file.read_text(encoding="utf-8"), config=ManualArgs(regions=[REGION]))
    ]


def checkov(folder: Path, command: Path = CHECKOV_COMMAND) -> list[Finding]:
    """Return the findings of checkov. Raises ScanError if it is missing or reads no template."""
    if not command.exists():
        raise ScanError("checkov is not installed: run make scan")
    files = [part for file in templates(folder) for part in ("--file", str(file))]
    done = subprocess.run(
        [
            str(command), *files, "--framework", "cloudformation", "--output", "json", "--quiet",
            "--compact", "--skip-download", "--soft-fail",
        ],
        capture_output=True, text=True, timeout=SECONDS, check=False,
    )  # fmt: skip
    return read_checkov(done.stdout, done.stderr)


def read_checkov(output: str, errors: str = "") -> list[Finding]:
    """Return the findings of a report of checkov. Raises ScanError if it is incomplete."""
    try:
        report = json.loads(output)
        summary, failed = report["summary"], report["results"]["failed_checks"]
    except (ValueError, KeyError, TypeError):
        raise ScanError(f"checkov wrote no report: {(errors or output)[-500:]}") from None
    if summary["parsing_errors"] or not summary["resource_count"]:
        raise ScanError(f"checkov did not read all templates: {summary}")
    return [
        Finding(
            one["check_id"],
            f"{Path(one['file_path']).name.removesuffix(SUFFIX)}/{one['resource'].partition('.')[2]}",
            one["check_name"],
        )
        for one in failed
    ]


def templates(folder: Path) -> list[Path]:
    """Return the templates of a folder. Raises ScanError if there are none."""
    found = sorted(folder.glob(f"*{SUFFIX}"))
    if not found:
        raise ScanError(f"there are no templates in {folder}")
    return found


def _place(file: Path, path: Sequence[str]) -> str:
    logical = path[1] if len(path) > 1 and path[0] == "Resources" else "/".join(path)
    return f"{file.name.removesuffix(SUFFIX)}/{logical}"


def main(folder: Path) -> int:
    """Print the findings of both scanners; return the exit code."""
    failed = 0
    for name, scan, known in (("cfn-lint", cfn_lint, CFN_LINT), ("checkov", checkov, CHECKOV)):
        try:
            found = review(scan(folder), known)
        except ScanError as error:
            print(f"{name}: {error}")
            return 2
        print(f"{name}: {len(found.new)} findings, {sum(found.suppressed.values())} suppressed")
        for rule, times in sorted(found.suppressed.items()):
            print(f"  suppressed {times:4} × {rule}")
        for one in found.new:
            print(f"  {one.rule} {one.where}: {one.text}")
        for entry in found.stale:
            print(f"  no finding for the suppression {entry.rule} at {entry.where}: remove it")
        failed += len(found.new) + len(found.stale)
    return 1 if failed else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="deployment.checks.scan", description=__doc__)
    parser.add_argument("folder", type=Path)
    sys.exit(main(parser.parse_args().folder))
