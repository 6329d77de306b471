# SPDX-License-Identifier: Apache-2.0
"""Tables, queues, bus, topic and secrets of the room on an AWS endpoint; safe to repeat."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping, MutableMapping
from typing import Any

from botocore.session import Session

from deployment.local import config
from infrastructure.blueprint.resources import EVENT_SOURCE, JOINS, Table


def make(env: MutableMapping[str, str]) -> str:
    """Create the resources of a deployment that do not exist yet; return the ARN of the exit topic.

    Adds to ``env`` what AWS named: the queues of joins and the id of the role for redrives.
    """
    session: Any = Session()
    dynamodb = session.create_client("dynamodb")
    for table in config.tables(env):
        _make_table(dynamodb, table, env[table.setting])
    env.update(_make_queues(session.create_client("sqs")))
    env["REDRIVE_ROLE_ID"] = _make_redrive_role(session.create_client("iam"))
    _make_bus(session, env["EVENT_BUS_NAME"])
    topic = _make_topic(session)
    store = session.create_client("secretsmanager")
    for setting in ("SIGNING_KEYS_SECRET", "GATE_KEYS_SECRET"):
        _unless_there(store.create_secret, "ResourceExists", Name=env[setting], SecretString="{}")
    client = {
        "client_secret": secrets.token_urlsafe(32),
        "transaction_key": secrets.token_urlsafe(32),
    }
    _unless_there(
        store.create_secret,
        "ResourceExists",
        Name=env["OPENID_CLIENT_SECRET_ID"],
        SecretString=json.dumps(client),
    )
    return topic


def openid_client_secret(env: Mapping[str, str]) -> str:
    """Return the current secret of the OpenID client."""
    store: Any = Session().create_client("secretsmanager")
    kept = store.get_secret_value(SecretId=env["OPENID_CLIENT_SECRET_ID"])["SecretString"]
    return str(json.loads(kept)["client_secret"])


def table_request(table: Table, name: str) -> dict[str, Any]:
    """Return the CreateTable request of a table."""
    keys = [table.partition_key, *([table.sort_key] if table.sort_key else [])]
    kinds = dict(keys)
    request: dict[str, Any] = {
        "TableName": name,
        "BillingMode": "PAY_PER_REQUEST",
        "KeySchema": _schema([key for key, _ in keys]),
    }
    if table.index:
        index = table.index
        kinds |= {index.partition_key: "S", index.sort_key: "N"}
        projected = list(index.projected)
        request["GlobalSecondaryIndexes"] = [
            {
                "IndexName": index.name,
                "KeySchema": _schema([index.partition_key, index.sort_key]),
                "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": projected},
            }
        ]
    if table.stream:
        request["StreamSpecification"] = {"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"}
    request["AttributeDefinitions"] = [
        {"AttributeName": key, "AttributeType": kind} for key, kind in kinds.items()
    ]
    return request


def _make_table(dynamodb: Any, table: Table, name: str) -> None:
    _unless_there(dynamodb.create_table, "ResourceInUse", **table_request(table, name))
    dynamodb.get_waiter("table_exists").wait(
        TableName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 60}
    )
    ttl = dynamodb.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
    if not ttl["TimeToLiveStatus"].startswith("ENABL"):  # a second call is refused
        dynamodb.update_time_to_live(
            TableName=name,
            TimeToLiveSpecification={"Enabled": True, "AttributeName": table.ttl},
        )


def _make_redrive_role(iam: Any) -> str:
    """Create the redrive role and return its unique id."""
    trust = {"Version": "2012-10-17", "Statement": []}
    _unless_there(
        iam.create_role,
        "EntityAlreadyExists",
        RoleName=config.REDRIVE_ROLE,
        AssumeRolePolicyDocument=json.dumps(trust),
    )
    return str(iam.get_role(RoleName=config.REDRIVE_ROLE)["Role"]["RoleId"])


def _make_queues(sqs: Any) -> dict[str, str]:
    """Create the join queue and its dead-letter queue; return their URLs by setting."""
    dead = sqs.create_queue(
        QueueName=config.DEAD_LETTERS,
        Attributes={"MessageRetentionPeriod": str(JOINS.dead_letter_retention)},
    )["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])
    redrive = {
        "deadLetterTargetArn": arn["Attributes"]["QueueArn"],
        "maxReceiveCount": JOINS.max_receive_count,
    }
    joins = sqs.create_queue(
        QueueName=config.QUEUE,
        Attributes={
            "VisibilityTimeout": str(JOINS.visibility_timeout),
            "MessageRetentionPeriod": str(JOINS.retention),
            "RedrivePolicy": json.dumps(redrive),
        },
    )["QueueUrl"]
    return {"JOIN_QUEUE_URL": joins, "JOIN_DEAD_LETTER_QUEUE_URL": dead}


def _make_bus(session: Any, bus: str) -> None:
    """Create the event bus, and a queue that receives all its events."""
    sqs, events = session.create_client("sqs"), session.create_client("events")
    _unless_there(events.create_event_bus, "ResourceAlreadyExists", Name=bus)
    url = sqs.create_queue(QueueName=config.BUS_EVENTS)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    rule = {"Name": config.BUS_EVENTS, "EventBusName": bus}
    events.put_rule(**rule, EventPattern=json.dumps({"source": [EVENT_SOURCE]}))
    target = {"Id": "queue", "Arn": arn["Attributes"]["QueueArn"]}
    events.put_targets(Rule=rule["Name"], EventBusName=bus, Targets=[target])


def _make_topic(session: Any) -> str:
    """Create the exit topic and return its ARN; a queue delivers its notices to the inlet."""
    sqs, sns = session.create_client("sqs"), session.create_client("sns")
    url = sqs.create_queue(QueueName=config.EXIT_NOTICES)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    topic = sns.create_topic(Name=config.EXIT_TOPIC)["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn["Attributes"]["QueueArn"])
    return str(topic)


def _schema(names: list[str]) -> list[dict[str, str]]:
    kinds = ("HASH", "RANGE")
    return [
        {"AttributeName": name, "KeyType": kind} for name, kind in zip(names, kinds, strict=False)
    ]


def _unless_there(make: Any, code: str, **request: Any) -> None:
    from botocore.exceptions import ClientError

    try:
        make(**request)
    except ClientError as error:
        if not error.response["Error"]["Code"].startswith(code):
            raise
