# SPDX-License-Identifier: Apache-2.0
"""What every kind of inlet store does."""

from __future__ import annotations

import threading
import uuid
from dataclasses import replace
from typing import Any

import pytest

from tests.support import servers
from tests.support.fakes.inlet import MemoryInlet
from waiting_room.adapters.dynamodb.inlet import DynamoInlet
from waiting_room.adapters.dynamodb.serving_log import DynamoServingLog
from waiting_room.domain.errors import Conflict
from waiting_room.domain.events.alarms import Alarm
from waiting_room.domain.records import EventState
from waiting_room.inlet.ports import InletStore
from waiting_room.inlet.strategies import InletRecord, Strategy

TARGETS = {"increment_by": 100}


@pytest.fixture(scope="session")
def moto_inlet(moto_url: str) -> DynamoInlet:
    return on_server(moto_url)


@pytest.fixture(scope="session")
def dynamodb_local_inlet(dynamodb_local_url: str) -> DynamoInlet:
    return on_server(dynamodb_local_url)


@pytest.fixture(params=["memory", "moto", "dynamodb_local"])
def store(request: pytest.FixtureRequest) -> InletStore:
    if request.param == "memory":
        return MemoryInlet()
    made: InletStore = request.getfixturevalue(f"{request.param}_inlet")
    return made


def on_server(url: str) -> DynamoInlet:
    client: Any = servers.aws_client("dynamodb", url)
    names = servers.create_tables(client, f"wr-{uuid.uuid4().hex[:8]}")
    return DynamoInlet(client, names["SERVING_LOG_TABLE"])


def record(event_id: str, **changes: Any) -> InletRecord:
    basis = InletRecord(event_id, Strategy.PERIODIC, TARGETS, TARGETS, version=1)
    return replace(basis, **changes)


def written(store: InletStore, event_id: str) -> InletRecord:
    row = record(event_id)
    store.write(None, row)
    return row


def test_a_record_comes_back_as_it_was_written(store: InletStore, event_id: str) -> None:
    assert store.read(event_id) is None
    row = record(
        event_id, controller_state={"groups": [{"at": 1.5}], "pace": 2.25}, handled_ids=("a", "b"),
        paused=True, last_at=7, last_increment=-3, last_reason="why: “so”",
        alarm="Site errors", alarm_state=Alarm.MISSING, alarm_holds=True,
    )  # fmt: skip
    store.write(None, row)
    assert store.read(event_id) == row


def test_only_one_of_two_runs_writes(store: InletStore, event_id: str) -> None:
    row = written(store, event_id)
    store.write(row, replace(row, version=2, last_reason="first"))
    with pytest.raises(Conflict):
        store.write(row, replace(row, version=2, last_reason="second"))
    with pytest.raises(Conflict):
        store.write(None, record(event_id))
    found = store.read(event_id)
    assert found
    assert found.last_reason == "first"


def test_a_race_of_ten_runs_has_one_winner(store: InletStore, event_id: str) -> None:
    row = written(store, event_id)
    won: list[int] = []

    def run(number: int) -> None:
        try:
            store.write(row, replace(row, version=2, last_increment=number))
            won.append(number)
        except Conflict:
            pass

    runs = [threading.Thread(target=run, args=(number,)) for number in range(10)]
    for one in runs:
        one.start()
    for one in runs:
        one.join()
    found = store.read(event_id)
    assert found
    assert won == [found.last_increment]


def test_a_run_leaves_alone_what_operators_say(store: InletStore, event_id: str) -> None:
    row = written(store, event_id)
    changed = store.change(row, paused=True, targets={**TARGETS, "increment_by": 7})
    assert (changed.paused, changed.targets["increment_by"]) == (True, 7)
    store.write(row, replace(row, version=2))
    found = store.read(event_id)
    assert found
    assert (found.paused, found.targets["increment_by"]) == (True, 7)


def test_a_new_deployment_sets_the_targets(store: InletStore, event_id: str) -> None:
    row = written(store, event_id)
    row = store.change(row, paused=True, targets={**TARGETS, "increment_by": 7})
    new = {**TARGETS, "increment_by": 500}
    store.write(row, replace(row, version=2, deployed=new, targets=new))
    found = store.read(event_id)
    assert found
    assert (found.targets, found.deployed, found.paused) == (new, new, True)


def test_of_two_operators_the_second_looks_again(store: InletStore, event_id: str) -> None:
    row = written(store, event_id)
    store.change(row, paused=True, targets=TARGETS)
    with pytest.raises(Conflict):
        store.change(row, paused=False, targets={**TARGETS, "increment_by": 1})


def test_nothing_is_changed_before_an_inlet_ran(store: InletStore, event_id: str) -> None:
    with pytest.raises(Conflict):
        store.change(record(event_id), paused=True, targets=TARGETS)
    assert store.read(event_id) is None


def test_the_row_stands_beside_the_state_of_the_event(
    dynamodb_local_inlet: DynamoInlet, event_id: str
) -> None:
    inlet = dynamodb_local_inlet
    log = DynamoServingLog(inlet._client, inlet._client, inlet._table)
    before = log.read(event_id)
    written(inlet, event_id)
    log.reset(before, replace(EventState(event_id, 2), reset_at=5.0))
    assert log.read(event_id).generation == 2
    assert inlet.read(event_id) == record(event_id)
