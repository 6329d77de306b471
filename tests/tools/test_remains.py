# SPDX-License-Identifier: Apache-2.0
"""What remains after a removal: the lines that the command prints, by the parameters."""

from __future__ import annotations

import pytest

from deployment.account import remains
from deployment.account.context import ARGUMENTS

ALWAYS = ("API-Gateway-Execution-Logs", "CDKToolkit", "waiting-room:stack,Values=Sale")
POLICIES = (
    'make destroy CDK_ARGS="-c Stacks=policies -c StackName=Sale -c EdgePolicies='
    ' -c CustomerManagedKey=false"'
)
TABLES = "QueuePositions=sale-q,Tokens=sale-t@2026-11-30T10:00:00.000"


@pytest.mark.parametrize(
    ("context", "present", "absent"),
    [
        (
            "",
            ["$DeletedTableBackup", "ApiLogRole", "Sale-EdgeAlarms", POLICIES],
            ["KMS", "delete-secret"],
        ),
        ("-c RetainData=true", ["delete-table", "delete-secret"], ["$DeletedTableBackup"]),
        ("-c CustomerManagedKey=true", ["schedule-key-deletion"], ["delete-secret"]),
        ("-c CreateApiLogRole=false", [], ["ApiLogRole"]),
        (f"-c RestoredTables={TABLES}", ["restored tables"], []),
        ("-c Stacks=core,edge-alarms", ["shared policies"], ["EdgeAlarms"]),
    ],
)
def test_the_list_follows_the_parameters_of_the_deployment(
    context: str,
    present: list[str],
    absent: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv(ARGUMENTS, f"-c StackName=Sale {context}")
    assert remains.main([]) == 0
    printed = capsys.readouterr().out
    assert [one for one in (*ALWAYS, *present) if one not in printed] == []
    assert [one for one in absent if one in printed] == []
    assert "{stack}" not in printed


@pytest.mark.parametrize("stacks", ["policies", "authorizer", "sample", "edge-alarms"])
def test_without_core_nothing_of_a_room_that_may_be_in_use_is_listed(
    stacks: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(ARGUMENTS, f"-c StackName=Sale -c RetainData=true -c Stacks={stacks}")
    assert remains.main([]) == 0
    printed = capsys.readouterr().out
    assert "The stack core of Sale was not removed" in printed
    assert "aws " not in printed


def test_the_table_has_links_and_the_terminal_has_plain_names(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(ARGUMENTS, "-c CustomerManagedKey=true")
    assert remains.main([]) == 0
    printed = capsys.readouterr().out
    assert "(docs/capacity.md)" in printed
    assert "](" not in printed
    assert "[capacity.md](capacity.md)" in remains.table()
    assert "docs/capacity.md" not in remains.table()


def test_a_parameter_that_cannot_work_ends_with_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(ARGUMENTS, "-c RetainData=yes")
    assert remains.main([]) == 2
    assert capsys.readouterr().err == (
        "The parameter RetainData must be true or false, not 'yes'.\n"
    )


def test_a_retained_resource_of_each_policy_is_found() -> None:
    kept = {"A": ("T1", "Retain"), "B": ("T2", "Snapshot"), "C": ("T3", "RetainExceptOnCreate")}
    made = {name: {"Type": kind, "DeletionPolicy": how} for name, (kind, how) in kept.items()}
    gone = {"D": {"Type": "T4", "DeletionPolicy": "Delete"}, "E": {"Type": "T5"}}
    assert remains.retained_types({"Resources": {**made, **gone}}) == {"T1", "T2", "T3"}
