# SPDX-License-Identifier: Apache-2.0
"""The state of the CloudWatch alarm that holds an inlet."""

from __future__ import annotations

from typing import Any

from waiting_room.adapters.aws import translate_errors
from waiting_room.domain.events.alarms import Alarm


class CloudWatchAlarm:
    """The AlarmReader port: a metric alarm or a composite alarm, by name."""

    def __init__(self, client: Any, name: str) -> None:
        self._client, self._name = client, name

    def __call__(self) -> Alarm:
        """Return the current state; MISSING when no alarm has the name."""
        with translate_errors("CloudWatch"):
            response = self._client.describe_alarms(
                AlarmNames=[self._name], AlarmTypes=["MetricAlarm", "CompositeAlarm"]
            )
        found = [*response.get("MetricAlarms", []), *response.get("CompositeAlarms", [])]
        states = {alarm["AlarmName"]: alarm["StateValue"] for alarm in found}
        state = states.get(self._name)
        return Alarm(state) if state in ("OK", "ALARM", "INSUFFICIENT_DATA") else Alarm.MISSING
