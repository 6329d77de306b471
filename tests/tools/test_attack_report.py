# SPDX-License-Identifier: Apache-2.0
"""What ``make attack`` says of its attempts, and its own small rules."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.attack import invalid_input
from tests.attack.__main__ import BY_THEMSELVES, ON_THE_ROOM
from tests.attack.insiders import allows, groups
from tests.attack.report import LONGEST, Attempt, status, table

FAILED = Attempt("junk", "a body", "400", False)
SUCCEEDED = Attempt("early token", "ask at once", "200", True)
HELPERS = {"bypass_attempts", "__init__", "__main__", "report", "target", "templates"}


def test_one_attempt_that_succeeded_fails_the_run() -> None:
    assert status([FAILED]) == 0
    assert status([FAILED, SUCCEEDED]) == 1


def test_a_run_without_an_attempt_shows_nothing() -> None:
    assert status([]) == 1


def test_the_table_has_a_line_for_each_attempt_and_counts_them() -> None:
    lines = table([FAILED, SUCCEEDED]).splitlines()
    assert lines == [
        "failed     junk         a body       400",
        "SUCCEEDED  early token  ask at once  200",
        "2 attempts, 1 succeeded",
    ]
    assert table([FAILED]).splitlines()[-1] == "1 attempts, 0 succeeded"


def test_what_an_attack_met_does_not_spoil_the_table() -> None:
    odd = Attempt("junk", "a\nb\x1b[31m", "x" * 1000, False)
    first, last = table([odd]).splitlines()
    assert "\x1b" not in first
    assert len(first) < 3 * LONGEST
    assert last == "1 attempts, 0 succeeded"


def test_every_attack_is_made() -> None:
    modules = {path.stem for path in Path(invalid_input.__file__).parent.glob("*.py")} - HELPERS
    made = {run.__module__.rpartition(".")[2] for run in (*ON_THE_ROOM.values(),)}
    made |= {run.__module__.rpartition(".")[2] for run in BY_THEMSELVES.values()}
    assert made == modules
    assert list(ON_THE_ROOM)[-1] == "logs"  # it reads what the others left


def test_the_bodies_are_bounded_and_none_of_them_is_a_plain_join() -> None:
    found = invalid_input.bodies("Sample")
    assert set(invalid_input.TOO_MUCH) < set(found)
    assert b'{"event_id":"Sample"}' not in found.values()
    assert max(map(len, found.values())) < 2_000_000


API = {"Fn::Join": ["", ["arn:", {"Ref": "AWS::Partition"}, ":x/api/POST/reset_initial_state"]]}


@pytest.mark.parametrize(
    ("action", "resource", "granted"),
    [
        ("execute-api:Invoke", API, True),
        (["sqs:SendMessage", "execute-api:*"], [API], True),
        ("*", "*", True),
        ("execute-api:Invoke", "arn:x/api/*/*", True),
        ("execute-api:Invoke", "arn:x/api/GET/metrics", False),
        ("sqs:SendMessage", API, False),
    ],
)
def test_a_policy_is_read_as_iam_reads_it(action: object, resource: object, granted: bool) -> None:
    statement = {"Effect": "Allow", "Action": action, "Resource": resource}
    found = allows([statement], "execute-api:Invoke", "/POST/reset_initial_state")
    assert found is granted
    denied = {**statement, "Effect": "Deny"}
    assert not allows([denied], "execute-api:Invoke", "/POST/reset_initial_state")


def test_a_group_has_the_statements_of_its_policies() -> None:
    statement = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    resources = {
        "P": {
            "Type": "AWS::IAM::ManagedPolicy",
            "Properties": {"PolicyDocument": {"Statement": [statement]}},
        },
        "G": {"Type": "AWS::IAM::Group", "Properties": {"ManagedPolicyArns": [{"Ref": "P"}]}},
        "H": {"Type": "AWS::IAM::Group", "Properties": {}},
    }
    assert groups(resources) == {"G": [statement], "H": []}
