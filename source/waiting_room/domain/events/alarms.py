# SPDX-License-Identifier: Apache-2.0
"""CloudWatch alarms: the one that slows or holds admission, and those of the room."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum


class Alarm(StrEnum):
    """State of the watched alarm.

    NONE: no alarm is configured. MISSING: no alarm has the configured name. UNREADABLE: CloudWatch
    did not return the state.
    """

    NONE = "NONE"
    OK = "OK"
    ALARM = "ALARM"
    INSUFFICIENT_DATA = "INSUFFICIENT_DATA"
    MISSING = "MISSING"
    UNREADABLE = "UNREADABLE"


# States without information about the site: a setting decides what they mean. By default, as in
# the AWS solution, an alarm that does not exist does not hold admission.
NO_DATA = {
    Alarm.MISSING: "the alarm does not exist",
    Alarm.INSUFFICIENT_DATA: "the alarm has insufficient data",
}


def alarm_hold_reason(alarm: Alarm, go_on_insufficient_data: bool) -> str:
    """Return why the alarm holds admission; empty when it does not."""
    if alarm is Alarm.ALARM:
        return "the alarm is in ALARM"
    if alarm is Alarm.UNREADABLE:
        return "the alarm cannot be read"
    if alarm in NO_DATA and not go_on_insufficient_data:
        return NO_DATA[alarm]
    return ""


# Optional stacks of a room have its name, one of these texts, and their own alarms.
EDGE_ALARMS = "EdgeAlarms"
PARTS = ("Authorizer", "Sample", "OpenId", "Inlet", "Gate", EDGE_ALARMS)
EDGE_REGION = "us-east-1"  # of the stack of edge alarms: CloudFront writes its metrics there


@dataclass(frozen=True, slots=True)
class RoomAlarm:
    """An alarm of the room: its state ``since`` (epoch s), and the reason that CloudWatch gives."""

    name: str
    state: Alarm
    since: int
    reason: str

    def response(self) -> dict[str, str | int]:
        """Return the members of a response."""
        return {
            "name": self.name, "state": self.state.value, "since": self.since,
            "reason": self.reason,
        }  # fmt: skip


def is_of_room(name: str, stack: str) -> bool:
    """Return whether an alarm belongs to a core stack or to one of its optional stacks.

    CloudFormation names an alarm after its stack. Another room, such as ``Room-2`` beside ``Room``,
    may have a name with the same beginning.
    """
    parts = "|".join(PARTS)
    return bool(
        re.fullmatch(rf"{re.escape(stack)}-(?:(?:{parts})-)?[A-Za-z0-9]+-[A-Za-z0-9]+", name)
    )
