# SPDX-License-Identifier: Apache-2.0
"""The stored admission of events, in memory and on DynamoDB."""

from __future__ import annotations

import threading
import uuid
from dataclasses import replace
from typing import Any

import pytest

from tests.support import servers
from tests.support.fakes.admission import MemoryAdmissionStates
from waiting_room.adapters.dynamodb.admission import DynamoAdmissionStates
from waiting_room.domain.errors import Conflict
from waiting_room.domain.events.admission import AdmissionRecord, AdmissionState
from waiting_room.domain.events.alarms import Alarm
from waiting_room.domain.events.no_shows import Group, NoShows
from waiting_room.domain.ports.admission import AdmissionStates

GROUPS = (Group(1_800_000_006.0, 4.0, 1.25, is_sample=False), Group(1_800_000_012.0, 9.0))
SEEN = NoShows(13, 2, GROUPS, 150.5, 200.25)
STATE = AdmissionState(3, 1_800_000_000.125, 0.75, 0.5, True, SEEN)


@pytest.fixture(scope="session")
def moto_admission(moto_url: str) -> DynamoAdmissionStates:
    return on_server(moto_url)


@pytest.fixture(scope="session")
def dynamodb_local_admission(dynamodb_local_url: str) -> DynamoAdmissionStates:
    return on_server(dynamodb_local_url)


@pytest.fixture(params=["memory", "moto", "dynamodb_local"])
def states(request: pytest.FixtureRequest) -> AdmissionStates:
    if request.param == "memory":
        return MemoryAdmissionStates()
    made: AdmissionStates = request.getfixturevalue(f"{request.param}_admission")
    return made


def on_server(url: str) -> DynamoAdmissionStates:
    client: Any = servers.aws_client("dynamodb", url)
    names = servers.create_tables(client, f"wr-{uuid.uuid4().hex[:8]}")
    return DynamoAdmissionStates(client, names["EVENTS_TABLE"])


def first(states: AdmissionStates, event_id: str) -> AdmissionRecord:
    before = states.read(event_id)
    states.write(before, replace(before, version=1, state=STATE))
    return states.read(event_id)


def test_an_event_without_a_step_has_an_empty_record(
    states: AdmissionStates, event_id: str
) -> None:
    assert states.read(event_id) == AdmissionRecord(event_id)


def test_a_step_comes_back_as_it_was_written(states: AdmissionStates, event_id: str) -> None:
    assert first(states, event_id) == AdmissionRecord(event_id, 1, STATE)
    assert states.read(f"{event_id}-other").version == 0


def test_of_two_steps_from_the_same_record_one_is_written(
    states: AdmissionStates, event_id: str
) -> None:
    empty = AdmissionRecord(event_id)
    record = first(states, event_id)
    with pytest.raises(Conflict):
        states.write(empty, replace(empty, version=1, state=STATE))
    states.write(record, replace(record, version=2, state=replace(STATE, credit=9.0)))
    with pytest.raises(Conflict):
        states.write(record, replace(record, version=2, state=STATE))
    found = states.read(event_id)
    assert (found.version, found.state) == (2, replace(STATE, credit=9.0))


def test_of_many_simultaneous_steps_one_is_written(states: AdmissionStates, event_id: str) -> None:
    record, start, won = first(states, event_id), threading.Barrier(6), []

    def write(number: int) -> None:
        start.wait()
        try:
            states.write(
                record, replace(record, version=2, state=replace(STATE, credit=float(number)))
            )
        except Conflict:
            return
        won.append(number)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    state = states.read(event_id).state
    assert state is not None
    assert won == [state.credit]


def test_reports_and_steps_do_not_overwrite_each_other(
    states: AdmissionStates, event_id: str
) -> None:
    states.report_health(event_id, 0.25, 1_800_000_000)
    states.report_alarm(event_id, "cpu is high", Alarm.INSUFFICIENT_DATA, 1_800_000_001)
    record = first(states, event_id)
    assert (record.version, record.state) == (1, STATE)
    assert (record.health, record.health_at) == (0.25, 1_800_000_000)
    states.report_health(event_id, 1, 1_800_000_005)
    states.report_alarm(event_id, "other", Alarm.OK, 1_800_000_006)
    states.write(record, replace(record, version=2))
    assert states.read(event_id) == replace(
        record, version=2, health=1.0, health_at=1_800_000_005, alarm="other",
        alarm_state=Alarm.OK, alarm_at=1_800_000_006,
    )  # fmt: skip


def test_a_deleted_record_is_empty_and_written_anew(states: AdmissionStates, event_id: str) -> None:
    before = first(states, event_id)
    states.report_alarm(event_id, "slow", Alarm.ALARM, 5)
    other = first(states, f"{event_id}-2")
    for _ in range(2):
        states.delete(event_id)
        assert states.read(event_id) == AdmissionRecord(event_id)
    assert states.read(other.event_id) == other
    with pytest.raises(Conflict):  # a step that read the record before
        states.write(before, replace(before, version=2))
    assert first(states, event_id).version == 1
