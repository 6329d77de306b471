# SPDX-License-Identifier: Apache-2.0
"""Positions of visitors who go straight through: conditional updates of the state row.

Each method is one request. A refused position costs a write too, so callers read a copy first.
"""

from __future__ import annotations

from typing import Any

from waiting_room.adapters.aws import translate_errors
from waiting_room.adapters.dynamodb.items import Item, to_item
from waiting_room.adapters.dynamodb.serving_log import STATE, state_of
from waiting_room.domain.errors import Unavailable
from waiting_room.domain.ports.straight_through import Taking
from waiting_room.domain.records import EventState

WHAT = "the serving log"
TAKE = (
    "#generation = :generation AND #reset_at = :reset_at AND #queue < #serving"
    " AND attribute_not_exists(#line) AND attribute_not_exists(#shut)"
)


class DynamoStraightThrough:
    """The StraightThrough port on DynamoDB. ``single`` is a client without retries."""

    def __init__(self, client: Any, single: Any, table: str) -> None:
        self._client, self._single, self._table = client, single, table

    def take(self, known: EventState) -> Taking:
        """Take the next position if it is served."""
        names = ("generation", "reset_at", "queue", "serving", "line", "shut")
        with translate_errors(WHAT):
            try:
                response = self._single.update_item(
                    TableName=self._table,
                    Key=_key(known.event_id),
                    UpdateExpression="ADD #queue :one",
                    ConditionExpression=TAKE,
                    ExpressionAttributeNames=_names(*names),
                    ExpressionAttributeValues=to_item(
                        {
                            ":one": 1,
                            ":generation": known.generation,
                            ":reset_at": float(known.reset_at),
                        }
                    ),
                    ReturnValues="ALL_NEW",
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                )
            except self._single.exceptions.ConditionalCheckFailedException as error:
                current = error.response.get("Item")
                if not current:
                    raise Unavailable(f"{WHAT} has no state row of the event") from None
                return Taking(state_of(current))
        state = state_of(response["Attributes"])
        return Taking(state, state.queue)

    def set_line(self, event_id: str, generation: int, now: int, age: int) -> None:
        """Set ``line``, unless another caller did so within ``age`` seconds."""
        self._change(
            event_id,
            "SET #line = :now",
            "#generation = :generation AND (attribute_not_exists(#line) OR #line <= :before)",
            ("line", "generation"),
            {":now": now, ":before": now - age, ":generation": generation},
        )

    def remove_line(self, seen: EventState) -> bool:
        """Remove ``line`` if nothing has changed it since, and every position is served."""
        return self._change(
            seen.event_id,
            "REMOVE #line",
            "#line = :line AND #queue <= #serving AND #generation = :generation",
            ("line", "queue", "serving", "generation"),
            {":line": seen.line, ":generation": seen.generation},
        )

    def shut(self, event_id: str, mark: int) -> None:
        """Set ``shut`` of a row that exists."""
        there = "attribute_exists(event_id)"
        if not self._change(event_id, "SET #shut = :mark", there, ("shut",), {":mark": mark}):
            raise Unavailable(f"{WHAT} has no state row of the event")

    def reopen(self, event_id: str, mark: int) -> None:
        """Remove ``shut`` of one action."""
        self._change(event_id, "REMOVE #shut", "#shut = :mark", ("shut",), {":mark": mark})

    def _change(
        self,
        event_id: str,
        update: str,
        condition: str,
        names: tuple[str, ...],
        values: dict[str, Any],
    ) -> bool:
        """Update the state row if ``condition`` holds; return whether it did."""
        with translate_errors(WHAT):
            try:
                self._client.update_item(
                    TableName=self._table,
                    Key=_key(event_id),
                    UpdateExpression=update,
                    ConditionExpression=condition,
                    ExpressionAttributeNames=_names(*names),
                    ExpressionAttributeValues=to_item(values),
                )
            except self._client.exceptions.ConditionalCheckFailedException:
                return False
        return True


def _key(event_id: str) -> Item:
    return to_item({"event_id": event_id, "entry": STATE})


def _names(*names: str) -> dict[str, str]:
    return {f"#{name}": name for name in names}
