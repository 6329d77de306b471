# SPDX-License-Identifier: Apache-2.0
"""A room that is launched from the output of `make dist` and `make publish`, by parameters alone.

The templates come from the bucket that `make publish` filled, the parameters from the command that
it printed. moto's CloudFormation makes tables, queues, topic and bus from the templates with their
parameters. What it does not know is made by what the templates say: secrets, addresses, and the
functions, which run from their bundles within the permissions of their roles.
"""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import boto3
import pytest

from deployment import publish
from infrastructure.templates.__main__ import save
from infrastructure.templates.template import Written
from tests.infrastructure import test_journey
from tests.infrastructure.test_journey import CALLBACK, METHOD, admit, join, token
from tests.support.servers import Valkey, aws_client, moto_server
from tests.support.templates.intrinsics import Values
from tests.support.templates.lambda_process import Start
from tests.support.templates.lambda_room import LambdaRoom
from tests.support.templates.lambda_visitor import Visitor
from tests.support.templates.launched import launched, launched_beside
from tests.support.templates.synthesized import Synthesized

MATRIX = os.environ.get("MATRIX") == "all"
pytestmark = [
    pytest.mark.server,
    pytest.mark.skipif(not MATRIX, reason="make matrix derives the templates of core"),
]
REGION, BUCKET, PREFIX = "eu-central-1", "mine", "room/"
SETTINGS = (
    "EventId=Launch Profile=cheap ValidityPeriod=901 EnableEventsGeneration=true StackName=Launched"
)
URL = f"https://{BUCKET}.s3.{REGION}.amazonaws.com/"


@pytest.fixture(scope="module")
def s3() -> Iterator[Any]:
    """The S3 of an account with a private bucket."""
    with moto_server() as aws_url:
        client = aws_client("s3", aws_url)
        where = {"LocationConstraint": REGION}
        client.create_bucket(Bucket=BUCKET, CreateBucketConfiguration=where)
        client.put_public_access_block(
            Bucket=BUCKET, PublicAccessBlockConfiguration=dict.fromkeys(publish.BLOCKS, True)
        )
        yield client


@pytest.fixture(scope="module")
def room(
    dist: Mapping[str, Written], start: Start, s3: Any, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LambdaRoom]:
    """The room that the printed command deploys, set up."""
    folder = tmp_path_factory.mktemp("dist")
    save(dist, folder, {})
    aws_url = s3.meta.endpoint_url
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("AWS_ENDPOINT_URL", aws_url)
        session = boto3.Session("test", "test", region_name=REGION)
        line = publish.publish(session, folder, BUCKET, PREFIX, REGION, SETTINGS)
    words = shlex.split(line)
    template = json.loads(Path(words[words.index("--template-file") + 1]).read_text())
    overrides = words[words.index("--parameter-overrides") + 1 :]
    given = dict(one.split("=", 1) for one in overrides)
    name = words[words.index("--stack-name") + 1]
    stacks = launched(template, given, name, lambda url: fetched(s3, url))
    stacks |= beside(folder / "templates", stacks)
    valkey = Valkey(Path(tmp_path_factory.mktemp("valkey")))
    made = LambdaRoom(stacks, start, aws_url, valkey)
    try:
        assert made("workers", "set_up", {}) == {"status": "ready"}
        yield made
    finally:
        made.close()
        valkey.kill()


def beside(templates: Path, stacks: Mapping[str, Synthesized]) -> dict[str, Synthesized]:
    """The OpenID provider and an inlet of each strategy, from the core stack's outputs."""
    core, values = stacks["Core"], Values(stacks)
    given = {"AssetsBucket": BUCKET, "AssetsPrefix": PREFIX, "StackName": core.name}
    inlet = {
        "EventId": "Launch",
        "PrivateCoreApiEndpoint": values.output(core, "PrivateApiInvokeURL"),
        "CoreApiRegion": REGION,
    }
    openid = {
        "EventID": "Launch",
        "PublicAPIEndpoint": values.output(core, "PublicApiInvokeURL"),
        "APIRegion": REGION,
        "OpenIdRedirectUris": f"{CALLBACK},https://other.example/",
    }
    wanted = {
        "OpenId": ("openid", openid),
        "Inlet": ("inlet", {**inlet, "InletStrategy": "MaxSize"}),
        "PeriodicInlet": ("inlet", inlet),
    }
    return {
        key: launched_beside(
            json.loads((templates / f"{name}.template.json").read_text()),
            {**given, **own},
            f"{core.name}-{key}",
        )
        for key, (name, own) in wanted.items()
    }


def fetched(s3: Any, url: str) -> Any:
    """The template at an address in the bucket."""
    assert url.startswith(URL)
    return json.loads(s3.get_object(Bucket=BUCKET, Key=url.removeprefix(URL))["Body"].read())


def test_the_bucket_has_the_code_of_each_function(room: LambdaRoom, s3: Any) -> None:
    functions = room.core.of_type("AWS::Lambda::Function").values()
    code = {(one["Code"]["S3Bucket"], one["Code"]["S3Key"]) for one in functions}
    listed = s3.list_objects_v2(Bucket=BUCKET)["Contents"]
    assert code <= {(BUCKET, one["Key"]) for one in listed}
    assert len(code) >= 3  # an archive for each app


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


def test_each_inlet_admits_visitors(room: LambdaRoom) -> None:
    test_journey.warm(room)
    test_journey.test_each_inlet_admits_visitors(room)
    test_journey.test_the_max_size_inlet_ends_the_sessions_of_an_exit_notice(room)
    assert room.iam_proxy.denied == set()


def test_the_provider_logs_an_admitted_visitor_in(room: LambdaRoom) -> None:
    test_journey.test_openid_logs_an_admitted_visitor_in(room)
    assert room.iam_proxy.denied == set()
