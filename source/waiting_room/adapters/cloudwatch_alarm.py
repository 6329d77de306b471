# SPDX-License-Identifier: Apache-2.0
"""States of CloudWatch alarms: those that slow admission or hold an inlet, and the room's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from waiting_room.adapters.aws import translate_errors
from waiting_room.domain.events.alarms import Alarm, RoomAlarm

MAX_NAMES = 100  # of one call, CloudWatch's limit
KNOWN = ("OK", "ALARM", "INSUFFICIENT_DATA")
TYPES = ["MetricAlarm", "CompositeAlarm"]
MAX_PAGES = 10  # of alarms whose names have one beginning
MAX_REASON = 500  # characters


class CloudWatchAlarms:
    """The Alarms port: metric alarms and composite alarms, by name."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def states(self, names: Sequence[str]) -> Mapping[str, Alarm]:
        """Return the current states; an alarm that does not exist is missing."""
        with translate_errors("CloudWatch"):
            response = self._client.describe_alarms(
                AlarmNames=list(names),
                AlarmTypes=TYPES,
                MaxRecords=MAX_NAMES,
            )
        found = [*response.get("MetricAlarms", []), *response.get("CompositeAlarms", [])]
        return {
            alarm["AlarmName"]: Alarm(alarm["StateValue"])
            for alarm in found
            if alarm["StateValue"] in KNOWN
        }

    def beginning_with(self, prefix: str) -> Sequence[RoomAlarm]:
        """Return the alarms whose names begin with a text, by name."""
        found: dict[str, RoomAlarm] = {}
        mark: dict[str, str] = {}
        for _ in range(MAX_PAGES):
            with translate_errors("CloudWatch"):
                response = self._client.describe_alarms(
                    AlarmNamePrefix=prefix, AlarmTypes=TYPES, MaxRecords=MAX_NAMES, **mark
                )
            for alarm in (*response.get("MetricAlarms", []), *response.get("CompositeAlarms", [])):
                if alarm["StateValue"] in KNOWN:
                    found[alarm["AlarmName"]] = _room_alarm(alarm)
            if not response.get("NextToken"):
                break
            mark = {"NextToken": response["NextToken"]}
        return [found[name] for name in sorted(found)]


def _room_alarm(alarm: Mapping[str, Any]) -> RoomAlarm:
    since = alarm.get("StateTransitionedTimestamp") or alarm.get("StateUpdatedTimestamp")
    return RoomAlarm(
        name=alarm["AlarmName"],
        state=Alarm(alarm["StateValue"]),
        since=int(since.timestamp()) if since else 0,
        reason=alarm.get("StateReason", "")[:MAX_REASON],
    )


class CloudWatchAlarm:
    """The AlarmReader port of an inlet: one alarm, by name."""

    def __init__(self, client: Any, name: str) -> None:
        self._alarms, self._name = CloudWatchAlarms(client), name

    def __call__(self) -> Alarm:
        """Return the current state; MISSING when no alarm has the name."""
        return self._alarms.states([self._name]).get(self._name, Alarm.MISSING)
