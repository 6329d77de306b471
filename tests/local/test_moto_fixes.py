# SPDX-License-Identifier: Apache-2.0
"""moto's batched inserts and labels of secrets: wrong by itself, right on the one-machine stack."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import pytest

from infrastructure.blueprint.resources import POSITIONS
from tests.support.local_stack import paths
from tests.support.servers import ROOT, aws_client, create_table

STATEMENT = "INSERT INTO \"{name}\" VALUE {{'id': ?, 'position': ?}}"
PLAIN = """
import boto3, moto
from tests.support.servers import create_table
from infrastructure.blueprint.resources import POSITIONS
with moto.mock_aws():
    client = boto3.client("dynamodb", region_name="eu-central-1")
    create_table(client, POSITIONS, "plain")
    for number in ("1", "2"):
        client.batch_execute_statement(Statements=[{
            "Statement": "INSERT INTO plain VALUE {'id': 'a', 'position': " + number + "}",
        }])
    found = client.get_item(TableName="plain", Key={"id": {"S": "a"}})["Item"]
    print(found["position"]["N"])
"""


def insert(client: Any, name: str, rows: list[tuple[str, int]]) -> list[dict[str, Any]]:
    """Insert rows in one request; the answers."""
    statements = [
        {
            "Statement": STATEMENT.format(name=name),
            "Parameters": [{"S": key}, {"N": str(number)}],
        }
        for key, number in rows
    ]
    return list(client.batch_execute_statement(Statements=statements)["Responses"])


def test_moto_itself_still_overwrites_so_the_correction_is_still_needed() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PLAIN],
        cwd=ROOT,
        env={**os.environ, **paths()},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "2", "moto is mended: remove deployment/local/moto/fixes.py"


@pytest.mark.server
@pytest.mark.parametrize("server", ["moto_url", "dynamodb_local_url"])
def test_a_key_that_is_there_answers_duplicate_for_its_statement_alone(
    server: str, request: pytest.FixtureRequest
) -> None:
    client = aws_client("dynamodb", request.getfixturevalue(server))
    create_table(client, POSITIONS, "Corrected")
    assert "Error" not in insert(client, "Corrected", [("a", 1)])[0]
    answers = insert(client, "Corrected", [("a", 2), ("b", 3)])
    assert answers[0]["Error"]["Code"] == "DuplicateItem"
    assert "Error" not in answers[1]
    kept = client.get_item(TableName="Corrected", Key={"id": {"S": "a"}})["Item"]
    assert kept["position"] == {"N": "1"}


MOVED = """
import boto3, moto
from tests.local.test_moto_fixes import moved
with moto.mock_aws():
    print(moved(boto3.client("secretsmanager", region_name="eu-central-1"), "plain"))
"""


def moved(client: Any, name: str) -> str:
    """What a secret says after another version was made the current one."""
    first = client.create_secret(Name=name, SecretString="first")["VersionId"]
    second = client.put_secret_value(
        SecretId=name, SecretString="second", VersionStages=["PROPOSED"]
    )["VersionId"]
    client.update_secret_version_stage(
        SecretId=name,
        VersionStage="AWSCURRENT",
        MoveToVersionId=second,
        RemoveFromVersionId=first,
    )
    return str(client.get_secret_value(SecretId=name)["SecretString"])


def test_moto_itself_still_reads_the_former_version_of_a_secret() -> None:
    done = subprocess.run(
        [sys.executable, "-c", MOVED],
        cwd=ROOT,
        env={**os.environ, **paths()},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "first", "moto is mended: remove _read_the_current_version"


@pytest.mark.server
def test_a_secret_is_read_at_the_version_that_has_the_label(moto_url: str) -> None:
    assert moved(aws_client("secretsmanager", moto_url), "labelled") == "second"
