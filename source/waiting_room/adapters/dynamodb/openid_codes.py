# SPDX-License-Identifier: Apache-2.0
"""Authorization codes in DynamoDB: written once, redeemed once, deleted by TTL."""

from __future__ import annotations

import logging
from dataclasses import fields
from typing import Any

from waiting_room.adapters.aws import translate_errors
from waiting_room.adapters.dynamodb.items import Item, number, text, to_item
from waiting_room.domain.errors import Conflict
from waiting_room.domain.parsing import UNREADABLE
from waiting_room.openid.protocol import Code

WHAT = "the store of authorization codes"
LEAVES_AFTER = 3600  # s; rows stay for this time after expiry, so that a replay is recognised
logger = logging.getLogger("waiting_room")
NUMBERS = ("position", "auth_time", "token_expires_at", "expires_at")


class DynamoCodes:
    """The CodeStore port. Needs ``dynamodb:PutItem`` and ``dynamodb:UpdateItem`` on its table."""

    def __init__(self, client: Any, table: str) -> None:
        self._client, self._table = client, table

    def save(self, code: Code) -> None:
        """Store a code; raises Conflict when its hash exists."""
        values = {part.name: getattr(code, part.name) for part in fields(code)}
        row = {"code": values.pop("hash"), **values, "ttl": code.expires_at + LEAVES_AFTER}
        try:
            with translate_errors(WHAT):
                self._client.put_item(
                    TableName=self._table,
                    Item=to_item(row),
                    ConditionExpression="attribute_not_exists(code)",
                )
        except self._client.exceptions.ConditionalCheckFailedException:
            raise Conflict("this code exists") from None

    def redeem(self, code_hash: str, client_id: str, now: int) -> Code | None:
        """Redeem a code once; the same write deletes the sealed token from the row."""
        try:
            with translate_errors(WHAT):
                answer = self._client.update_item(
                    TableName=self._table,
                    Key=to_item({"code": code_hash}),
                    UpdateExpression="SET used_at = :now REMOVE sealed",
                    ConditionExpression="attribute_exists(code) AND attribute_not_exists(used_at)"
                    " AND client_id = :client AND expires_at > :now",
                    ExpressionAttributeValues=to_item({":now": now, ":client": client_id}),
                    ReturnValues="ALL_OLD",
                )
        except self._client.exceptions.ConditionalCheckFailedException:
            return None
        try:
            return _code(code_hash, answer["Attributes"])
        except UNREADABLE as error:
            logger.error("the row of an authorization code is damaged: %s", type(error).__name__)
            return None


def _code(code_hash: str, row: Item) -> Code:
    values: dict[str, Any] = {
        part.name: number(row, part.name) if part.name in NUMBERS else text(row, part.name)
        for part in fields(Code)
        if part.name != "hash"
    }
    return Code(hash=code_hash, **values)
