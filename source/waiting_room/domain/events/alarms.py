# SPDX-License-Identifier: Apache-2.0
"""State of the CloudWatch alarm that slows or holds admission."""

from __future__ import annotations

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
