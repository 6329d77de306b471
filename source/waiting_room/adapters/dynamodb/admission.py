# SPDX-License-Identifier: Apache-2.0
"""Admission of an event: item ``admission`` of the Events table.

Steps, the site and the alarm reader each write their own attributes, so none overwrites another.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from waiting_room.adapters.aws import translate_errors
from waiting_room.adapters.dynamodb.items import Item, number, text, to_item
from waiting_room.domain.errors import Conflict
from waiting_room.domain.events.admission import AdmissionRecord, AdmissionState
from waiting_room.domain.events.alarms import Alarm

WHAT = "the admission of an event"
ITEM = "admission"


class DynamoAdmissionStates:
    """The AdmissionStates port on DynamoDB."""

    def __init__(self, client: Any, table: str) -> None:
        self._client, self._table = client, table

    def read(self, event_id: str) -> AdmissionRecord:
        """Return the record by a consistent read."""
        with translate_errors(WHAT):
            response = self._client.get_item(
                TableName=self._table, Key=_key(event_id), ConsistentRead=True
            )
        item: Item = response.get("Item", {})
        stored = text(item, "admission_state")
        return AdmissionRecord(
            event_id=event_id,
            version=number(item, "version"),
            state=AdmissionState.from_json(json.loads(stored)) if stored else None,
            health=float(item["health"]["N"]) if "health" in item else None,
            health_at=number(item, "health_at"),
            alarm=text(item, "alarm"),
            alarm_state=Alarm(state) if (state := text(item, "alarm_state")) else None,
            alarm_at=number(item, "alarm_at"),
        )

    def write(self, before: AdmissionRecord, after: AdmissionRecord) -> None:
        """Write a step, if no other step was written since."""
        state = after.state.to_json() if after.state else None
        values = {
            "version": after.version,
            "admission_state": json.dumps(state, separators=(",", ":")),
        }
        condition, guards = "attribute_not_exists(#version)", {}
        if before.version:
            condition, guards = "#version = :was", {":was": before.version}
        try:
            self._update(after.event_id, values, condition, guards)
        except self._client.exceptions.ConditionalCheckFailedException:
            raise Conflict from None

    def report_health(self, event_id: str, health: float, at: int) -> None:
        """Write the site's health."""
        self._update(event_id, {"health": float(health), "health_at": at})

    def report_alarm(self, event_id: str, name: str, state: Alarm, at: int) -> None:
        """Write the state of an alarm."""
        self._update(event_id, {"alarm": name, "alarm_state": state.value, "alarm_at": at})

    def delete(self, event_id: str) -> None:
        """Delete the item."""
        with translate_errors(WHAT):
            self._client.delete_item(TableName=self._table, Key=_key(event_id))

    def _update(
        self,
        event_id: str,
        values: Mapping[str, Any],
        condition: str = "",
        guards: Mapping[str, Any] | None = None,
    ) -> None:
        given = {f":{name}": value for name, value in values.items()}
        with translate_errors(WHAT):
            self._client.update_item(
                TableName=self._table,
                Key=_key(event_id),
                UpdateExpression="SET " + ", ".join(f"#{name} = :{name}" for name in values),
                ExpressionAttributeNames={f"#{name}": name for name in values},
                ExpressionAttributeValues=to_item({**given, **(guards or {})}),
                **({"ConditionExpression": condition} if condition else {}),
            )


def _key(event_id: str) -> Item:
    return to_item({"event_id": event_id, "item": ITEM})
