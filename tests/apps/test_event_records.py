# SPDX-License-Identifier: Apache-2.0
"""Audit log, history and health of an event at the private API."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any

import pytest

import apps.private_api.app
import apps.workers.app
from deployment.local.gateway import proxy_events
from tests.support.fakes.inlet import MemoryInlet
from tests.support.in_memory_room import EVENT, START, InMemoryRoom, settings
from tests.support.lambda_proxy_events import Answer, proxy_event
from waiting_room.domain.errors import Unavailable
from waiting_room.domain.events.alarms import Alarm
from waiting_room.domain.limits import AUDIT_LIFE
from waiting_room.inlet.control import InletControl
from waiting_room.inlet.strategies import InletRecord, Strategy
from waiting_room.use_cases.events.room_alarms import RoomAlarms

ROLE = "WaitingRoom-inlet-eu-central-1"
ALICE = "arn:aws:iam::123456789012:user/alice"
INLET = f"arn:aws:sts::123456789012:assumed-role/{ROLE}/inlet"


@pytest.fixture(autouse=True)
def in_memory_room(served_room: InMemoryRoom, monkeypatch: pytest.MonkeyPatch) -> InMemoryRoom:
    monkeypatch.setattr(apps.private_api.app, "settings", lambda: settings(INLET_ROLE=ROLE))
    monkeypatch.setattr(apps.workers.app, "room", lambda: served_room.room)
    return served_room


def ask(
    method: str, path: str, body: Any = None, query: Mapping[str, str] | None = None,
    arn: str = ALICE,
) -> Answer:  # fmt: skip
    app = apps.private_api.app.app
    resource = proxy_events.resource_of(path, app.routes)
    event = proxy_event(method, path, body=body, query=query, resource=resource)
    event["requestContext"]["identity"]["userArn"] = arn
    return Answer(app(event, None))


def entries(event_id: str = EVENT) -> list[dict[str, Any]]:
    answer = ask("GET", f"/events/{event_id}/audit")
    assert answer.status == 200
    found: list[dict[str, Any]] = answer.json["entries"]
    return found


def test_every_change_names_who_made_it_and_what_it_was(in_memory_room: InMemoryRoom) -> None:
    visitor = in_memory_room.visitors(5)[0]
    patch = {"schedule": {"closes_at": START + 50}, "admission": {"strategy": "rate"}}
    for method, path, body in (
        ("PATCH", "", patch),
        ("POST", "/actions/pause", None),
        ("POST", "/actions/resume", None),
        ("POST", "/actions/admit", {"by": 2}),
    ):
        in_memory_room.clock.now += 1
        assert ask(method, f"/events/{EVENT}{path}", body).status == 200
    in_memory_room.token(visitor)
    in_memory_room.clock.now += 1
    ended = {"request_id": visitor, "status": -1}
    assert ask("POST", f"/events/{EVENT}/actions/end_session", ended).status == 200
    in_memory_room.clock.now += 1
    for path, content in (
        ("/increment_serving_counter", {"increment_by": 1}),
        ("/update_message", {"message": "Soon"}),
        ("/reset_initial_state", {}),
    ):
        arn = INLET if "increment" in path else ALICE
        assert ask("POST", path, {"event_id": EVENT, **content}, arn=arn).status == 200
        in_memory_room.clock.now += 1
    in_memory_room.clock.now = START + 60
    found = [(one["at"] - START, one["role"], one["who"], one["what"]) for one in entries()]
    inlet = INLET.rpartition(":")[2]
    assert found == [
        (50, "schedule", "schedule", "phase"),
        (9, "person", ALICE, "reset"),
        (8, "person", ALICE, "message"),
        (7, "inlet", inlet, "admit"),
        (6, "person", ALICE, "end_session"),
        (5, "person", "user/alice", "admit"),
        (4, "person", ALICE, "resume"),
        (3, "person", ALICE, "pause"),
        (2, "person", ALICE, "patch"),
        (0, "deployment", "set_up", "create"),
    ]
    values = [(one["before"], one["after"]) for one in entries()]
    assert values[:6] == [
        ({"phase": "open"}, {"phase": "closed"}),
        ({"generation": 1}, {"generation": 2}),
        ({"message": ""}, {"message": "Soon"}),
        ({"serving_counter": 2}, {"serving_counter": 3}),
        ({"sessions": {"1": "open"}}, {"sessions": {"1": "abandoned"}}),
        ({"serving_counter": 0}, {"serving_counter": 2}),
    ]
    assert values[8] == (
        {"schedule": {"closes_at": None}, "admission": {"strategy": "manual"}},
        {"schedule": {"closes_at": START + 50}, "admission": {"strategy": "rate"}},
    )
    assert visitor not in json.dumps(entries())


def test_a_session_that_the_site_ends_is_no_entry(in_memory_room: InMemoryRoom) -> None:
    visitor = in_memory_room.visitors(1)[0]
    in_memory_room.serve(1)
    in_memory_room.token(visitor)
    body = {"event_id": EVENT, "request_id": visitor, "status": 1}
    assert ask("POST", "/update_session", body).status == 200
    assert [one["what"] for one in entries()] == ["admit", "create"]


def test_admission_and_sweep_are_authors(in_memory_room: InMemoryRoom) -> None:
    ask("PUT", "/events/auto", {"admission": {"strategy": "rate"}})
    joins = [in_memory_room.join() for _ in range(3)]
    in_memory_room.room.workers.assignment.assign("auto", joins)
    in_memory_room.room.workers.admission.step_after_joins("auto")
    latest = entries("auto")[0]
    assert (latest["role"], latest["who"], latest["what"]) == (
        "admission", "assign_positions", "admit",
    )  # fmt: skip
    ask("PATCH", f"/events/{EVENT}", {"turn": {"expires_after": 60, "increment_on_expiry": True}})
    in_memory_room.visitors(3)
    in_memory_room.serve(2)
    for seconds in (200, 200, 800):
        in_memory_room.clock.now += seconds
        apps.workers.app.sweep_positions({}, None)
    latest = entries()[0]
    assert (latest["role"], latest["who"]) == ("schedule", "sweep_positions")


def test_a_change_of_an_inlet_is_an_entry(
    in_memory_room: InMemoryRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = MemoryInlet()
    targets = {"increment_by": 10}
    store.write(None, InletRecord(EVENT, Strategy.PERIODIC, targets, targets, version=1))
    control = InletControl(store, in_memory_room.clock, apps.private_api.app._record_inlet)
    monkeypatch.setattr(apps.private_api.app, "_inlet", lambda: control)
    for _ in range(2):  # the second one changes nothing
        in_memory_room.clock.now += 1
        assert ask("POST", "/inlet", {"event_id": EVENT, "paused": True}).status == 200
    first, second = entries()
    assert (first["what"], first["before"], first["after"]) == (
        "inlet", {"paused": False}, {"paused": True},
    )  # fmt: skip
    assert second["what"] == "create"


@pytest.mark.parametrize("call", [
    ("POST", "/update_message", {"event_id": EVENT, "message": "Soon"}),
    ("POST", "/reset_initial_state", {"event_id": EVENT}),
])  # fmt: skip
def test_the_audit_log_never_blocks_an_operation(
    in_memory_room: InMemoryRoom, call: tuple[str, str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    in_memory_room.audit.fail("append", "before")
    assert ask(*call).status == 200
    assert "audit entry not written" in caplog.text
    assert [one["what"] for one in entries()] == ["create"]


def test_a_deleted_event_has_its_log_and_an_unused_id_has_none() -> None:
    ask("PUT", "/events/gone", {"title": "A"})
    ask("POST", "/events/gone/actions/close")
    assert ask("DELETE", "/events/gone").status == 200
    assert [one["what"] for one in entries("gone")] == ["delete", "close", "create"]
    assert ask("GET", "/events/gone/history").status == 404
    for path in ("audit", "history"):
        refused = ask("GET", f"/events/never/{path}")
        assert (refused.status, "error" in refused.json) == (404, True)
        assert ask("GET", f"/events/-a/{path}").status == 400


def test_pages_continue_where_the_last_one_ended(in_memory_room: InMemoryRoom) -> None:
    for number in range(250):
        in_memory_room.clock.now += 1
        if number % 2:
            in_memory_room.serve(1)
        else:
            ask("PATCH", f"/events/{EVENT}", {"title": str(number)})
    found: list[dict[str, Any]] = []
    sizes, query = [], {}
    while True:
        page = ask("GET", f"/events/{EVENT}/audit", query=query).json
        found += page["entries"]
        sizes.append(len(page["entries"]))
        in_memory_room.clock.now += 1
        in_memory_room.serve(1)  # a new entry moves no later page
        if "next_token" not in page:
            break
        query = {"next_token": page["next_token"]}
    assert sizes == [100, 100, 51]
    assert [one["at"] for one in found] == [*range(START + 250, START, -1), START]
    assert len({json.dumps(one) for one in found}) == 251


def test_entries_older_than_90_days_are_not_derived(in_memory_room: InMemoryRoom) -> None:
    ask("PATCH", f"/events/{EVENT}", {"schedule": {"closes_at": START + 10}})
    in_memory_room.documents.store.audit.clear()  # as the time to live does
    in_memory_room.clock.now = START + 9 + AUDIT_LIFE
    assert [one["at"] for one in entries()] == [START + 10]
    in_memory_room.clock.now = START + 11 + AUDIT_LIFE
    assert entries() == []


def encoded(content: str) -> str:
    return base64.urlsafe_b64encode(content.encode()).decode().rstrip("=")


INVALID_TOKENS = [
    "", "x", "====", "é", "a" * 5000,
    *map(encoded, ("[]", "{}", '{"f": 1}', "{" * 600, "{}{}", "null")),
]  # fmt: skip


@pytest.mark.parametrize("token", INVALID_TOKENS)
def test_an_invalid_page_token_is_named(token: str) -> None:
    refused = ask("GET", f"/events/{EVENT}/audit", query={"next_token": token})
    assert refused.status == 400
    assert "next_token is invalid" in refused.json["error"]


def test_a_page_token_that_was_changed_is_refused(in_memory_room: InMemoryRoom) -> None:
    for _ in range(120):
        in_memory_room.serve(1)
    token = ask("GET", f"/events/{EVENT}/audit").json["next_token"]
    assert ask("GET", f"/events/{EVENT}/audit", query={"next_token": token}).status == 200
    content = json.loads(base64.urlsafe_b64decode(token + "=="))
    for changed in (
        f"{token}A",
        encoded(json.dumps(content)),  # the same values, written in another way
        encoded(json.dumps({**content, "v": -1}, separators=(",", ":"))),
    ):
        refused = ask("GET", f"/events/{EVENT}/audit", query={"next_token": changed})
        assert refused.status == 400, changed


def minute(room: InMemoryRoom) -> None:
    """The metrics of a minute are reported, as a schedule does."""
    apps.workers.app.report_metrics({}, None)
    room.clock.now += 60


def test_the_history_has_a_point_for_each_minute(in_memory_room: InMemoryRoom) -> None:
    room = in_memory_room
    room.clock.now = START + 30
    visitors = room.visitors(10)  # they got their positions at START + 31
    room.clock.now = START + 45
    minute(room)
    room.serve(4)  # at START + 105
    room.token(visitors[0])
    minute(room)
    ended = {"request_id": visitors[0], "status": 1}
    assert ask("POST", f"/events/{EVENT}/actions/end_session", ended).status == 200
    minute(room)
    answer = ask("GET", f"/events/{EVENT}/history")
    assert answer.status == 200
    zeros = {"joined": 0, "admitted": 0, "arrived": 0, "left": 0, "no_shows": 0, "active": 0}
    none = {"wait_p50": None, "wait_p95": None}
    assert answer.json["points"] == [
        {**zeros, **none, "at": START, "joined": 10, "waiting": 10},
        {**zeros, "at": START + 60, "admitted": 4, "arrived": 1, "waiting": 9, "active": 1,
         "wait_p50": 74, "wait_p95": 74},
        {**zeros, **none, "at": START + 120, "waiting": 9, "left": 1},
    ]  # fmt: skip
    five = ask("GET", f"/events/{EVENT}/history", query={"from": str(START), "step": "300"})
    assert [(one["joined"], one["wait_p95"]) for one in five.json["points"]] == [(10, 74)]
    one = {"from": str(START + 60), "to": str(START + 120)}
    assert [
        point["at"] for point in ask("GET", f"/events/{EVENT}/history", query=one).json["points"]
    ] == [START + 60]


def test_waits_are_those_of_the_served_positions(in_memory_room: InMemoryRoom) -> None:
    room = in_memory_room
    for _ in range(100):  # one visitor a second
        room.visitors(1)
    room.serve(100)
    room.clock.now += 1
    apps.workers.app.report_metrics({}, None)
    (point,) = ask("GET", f"/events/{EVENT}/history").json["points"]
    assert 45 <= point["wait_p50"] <= 55
    assert 90 <= point["wait_p95"] <= 100
    assert point["no_shows"] == 0


def test_only_events_with_work_have_points(in_memory_room: InMemoryRoom) -> None:
    ask("PUT", "/events/later", {"schedule": {"opens_at": START + 10_000}})
    ask("PUT", "/events/now", {})
    minute(in_memory_room)
    for event_id, points in (("later", 0), ("now", 1), (EVENT, 1)):
        found = ask("GET", f"/events/{event_id}/history").json["points"]
        assert len(found) == points, event_id


def test_a_minute_that_cannot_be_stored_stops_no_other_event(
    in_memory_room: InMemoryRoom,
) -> None:
    ask("PUT", "/events/aaa", {})
    in_memory_room.history.fail("put", "before")
    with pytest.raises(Unavailable):
        minute(in_memory_room)
    found = [len(ask("GET", f"/events/{one}/history").json["points"]) for one in ("aaa", EVENT)]
    assert sorted(found) == [0, 1]


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ({"step": "61"}, "step"), ({"step": "0"}, "step"), ({"step": "-60"}, "step"),
        ({"step": "x"}, "step"), ({"from": "x"}, "from"), ({"from": "-1"}, "from"),
        ({"from": "1.5"}, "from"), ({"from": "9" * 13}, "from"), ({"to": "x"}, "to"),
        ({"from": "10", "to": "10"}, "from"), ({"from": str(START + 5)}, "from"),
        ({"from": str(START - 86_500), "step": "60"}, "step"), ({"from": "0"}, "from"),
    ],
)  # fmt: skip
def test_an_invalid_window_is_named(query: dict[str, str], named: str) -> None:
    refused = ask("GET", f"/events/{EVENT}/history", query=query)
    assert refused.status == 400
    assert refused.json["error"].startswith(f"{named} must be")


def test_a_site_reports_its_health(in_memory_room: InMemoryRoom) -> None:
    assert ask("POST", f"/events/{EVENT}/health", {"health": 0.25}).json == {}
    record = in_memory_room.admission.read(EVENT)
    assert (record.health, record.health_at) == (0.25, START)
    for health in (None, "1", True, -0.1, 1.1, [], {}):
        refused = ask("POST", f"/events/{EVENT}/health", {"health": health})
        assert (refused.status, "health must be" in refused.json["error"]) == (400, True)
    assert ask("POST", f"/events/{EVENT}/health").status == 400
    assert ask("POST", "/events/never/health", {"health": 1}).status == 404
    assert ask("POST", "/events/-a/health", {"health": 1}).status == 400
    assert in_memory_room.admission.read(EVENT).health == 0.25


def test_the_alarms_of_the_room_and_the_brake_of_an_event(
    in_memory_room: InMemoryRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = in_memory_room
    alarms = RoomAlarms(made.alarms, made.edge_alarms, made.admission, "Room", lambda: 0.0)
    monkeypatch.setattr(apps.private_api.app, "room_alarms", lambda: alarms)
    in_memory_room.alarms.known = {"Room-Errors-1": Alarm.ALARM, "Other-Errors-1": Alarm.ALARM}
    found = ask("GET", "/alarms").json
    assert [one["name"] for one in found["alarms"]] == ["Room-Errors-1"]
    assert set(found["alarms"][0]) == {"name", "state", "since", "reason"}
    assert found["unread"] == []
    assert "admission" not in found
    with_event = ask("GET", "/alarms", query={"event_id": EVENT}).json
    assert with_event["admission"] == {"brake": None, "alarm": None}
    assert ask("GET", "/alarms", query={"event_id": "nobody"}).status == 400
