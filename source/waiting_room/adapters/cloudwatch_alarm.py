# SPDX-License-Identifier: Apache-2.0
"""States of CloudWatch alarms that slow admission or hold an inlet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from waiting_room.adapters.aws import translate_errors
from waiting_room.domain.events.alarms import Alarm

MAX_NAMES = 100  # of one call, CloudWatch's limit
KNOWN = ("OK", "ALARM", "INSUFFICIENT_DATA")


class CloudWatchAlarms:
    """The Alarms port: metric alarms and composite alarms, by name."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def states(self, names: Sequence[str]) -> Mapping[str, Alarm]:
        """Return the current states; an alarm that does not exist is missing."""
        with translate_errors("CloudWatch"):
            response = self._client.describe_alarms(
                AlarmNames=list(names),
                AlarmTypes=["MetricAlarm", "CompositeAlarm"],
                MaxRecords=MAX_NAMES,
            )
        found = [*response.get("MetricAlarms", []), *response.get("CompositeAlarms", [])]
        return {
            alarm["AlarmName"]: Alarm(alarm["StateValue"])
            for alarm in found
            if alarm["StateValue"] in KNOWN
        }


class CloudWatchAlarm:
    """The AlarmReader port of an inlet: one alarm, by name."""

    def __init__(self, client: Any, name: str) -> None:
        self._alarms, self._name = CloudWatchAlarms(client), name

    def __call__(self) -> Alarm:
        """Return the current state; MISSING when no alarm has the name."""
        return self._alarms.states([self._name]).get(self._name, Alarm.MISSING)
