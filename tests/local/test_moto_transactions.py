# SPDX-License-Identifier: Apache-2.0
"""moto's transactions as the one-machine stack corrects them: the same results, fewer copies."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.session import Session
from moto import mock_aws
from moto.dynamodb.models import DynamoDBBackend
from moto.dynamodb.models.dynamo_type import Item
from moto.dynamodb.models.table import Table

from deployment.local.moto import tables, transactions
from infrastructure.blueprint.resources import EVENTS, TOKENS
from tests.support.servers import FAKE_CREDENTIALS, create_table

NAME = "events"
PATCHED = ((Table, ("query", "put_item", "delete_item")),
           (DynamoDBBackend, ("update_item", "transact_write_items")))  # fmt: skip


@pytest.fixture(params=[False, True], ids=["moto", "corrected"])
def client(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A client of moto in this process; ``corrected`` until the test ends."""
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    if request.param:
        for kind, names in PATCHED:
            for name in names:
                monkeypatch.setattr(kind, name, getattr(kind, name))
        monkeypatch.setattr(Table, "sorted", False, raising=False)
        monkeypatch.setattr(DynamoDBBackend, "copies_items", False, raising=False)
        for _ in range(2):
            tables.apply()
            transactions.apply()
    with mock_aws():
        made = Session().create_client("dynamodb", region_name="eu-central-1", **FAKE_CREDENTIALS)
        create_table(made, EVENTS, NAME)
        made.put_item(TableName=NAME, Item=item("there", n={"N": "1"}, events={"M": {}}))
        made.put_item(TableName=NAME, Item=item("gone", n={"N": "1"}))
        yield made


def item(name: str, **more: Any) -> dict[str, Any]:
    return {"event_id": {"S": "a"}, "item": {"S": name}, **more}


def put(name: str, **more: Any) -> dict[str, Any]:
    return {"Put": {"TableName": NAME, "Item": item(name, n={"N": "2"}), **more}}


def update(name: str, **more: Any) -> dict[str, Any]:
    return {
        "Update": {
            "TableName": NAME, "Key": item(name), "UpdateExpression": "SET events.#id = :text",
            "ExpressionAttributeNames": {"#id": "x"},
            "ExpressionAttributeValues": {":text": {"S": "y"}}, **more,
        }
    }  # fmt: skip


DELETE = {"Delete": {"TableName": NAME, "Key": item("gone")}}
NEW = {"ConditionExpression": "attribute_not_exists(event_id)"}


def rows(client: Any) -> list[dict[str, Any]]:
    """Return all items, as a query returns them."""
    found = client.query(
        TableName=NAME, KeyConditionExpression="event_id = :a",
        ExpressionAttributeValues={":a": {"S": "a"}},
    )  # fmt: skip
    return list(found["Items"])


def test_a_transaction_writes_everything(client: Any) -> None:
    client.transact_write_items(TransactItems=[put("new", **NEW), update("there"), DELETE])
    assert rows(client) == [
        item("new", n={"N": "2"}),
        item("there", n={"N": "1"}, events={"M": {"x": {"S": "y"}}}),
    ]


@pytest.mark.parametrize(
    "requests",
    [
        [put("new"), update("there"), DELETE, put("there", **NEW)],
        [update("there"), DELETE, put("gone2"), update("missing")],
        [DELETE, put("gone", **NEW)],
        [put("gone"), put("there", **NEW)],
    ],
    ids=["condition last", "invalid update", "one item twice", "replaced"],
)
def test_a_transaction_that_fails_writes_nothing(client: Any, requests: list[Any]) -> None:
    before = rows(client)
    with pytest.raises(client.exceptions.ClientError):
        client.transact_write_items(TransactItems=requests)
    assert rows(client) == before
    client.transact_write_items(TransactItems=[DELETE])
    assert rows(client) == [one for one in before if one["item"] != {"S": "gone"}]


def test_a_failed_transaction_of_a_table_with_a_stream_writes_nothing(client: Any) -> None:
    create_table(client, TOKENS, "streamed")
    key = {"shard": {"S": "a"}, "position": {"N": "1"}}
    write = {"Put": {"TableName": "streamed", "Item": key}}
    check = {"TableName": "streamed", "Key": {**key, "position": {"N": "2"}},
             "ConditionExpression": "attribute_exists(shard)"}  # fmt: skip
    with pytest.raises(client.exceptions.ClientError):
        client.transact_write_items(TransactItems=[write, {"ConditionCheck": check}])
    assert client.scan(TableName="streamed")["Count"] == 0


def test_a_transaction_copies_no_other_item(
    client: Any, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(50):
        client.put_item(TableName=NAME, Item=item(f"other{number}"))
    copied, copy = [], Item.__deepcopy__
    monkeypatch.setattr(Item, "__deepcopy__", lambda one, memo: copied.append(1) or copy(one, memo))
    client.transact_write_items(TransactItems=[put("new"), update("there"), DELETE])
    quick = "corrected" in request.node.name
    assert (len(copied) < 10) is quick, f"{len(copied)} copies"
