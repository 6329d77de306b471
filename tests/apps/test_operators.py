# SPDX-License-Identifier: Apache-2.0
"""Each change by an operator is logged with who made it; a repeated call is known again."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from typing import Any

import pytest

import apps.private_api.app
import apps.workers.app
from tests.support.fakes.inlet import MemoryInlet
from tests.support.in_memory_room import EVENT, InMemoryRoom, settings
from tests.support.lambda_proxy_events import Answer, proxy_event
from tests.support.servers import ROOT
from waiting_room.domain import errors
from waiting_room.domain.published_keys import Publication
from waiting_room.domain.signing_keys import KeySet
from waiting_room.inlet.control import InletControl
from waiting_room.inlet.strategies import InletRecord, Strategy
from waiting_room.use_cases import change_log

ROLE = "WaitingRoom-inlet-eu-central-1"
ALICE = "arn:aws:iam::123456789012:user/alice"
INLET = f"arn:aws:sts::123456789012:assumed-role/{ROLE}/inlet"
TARGETS = {"increment_by": 10}
Logged = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def in_memory_room(monkeypatch: pytest.MonkeyPatch) -> InMemoryRoom:
    made = InMemoryRoom({"INCR_SVC_ON_QUEUE_POSITION_EXPIRY": "true"})
    made.room.workers.setup.run()
    store = MemoryInlet()
    store.write(None, InletRecord(EVENT, Strategy.PERIODIC, TARGETS, TARGETS, version=1))
    chosen = settings(INLET_ROLE=ROLE)
    monkeypatch.setattr(apps.private_api.app, "room", lambda: made.room)
    monkeypatch.setattr(apps.private_api.app, "settings", lambda: chosen)
    monkeypatch.setattr(
        apps.private_api.app, "_inlet", lambda: InletControl(store, time.time, change_log.record)
    )
    monkeypatch.setattr(apps.workers.app, "room", lambda: made.room)
    monkeypatch.setattr(apps.workers.app, "settings", lambda: chosen)
    return made


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture) -> Logged:
    """The changes that were logged since the last look."""

    def take() -> list[dict[str, Any]]:
        lines = [
            json.loads(record.getMessage())
            for record in caplog.records
            if record.name == "waiting_room.changes"
        ]
        caplog.clear()
        return lines

    return take


def tell(path: str, body: Mapping[str, Any], arn: str = ALICE, **headers: str) -> Answer:
    event = proxy_event("POST", path, body={"event_id": EVENT, **body}, headers=headers)
    event["requestContext"]["identity"]["userArn"] = arn
    return Answer(apps.private_api.app.app(event, None))


def admitted(in_memory_room: InMemoryRoom) -> str:
    """A visitor at position 1 whose turn has come."""
    visitor = in_memory_room.visitors(1)[0]
    in_memory_room.serve(1)
    return visitor


def test_each_change_is_logged_with_who_made_it_and_from_and_to(
    in_memory_room: InMemoryRoom, logged: Logged
) -> None:
    visitor = admitted(in_memory_room)
    visit = {"request_id": visitor}
    changes = {
        "/generate_token": (visit, "token", None, "issued"),
        "/update_session": ({**visit, "status": 1}, "session", "open", "completed"),
        "/increment_serving_counter": ({"increment_by": 5}, "serving_counter", 1, 6),
        "/update_message": ({"message": "Hello"}, "message", "", "Hello"),
        "/inlet": (
            {"paused": True},
            "inlet",
            {"paused": False, "increment_by": 10},
            {"paused": True, "increment_by": 10},
        ),
        "/reset_initial_state": ({}, "reset", 1, 2),
    }
    posts = {path for path, methods in apps.private_api.app.app.routes.items() if "POST" in methods}
    posts -= {"/rotate_keys", "/rotate_gate_keys"}  # of no event: below
    posts.remove("/events/{event_id}/actions/{action}")  # tests/apps/test_event_routes.py
    posts.remove("/events/{event_id}/health")  # a report of the site, not a change of an operator
    assert set(changes) == posts, "a route that changes something needs its line here"
    logged()
    for path, (body, change, before, after) in changes.items():
        assert tell(path, body).status == 200
        (line,) = logged()
        assert line["event_id"] == EVENT
        assert (line["change"], line["before"], line["after"]) == (change, before, after)
        assert (line["kind"], line["who"]) == ("person", ALICE)
        assert visitor not in json.dumps(line)
        if body.get("request_id"):
            assert (line["generation"], line["position"]) == (1, 1)


def test_what_is_not_changed_is_not_logged(in_memory_room: InMemoryRoom, logged: Logged) -> None:
    visitor = admitted(in_memory_room)
    tell("/generate_token", {"request_id": visitor})
    logged()
    for path, body, status in (
        ("/generate_token", {"request_id": visitor}, 200),
        ("/update_session", {"request_id": visitor, "status": 3}, 400),
        ("/increment_serving_counter", {"increment_by": 0}, 400),
        ("/reset_initial_state", {"generation": 7}, 409),
        ("/inlet", {"paused": "no"}, 400),
    ):
        assert tell(path, body).status == status
        assert logged() == []


def test_no_member_and_no_header_makes_a_person_an_inlet(
    in_memory_room: InMemoryRoom, logged: Logged
) -> None:
    forged = {"kind": "inlet", "who": INLET, "actor": "inlet", "userArn": INLET}
    logged()
    tell("/increment_serving_counter", {"increment_by": 1, **forged}, **{"X-User-Arn": INLET})
    tell("/increment_serving_counter", {"increment_by": 1}, arn=INLET)
    assert [(line["kind"], line["who"]) for line in logged()] == [
        ("person", ALICE),
        ("inlet", INLET),
    ]


def test_the_row_of_the_counter_names_who_moved_it(in_memory_room: InMemoryRoom) -> None:
    tell("/increment_serving_counter", {"increment_by": 4})
    tell("/increment_serving_counter", {"increment_by": 4}, arn=INLET)
    moves = in_memory_room.log.moves(in_memory_room.log.read(EVENT))
    assert [move.actor for move in moves] == [
        "person user/alice",
        f"inlet assumed-role/{ROLE}/inlet",
    ]


def test_what_the_sweep_raises_is_a_schedules(in_memory_room: InMemoryRoom, logged: Logged) -> None:
    in_memory_room.visitors(3)
    in_memory_room.serve(2)
    logged()
    for seconds in (200, 200, 800):
        in_memory_room.clock.now += seconds
        apps.workers.app.sweep_positions({}, None)
    (line,) = logged()
    assert (line["kind"], line["who"], line["reason"]) == ("schedule", "sweep_positions", "expiry")
    state = in_memory_room.log.read(EVENT)
    assert (line["before"], line["after"]) == (state.move.previous, state.move.current)
    assert state.move.actor == "schedule sweep_positions"


def key_ids(in_memory_room: InMemoryRoom) -> list[str]:
    return [key.key_id for key in in_memory_room.keys.store.load().keys]


def test_a_rotation_is_logged_with_who_made_it_and_the_ids_of_the_keys(
    in_memory_room: InMemoryRoom, logged: Logged
) -> None:
    logged()
    for rotate, kind, who in (
        (lambda: tell("/rotate_keys", {}), "person", ALICE),
        (lambda: apps.workers.app.rotate_keys({}, None), "schedule", "rotate_keys"),
    ):
        before = key_ids(in_memory_room)
        in_memory_room.clock.now += 40 * 86_400
        rotate()
        line, *others = logged()
        assert [one["change"] for one in others] == ["gate_keys"] * (kind == "schedule")
        assert (line["change"], line["kind"], line["who"]) == ("signing_keys", kind, who)
        assert (line["before"], line["after"]) == (before, key_ids(in_memory_room))
        assert before != key_ids(in_memory_room)


def test_an_operator_rotates_and_revokes_keys_of_the_gate(
    in_memory_room: InMemoryRoom, logged: Logged
) -> None:
    (first,) = (key.key_id for key in in_memory_room.gate_keys.store.root.keys)
    logged()
    rotated = tell("/rotate_gate_keys", {})
    assert rotated.status == 200
    new, old = rotated.json["key_ids"]
    (line,) = logged()
    assert (line["change"], line["before"], line["after"]) == ("gate_keys", [first], [new, old])
    assert (line["kind"], line["who"]) == ("person", ALICE)
    busy = tell("/rotate_gate_keys", {})
    assert (busy.status, busy.json["error"].split(";")[0]) == (
        409, "sessions need both keys of the gate",
    )  # fmt: skip
    assert int(busy.headers["retry-after"]) > 2 * 86_400
    apps.workers.app.rotate_keys({}, None)  # the schedule waits
    assert [key.key_id for key in in_memory_room.gate_keys.store.root.keys] == [new, first]
    revoked = tell("/rotate_gate_keys", {"revoke": first})
    assert (revoked.status, revoked.json) == (200, {"key_ids": [new]})
    for value, status in (("none", 404), (7, 400)):
        assert tell("/rotate_gate_keys", {"revoke": value}).status == status


def test_the_first_key_is_the_deployments(in_memory_room: InMemoryRoom, logged: Logged) -> None:
    in_memory_room.keys.store._keys = KeySet(())
    in_memory_room.public_keys.store._publication = Publication()
    logged()
    in_memory_room.room.workers.setup.run()
    lines = [line for line in logged() if line["change"] == "signing_keys"]
    assert [(line["kind"], line["who"]) for line in lines] == [("deployment", "set_up")]


def test_an_operator_adds_a_key_and_revokes_a_stolen_one(in_memory_room: InMemoryRoom) -> None:
    (stolen,) = key_ids(in_memory_room)
    added = tell("/rotate_keys", {})
    assert (added.status, added.json) == (200, {"key_ids": key_ids(in_memory_room)})
    assert stolen in key_ids(in_memory_room)
    revoked = tell("/rotate_keys", {"revoke": stolen})
    assert (revoked.status, revoked.json) == (200, {"key_ids": key_ids(in_memory_room)})
    assert stolen not in key_ids(in_memory_room)


@pytest.mark.parametrize(
    ("revoke", "status"),
    [("", 400), (7, 400), (["x"], 400), ({}, 400), (True, 400), ("x" * 129, 400), ("of none", 404)],
)
def test_a_key_that_cannot_be_meant_is_refused_by_name_and_nothing_changes(
    in_memory_room: InMemoryRoom, revoke: object, status: int
) -> None:
    before = in_memory_room.keys.load(), in_memory_room.public_keys.load()
    refused = tell("/rotate_keys", {"revoke": revoke})
    assert refused.status == status
    assert "revoke" in refused.json["error"]
    assert (in_memory_room.keys.load(), in_memory_room.public_keys.load()) == before


def test_a_second_change_of_the_keys_is_told_when_to_come_again(
    in_memory_room: InMemoryRoom,
) -> None:
    published = in_memory_room.public_keys.load()
    now = int(in_memory_room.clock.now)
    other = published.announced(
        in_memory_room.keys.load(), now, starts=now, lease_id="other", lease_until=now + 90
    )
    in_memory_room.public_keys.store.save(other, published)
    busy = tell("/rotate_keys", {})
    assert (busy.status, busy.headers["retry-after"]) == (409, "90")
    assert "another call is changing the keys" in busy.json["error"]


def test_too_many_published_keys_are_a_409(in_memory_room: InMemoryRoom) -> None:
    answers = [tell("/rotate_keys", {}) for _ in range(20)]
    assert {one.status for one in answers} == {200, 409}
    assert answers[-1].status == 409
    assert "retry when the room has removed the oldest" in answers[-1].json["error"]


# --- a call that is made again -----------------------------------------------------------------


def test_a_session_that_is_set_says_so_with_its_status(in_memory_room: InMemoryRoom) -> None:
    visitor = admitted(in_memory_room)
    end = {"request_id": visitor, "status": -1}
    none = tell("/update_session", end)
    assert (none.status, none.json["reason"], set(none.json)) == (
        404, "no_token", {"error", "reason"},
    )  # fmt: skip
    in_memory_room.token(visitor)
    assert tell("/update_session", {**end, "call_id": "one"}).status == 200
    assert tell("/update_session", {**end, "call_id": "one"}).status == 200
    for body, arn in (
        (end, ALICE),
        ({**end, "call_id": "two"}, ALICE),
        ({**end, "call_id": "one"}, INLET),
    ):
        again = tell("/update_session", body, arn=arn)
        assert (again.status, again.json["reason"], again.json["status"]) == (
            404, "already_set", -1,
        )  # fmt: skip
    assert in_memory_room.room.metrics.counts(EVENT).abandoned == 1


def test_a_session_ends_with_the_position_of_its_token(in_memory_room: InMemoryRoom) -> None:
    visitor = admitted(in_memory_room)
    in_memory_room.token(visitor)
    end = {"request_id": visitor, "status": 1}
    refused = tell("/update_session", {**end, "queue_position": "1"})
    assert (refused.status, refused.json["error"]) == (
        400, "queue_position must be a whole number from 1 to 999999999999999",
    )  # fmt: skip
    assert tell("/update_session", {**end, "queue_position": 1}).status == 200


@pytest.mark.parametrize("method", ["end_session", "count_session"])
def test_a_session_whose_answer_was_lost_is_ended_once(
    in_memory_room: InMemoryRoom, method: str
) -> None:
    visitor = admitted(in_memory_room)
    in_memory_room.token(visitor)
    store = in_memory_room.outcomes if method == "end_session" else in_memory_room.counters
    store.fail(method, "after")
    end = {"request_id": visitor, "status": 1, "call_id": "one"}
    answers = [tell("/update_session", end).status for _ in range(2)]
    assert answers == ([503, 200] if method == "end_session" else [200, 200])
    counts = in_memory_room.room.metrics.counts(EVENT)
    assert (counts.completed, counts.active) == (1, 0)


def test_an_increment_whose_answer_was_lost_is_made_once(in_memory_room: InMemoryRoom) -> None:
    in_memory_room.log.fail("write", "after")
    by = {"increment_by": 5, "call_id": "one"}
    assert tell("/increment_serving_counter", by).status == 503
    assert tell("/increment_serving_counter", {"increment_by": 2}).json == {"serving_num": 7}
    assert tell("/increment_serving_counter", by).json == {"serving_num": 7}
    assert tell("/increment_serving_counter", by, arn=INLET).json == {"serving_num": 12}
    assert tell("/increment_serving_counter", {**by, "call_id": "x y"}).status == 400
    assert in_memory_room.room.metrics.counts(EVENT).serving == 12


# --- reset -------------------------------------------------------------------------------------


def test_a_reset_of_another_generation_is_a_conflict_that_names_it(
    in_memory_room: InMemoryRoom,
) -> None:
    assert tell("/reset_initial_state", {"generation": 1}).status == 200
    for generation in (1, 3):
        other = tell("/reset_initial_state", {"generation": generation})
        assert (other.status, other.json["generation"]) == (409, 2)
    assert tell("/reset_initial_state", {"generation": 2}).status == 200
    assert tell("/reset_initial_state", {}).status == 200
    assert tell("/reset_initial_state", {"generation": None}).status == 200
    assert in_memory_room.room.metrics.counts(EVENT).generation == 5


@pytest.mark.parametrize("generation", [0, -1, 1.5, "1", True, [1], {}, 2**70])
def test_a_generation_that_cannot_be_is_named(
    in_memory_room: InMemoryRoom, generation: object
) -> None:
    answer = tell("/reset_initial_state", {"generation": generation})
    assert (answer.status, "generation" in answer.json["error"]) == (400, True)
    assert in_memory_room.room.metrics.counts(EVENT).generation == 1


def test_who_repeats_an_unanswered_reset_learns_that_it_was_made(
    in_memory_room: InMemoryRoom, logged: Logged
) -> None:
    logged()
    in_memory_room.counters.fail("apply", "")  # the announcement of the reset
    in_memory_room.counters.fail("apply", "before")
    assert tell("/reset_initial_state", {"generation": 1}).status == 503
    again = tell("/reset_initial_state", {"generation": 1})
    assert (again.status, again.json["generation"]) == (409, 2)
    assert in_memory_room.memory.counts(EVENT, 0).generation == 2, "the repeat tells the counters"
    assert [line["change"] for line in logged()] == ["reset"]


@pytest.mark.parametrize("status", [1, -1])
def test_tokens_of_a_line_that_was_reset_cannot_be_ended(
    in_memory_room: InMemoryRoom, status: int
) -> None:
    visitor = admitted(in_memory_room)
    in_memory_room.token(visitor)
    in_memory_room.room.control.reset(EVENT)
    end = {"request_id": visitor, "status": status}
    gone = tell("/update_session", end)
    assert (gone.status, gone.json["reason"]) == (410, "reset")
    assert in_memory_room.outcomes.get(EVENT, 1, 1).status.value == "open"
    for path, body in (("/generate_token", {"request_id": visitor}), ("/update_session", end)):
        assert (tell(path, body).status, tell(path, body).json["reason"]) == (410, "reset")


@pytest.mark.parametrize(
    ("path", "store", "method"),
    [
        ("/update_session", "outcomes", "end_session"),
        ("/generate_token", "outcomes", "put_if_absent"),
    ],
)
def test_a_reset_between_read_and_write_is_told(
    in_memory_room: InMemoryRoom,
    monkeypatch: pytest.MonkeyPatch,
    path: str,
    store: str,
    method: str,
) -> None:
    visitor = admitted(in_memory_room)
    if path == "/update_session":
        in_memory_room.token(visitor)
    rows = getattr(in_memory_room, store).store
    write = getattr(rows, method)

    def late(*args: Any) -> Any:
        in_memory_room.new_room().control.reset(EVENT)
        return write(*args)

    monkeypatch.setattr(rows, method, late)
    answer = tell(path, {"request_id": visitor, "status": 1})
    assert (answer.status, answer.json.get("reason")) == (410, "reset")
    counts = in_memory_room.new_room().metrics.counts(EVENT)
    assert (counts.generation, counts.tokens, counts.completed) == (2, 0, 0)


def test_every_error_that_is_gone_has_a_reason_of_the_contract() -> None:
    kinds = [kind for kind in errors.Gone.__subclasses__() if kind is not errors.JoinRefused]
    assert {kind.reason for kind in kinds} == {
        "reset", "position_expired", "token_expired", "session_ended",
    }  # fmt: skip
    assert all(kind("x").members == {"reason": kind.reason} for kind in kinds)
    assert set(errors.JoinRefused.texts) == {
        "unknown_event", "not_open", "draining", "closed", "client_secret",
    }  # fmt: skip
    assert errors.JoinRefused("closed").members == {"reason": "closed"}
    sources = [path.read_text() for path in (ROOT / "source").rglob("*.py")]
    assert not [text for text in sources if "raise Gone(" in text]
