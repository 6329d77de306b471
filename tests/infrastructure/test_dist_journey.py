# SPDX-License-Identifier: Apache-2.0
"""A room that is launched from the output of `make dist`, by its parameters alone.

moto's CloudFormation makes tables, queues, topic and bus from the templates with their parameters.
What it does not know is made by what the templates say: secrets, addresses, and the functions,
which run from their bundles within the permissions of their roles.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from infrastructure.templates.synthesis import BUCKET_SAMPLE, PREFIX_SAMPLE
from infrastructure.templates.template import Written
from tests.infrastructure.test_journey import METHOD, admit, join, token
from tests.support.servers import Valkey, aws_client, moto_server
from tests.support.templates.lambda_process import Start
from tests.support.templates.lambda_room import LambdaRoom
from tests.support.templates.lambda_visitor import Visitor
from tests.support.templates.launched import launched

pytestmark = pytest.mark.server
PARAMETERS = {
    "AssetsBucket": BUCKET_SAMPLE,
    "AssetsPrefix": PREFIX_SAMPLE,
    "EventId": "Launch",
    "Profile": "cheap",
    "ValidityPeriod": "901",
    "RequireClientSecret": "false",
    "EnableEventsGeneration": "true",
    "WarmWriteUnits": "5000",
}


@pytest.fixture(scope="module")
def room(
    dist: Mapping[str, Written], start: Start, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LambdaRoom]:
    """The room that the getting-started template deploys, set up."""
    valkey = Valkey(Path(tmp_path_factory.mktemp("valkey")))
    with moto_server() as aws_url:
        made = LambdaRoom(launched(dist, PARAMETERS, "Launched"), start, aws_url, valkey)
        try:
            assert made("workers", "set_up", {}) == {"status": "ready"}
            yield made
        finally:
            made.close()
            valkey.kill()


def test_a_visitor_passes_from_the_join_to_the_end_of_the_session(room: LambdaRoom) -> None:
    assert room.event_id == "Launch"
    Visitor(room).run(lambda: None)
    assert room.iam_proxy.denied == set()


def test_the_authorizer_lets_an_admitted_visitor_into_the_store(room: LambdaRoom) -> None:
    waiting = join(room)
    assert token(room, waiting)[0] == 202
    request_id = admit(room)
    admit(room)
    status, tokens = token(room, request_id)
    assert (status, tokens["expires_in"]) == (200, 901)
    # as the edge's answer is: the authorizer waits two seconds for keys and no longer
    assert room.http("public_api", "GET", "/.well-known/jwks.json", query={})[0] == 200
    event = {"type": "TOKEN", "methodArn": METHOD, "authorizationToken": tokens["access_token"]}
    decided = room("token_authorizer", "token_authorizer", event)
    assert decided["policyDocument"]["Statement"][0]["Effect"] == "Allow"
    status, order = room.http("sample_store", "GET", "/checkout", authorizer=decided["context"])
    assert (status, order["visitor"]["request_id"]) == (200, request_id)
    assert room.iam_proxy.denied == set()


def test_the_emulator_made_the_tables_that_the_parameters_ask_for(room: LambdaRoom) -> None:
    client = aws_client("dynamodb", room.aws_url)
    name = room.deployment.resource("Core", "AWS::DynamoDB::Table", "TablesQueuePositions")
    table = client.describe_table(TableName=name)["Table"]
    assert table["DeletionProtectionEnabled"] is False
    (bus,) = (
        one["Name"]
        for one in aws_client("events", room.aws_url).list_event_buses()["EventBuses"]
        if one["Name"] != "default"
    )
    assert bus.startswith("Launched-Core-")
    assert bus.endswith("-WaitingRoomEventBus")
