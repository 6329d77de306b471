# SPDX-License-Identifier: Apache-2.0
"""moto's tables as the one-machine stack corrects them: the same answers, fewer rows looked at."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.session import Session
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from moto import mock_aws
from moto.dynamodb.models import DynamoDBBackend, dynamodb_backends
from moto.dynamodb.models.dynamo_type import Item
from moto.dynamodb.models.table import Table
from moto.dynamodb.responses import DynamoHandler, DynamoResult

from deployment.local.moto import tables
from deployment.local.resources import table_request
from infrastructure.blueprint.resources import POSITIONS, TABLES, TOKENS
from tests.support.servers import FAKE_CREDENTIALS, create_table

REGION = "eu-central-1"
LINES = ("Sample#1#0", "Sample#1#1")
NUMBERS = ("1", "2", "10", "2.5", "-1")


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A client of moto in this process, corrected until the test ends."""
    for kind, names in (
        (Table, ("query", "put_item", "delete_item")),
        (DynamoDBBackend, ("update_item",)),
        (DynamoHandler, ("call_action",)),
        (DynamoResult, ("execute_result",)),
    ):
        for name in names:
            monkeypatch.setattr(kind, name, getattr(kind, name))
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    monkeypatch.setattr(Table, "sorted", False, raising=False)
    tables.apply()
    tables.apply()
    with mock_aws():
        yield Session().create_client("dynamodb", region_name=REGION, **FAKE_CREDENTIALS)


def table_of(name: str) -> Table:
    """moto's own object of a table."""
    return dynamodb_backends["123456789012"][REGION].tables[name]


def token(line: str, position: str, **more: str) -> dict[str, dict[str, str]]:
    """A row of the token table; words of ``more`` are numbers where they look like one."""
    row = {"shard": {"S": line}, "position": {"N": position}}
    return row | {
        name: {"N": value} if value.lstrip("-").replace(".", "").isdigit() else {"S": value}
        for name, value in more.items()
    }


@st.composite
def changes(draw: st.DrawFn) -> list[tuple[str, str, str, dict[str, str]]]:
    """Writes to the token table: rows that enter its index, leave it, move in it."""
    more = st.fixed_dictionaries(
        {"request_id": st.sampled_from(("a", "b", "c")), "kind": st.sampled_from(("x", "y"))},
        optional={
            "ended_shard": st.sampled_from(LINES),
            "expires_at": st.sampled_from(NUMBERS),
        },
    )
    one = st.tuples(
        st.sampled_from(("put", "put", "end", "reopen", "delete")),
        st.sampled_from(LINES),
        st.sampled_from(NUMBERS),
        more,
    )
    return draw(st.lists(one, min_size=5, max_size=20))


def change(client: Any, name: str, what: str, line: str, position: str, more: Any) -> None:
    """Make one of ``changes``."""
    row = token(line, position, **more)
    key = {"shard": row["shard"], "position": row["position"]}
    if what == "put":
        client.put_item(TableName=name, Item=row)
    elif what == "delete":
        client.delete_item(TableName=name, Key=key)
    elif what == "end":
        client.update_item(
            TableName=name,
            Key=key,
            UpdateExpression="SET ended_shard = :shard, expires_at = :at",
            ExpressionAttributeValues={":shard": {"S": LINES[0]}, ":at": {"N": position}},
        )
    else:
        client.update_item(TableName=name, Key=key, UpdateExpression="REMOVE ended_shard")


@st.composite
def queries(draw: st.DrawFn) -> dict[str, Any]:
    """Queries of the token table and of its index."""
    indexed = draw(st.booleans())
    line, number = ("ended_shard", "expires_at") if indexed else ("shard", "position")
    asked: dict[str, Any] = {"IndexName": "EndedSessions"} if indexed else {}
    names, values = {"#shard": line}, {":shard": {"S": draw(st.sampled_from(LINES))}}
    condition = "#shard = :shard"
    comparison = draw(st.sampled_from(("", "=", "<", "<=", ">", ">=", "BETWEEN")))
    if comparison:
        names["#number"] = number
        bounds = sorted((draw(st.sampled_from(NUMBERS)), draw(st.sampled_from(NUMBERS))), key=float)
        values[":first"] = {"N": bounds[0]}
        condition += f" AND #number {comparison} :first"
        if comparison == "BETWEEN":
            values[":last"] = {"N": bounds[1]}
            condition += " AND :last"
    if draw(st.booleans()):
        names["#kind"], values[":kind"] = "kind", {"S": "x"}
        asked["FilterExpression"] = "#kind = :kind"
    if draw(st.booleans()):
        names["#id"] = "request_id"
        asked["ProjectionExpression"] = "#id"
    if limit := draw(st.integers(0, 4)):
        asked["Limit"] = limit
    return {
        "KeyConditionExpression": condition,
        "ExpressionAttributeNames": names,
        "ExpressionAttributeValues": values,
        "ScanIndexForward": draw(st.booleans()),
        **asked,
    }


WHOLE: tuple[dict[str, Any], ...] = tuple(
    {
        "KeyConditionExpression": "#shard = :shard",
        "ExpressionAttributeNames": {"#shard": "ended_shard" if index else "shard"},
        "ExpressionAttributeValues": {":shard": {"S": line}},
        **index,
    }
    for line in LINES
    for index in ({}, {"IndexName": "EndedSessions"})
)


def pages(client: Any, name: str, asked: dict[str, Any]) -> list[Any]:
    """All pages of a query, without what belongs to the response itself."""
    found: list[Any] = []
    start: dict[str, Any] = {}
    while True:
        page = client.query(TableName=name, **asked, **start)
        page.pop("ResponseMetadata")
        found.append(page)
        if "LastEvaluatedKey" not in page:
            return found
        start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}


@settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    phases=(Phase.generate,),
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(before=changes(), after=changes(), asked=st.lists(queries(), min_size=1, max_size=6))
def test_every_query_answers_what_moto_answers_by_looking_at_every_row(
    client: Any, before: list[Any], after: list[Any], asked: list[dict[str, Any]]
) -> None:
    name = f"t{time.monotonic_ns()}"
    create_table(client, TOKENS, name)
    for one in before:
        change(client, name, *one)
    tables.rows_of(table_of(name))  # from now on each write keeps the orders
    for one in after:
        change(client, name, *one)
    for request in [*asked, *WHOLE]:
        ours = pages(client, name, request)
        with pytest.MonkeyPatch.context() as plain:
            plain.setattr(Table, "query", tables._moto_query)
            plain.setattr(DynamoResult, "execute_result", tables._moto_response)
            assert ours == pages(client, name, request)
    client.delete_table(TableName=name)


@pytest.mark.parametrize("quick", [False, True])
def test_a_query_looks_at_the_rows_that_it_returns(
    client: Any, monkeypatch: pytest.MonkeyPatch, *, quick: bool
) -> None:
    create_table(client, POSITIONS, "many")
    for number in range(320):
        client.put_item(
            TableName="many",
            Item={
                "id": {"S": f"Sample#{number}"},
                "shard": {"S": f"Sample#1#{number % 16}"},
                "position": {"N": str(number)},
            },
        )
    asked = {
        "IndexName": "ByPosition",
        "KeyConditionExpression": "#shard = :shard AND #position BETWEEN :first AND :last",
        "ExpressionAttributeNames": {"#shard": "shard", "#position": "position"},
        "ExpressionAttributeValues": {
            ":shard": {"S": "Sample#1#3"},
            ":first": {"N": "100"},
            ":last": {"N": "150"},
        },
    }
    pages(client, "many", asked)
    looks: list[int] = []
    all_items, size = Table.all_items, Item.size

    def counted(self: Table) -> list[Item]:
        rows = all_items(self)
        looks.extend([1] * len(rows))
        return rows

    monkeypatch.setattr(Table, "all_items", counted)
    monkeypatch.setattr(Item, "size", lambda self: looks.append(1) or size(self))
    if not quick:
        monkeypatch.setattr(Table, "query", tables._moto_query)
    found = pages(client, "many", asked)[0]["Items"]
    assert [int(row["position"]["N"]) for row in found] == [115 + 0, 131, 147]
    assert (len(looks) <= len(found) + 1) is quick, f"{len(looks)} rows for {len(found)}"


def test_a_transaction_that_is_undone_leaves_the_orders_as_they_were(client: Any) -> None:
    create_table(client, TOKENS, "undone")
    client.put_item(TableName="undone", Item=token(LINES[0], "1"))
    before = pages(client, "undone", WHOLE[0])
    missing = {"Key": {"shard": {"S": LINES[0]}, "position": {"N": "7"}}, "TableName": "undone"}
    with pytest.raises(client.exceptions.TransactionCanceledException):
        client.transact_write_items(
            TransactItems=[
                {"Put": {"TableName": "undone", "Item": token(LINES[0], "2")}},
                {"ConditionCheck": {**missing, "ConditionExpression": "attribute_exists(kind)"}},
            ]
        )
    assert pages(client, "undone", WHOLE[0]) == before


def test_values_of_every_type_come_back_as_they_were_put(client: Any) -> None:
    create_table(client, TOKENS, "types")
    plain = {
        "ns": {"NS": ["1", "2.5"]},
        "ss": {"SS": ["a", "\u00e4"]},
        "yes": {"BOOL": True},
        "no": {"BOOL": False},
        "text": {"S": '"\n\u2028'},
    }
    other = {
        "bytes": {"B": b"\x00\xff"},
        "sets": {"BS": [b"a"]},
        "list": {"L": [{"S": "a"}, {"M": {"b": {"NULL": True}}}]},
    }
    for position, more in (("1", plain), ("2", plain | other)):
        row = token(LINES[0], position) | more
        client.put_item(TableName="types", Item=row)
        asked = {
            **WHOLE[0],
            "KeyConditionExpression": "#shard = :shard AND #position = :position",
            "ExpressionAttributeNames": {"#shard": "shard", "#position": "position"},
            "ExpressionAttributeValues": {":shard": {"S": LINES[0]}, ":position": {"N": position}},
        }
        assert pages(client, "types", asked)[0]["Items"] == [row]
    found = client.scan(TableName="types")["Items"]
    assert sorted(found, key=len)[1] == token(LINES[0], "2") | plain | other


def on(client: Any, name: str) -> None:
    """Switch TTL on, as the deployment does."""
    client.update_time_to_live(
        TableName=name,
        TimeToLiveSpecification={"Enabled": True, "AttributeName": TOKENS.ttl},
    )


def positions(client: Any, name: str) -> list[int]:
    rows = client.scan(TableName=name)["Items"]
    return sorted(int(row["position"]["N"]) for row in rows)


def test_rows_past_their_ttl_leave_late_and_a_few_at_a_time(client: Any) -> None:
    client.create_table(**table_request(TOKENS, "ttl"))
    now = 1_800_000_000
    late, kept = str(now - tables.TTL_DELAY - 1), str(now - tables.TTL_DELAY)
    for number in range(3):
        client.put_item(TableName="ttl", Item=token(LINES[0], str(number), ttl=late))
    client.put_item(TableName="ttl", Item=token(LINES[0], "3", ttl=kept))
    client.put_item(TableName="ttl", Item=token(LINES[0], "4", ttl=str(now + 60)))
    client.put_item(TableName="ttl", Item=token(LINES[0], "5", ttl="soon"))
    client.put_item(TableName="ttl", Item=token(LINES[0], "6", ttl="1"))  # 1970: stays
    client.put_item(TableName="ttl", Item=token(LINES[0], "7"))
    assert tables.expire(table_of("ttl"), now) == 0, "TTL is off"
    on(client, "ttl")
    # the row's time moves on while it waits
    client.put_item(TableName="ttl", Item=token(LINES[0], "1", ttl=str(now)))
    assert tables.expire(table_of("ttl"), now, most=1) == 1
    assert tables.expire(table_of("ttl"), now) == 1
    assert tables.expire(table_of("ttl"), now) == 0
    assert positions(client, "ttl") == [1, 3, 4, 5, 6, 7]
    last = table_of("ttl").stream_shard.items[-1].to_json()
    assert last["eventName"] == "REMOVE"
    assert last["userIdentity"] == tables.SERVICE


def test_each_request_lets_rows_leave(client: Any) -> None:
    create_table(client, TOKENS, "leaving")
    on(client, "leaving")
    long_ago = str(int(time.time()) - 3600)
    client.put_item(TableName="leaving", Item=token(LINES[0], "1", ttl=long_ago))
    assert positions(client, "leaving") == []


def test_the_deployment_of_this_machine_switches_ttl_on_and_does_so_once(client: Any) -> None:
    from deployment.local import resources

    for table in TABLES:
        for _ in range(2):
            resources._make_table(client, table, table.name)
        found = client.describe_time_to_live(TableName=table.name)["TimeToLiveDescription"]
        assert found == {"TimeToLiveStatus": "ENABLED", "AttributeName": table.ttl}
