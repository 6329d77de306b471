# SPDX-License-Identifier: Apache-2.0
"""The deployed room: the unpacked bundles, run by the synthesized templates.

Tables, queues, topic and bus are made by CloudFormation (moto's). Each function has its template's
environment, and a proxy refuses every call that its role does not allow. The module is long because
one deployment serves all its tests; the last tests judge the calls of those before them.
"""

from __future__ import annotations

import base64
import json
import re
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from botocore.exceptions import ClientError
from botocore.session import Session

from infrastructure.blueprint.permissions import (
    ENTRANCE,
    OPENID,
    OUTBOX_WORKERS,
    PRIVATE,
    PUBLIC,
    WORKERS,
)
from tests.apps.entrance_client import EntranceClient
from tests.support.servers import Valkey, aws_client, moto_server
from tests.support.templates.deployed import INLETS, view_of
from tests.support.templates.iam_proxy import wanted
from tests.support.templates.lambda_process import Raised, Start
from tests.support.templates.lambda_room import LambdaRoom
from tests.support.templates.lambda_visitor import Visitor
from tests.support.templates.synthesized import EVERYTHING, Assembly
from waiting_room.domain.gate.credentials import GateKeys, encode_join, encode_probe
from waiting_room.domain.gate.decision import cookie_name

pytestmark = pytest.mark.server
METHOD = "arn:aws:execute-api:eu-central-1:123456789012:abc/api/GET/checkout"
TABLE = "AWS::DynamoDB::Table"
FORM_TYPE = {"Content-Type": "application/x-www-form-urlencoded"}
CALLBACK = EVERYTHING["OpenIdRedirectUris"].partition(",")[0]
READ = (
    "/serving_num", "/waiting_num", "/status", "/public_key", "/.well-known/jwks.json",
    "/ended_sessions", "/page",
)  # fmt: skip
# Routes of the private API that need the event only. Three tests call them, also without counters.
WATCH = ("/num_active_tokens", "/metrics", "/expired_tokens", "/alarms")

MINUTE_WORKERS = (
    "set_up", "sweep_positions", "admit", "report_metrics", "rotate_keys", "check_keys",
)  # fmt: skip


@pytest.fixture(scope="module")
def aws_url() -> Iterator[str]:
    """An account of its own: names like the bus's are there once."""
    with moto_server() as url:
        yield url


@pytest.fixture(scope="module")
def room(
    eventful: Assembly, start: Start, aws_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LambdaRoom]:
    """The deployed room, set up as the deployment does it."""
    aws_client("cloudwatch", aws_url).put_metric_alarm(
        AlarmName=EVERYTHING["CloudWatchAlarmName"], MetricName="Latency", Namespace="Site",
        Statistic="Average", Period=60, EvaluationPeriods=1, Threshold=1.0,
        ComparisonOperator="GreaterThanThreshold",
    )  # fmt: skip
    valkey = Valkey(Path(tmp_path_factory.mktemp("valkey")))
    made = LambdaRoom(eventful.stacks, start, aws_url, valkey)
    try:
        assert made("workers", "set_up", {}) == {"status": "ready"}
        warm(made)
        yield made
    finally:
        made.close()
        valkey.kill()


def warm(room: LambdaRoom) -> None:
    """Start what other functions call, whose patience with a cold one is short."""
    request_id = join(room)
    event = {"event_id": room.event_id}
    assert room.http("public_api", "GET", "/.well-known/jwks.json")[0] == 200
    assert token(room, request_id)[0] == 202
    increment(room, 1)
    assert room.http("private_api", "GET", "/metrics", query=event)[0] == 200
    ended = {**event, "request_id": request_id, "status": 1}
    assert room.http("private_api", "POST", "/update_session", body=ended)[0] == 404


@pytest.fixture(autouse=True)
def nobody_is_refused(room: LambdaRoom) -> Iterator[None]:
    """Every call that a function made in a test was one that its role allows."""
    room.iam_proxy.denied.clear()
    yield
    assert room.iam_proxy.denied == set()


def join(room: LambdaRoom, event_id: str = "") -> str:
    """One visitor's join, as SQS hands it to the worker."""
    request_id = str(uuid.uuid4())
    record = {
        "messageId": request_id,
        "body": json.dumps({"event_id": event_id or room.event_id}),
        "attributes": {"SentTimestamp": str(int(time.time() * 1000))},
    }
    assert room("workers", "assign_positions", {"Records": [record]}) == {"batchItemFailures": []}
    return request_id


def admit(room: LambdaRoom) -> str:
    """A visitor who was let in by an operator."""
    request_id = join(room)
    increment(room, 1)
    return request_id


def increment(room: LambdaRoom, by: int) -> None:
    body = {"event_id": room.event_id, "increment_by": by}
    assert room.http("private_api", "POST", "/increment_serving_counter", body=body)[0] == 200


def token(room: LambdaRoom, request_id: str) -> tuple[int, Any]:
    sent = {"event_id": room.event_id, "request_id": request_id}
    return room.http("public_api", "POST", "/generate_token", body=sent)


def first_visitor(room: LambdaRoom) -> Visitor:
    """A visitor who is the first to join after a reset."""
    visitor = Visitor(room)
    visitor.private("POST", "/reset_initial_state", body={"event_id": room.event_id})
    return visitor


def test_a_visitor_joins_waits_is_admitted_and_shops(room: LambdaRoom) -> None:
    request_id = join(room)
    who = {"event_id": room.event_id, "request_id": request_id}
    assert room.http("public_api", "GET", "/queue_num", query=who)[0] == 200
    assert token(room, request_id)[0] == 202
    increment(room, 1)
    status, tokens = token(room, request_id)
    assert status == 200

    # warm, as the edge's answer is: the authorizer waits two seconds for keys and no longer
    assert room.http("public_api", "GET", "/.well-known/jwks.json", query={})[0] == 200
    event = {"type": "TOKEN", "methodArn": METHOD, "authorizationToken": tokens["access_token"]}
    decided = room("token_authorizer", "token_authorizer", event)
    assert decided["policyDocument"]["Statement"][0]["Effect"] == "Allow"
    for path in ("/search", "/checkout", "/layaway"):
        status, order = room.http("sample_store", "GET", path, authorizer=decided["context"])
        assert (status, order["visitor"]["request_id"]) == (200, request_id)

    ended = room.http("private_api", "POST", "/update_session", body={**who, "status": 1})
    assert ended[0] == 200
    assert token(room, request_id)[0] == 410


def test_the_authorizer_denies_a_token_of_another_room(room: LambdaRoom) -> None:
    part = [base64.urlsafe_b64encode(json.dumps(one).encode()).rstrip(b"=").decode() for one in (
        {"alg": "RS256", "kid": "other"}, {"sub": "x", "token_use": "access"})]  # fmt: skip
    event = {"type": "TOKEN", "methodArn": METHOD, "authorizationToken": ".".join([*part, "AAAA"])}
    decided = room("token_authorizer", "token_authorizer", event)
    assert decided["policyDocument"]["Statement"][0]["Effect"] == "Deny"
    with pytest.raises(Raised, match=r"^Unauthorized: Unauthorized$"):
        room("token_authorizer", "token_authorizer", {**event, "authorizationToken": "junk"})


def test_an_operator_adds_a_key_of_the_gate_and_revokes_one(room: LambdaRoom) -> None:
    """Then there is one key, so that the worker can rotate."""
    status, made = room.http("private_api", "POST", "/rotate_gate_keys", body={})
    assert (status, len(made["key_ids"])) == (200, 2)
    new, old = made["key_ids"]
    revoke = {"revoke": old}
    assert room.http("private_api", "POST", "/rotate_gate_keys", body=revoke)[1] == {
        "key_ids": [new]
    }


def test_the_minute_workers_run(room: LambdaRoom) -> None:
    admit(room)
    assert room("workers", "sweep_positions", {}) == {"swept": 0}
    assert room("workers", "report_metrics", {})["QueuePositions"] >= 1
    assert len(room("workers", "rotate_keys", {})["key_ids"]) == 2
    image = {
        "event_id": {"S": room.event_id}, "generation": {"N": "1"}, "position": {"N": "1"},
        "request_id": {"S": "r"}, "kind": {"S": "token"}, "at": {"N": "1"},
        "expires_at": {"N": "1800003600"}, "session_status": {"S": "open"},
    }  # fmt: skip
    stream = {"Records": [{"eventName": "INSERT", "dynamodb": {"NewImage": image}}]}
    assert room("workers", "publish_events", stream) == {"batchItemFailures": []}
    table = room.deployment.resource("Core", TABLE, "TablesOutbox")
    rows = aws_client("dynamodb", room.aws_url).scan(TableName=table)["Items"]
    assert rows, "functions inside the VPC write bus events to the outbox"
    messages = [
        {"eventName": "INSERT", "dynamodb": {"SequenceNumber": str(at), "NewImage": row}}
        for at, row in enumerate(rows)
    ]
    assert room("workers", "send_outbox", {"Records": messages}) == {"batchItemFailures": []}
    calls = {(function, action) for function, action, _ in room.iam_proxy.used}
    assert ("workers.send_outbox", "events:PutEvents") in calls
    assert ("workers.publish_events", "events:PutEvents") not in calls


def test_every_reading_route_returns_200(room: LambdaRoom) -> None:
    who = {"event_id": room.event_id, "request_id": admit(room)}
    event = {"event_id": room.event_id}
    for path in READ:
        assert room.http("public_api", "GET", path, query=event)[0] == 200, path
    assert room.http("public_api", "GET", "/queue_pos_expiry", query=who)[0] == 200
    for path in WATCH:
        assert room.http("private_api", "GET", path, query=event)[0] == 200, path
    assert room.http("private_api", "GET", "/request_status", query=who)[0] == 200
    assert room.http("private_api", "POST", "/generate_token", body=who)[0] == 200
    message = {**event, "message": "soon"}
    assert room.http("private_api", "POST", "/update_message", body=message)[0] == 200


def test_each_inlet_admits_visitors(room: LambdaRoom) -> None:
    event = {"event_id": room.event_id}
    assert room.http("private_api", "POST", "/reset_initial_state", body=event)[0] == 200
    assert room("inlet", "periodic_inlet", {"id": "1"}) == {"opened": 10}
    assert room("inlet", "max_size_inlet", {"id": "2"})["opened"] > 0
    assert room.http("private_api", "POST", "/reset_initial_state", body=event)[0] == 200
    assert room("inlet", "periodic_inlet", {"id": "3"})["opened"] > 0
    status, shown = room.http("private_api", "GET", "/inlet", query=event)
    assert (status, shown["strategy"]) == (200, "Periodic")
    paused = {**event, "paused": True}
    assert room.http("private_api", "POST", "/inlet", body=paused)[0] == 200


def test_the_max_size_inlet_ends_the_sessions_of_an_exit_notice(room: LambdaRoom) -> None:
    request_id = admit(room)
    assert token(room, request_id)[0] == 200
    message = json.dumps({"completed": [request_id]})
    notice = {"Records": [{"Sns": {"MessageId": str(uuid.uuid4()), "Message": message}}]}
    room("inlet", "max_size_inlet", notice)
    assert token(room, request_id)[0] == 410


def test_openid_logs_an_admitted_visitor_in(room: LambdaRoom) -> None:
    secret = json.loads(room.deployment.secret("OpenId", "OpenIdClientSecret"))["client_secret"]
    asked = {
        "client_id": room.event_id, "redirect_uri": CALLBACK, "response_type": "code",
        "scope": "openid", "state": "s", "nonce": "n",
    }  # fmt: skip
    sent = room.answer("openid", "GET", "/authorize", query=asked)
    page = urlsplit(sent["headers"]["Location"])
    assert page.netloc.endswith(".cloudfront.net")
    transaction = parse_qs(page.query)["transaction"][0]

    back = form(room, "/authorize/continue", transaction=transaction, request_id=admit(room))
    assert back["headers"]["Location"].startswith(CALLBACK)
    code = parse_qs(urlsplit(back["headers"]["Location"]).query)["code"][0]
    answer = form(
        room, "/token", grant_type="authorization_code", code=code, redirect_uri=CALLBACK,
        client_id=room.event_id, client_secret=secret,
    )  # fmt: skip
    assert answer["statusCode"] == 200, answer["body"]
    bearer = {"Authorization": f"Bearer {json.loads(answer['body'])['access_token']}"}
    assert room.http("openid", "GET", "/userInfo", headers=bearer)[0] == 200
    assert room.http("openid", "GET", "/.well-known/openid-configuration")[0] == 200
    assert room.http("openid", "GET", "/.well-known/jwks.json")[1]["keys"]


def form(room: LambdaRoom, path: str, **fields: str) -> Any:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    return room.answer("openid", "POST", path, raw=urlencode(fields), headers=headers)


def test_a_visit_completes_although_the_counters_are_lost_before_every_call(
    room: LambdaRoom,
) -> None:
    first_visitor(room).run(lambda: None)
    Visitor(room).run(lambda: None)
    Visitor(room).run(room.lose_counters)  # rebuilds read the rows and moves of those before


def test_a_visit_completes_while_a_lower_serving_counter_is_announced(room: LambdaRoom) -> None:
    first_visitor(room).run(room.announce_lowering)
    room.lose_counters()


def test_every_function_works_within_its_permissions_when_counters_are_lost(
    room: LambdaRoom,
) -> None:
    visitor, event = first_visitor(room), {"event_id": room.event_id}
    for _ in range(2):
        visitor.join()
        visitor.assign()
        visitor.serve()
    for before in (lambda: None, room.announce_lowering, room.lose_counters):
        for path in READ:
            before()
            visitor.public("GET", path, query=event)
        for path in (*WATCH, "/inlet"):  # an inlet exists after its test
            before()
            visitor.private("GET", path, query=event)
        for path, more in (
            ("/update_message", {"message": "soon"}),
            ("/inlet", {"paused": True}),
            ("/increment_serving_counter", {"increment_by": 1}),
            ("/generate_token", {"request_id": visitor.request_id}),
            ("/rotate_keys", {}),
        ):
            before()
            visitor.private("POST", path, body={**event, **more})
        for name in MINUTE_WORKERS:
            before()
            room("workers", name, {})
    for _ in range(2):  # the second call follows the first, whose generation it may still know
        visitor.public("GET", "/queue_num", query=visitor.ids)


def test_positions_expire_and_a_reset_follows_within_the_permissions(
    room: LambdaRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    visitor = first_visitor(room)
    for _ in range(2):
        visitor.join()
        visitor.assign()
        visitor.serve()
    swept = []
    for ahead in (0, 200, 400, 2000, 4000):  # seconds: pending, settled, expired
        monkeypatch.setattr(room, "clock_ahead", ahead)
        room.lose_counters()
        swept.append(room("workers", "sweep_positions", {})["swept"])
    assert swept[0] < swept[-1]
    visitor.take_token(410)
    room.lose_counters()
    visitor.private("POST", "/reset_initial_state", body={"event_id": room.event_id})


def test_a_reset_starts_the_next_generation(room: LambdaRoom) -> None:
    body = {"event_id": room.event_id}
    status, said = room.http("private_api", "POST", "/reset_initial_state", body=body)
    assert status == 200
    assert re.fullmatch(r"The event was reset; generation \d+ starts now\.", said["message"])
    assert room.http("public_api", "GET", "/status", query=body)[1]["queue_counter"] == 0


def events(room: LambdaRoom, method: str, path: str, body: Any = None, **request: Any) -> Any:
    """Response to a call of a route below /events, which must succeed."""
    status, content = room.http("private_api", method, f"/events{path}", body=body, **request)
    assert status in (200, 201), content
    return content


def test_an_event_is_created_changed_and_deleted_at_run_time(room: LambdaRoom) -> None:
    event = f"/onsale-{uuid.uuid4().hex[:8]}"
    assert events(room, "PUT", event, {"title": "On sale"})["phase"] == "open"
    assert event[1:] in {one["event_id"] for one in events(room, "GET", "")["events"]}
    assert events(room, "PATCH", event, {"title": "At noon"})["version"] == 2
    assert events(room, "GET", event)["title"] == "At noon"
    assert events(room, "POST", f"{event}/actions/pause")["phase"] == "paused"
    assert events(room, "POST", f"{event}/actions/close")["phase"] == "closed"
    assert events(room, "GET", f"{event}/history")["points"] == []
    assert events(room, "POST", f"{event}/health", {"health": 1}) == {}
    assert events(room, "DELETE", event)["phase"] == "deleted"
    entries = events(room, "GET", f"{event}/audit")["entries"]
    assert [one["what"] for one in entries] == ["delete", "close", "pause", "patch", "create"]
    room.lose_counters()
    assert events(room, "PUT", event, {})["version"] == 1, "the id is used again"


def test_the_rules_of_two_gates_are_checked_together(room: LambdaRoom) -> None:
    one, two = (f"/gated-{uuid.uuid4().hex[:8]}" for _ in range(2))
    rules = {"protect": [{"path": one}], "bypass": [{"path": f"{one}/help"}]}
    events(room, "PUT", one, rules)
    assert room.http("private_api", "PUT", f"/events{two}", body=rules)[0] == 409
    events(room, "PUT", two, {"protect": [{"path": two}]})
    assert room.http("private_api", "PATCH", f"/events{two}", body=rules)[0] == 409
    gate = events(room, "GET", f"{one}/gate")
    assert gate["rules"] == [[one[1:], 1, f"{one}/help"], [one[1:], 0, one]]
    assert len(gate["keys"]["keys"][gate["keys"]["signing"]]) == 64
    for event in (one, two):
        events(room, "PATCH", event, {"protect": []})


def test_the_routes_of_the_solution_serve_an_event_created_at_run_time(room: LambdaRoom) -> None:
    event_id = f"second-{uuid.uuid4().hex[:8]}"
    events(room, "PUT", f"/{event_id}", {})
    query, request = {"event_id": event_id}, {"request_id": str(uuid.uuid4())}
    for app, paths in {
        "public_api": tuple(path for path in READ if "well-known" not in path),
        "private_api": WATCH,
    }.items():
        for path in paths:
            assert room.http(app, "GET", path, query=query)[0] == 200, path
    assert room.http("public_api", "GET", "/queue_num", query={**query, **request})[0] == 202
    message = {**query, "message": "Hello"}
    assert room.http("private_api", "POST", "/update_message", body=message)[0] == 200
    session = {**query, **request, "status": 1}
    assert room.http("private_api", "POST", "/update_session", body=session)[0] == 404
    assert room.http("private_api", "POST", "/reset_initial_state", body=query)[0] == 200


def test_the_actions_of_the_solution_have_a_path_for_each_event(room: LambdaRoom) -> None:
    visitor, actions = join(room), f"/{room.event_id}/actions"
    room.lose_counters()
    events(room, "POST", f"{actions}/admit", {"by": 1})
    assert token(room, visitor)[0] == 200
    events(room, "POST", f"{actions}/end_session", {"request_id": visitor, "status": 1})
    events(room, "POST", f"{actions}/reset", {})


def test_automatic_admission_works_within_its_permissions(
    room: LambdaRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the join worker from idle, and by ``admit`` for visitors who waited before."""
    monkeypatch.setattr(room, "clock_ahead", 5)  # s; no function uses its copy of the registry
    event_id, alarm = f"auto-{uuid.uuid4().hex[:8]}", EVERYTHING["CloudWatchAlarmName"]
    admission = {"strategy": "both", "alarm": alarm, "per_minute": 60_000}
    events(room, "PUT", f"/{event_id}", {"admission": admission})
    assert room("workers", "read_alarms", {}) == {"watched": 1}
    for lost in (False, True):
        if lost:
            room.lose_counters()
        request = {"event_id": event_id, "request_id": join(room, event_id)}
        assert room.http("public_api", "POST", "/generate_token", body=request)[0] == 200
    events(room, "PATCH", f"/{event_id}", {"admission": {"strategy": "manual"}})
    waiting = {"event_id": event_id, "request_id": join(room, event_id)}
    assert room.http("public_api", "POST", "/generate_token", body=waiting)[0] == 202
    events(room, "PATCH", f"/{event_id}", {"admission": {"strategy": "rate"}})
    room.lose_counters()
    monkeypatch.setattr(room, "clock_ahead", 20)
    assert room("workers", "admit", {}) == {"admitted": 1}
    assert room.http("public_api", "POST", "/generate_token", body=waiting)[0] == 200
    events(room, "POST", f"/{event_id}/actions/close")


def gated(room: LambdaRoom, **members: Any) -> tuple[str, GateKeys, Callable[[], EntranceClient]]:
    """An event behind a gate, its keys, and browsers that its gate has sent to the entrance."""
    event_id = f"gated-{uuid.uuid4().hex[:8]}"
    events(room, "PUT", f"/{event_id}", {"protect": [{"path": f"/{event_id}"}], **members})
    found = events(room, "GET", f"/{event_id}/gate")["keys"]
    keys = GateKeys(found["signing"], found["keys"])

    def entrance(event: Any) -> Any:
        return room("entrance", view_of("entrance", event["httpMethod"], event["path"]), event)

    def browser() -> EntranceClient:
        probe = encode_probe(event_id, int(time.time() + room.clock_ahead), keys)
        name = cookie_name("probe", event_id, secure=True)
        return EntranceClient(jar={name: probe}, entrance=entrance)

    return event_id, keys, browser


def test_a_visitor_of_a_gate_goes_straight_through_and_leaves(
    room: LambdaRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    admission = {"strategy": "rate", "per_minute": 60, "burst": 1}
    event_id, _, browser = gated(room, admission=admission, session={"renew_every": 60})
    visitor, where = browser(), {"event": event_id, "to": "/checkout"}
    assert "/session?" in visitor.call("enter", event=event_id).location
    assert visitor.call("session", **where).location == "/checkout"
    session = dict(visitor.jar)
    for ahead in (5, 70, 140):  # s; the later ones are due
        monkeypatch.setattr(room, "clock_ahead", ahead)
        for route in ("renew", "session") if ahead == 70 else ("session", "renew"):
            assert visitor.call(route, **where).location == "/checkout", (route, ahead)
    form = {**FORM_TYPE, "Origin": "https://shop.example"}
    for jar in (dict(visitor.jar), dict(visitor.jar)):  # the second time nothing is left to end
        visitor.jar = jar
        left = visitor.call("leave", method="POST", headers=form, raw=f"event={event_id}")
        assert (left.status, left.location) == (303, "/")
    visitor.jar = session
    assert "/enter?" in visitor.call("renew", **where).location
    for ahead in (200, 260, 320):  # s; the entrance serves further positions ahead
        monkeypatch.setattr(room, "clock_ahead", ahead)
        for _ in range(2):
            later = browser()
            assert "/session?" in later.call("enter", event=event_id).location
            assert later.call("session", **where).location == "/checkout"


def test_a_visitor_who_waited_begins_the_session_with_and_without_scripts(
    room: LambdaRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    event_id, keys, browser = gated(room)
    where, admit = {"event": event_id, "to": "/checkout"}, f"/{event_id}/actions/admit"
    assert "/session?" not in browser().call("enter", event=event_id).location

    request = {"event_id": event_id, "request_id": join(room, event_id)}
    events(room, "POST", admit, {"by": 1})
    _, tokens = room.http("public_api", "POST", "/generate_token", body=request)
    begin = urlencode({**where, "token": tokens["access_token"]})
    for _ in range(2):
        begun = browser().call("session", method="POST", headers=FORM_TYPE, raw=begin)
        assert (begun.status, begun.location) == (303, "/checkout")

    visitors = [browser(), browser()]
    for visitor in visitors:
        joined = visitor.call("enter", method="POST", headers=FORM_TYPE, raw=urlencode(where))
        assert joined.status == 303
    Visitor(room).assign()
    waiting = visitors[0].call("wait", accept="application/json", **where)
    assert waiting.json["decision"] == "wait"
    events(room, "POST", admit, {"by": 2})
    copy = replace(visitors[0], jar=dict(visitors[0].jar))
    for visitor in (visitors[0], copy):  # a second tab: the position has its token
        assert visitor.call("wait", **where).location == "/checkout"

    events(room, "PATCH", f"/{event_id}", {"protect": []})
    monkeypatch.setattr(room, "clock_ahead", 5)  # s; no function uses its copy of the document
    request = {"event_id": event_id, "request_id": join(room, event_id)}
    events(room, "POST", admit, {"by": 1})
    _, tokens = room.http("public_api", "POST", "/generate_token", body=request)
    events(room, "PATCH", f"/{event_id}", {"protect": [{"path": f"/{event_id}"}]})
    early = browser()  # its token is older than the gate
    place = cookie_name("place", event_id, secure=True)
    early.jar[place] = encode_join(event_id, request["request_id"], keys)
    assert early.call("wait", **where).location == "/checkout"
    events(room, "POST", f"/{event_id}/actions/close")
    monkeypatch.setattr(room, "clock_ahead", 10)
    begin = urlencode({**where, "token": tokens["access_token"]})
    late = browser().call("session", method="POST", headers=FORM_TYPE, raw=begin)
    assert late.status == 303, "a token is valid after the close"


# Calls of Lambda and X-Ray in a function's name, without its code.
NOT_OURS = re.compile(
    r"(logs|xray|sqs|ec2|kms):.*|dynamodb:(\w+Streams?|GetShardIterator|GetRecords)"
)


# Calls that only a race makes: a token that comes while the sweep writes its expiry, and visitors
# who come between a reset and the moment the counters have it; the entrance, whose refill meets
# another move, and whose row was written although no response came.
# MOVES: each of these logs a block of moves when the state row has no space for one more.
MOVES = (
    "entrance.session", "private_api.increment_serving_counter", "workers.admit",
    "workers.assign_positions", "workers.sweep_positions",
)  # fmt: skip
RACES = {
    *((name, "dynamodb:PutItem", "ServingLog") for name in MOVES),
    ("workers.sweep_positions", "dynamodb:GetItem", "Tokens"),
    ("private_api.reset_initial_state", "dynamodb:Query", "Tokens"),
    ("private_api.put_event", "dynamodb:Query", "Tokens"),
    ("entrance.session", "dynamodb:Query", "ServingLog"),
    ("entrance.session", "dynamodb:BatchGetItem", "QueuePositions"),
}


@pytest.fixture(scope="module")
def serverless_room(serverless: Assembly, start_without_redis: Start) -> Iterator[LambdaRoom]:
    """The deployed room of the profile serverless, in an account of its own."""
    with moto_server() as url:
        made = LambdaRoom(serverless.stacks, start_without_redis, url, None)
        try:
            assert made("workers", "set_up", {}) == {"status": "ready"}
            warm(made)
            yield made
        finally:
            made.close()


def test_the_profile_serverless_works_within_its_permissions(
    serverless_room: LambdaRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its functions have neither a client of Redis nor a call to a server of it."""
    room, event = serverless_room, {"event_id": serverless_room.event_id}
    visitor = first_visitor(room)
    visitor.run(lambda: None)
    Visitor(room).run(lambda: None)
    visitor.publish()
    found = visitor.private("GET", "/metrics", query=event)
    assert (found["queue_counter"], found["serving_counter"]) == (2, 2)
    assert (found["completed_sessions"], found["active_tokens"], found["waiting_num"]) == (2, 0, 0)
    for path in READ:
        visitor.public("GET", path, query=event)
    for path in WATCH:
        visitor.private("GET", path, query=event)
    visitor.private("POST", "/update_message", body={**event, "message": "soon"})
    for ahead in (0, 200, 2000, 4000):  # s: pending, settled, expired
        monkeypatch.setattr(room, "clock_ahead", ahead)
        for name in MINUTE_WORKERS:
            room("workers", name, {})
    created = f"/onsale-{uuid.uuid4().hex[:8]}"
    events(room, "PUT", created, {"title": "On sale"})
    events(room, "POST", f"{created}/actions/close")
    events(room, "DELETE", created)
    visitor.private("POST", "/reset_initial_state", body=event)
    assert room.iam_proxy.denied == set()


def test_no_role_allows_a_call_that_its_function_never_makes(room: LambdaRoom) -> None:
    """After the tests above, which make every call that the functions have."""
    functions = {
        "public_api": PUBLIC, "private_api": PRIVATE, "workers": WORKERS | OUTBOX_WORKERS,
        "openid": OPENID, "inlet": INLETS, "entrance": ENTRANCE,
    }  # fmt: skip
    unused = set()
    for app, name in ((app, name) for app, names in functions.items() for name in names):
        function = room.deployment.function(app, name)
        used = {(action, on) for who, action, on in room.iam_proxy.used if who == f"{app}.{name}"}
        granted = {one for one in function.granted() if not NOT_OURS.match(one[0])}
        assert used <= function.granted()
        unused |= {(f"{app}.{name}", *one) for one in granted - used}
    arn = "arn:aws:dynamodb:eu-central-1:123456789012:table/"
    expected = {
        (name, action, arn + room.deployment.resource("Core", TABLE, f"Tables{table}"))
        for name, action, table in RACES
    }
    more = "\n".join(" ".join(one) for one in sorted(unused - expected))
    assert not more, (
        "Roles allow calls that no test makes. Add the route to READ or WATCH here, and bring the "
        "room into a state in which the function makes the call. Or remove the grant from "
        f"infrastructure/blueprint/permissions.py:\n{more}"
    )
    assert unused == expected, f"A test makes calls of RACES: remove {expected - unused} from it"


def test_the_iam_proxy_refuses_a_call_that_the_role_does_not_allow(room: LambdaRoom) -> None:
    client = Session().create_client(
        "dynamodb", "eu-central-1", endpoint_url=room.iam_proxy.address,
        aws_access_key_id="public_api.queue_num", aws_secret_access_key="test",
    )  # fmt: skip
    with pytest.raises(ClientError, match="AccessDenied"):
        client.delete_item(TableName="any", Key={"id": {"S": "1"}})
    ((function, action, _),) = room.iam_proxy.denied
    assert (function, action) == ("public_api.queue_num", "dynamodb:DeleteItem")
    room.iam_proxy.denied.clear()


def test_the_iam_proxy_knows_what_a_role_allows(room: LambdaRoom) -> None:
    function = room.deployment.function("public_api", "serving_num")
    table = function.environment["SERVING_LOG_TABLE"]
    body = json.dumps({"TableName": table, "Item": {}}).encode()
    ((action, resource),) = wanted("dynamodb", "DynamoDB_20120810.PutItem", body)
    assert (action, resource.rpartition("/")[2]) == ("dynamodb:PutItem", table)
    assert not function.may(action, resource)
    assert function.may("dynamodb:GetItem", resource)
    assert not function.may("dynamodb:GetItem", f"{resource}x")
