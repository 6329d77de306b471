# SPDX-License-Identifier: Apache-2.0
"""The row that an inlet and its operators share: entry ``inlet`` of the serving log.

Runs and operators each write their own attributes, so neither overwrites the other.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from waiting_room.adapters.aws import translate_errors
from waiting_room.adapters.dynamodb.items import Item, number, text, to_item
from waiting_room.domain.errors import Conflict
from waiting_room.domain.events.alarms import Alarm
from waiting_room.inlet.strategies import InletRecord, Strategy

WHAT = "the inlet's record"
ENTRY = "inlet"


class DynamoInlet:
    """The InletStore port on DynamoDB."""

    def __init__(self, client: Any, table: str) -> None:
        self._client, self._table = client, table

    def read(self, event_id: str) -> InletRecord | None:
        """Return the row; a consistent read."""
        with translate_errors(WHAT):
            response = self._client.get_item(
                TableName=self._table, Key=_key(event_id), ConsistentRead=True
            )
        return _record(response["Item"]) if "Item" in response else None

    def write(self, before: InletRecord | None, after: InletRecord) -> None:
        """Write the changes of a run, if no other run wrote since."""
        values: dict[str, Any] = {
            "strategy": after.strategy.value,
            "deployed_targets": _json(after.deployed),
            "version": after.version,
            "controller_state": _json(after.controller_state),
            "handled_message_ids": json.dumps(after.handled_ids),
            "last_at": after.last_at,
            "last_increment": after.last_increment,
            "last_reason": after.last_reason,
            "alarm": after.alarm,
            "alarm_state": after.alarm_state.value if after.alarm_state else "",
            "alarm_holds": int(after.alarm_holds),
        }
        if before is None or dict(before.deployed) != dict(after.deployed):
            values["targets"] = _json(after.targets)
        if before is None:
            values["paused"] = int(after.paused)
            self._update(after.event_id, values, "attribute_not_exists(#version)", {})
        else:
            self._update(after.event_id, values, "#version = :was", {":was": before.version})

    def change(
        self, before: InletRecord, *, paused: bool, targets: Mapping[str, int]
    ) -> InletRecord:
        """Write an operator's change, if no other operator and no deployment wrote first."""
        return _record(
            self._update(
                before.event_id,
                {"paused": int(paused), "targets": _json(targets)},
                "#targets = :was_targets AND #paused = :was_paused AND #strategy = :strategy",
                {
                    ":was_targets": _json(before.targets),
                    ":was_paused": int(before.paused),
                    ":strategy": before.strategy.value,
                },
            )
        )

    def _update(
        self, event_id: str, values: Mapping[str, Any], condition: str, guards: Mapping[str, Any]
    ) -> Item:
        names = {*values, *(name for name in ("version", "strategy") if f"#{name}" in condition)}
        with translate_errors(WHAT):
            try:
                response: dict[str, Item] = self._client.update_item(
                    TableName=self._table,
                    Key=_key(event_id),
                    UpdateExpression="SET " + ", ".join(f"#{name} = :{name}" for name in values),
                    ConditionExpression=condition,
                    ExpressionAttributeNames={f"#{name}": name for name in names},
                    ExpressionAttributeValues=to_item(
                        {**{f":{name}": value for name, value in values.items()}, **guards}
                    ),
                    ReturnValues="ALL_NEW",
                )
            except self._client.exceptions.ConditionalCheckFailedException:
                raise Conflict from None
        return response["Attributes"]


def _key(event_id: str) -> Item:
    return to_item({"event_id": event_id, "entry": ENTRY})


def _json(value: Mapping[str, Any]) -> str:
    return json.dumps(dict(value), sort_keys=True, separators=(",", ":"))


def _record(item: Item) -> InletRecord:
    return InletRecord(
        event_id=text(item, "event_id"),
        strategy=Strategy(text(item, "strategy")),
        deployed=json.loads(text(item, "deployed_targets")),
        targets=json.loads(text(item, "targets")),
        paused=number(item, "paused") == 1,
        version=number(item, "version"),
        controller_state=json.loads(text(item, "controller_state")),
        handled_ids=tuple(json.loads(text(item, "handled_message_ids"))),
        last_at=number(item, "last_at"),
        last_increment=number(item, "last_increment"),
        last_reason=text(item, "last_reason"),
        alarm=text(item, "alarm"),
        alarm_state=Alarm(state) if (state := text(item, "alarm_state")) else None,
        alarm_holds=number(item, "alarm_holds") == 1,
    )
