# SPDX-License-Identifier: Apache-2.0
"""The inlet's functions and routes, and what operators see of it on the private API."""

from __future__ import annotations

import logging
import time
from typing import Any

import pytest

import apps.inlet.app
import apps.private_api.app
from tests.support.in_memory_room import settings
from tests.support.inlet_room import EVENT, START, InletHarness, inlet_settings, sns
from tests.support.lambda_proxy_events import Answer, call
from waiting_room.inlet.control import InletControl
from waiting_room.inlet.strategies import RoomMetrics
from waiting_room.use_cases import change_log


class Context:
    """A Lambda context with little time left."""

    def __init__(self, milliseconds: int) -> None:
        self.milliseconds = milliseconds

    def get_remaining_time_in_millis(self) -> int:
        return self.milliseconds


@pytest.fixture
def harness(monkeypatch: pytest.MonkeyPatch) -> InletHarness:
    made = InletHarness({"TICKS_PER_MINUTE": 2})
    control = InletControl(made.store, time.time, change_log.record)
    monkeypatch.setattr(apps.inlet.app, "inlet", lambda: made.inlet)
    monkeypatch.setattr(apps.inlet.app, "settings", lambda: inlet_settings(**made.env))
    monkeypatch.setattr(apps.private_api.app, "_inlet", lambda: control)
    monkeypatch.setattr(apps.private_api.app, "settings", settings)
    return made


def show(event_id: str = EVENT) -> Answer:
    return call(apps.private_api.app.app, "GET", "/inlet", query={"event_id": event_id})


def change(body: object) -> Answer:
    return call(apps.private_api.app.app, "POST", "/inlet", body=body)


def test_the_periodic_function_runs_a_minute(harness: InletHarness) -> None:
    assert apps.inlet.app.periodic_inlet({"id": "one"}, Context(70_000)) == {"opened": 10}
    assert harness.room.increments == [5, 5]


def test_a_function_with_little_time_does_what_it_can(harness: InletHarness) -> None:
    assert apps.inlet.app.periodic_inlet({"id": "one"}, Context(20_000)) == {"opened": 5}


def test_the_max_size_function_takes_sns_and_schedules(harness: InletHarness) -> None:
    harness.inlet = harness.another(INLET_STRATEGY="MaxSize")
    assert apps.inlet.app.max_size_inlet({"source": "aws.events"}, None) == {"opened": 100}
    harness.room.metrics_now = RoomMetrics(serving=100, tokens=100, active=100, queue=200)
    assert apps.inlet.app.max_size_inlet(sns("junk", {"exited": 5}), None) == {"opened": 0}


def test_operators_see_the_inlet_and_change_it(harness: InletHarness) -> None:
    assert (show().status, set(show().json)) == (404, {"error"})
    assert change({"event_id": EVENT, "paused": True}).status == 404
    apps.inlet.app.periodic_inlet({}, None)
    assert show().json == {
        "strategy": "Periodic",
        "paused": False,
        "targets": {"increment_by": 10},
        "last": {"at": START + 30, "increment": 5, "reason": "10 per minute"},
        "alarm": None,
    }
    answer = change({"event_id": EVENT, "paused": True, "targets": {"increment_by": 4}})
    assert (answer.status, answer.json["paused"]) == (200, True)
    assert answer.json["targets"] == {"increment_by": 4}
    assert apps.inlet.app.periodic_inlet({}, None) == {"opened": 0}


@pytest.mark.parametrize(
    "body",
    [
        {}, {"event_id": EVENT}, {"event_id": EVENT, "paused": "no"},
        {"event_id": EVENT, "targets": {"increment_by": -1}}, {"event_id": "Other", "paused": True},
        {"event_id": EVENT, "targets": {"surprise": 1}}, {"event_id": EVENT, "targets": 3}, [],
    ],
)  # fmt: skip
def test_invalid_input_from_an_operator_is_a_400_that_names_the_field(
    harness: InletHarness, body: object
) -> None:
    apps.inlet.app.periodic_inlet({}, None)
    answer = change(body)
    assert (answer.status, set(answer.json)) == (400, {"error"})


def test_an_unknown_event_is_a_400(harness: InletHarness) -> None:
    assert show("Other").status == 400


def test_every_route_asks_for_iam() -> None:
    for app in (apps.private_api.app.app,):
        for path, methods in app.routes.items():
            if path == "/inlet":
                assert all(route.authorizer.name for route in methods.values())
                assert {route.authorizer.to_swagger()["x-amazon-apigateway-authtype"]
                        for route in methods.values()} == {"awsSigv4"}  # fmt: skip


def test_ids_of_visitors_are_not_logged(
    harness: InletHarness, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    harness.inlet = harness.another(INLET_STRATEGY="MaxSize")
    request_id = "00000000-0000-4000-8000-000000000001"
    event: dict[str, Any] = sns({"completed": [request_id]}, f'{{"completed": "{request_id}"}}')
    apps.inlet.app.max_size_inlet(event, None)
    assert "left out" in caplog.text
    assert request_id not in caplog.text
