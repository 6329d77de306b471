# SPDX-License-Identifier: Apache-2.0
"""Published keys: one row of the serving log, read without access to private keys."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from waiting_room.adapters.aws import translate_errors
from waiting_room.adapters.dynamodb.items import number, text, to_item
from waiting_room.adapters.refreshing_value import RefreshingValue
from waiting_room.domain.errors import Conflict, Unavailable
from waiting_room.domain.published_keys import Publication

WHAT = "the serving log"


class DynamoPublicKeys:
    """The PublicKeys port; the keys are cached for ``keep`` seconds."""

    def __init__(
        self, client: Any, table: str, monotonic: Callable[[], float], keep: float
    ) -> None:
        self._client, self._table = client, table
        self._key = to_item({"event_id": "#keys", "entry": "jwks"})
        self._kept = RefreshingValue(self._read, keep, monotonic, "the published keys")

    def load(self) -> Publication:
        """Return the published keys, refreshed after ``keep`` seconds."""
        return self._kept.get()

    def refresh(self) -> Publication:
        """Read the current published keys; a consistent read."""
        return self._kept.refresh()

    def save(self, publication: Publication, before: Publication) -> None:
        """Publish the keys if ``before`` is current. A row without a version has version 0."""
        item = {
            "jwks": publication.to_json(),
            "version": publication.version,
            "lease_id": publication.lease_id,
            "lease_until": publication.lease_until,
        }
        condition = "#version = :version" if before.version else "attribute_not_exists(#version)"
        guard = {"ExpressionAttributeValues": to_item({":version": before.version})}
        with translate_errors(WHAT):
            try:
                self._client.put_item(
                    TableName=self._table,
                    Item={**self._key, **to_item(item)},
                    ConditionExpression=condition,
                    ExpressionAttributeNames={"#version": "version"},
                    **(guard if before.version else {}),
                )
            except self._client.exceptions.ConditionalCheckFailedException:
                raise Conflict from None
        self._kept.hold(publication)

    def _read(self) -> Publication:
        with translate_errors(WHAT):
            response = self._client.get_item(
                TableName=self._table, Key=self._key, ConsistentRead=True
            )
        if "Item" not in response:
            return Publication()
        item = response["Item"]
        beside = number(item, "version"), text(item, "lease_id"), number(item, "lease_until")
        try:
            return Publication.from_json(text(item, "jwks"), *beside)
        except ValueError:
            raise Unavailable(f"{WHAT} contains no readable keys", 60) from None
