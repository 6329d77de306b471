# SPDX-License-Identifier: Apache-2.0
"""Every route of both APIs: what it answers, how long that may be cached, what junk gets."""

from __future__ import annotations

import json
import logging
import time
from typing import Any

import pytest

import apps.inlet.app
import apps.private_api.app
import apps.public_api.app
from tests.support.fakes.inlet import MemoryInlet
from tests.support.in_memory_room import EVENT, InMemoryRoom, settings
from tests.support.inlet_room import inlet_settings
from tests.support.lambda_proxy_events import Answer, call
from waiting_room.domain.errors import JoinRefused, NoSuchEvent, NotAssignedYet
from waiting_room.inlet.control import InletControl
from waiting_room.use_cases import change_log, visitor_sessions

STRANGER = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
def in_memory_room(monkeypatch: pytest.MonkeyPatch) -> InMemoryRoom:
    made = InMemoryRoom()
    made.room.workers.setup.run()
    for module in (apps.public_api.app, apps.private_api.app):
        monkeypatch.setattr(module, "room", lambda: made.room)
    monkeypatch.setattr(apps.private_api.app, "settings", settings)
    monkeypatch.setattr(
        apps.private_api.app,
        "_inlet",
        lambda: InletControl(MemoryInlet(), time.time, change_log.record),
    )
    return made


def get(path: str, **query: Any) -> Answer:
    return call(apps.public_api.app.app, "GET", path, query=query)


def post(path: str, body: object) -> Answer:
    return call(apps.public_api.app.app, "POST", path, body=body)


def ask(path: str, **query: Any) -> Answer:
    return call(apps.private_api.app.app, "GET", path, query=query)


def tell(path: str, body: object) -> Answer:
    return call(apps.private_api.app.app, "POST", path, body=body)


def visit(request_id: str) -> dict[str, str]:
    return {"event_id": EVENT, "request_id": request_id}


def test_a_whole_visit(in_memory_room: InMemoryRoom) -> None:
    visitor = in_memory_room.visitors(1)[0]
    place = get("/queue_num", **visit(visitor))
    assert place.json == {
        "queue_number": 1,
        "entry_time": int(in_memory_room.clock.now),
        "event_id": EVENT,
        "status": 1,
    }
    assert get("/waiting_num", event_id=EVENT).json == {"waiting_num": 1}
    early = post("/generate_token", visit(visitor))
    assert (early.status, set(early.json)) == (202, {"error"})
    assert get("/queue_pos_expiry", **visit(visitor)).status == 202
    moved = tell("/increment_serving_counter", {"event_id": EVENT, "increment_by": 1})
    assert moved.json == {"serving_num": 1}
    assert get("/serving_num", event_id=EVENT).json == {"serving_counter": 1}
    assert get("/queue_pos_expiry", **visit(visitor)).json == {"expires_in": 900}
    token = post("/generate_token", visit(visitor))
    assert set(token.json) == {
        "access_token", "refresh_token", "id_token", "token_type", "expires_in",
    }  # fmt: skip
    assert post("/generate_token", visit(visitor)).json == token.json
    assert tell("/generate_token", visit(visitor)).json == token.json
    assert ask("/num_active_tokens", event_id=EVENT).json == {"active_tokens": 1}
    assert ask("/request_status", **visit(visitor)).json["state"] == "token_issued"
    assert tell("/update_session", {**visit(visitor), "status": 1}).status == 200
    assert tell("/update_session", {**visit(visitor), "status": 1}).status == 404
    ended = post("/generate_token", visit(visitor))
    assert (ended.status, ended.json) == (
        410,
        {
            "error": "the session of this request_id was completed or abandoned",
            "reason": "session_ended",
        },
    )
    assert get("/ended_sessions", event_id=EVENT).json == {"request_ids": [visitor]}
    reset = tell("/reset_initial_state", {"event_id": EVENT})
    assert (reset.status, set(reset.json)) == (200, {"message"})
    assert get("/queue_num", **visit(visitor)).status == 410
    assert post("/generate_token", visit(visitor)).status == 410


def test_strangers_and_unknown_places(in_memory_room: InMemoryRoom) -> None:
    assert get("/queue_num", **visit(STRANGER)).status == 202
    assert get("/queue_pos_expiry", **visit(STRANGER)).status == 404
    assert post("/generate_token", visit(STRANGER)).status == 404
    assert tell("/generate_token", visit(STRANGER)).status == 404
    assert ask("/request_status", **visit(STRANGER)).status == 404
    assert tell("/update_session", {**visit(STRANGER), "status": -1}).status == 404


def test_ended_sessions_come_in_pages(
    in_memory_room: InMemoryRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(visitor_sessions, "ENDED_PAGE", 2)
    visitors = in_memory_room.visitors(5)
    in_memory_room.serve(5)
    for visitor in visitors:
        post("/generate_token", visit(visitor))
        tell("/update_session", {**visit(visitor), "status": 1})
    found: list[str] = []
    answer = get("/ended_sessions", event_id=EVENT)
    token = answer.json["next_token"]
    found += answer.json["request_ids"]
    while "next_token" in answer.json:
        answer = get("/ended_sessions", event_id=EVENT, next_token=answer.json["next_token"])
        assert len(answer.json["request_ids"]) <= 2
        found += answer.json["request_ids"]
    assert sorted(found) == sorted(visitors)
    # a mark of before a reset begins again
    tell("/reset_initial_state", {"event_id": EVENT})
    again = get("/ended_sessions", event_id=EVENT, next_token=token)
    assert (again.status, again.json) == (200, {"request_ids": []})


@pytest.mark.parametrize(
    "token", ["", "x", "MS4y", "MS4wLjA=", "MS4wLjA.", "\ud800", "MS4wLjA" * 9, "LTEuMC4w"]
)
def test_a_mark_that_no_page_gave_is_refused_by_name(
    in_memory_room: InMemoryRoom, token: str
) -> None:
    answer = get("/ended_sessions", event_id=EVENT, next_token=token)
    assert (answer.status, answer.headers["cache-control"]) == (400, "no-store")
    assert "next_token" in answer.json["error"]
    twice = get("/ended_sessions", event_id=EVENT, next_token=["MS4wLjA", "MS4wLjA"])
    assert (twice.status, "next_token" in twice.json["error"]) == (400, True)


def test_answers_say_how_long_they_may_be_cached(in_memory_room: InMemoryRoom) -> None:
    visitor = in_memory_room.visitors(1)[0]

    def seconds(answer: Answer) -> int:
        kept = answer.headers["cache-control"]
        return 0 if kept == "no-store" else int(kept.split(",")[1].removeprefix(" max-age="))

    for path in ("/serving_num", "/waiting_num", "/status"):
        assert 1 <= seconds(get(path, event_id=EVENT)) <= 5
        assert seconds(get(path, event_id="Other")) == 0
    assert 1 <= seconds(get("/queue_num", **visit(visitor))) <= 3
    assert seconds(get("/queue_num", **visit(STRANGER))) == 0
    assert seconds(get("/queue_pos_expiry", **visit(visitor))) == 0
    in_memory_room.serve(1)
    assert 1 <= seconds(get("/queue_pos_expiry", **visit(visitor))) <= 5
    for path, query in (("/public_key", {"event_id": EVENT}), ("/.well-known/jwks.json", {})):
        assert 1 <= seconds(get(path, **query)) <= 300
    assert seconds(post("/generate_token", visit(visitor))) == 0
    assert seconds(ask("/num_active_tokens", event_id=EVENT)) == 0


def test_every_answer_lets_other_origins_read_it(in_memory_room: InMemoryRoom) -> None:
    for answer in (
        get("/status", event_id=EVENT),
        get("/queue_num"),
        post("/generate_token", visit(STRANGER)),
        tell("/update_message", {"event_id": EVENT, "message": "x"}),
    ):
        assert answer.headers["access-control-allow-origin"] == "*"


def test_the_public_key_is_five_members_and_the_set_has_it(in_memory_room: InMemoryRoom) -> None:
    key = get("/public_key", event_id=EVENT).json
    assert set(key) == {"kty", "alg", "kid", "n", "e"}
    assert get("/.well-known/jwks.json").json == {"keys": [{**key, "use": "sig"}]}


def test_expired_tokens_are_a_list_or_a_page(in_memory_room: InMemoryRoom) -> None:
    visitors = in_memory_room.visitors(5)
    in_memory_room.serve(5)
    for visitor in visitors:
        in_memory_room.token(visitor)
    in_memory_room.clock.now += 3600
    assert ask("/expired_tokens", event_id=EVENT).json == visitors
    page = ask("/expired_tokens", event_id=EVENT, limit="2").json
    assert page["request_ids"] == visitors[:2]
    rest = ask("/expired_tokens", event_id=EVENT, next_token=page["next_token"]).json
    assert rest == {"request_ids": visitors[2:], "next_token": None}
    for junk in ("", "x", "%00", "MS4x.", "OTk5OTk5LjE", "é", "A" * 5000):
        assert ask("/expired_tokens", event_id=EVENT, next_token=junk).status in (200, 400)
    assert ask("/expired_tokens", event_id=EVENT, next_token="!").status == 400
    for limit in ("0", "-1", "1001", "x", "1e3", "٣"):
        assert ask("/expired_tokens", event_id=EVENT, limit=limit).status == 400


def test_the_operators_message_reaches_the_status(in_memory_room: InMemoryRoom) -> None:
    assert tell("/update_message", {"event_id": EVENT, "message": "Hi"}).json == {"message": "Hi"}
    assert get("/status", event_id=EVENT).json["message"] == "Hi"
    assert ask("/metrics", event_id=EVENT).json["message"] == "Hi"


JUNK_TEXTS = [
    "", " ", "x" * 5000, "Sample\x00", "Sample\n", " Sample", "sample", "샘플 🎟", "' OR 1=1",
    "../..", "%00", "%53ample", "{}", "null",
    "\ud800", "\udc00\ud800", "\u202eelpmaS", "\ufeffSample",
]  # fmt: skip
JUNK_VALUES: list[object] = [
    None, True, False, 0, -1, 1, 1.5, 1e300, float("inf"), float("nan"), 10**20, 10**400, "", "1",
    "x" * 5000, "\x00", "\ud800", "샘플", [], [[]], [1], ["Sample"], {}, {"a": {"b": []}},
    {"$ne": 1},
]  # fmt: skip
JUNK_BODIES = [
    "", "{", "[]", "null", "1", '"x"', "NaN", '{"event_id": NaN}', "[" * 50_000, "{}" * 2,
    '{"a":' * 3000 + "1" + "}" * 3000, "\x00", "é", '{"event_id": "' + "x" * 300_000 + '"}',
    "\ud800", '{"event_id": "\\ud800"}', '{"event_id": "Sample", "event_id": "Other"}',
    '{"event_id": "Sample", "increment_by": 1e400, "status": 1, "message": "x", "paused": true}',
    '{"increment_by": ' + "9" * 5000 + "}", '\ufeff{"event_id": "Sample"}', "[" * 900 + "]" * 900,
]  # fmt: skip
NEEDED: dict[str, tuple[str, ...]] = {
    "/generate_token": ("event_id", "request_id"),
    "/increment_serving_counter": ("event_id", "increment_by"),
    "/update_session": ("event_id", "request_id", "status"),
    "/update_message": ("event_id", "message"),
    "/inlet": ("event_id", "paused"),
    "/reset_initial_state": ("event_id",),
    "/rotate_gate_keys": (),
    "/rotate_keys": (),  # revoke is optional: test_operators.py
}


def could_be_meant(name: str, value: object) -> bool:
    """Whether a value of the junk is a good one here."""
    whole = isinstance(value, int) and not isinstance(value, bool)
    if name == "message":
        return isinstance(value, str) and len(value) <= 500 and value.isprintable()
    if name == "paused":
        return isinstance(value, bool)
    return whole and (value in (1, -1)) and name in ("status", "increment_by")


def routes(app: Any, method: str) -> list[str]:
    return [path for path, methods in app.routes.items() if method in methods]


GETS = [
    (app.app, method, path)
    for app in (apps.public_api.app, apps.private_api.app)
    for method in ("GET", "HEAD")
    for path in routes(app.app, method)
    if path not in ("/.well-known/jwks.json", "/events", "/alarms") and "{" not in path
]
POSTS = [
    (app.app, path)
    for app in (apps.public_api.app, apps.private_api.app)
    for path in routes(app.app, "POST")
    if "{" not in path  # tests/apps/test_event_routes.py
]

UNKNOWN_EVENT = (
    {"error": NotAssignedYet.text},
    {"error": JoinRefused.texts["unknown_event"], "reason": "unknown_event"},
)


def is_clear_refusal(answer: Answer) -> bool:
    body = answer.json
    if answer.status == 400 and body.get("reason") == NoSuchEvent.reason:  # of /status
        body.pop("reason")
    if answer.status in (202, 410):  # of a visitor of another event, which may be very new
        return body in UNKNOWN_EVENT
    return (
        400 <= answer.status < 500
        and set(body) == {"error"}
        and 5 < len(body["error"]) < 200
        and "Traceback" not in answer.text
    )


@pytest.mark.parametrize(
    ("app", "method", "path"), GETS, ids=[f"{path}-{method}" for _, method, path in GETS]
)
def test_junk_in_a_query_is_refused(
    in_memory_room: InMemoryRoom, app: Any, method: str, path: str
) -> None:
    good = visit(in_memory_room.visitors(1)[0])
    assert is_clear_refusal(call(app, method, path))
    for name in ("event_id", "request_id"):
        if name == "request_id" and path not in (
            "/queue_num", "/queue_pos_expiry", "/request_status",
        ):  # fmt: skip
            continue
        for junk in (*JUNK_TEXTS, [EVENT, EVENT]):
            assert is_clear_refusal(call(app, method, path, query={**good, name: junk})), junk


@pytest.mark.parametrize(("app", "path"), POSTS, ids=[path for _, path in POSTS])
def test_junk_in_a_body_is_refused_and_changes_nothing(
    in_memory_room: InMemoryRoom, app: Any, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    visitor = in_memory_room.visitors(1)[0]
    in_memory_room.serve(1)
    before = in_memory_room.room.metrics.panel(EVENT), in_memory_room.log.read(EVENT)
    good: dict[str, object] = {
        **visit(visitor), "increment_by": 1, "status": 1, "message": "x", "paused": True,
    }  # fmt: skip
    with caplog.at_level(logging.DEBUG):
        for raw in JUNK_BODIES:
            assert is_clear_refusal(call(app, "POST", path, raw=raw)), raw[:40]
        assert is_clear_refusal(call(app, "POST", path))
        for name in NEEDED[path]:
            missing = {key: value for key, value in good.items() if key != name}
            assert is_clear_refusal(call(app, "POST", path, body=missing))
            for junk in JUNK_VALUES:
                if could_be_meant(name, junk):
                    continue
                answer = call(app, "POST", path, body={**good, name: junk})
                assert is_clear_refusal(answer), (name, junk)
    assert (in_memory_room.room.metrics.panel(EVENT), in_memory_room.log.read(EVENT)) == before
    assert "Traceback" not in caplog.text


@pytest.mark.parametrize("kind", [
    "text/plain;charset=UTF-8", "application/x-www-form-urlencoded", "multipart/form-data", "x", "",
])  # fmt: skip
@pytest.mark.parametrize(
    ("app", "path"),
    POSTS,
    ids=lambda value: value if isinstance(value, str) else value.app_name,
)
def test_a_body_means_the_same_under_any_type(
    in_memory_room: InMemoryRoom, app: Any, path: str, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(apps.inlet.app, "settings", inlet_settings)
    body = {"event_id": "Other", "revoke": "", "request_id": STRANGER, "increment_by": 1}
    known = call(app, "POST", path, body=body)
    assert is_clear_refusal(known)
    in_memory_room.clock.now += 1  # a registry is read once a second
    answer = call(app, "POST", path, body=body, headers={"Content-Type": kind})
    assert (answer.status, answer.json) == (known.status, known.json)


@pytest.mark.parametrize("name", ["issuer", "validity_period"])
def test_junk_in_an_override_is_refused(in_memory_room: InMemoryRoom, name: str) -> None:
    visitor = in_memory_room.visitors(1)[0]
    in_memory_room.serve(1)
    for junk in (-100, 0, 86_401, 1.5, "60", [], {}, True, "", "x" * 3000, "a\nb", 10**400):
        if name == "issuer" and junk == "60":
            continue
        answer = tell("/generate_token", {**visit(visitor), name: junk})
        assert is_clear_refusal(answer), junk
    assert in_memory_room.waiting() == 1


def test_an_unknown_error_is_a_bare_500_with_its_trace_in_the_log(
    in_memory_room: InMemoryRoom, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("secret detail")

    in_memory_room.room.metrics.serving_number = broken  # type: ignore[assignment, method-assign]
    answer = get("/serving_num", event_id=EVENT)
    assert (answer.status, answer.json) == (500, {"error": "internal error"})
    assert "secret detail" not in answer.text
    assert "RuntimeError" in caplog.text


def test_a_store_that_does_not_answer_is_a_503_that_says_when_to_come_again(
    in_memory_room: InMemoryRoom,
) -> None:
    in_memory_room.counters.fail("counts", "before")
    answer = get("/status", event_id=EVENT)
    assert (answer.status, answer.headers["retry-after"]) == (503, "1")
    assert answer.headers["cache-control"] == "no-store"
    assert get("/status", event_id=EVENT).status == 200


def test_a_head_request_is_answered_like_a_get(in_memory_room: InMemoryRoom) -> None:
    for path in routes(apps.public_api.app.app, "GET"):
        assert "HEAD" in apps.public_api.app.app.routes[path], path
    answer = call(apps.public_api.app.app, "HEAD", "/status", query={"event_id": EVENT})
    assert answer.status == 200


def test_the_same_fields_as_the_aws_solution(in_memory_room: InMemoryRoom) -> None:
    """A client of the AWS solution reads these names, and finds them."""
    assert json.loads(get("/serving_num", event_id=EVENT).text)["serving_counter"] == 0
