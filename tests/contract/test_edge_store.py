# SPDX-License-Identifier: Apache-2.0
"""The EdgeStore port on one machine, and on the client of a CloudFront KeyValueStore.

No emulator has this service, so a client in memory returns what the API documents.
"""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from botocore.session import Session

from deployment.local.edge_store import LocalEdgeStore
from waiting_room.adapters.edge_store import CloudFrontStore
from waiting_room.domain.errors import Conflict, Unavailable
from waiting_room.domain.ports.edge_store import EdgeStore

ARN = "arn:aws:cloudfront::123456789012:key-value-store/a"


class ConflictException(ClientError):
    """As the client raises it."""


class Client:
    """The operations of ``cloudfront-keyvaluestore``, with the checks of its model."""

    exceptions = type("Exceptions", (), {"ConflictException": ConflictException})

    def __init__(self) -> None:
        self._store = LocalEdgeStore(lambda: 0.0)
        self.error: Exception | None = None

    def describe_key_value_store(self, *, KvsARN: str) -> dict[str, Any]:
        self._check(KvsARN)
        return {"ETag": self._store.version(), "ItemCount": len(self._store.items())}

    def list_keys(self, *, KvsARN: str, MaxResults: int, NextToken: str = "0") -> dict[str, Any]:
        self._check(KvsARN)
        every, start = sorted(self._store.items().items()), int(NextToken)
        page = every[start : start + MaxResults]
        more = {"NextToken": str(start + MaxResults)} if len(every) > start + MaxResults else {}
        return {"Items": [{"Key": key, "Value": value} for key, value in page], **more}

    def update_keys(
        self, *, KvsARN: str, IfMatch: str, Puts: list[Any], Deletes: list[Any]
    ) -> dict[str, Any]:
        self._check(KvsARN)
        puts = {one["Key"]: one["Value"] for one in Puts}
        try:
            return {"ETag": self._store.update(puts, [one["Key"] for one in Deletes], IfMatch)}
        except Conflict:
            content: Any = {"Error": {"Code": "ConflictException"}}
            raise ConflictException(content, "UpdateKeys") from None

    def _check(self, arn: str) -> None:
        assert arn == ARN
        if self.error:
            raise self.error


@pytest.fixture
def client() -> Client:
    return Client()


@pytest.fixture(params=["local", "cloudfront"])
def store(request: pytest.FixtureRequest, client: Client) -> EdgeStore:
    return LocalEdgeStore(lambda: 0.0) if request.param == "local" else CloudFrontStore(client, ARN)


def test_items_come_back_and_the_version_is_that_of_the_whole_store(store: EdgeStore) -> None:
    first = store.version()
    assert (store.items(), store.version()) == ({}, first)
    second = store.update({"a": "1", "b": "é"}, (), first)
    assert second == store.version() != first
    assert store.items() == {"a": "1", "b": "é"}
    third = store.update({"c": "3"}, ("a", "none"), second)
    assert store.items() == {"b": "é", "c": "3"}
    assert len({first, second, third}) == 3


def test_an_update_needs_the_current_version(store: EdgeStore) -> None:
    first = store.version()
    store.update({"a": "1"}, (), first)
    with pytest.raises(Conflict):
        store.update({"b": "2"}, ("a",), first)
    assert store.items() == {"a": "1"}


def test_all_pages_are_read(store: EdgeStore) -> None:
    version = store.version()
    wanted = {f"{number:03}": "x" for number in range(101)}
    for start in (0, 50, 100):
        part = {key: wanted[key] for key in sorted(wanted)[start : start + 50]}
        version = store.update(part, (), version)
    assert store.items() == wanted


@pytest.mark.parametrize(
    "error",
    [
        EndpointConnectionError(endpoint_url="https://x"),
        ClientError({"Error": {"Code": "InternalServerException"},
                     "ResponseMetadata": {"HTTPStatusCode": 500}}, "UpdateKeys"),  # type: ignore[typeddict-item]
    ],
)  # fmt: skip
def test_an_outage_is_unavailable(client: Client, error: Exception) -> None:
    client.error, store = error, CloudFrontStore(client, ARN)
    for call in (store.version, store.items, lambda: store.update({"a": "1"}, (), "v1")):
        with pytest.raises(Unavailable):
            call()


def test_the_operations_are_those_of_the_service() -> None:
    """By the model of botocore, which has no emulator."""
    model = Session().get_service_model("cloudfront-keyvaluestore")
    for operation, members in (
        ("DescribeKeyValueStore", {"KvsARN"}),
        ("ListKeys", {"KvsARN", "MaxResults", "NextToken"}),
        ("UpdateKeys", {"KvsARN", "IfMatch", "Puts", "Deletes"}),
    ):
        shape = model.operation_model(operation)
        assert set(shape.input_shape.members) == members
        assert shape.output_shape.members.keys() >= (
            {"Items"} if operation == "ListKeys" else {"ETag"}
        )
    updated = model.operation_model("UpdateKeys").input_shape.members
    assert set(updated["Puts"].member.members) == {"Key", "Value"}
    assert "ConflictException" in {
        shape.name for shape in model.operation_model("UpdateKeys").error_shapes
    }
