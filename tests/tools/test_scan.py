# SPDX-License-Identifier: Apache-2.0
"""The review of scanners' findings: new ones and stale suppressions are errors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from deployment.checks import scan
from deployment.checks.scan import Finding, ScanError, cfn_lint, read_checkov, review
from infrastructure.scan_suppressions import CFN_LINT, CHECKOV, Suppression

TABLES = Suppression(r"CKV_AWS_119", r"Core/Tables.*", "The reason of this suppression.")


def report(*failed: tuple[str, str, str], **summary: Any) -> str:
    """A report of checkov with failed checks, each of a rule, a file and a resource."""
    checks = [
        {"check_id": rule, "file_path": file, "resource": resource, "check_name": "Ensure it"}
        for rule, file, resource in failed
    ]
    counts = {"parsing_errors": 0, "resource_count": 5, **summary}
    return json.dumps({"summary": counts, "results": {"failed_checks": checks}})


def test_a_finding_names_its_stack_and_logical_id() -> None:
    (found,) = read_checkov(
        report(("CKV_AWS_119", "/cdk.out/Core.template.json", "AWS::DynamoDB::Table.TablesTokens1"))
    )
    assert found == Finding("CKV_AWS_119", "Core/TablesTokens1", "Ensure it")


def test_only_the_rule_and_the_place_of_a_suppression_are_suppressed() -> None:
    known = Finding("CKV_AWS_119", "Core/TablesTokens1", "")
    other_rule = Finding("CKV_AWS_28", "Core/TablesTokens1", "")
    other_place = Finding("CKV_AWS_119", "OpenId/TablesCodes1", "")
    found = review([known, other_place, other_rule], [TABLES])
    assert found.new == [other_place, other_rule]
    assert (found.stale, dict(found.suppressed)) == ([], {"CKV_AWS_119": 1})


def test_a_suppression_without_a_finding_is_stale() -> None:
    assert review([Finding("CKV_AWS_1", "Core/X", "")], [TABLES]).stale == [TABLES]


@pytest.mark.parametrize(
    ("output", "sentence"),
    [
        ("", "checkov wrote no report"),
        ("[]", "checkov wrote no report"),
        (report(parsing_errors=1), "did not read all templates"),
        (report(resource_count=0), "did not read all templates"),
    ],
)
def test_an_incomplete_report_is_an_error(output: str, sentence: str) -> None:
    with pytest.raises(ScanError, match=sentence):
        read_checkov(output)


def test_a_folder_without_templates_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ScanError, match="there are no templates in"):
        cfn_lint(tmp_path)


def test_a_missing_scanner_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "Core.template.json").write_text("{}")
    with pytest.raises(ScanError, match="checkov is not installed: run make scan"):
        scan.checkov(tmp_path, tmp_path / "checkov")


@pytest.mark.parametrize(
    ("found", "code", "line"),
    [
        ([("CKV_AWS_999", "Core/X")], 1, "  CKV_AWS_999 Core/X: Ensure it"),
        ([], 1, "  no finding for the suppression CKV_AWS_111 at "),
    ],
)
def test_the_command_fails_for_a_new_finding_and_for_a_stale_suppression(
    found: list[tuple[str, str]],
    code: int,
    line: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    made = [Finding(rule, where, "Ensure it") for rule, where in found]
    monkeypatch.setattr(scan, "checkov", lambda _folder: made)
    monkeypatch.setattr(scan, "cfn_lint", lambda _folder: [Finding("W3005", "Core/X", "")])
    assert scan.main(Path()) == code
    assert line in capsys.readouterr().out


def test_the_command_passes_when_each_finding_is_suppressed_and_each_suppression_is_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(scan, "CHECKOV", (TABLES,))
    monkeypatch.setattr(
        scan, "checkov", lambda _folder: [Finding("CKV_AWS_119", "Core/Tables1", "")]
    )
    monkeypatch.setattr(scan, "cfn_lint", lambda _folder: [Finding("W3005", "Core/X", "")])
    assert scan.main(Path()) == 0


def test_no_suppression_covers_every_rule() -> None:
    for known in (*CHECKOV, *CFN_LINT):
        assert not known.covers("CKV_AWS_0", "Core/X")
