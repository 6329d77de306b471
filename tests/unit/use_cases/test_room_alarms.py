# SPDX-License-Identifier: Apache-2.0
"""Which alarms belong to a room, and how often CloudWatch is called for them."""

from __future__ import annotations

import pytest

from tests.support.fakes.admission import MemoryAdmissionStates, MemoryAlarms
from waiting_room.domain.errors import Unavailable
from waiting_room.domain.events.admission import AdmissionRecord, AdmissionState
from waiting_room.domain.events.alarms import EDGE_REGION, Alarm, is_of_room
from waiting_room.use_cases.events.room_alarms import CACHE_SECONDS, RoomAlarms

OWN = ["Room-OperationsAlarmsAdmitErrors1A2B-3C4D", "Room-Inlet-AlarmsErrors1A-2B", "Room-A-B"]
EDGE = "Room-EdgeAlarms-AlarmsEdgeErrors1A-2B"
OTHERS = ["Room-2-AlarmsErrors1A-2B", "Room-2-Inlet-Alarm1-2B", "Room-by-hand", "Room", "Roomy-A-B"]


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_alarms_of_the_stack_and_of_its_optional_stacks_are_the_room_s() -> None:
    assert [name for name in (*OWN, *OTHERS) if is_of_room(name, "Room")] == [*OWN, "Room-by-hand"]
    assert is_of_room("Room-2-AlarmsErrors1A-2B", "Room-2")


def test_several_consoles_cost_one_call() -> None:
    alarms, clock = MemoryAlarms(), Clock()
    alarms.known = {OWN[0]: Alarm.ALARM, OTHERS[0]: Alarm.ALARM}
    room = RoomAlarms(alarms, MemoryAlarms(), MemoryAdmissionStates(), "Room", clock)
    found = room.alarms()
    assert found == room.alarms()
    assert [(one["name"], one["state"]) for one in found["alarms"]] == [(OWN[0], "ALARM")]
    assert alarms.calls == [["Room-"]]
    alarms.known[OWN[0]] = Alarm.OK
    clock.now += CACHE_SECONDS
    assert [one["state"] for one in room.alarms()["alarms"]] == ["OK"]
    alarms.fails = True
    clock.now += CACHE_SECONDS
    with pytest.raises(Unavailable):
        room.alarms()


def test_alarms_of_the_edge_are_read_in_their_region() -> None:
    alarms, edge, clock = MemoryAlarms(), MemoryAlarms(), Clock()
    alarms.known = {OWN[0]: Alarm.OK, EDGE: Alarm.ALARM}  # a room in the region of the edge
    edge.known = {EDGE: Alarm.ALARM, "Room-EdgeAlarms-2-A-B": Alarm.ALARM, OWN[1]: Alarm.ALARM}
    room = RoomAlarms(alarms, edge, MemoryAdmissionStates(), "Room", clock)
    found = room.alarms()
    assert [one["name"] for one in found["alarms"]] == [EDGE, OWN[0]]
    assert (found["unread"], edge.calls) == ([], [["Room-EdgeAlarms-"]])
    del alarms.known[EDGE]
    edge.fails = True
    clock.now += CACHE_SECONDS
    found = room.alarms()
    assert [one["name"] for one in found["alarms"]] == [OWN[0]], "the room's own are returned"
    assert found["unread"] == [EDGE_REGION]


def test_the_brake_is_that_of_the_last_step() -> None:
    admission = MemoryAdmissionStates()
    room = RoomAlarms(MemoryAlarms(), MemoryAlarms(), admission, "Room", Clock())
    assert room.admission("a") == {"brake": None, "alarm": None}
    before = AdmissionRecord("a")
    state = AdmissionState(generation=1, at=5.0, credit=0.0, brake=0.25)
    admission.write(before, AdmissionRecord("a", version=1, state=state))
    admission.report_alarm("a", "SiteErrors", Alarm.ALARM, 5)
    expected = {"brake": 0.25, "alarm": {"name": "SiteErrors", "state": "ALARM"}}
    assert room.admission("a") == expected
