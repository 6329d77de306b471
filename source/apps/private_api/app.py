# SPDX-License-Identifier: Apache-2.0
"""The private API, behind IAM, for operators and inlets.

The module has more than 300 lines because each route is a function of its own.
"""

from __future__ import annotations

import time
from functools import cache
from typing import TYPE_CHECKING, Any

from chalice import Chalice, IAMAuthorizer, Response

from waiting_room.domain.actors import Actor, caller, check_call_id
from waiting_room.domain.errors import InvalidInput
from waiting_room.domain.serving_counter import check_increment
from waiting_room.domain.tokens import check_issuer, check_validity
from waiting_room.domain.visitor_lookup import parse_visitor_query
from waiting_room.runtime.http_api import (
    ANY_TYPE,
    MAX_EVENT_ID,
    body,
    decode_json_token,
    decode_name_token,
    decode_page_token,
    encode_json_token,
    encode_name_token,
    encode_page_token,
    if_match,
    json_handler,
    json_response,
    optional_query,
    query,
    text,
    whole_number,
)
from waiting_room.runtime.loading import load_at_init
from waiting_room.runtime.wiring import edge_alarms, room, settings, stores
from waiting_room.use_cases.key_rotation import check_rotation

if TYPE_CHECKING:
    from waiting_room.inlet.control import InletControl
    from waiting_room.use_cases.events.event_documents import EventDocuments
    from waiting_room.use_cases.events.event_records import EventRecords
    from waiting_room.use_cases.events.room_alarms import RoomAlarms
    from waiting_room.use_cases.gate.gate_sources import GateSources

app = Chalice(app_name="waiting-room-private-api", configure_logs=False)
load_at_init()
iam = IAMAuthorizer()
PAGE = 1000  # request ids in one page of expired tokens, at most
LAST_TIME = 10**11  # epoch s; no route accepts a later time


@app.route("/increment_serving_counter", methods=["POST"], content_types=ANY_TYPE, authorizer=iam)
@json_handler
def increment_serving_counter() -> dict[str, int]:
    content = body(app.current_request)
    by = check_increment(content.get("increment_by"))
    call_id = check_call_id(content.get("call_id"))
    serving = room().control.increment(_event(content), by, actor=_actor(), call_id=call_id)
    return {"serving_num": serving}


@app.route("/num_active_tokens", methods=["GET"], content_types=ANY_TYPE, authorizer=iam)
@json_handler
def num_active_tokens() -> dict[str, int]:
    return {"active_tokens": room().metrics.counts(query(app.current_request, "event_id")).active}


@app.route("/metrics", methods=["GET"], content_types=ANY_TYPE, authorizer=iam)
@json_handler
def metrics() -> dict[str, Any]:
    return room().metrics.panel(query(app.current_request, "event_id"))


@app.route("/alarms", methods=["GET"], content_types=ANY_TYPE, authorizer=iam)
@json_handler
def show_alarms() -> dict[str, Any]:
    event_id = optional_query(app.current_request, "event_id")
    found = room_alarms().alarms()
    if event_id is None:
        return found
    room().directory.check(event_id)
    return {**found, "admission": room_alarms().admission(event_id)}


@app.route("/expired_tokens", methods=["GET"], content_types=ANY_TYPE, authorizer=iam)
@json_handler
def expired_tokens() -> Response:
    request = app.current_request
    event_id = query(request, "event_id")
    limit = whole_number(optional_query(request, "limit"), "limit", 1, PAGE)
    after = optional_query(request, "next_token")
    if limit is None and after is None:
        ids, mark = room().sessions.expired(event_id, 10 * PAGE, None)
        return json_response(
            ids, headers={"X-Next-Token": encode_page_token(mark)} if mark else None
        )
    ids, mark = room().sessions.expired(event_id, limit or PAGE, decode_page_token(after))
    return json_response(
        {"request_ids": ids, "next_token": encode_page_token(mark) if mark else None}
    )


@app.route("/generate_token", methods=["POST"], content_types=ANY_TYPE, authorizer=iam)
@json_handler
def generate_token() -> dict[str, Any]:
    content = body(app.current_request)
    issuer, validity = content.get("issuer"), content.get("validity_period")
    return room().tokens.issue_for_operator(
        _event(content),
        _request(content),
        issuer=None if issuer is None else check_issuer(issuer),
        validity=None if validity is None else check_validity(validity),
        actor=_actor(),
    )


@app.route("/update_session", methods=["POST"], content_types=ANY_TYPE, authorizer=iam)
@json_handler
def update_session() -> dict[str, str]:
    content = body(app.current_request)
    room().sessions.end(
        _event(content),
        _request(content),
        content.get("status"),
        actor=_actor(),
        call_id=check_call_id(content.get("call_id")),
        queue_position=content.get("queue_position"),
    )
    return {}


@app.route("/request_status", methods=["GET"], content_types=ANY_TYPE, authorizer=iam)
@json_handler
def request_status() -> dict[str, Any]:
    request = app.current_request
    event_id = query(request, "event_id")
    request_id = optional_query(request, "request_id")
    number, reference = (optional_query(request, one) for one in ("queue_number", "reference"))
    return room().sessions.request_status(
        event_id, parse_visitor_query(request_id, number, reference)
    )


@app.route("/update_message", methods=["POST"], content_types=ANY_TYPE, authorizer=iam)
@json_handler
def update_message() -> dict[str, str]:
    content = body(app.current_request)
    message = room().control.set_message(_event(content), content.get("message"), actor=_actor())
    return {"message": message}


@app.route("/inlet", methods=["GET"], content_types=ANY_TYPE, authorizer=iam)
@json_handler
def show_inlet() -> dict[str, Any]:
    return _inlet().show(_known(query(app.current_request, "event_id")))


@app.route("/inlet", methods=["POST"], content_types=ANY_TYPE, authorizer=iam)
@json_handler
def change_inlet() -> dict[str, Any]:
    content = body(app.current_request)
    event_id = _known(_event(content))
    return _inlet().change(event_id, content.get("paused"), content.get("targets"), actor=_actor())


@app.route("/reset_initial_state", methods=["POST"], content_types=ANY_TYPE, authorizer=iam)
@json_handler
def reset_initial_state() -> dict[str, str]:
    content = body(app.current_request)
    generation = room().control.reset(_event(content), content.get("generation"), actor=_actor())
    return {"message": f"The event was reset; generation {generation} starts now."}


@app.route("/rotate_keys", methods=["POST"], content_types=ANY_TYPE, authorizer=iam)
@json_handler
def rotate_keys() -> dict[str, list[str]]:
    revoke = check_rotation(body(app.current_request))
    keys = room().keys.rotate(revoke, actor=_actor()).keys
    return {"key_ids": [key.key_id for key in keys]}


@app.route("/rotate_gate_keys", methods=["POST"], content_types=ANY_TYPE, authorizer=iam)
@json_handler
def rotate_gate_keys() -> dict[str, list[str]]:
    revoke = check_rotation(body(app.current_request))
    keys = room().workers.gate_keys.rotate(revoke, actor=_actor()).keys
    return {"key_ids": [key.key_id for key in keys]}


@app.route("/events", methods=["GET"], content_types=ANY_TYPE, authorizer=iam)
@json_handler
def list_events() -> dict[str, Any]:
    mark = decode_name_token(optional_query(app.current_request, "next_token"))
    page, following = event_documents().listing(mark)
    return {**page, "next_token": encode_name_token(following)} if following else page


@app.route("/events/{event_id}", methods=["GET"], content_types=ANY_TYPE, authorizer=iam)
@json_handler
def show_event(event_id: str) -> dict[str, Any]:
    return event_documents().show(event_id)


@app.route("/events/{event_id}", methods=["PUT"], content_types=ANY_TYPE, authorizer=iam)
@json_handler
def put_event(event_id: str) -> Response:
    content, version = body(app.current_request), if_match(app.current_request)
    document, created = event_documents().put(event_id, content, version, actor=_actor())
    return json_response(document, 201 if created else 200)


@app.route("/events/{event_id}", methods=["PATCH"], content_types=ANY_TYPE, authorizer=iam)
@json_handler
def patch_event(event_id: str) -> dict[str, Any]:
    content, version = body(app.current_request), if_match(app.current_request)
    return event_documents().patch(event_id, content, version, actor=_actor())


@app.route("/events/{event_id}", methods=["DELETE"], content_types=ANY_TYPE, authorizer=iam)
@json_handler
def delete_event(event_id: str) -> dict[str, Any]:
    version = if_match(app.current_request)
    return event_documents().delete(event_id, version, actor=_actor())


@app.route(
    "/events/{event_id}/actions/{action}", methods=["POST"], content_types=ANY_TYPE, authorizer=iam
)
@json_handler
def act_on_event(event_id: str, action: str) -> dict[str, Any]:
    request = app.current_request
    content = body(request, optional=True)
    documents = event_documents()
    if action not in ("admit", "reset", "end_session"):
        return documents.act(event_id, action, actor=_actor())
    documents.check(event_id)
    if action == "admit":
        by = check_increment(content.get("by"))
        room().control.increment(
            event_id, by, actor=_actor(), call_id=check_call_id(content.get("call_id"))
        )
    elif action == "reset":
        room().control.reset(event_id, content.get("generation"), actor=_actor())
    else:
        _end_session(event_id, content)
    return documents.show(event_id)


def _end_session(event_id: str, content: dict[str, Any]) -> None:
    """End the session of ``request_id``, or of ``session``."""
    ended, status, sessions = content.get("session"), content.get("status"), room().sessions
    actor, call_id = _actor(), check_call_id(content.get("call_id"))
    if ended is None:
        request_id = _request(content)
        sessions.end(event_id, request_id, status, actor=actor, call_id=call_id, audited=True)
    elif "request_id" in content:
        raise InvalidInput("give either request_id or session")
    else:
        sessions.end_by_session(event_id, ended, status, actor=actor, call_id=call_id)


@app.route("/events/{event_id}/audit", methods=["GET"], content_types=ANY_TYPE, authorizer=iam)
@json_handler
def show_audit(event_id: str) -> dict[str, Any]:
    from waiting_room.domain.events.audit import AuditMark

    token = optional_query(app.current_request, "next_token")
    mark = AuditMark.from_json(decode_json_token(token)) if token is not None else None
    entries, following = event_records().audit(event_id, mark)
    page: dict[str, Any] = {"entries": entries}
    return {**page, "next_token": encode_json_token(following.to_json())} if following else page


@app.route("/events/{event_id}/history", methods=["GET"], content_types=ANY_TYPE, authorizer=iam)
@json_handler
def show_history(event_id: str) -> dict[str, Any]:
    since, until, step = (
        whole_number(optional_query(app.current_request, name), name, 0, LAST_TIME)
        for name in ("from", "to", "step")
    )
    return {"points": event_records().history(event_id, since, until, step)}


@app.route("/events/{event_id}/gate", methods=["GET"], content_types=ANY_TYPE, authorizer=iam)
@json_handler
def show_gate(event_id: str) -> dict[str, Any]:
    """Return the configuration of a gate outside CloudFront. It has secrets: never log it."""
    from waiting_room.domain.events.validation import check_event_id

    if not room().directory.is_own(event_id):
        check_event_id(event_id)
    return gate_sources().configuration(event_id).to_json()


@app.route("/events/{event_id}/health", methods=["POST"], content_types=ANY_TYPE, authorizer=iam)
@json_handler
def report_health(event_id: str) -> dict[str, str]:
    from waiting_room.domain.events.validation import check_event_id

    if not room().directory.is_own(event_id):
        check_event_id(event_id)
    room().workers.admission.report_health(event_id, body(app.current_request).get("health"))
    return {}


@cache
def event_documents() -> EventDocuments:
    """Return the use case of the event routes, imported and built on first use."""
    from waiting_room.adapters.page_html import clean_html
    from waiting_room.use_cases.events.event_documents import build_event_documents

    return build_event_documents(room(), stores(settings()), time.time, clean_html)


@cache
def gate_sources() -> GateSources:
    """Return the use case of the gate's configuration, imported and built on first use."""
    from waiting_room.use_cases.gate.gate_sources import GateSources

    chosen = stores(settings())
    return GateSources(chosen.documents, room().directory.all, chosen.log, chosen.gate_keys)


@cache
def event_records() -> EventRecords:
    """Return the use case of audit log and history, imported and built on first use."""
    from waiting_room.use_cases.events.event_records import build_event_records

    return build_event_records(room(), stores(settings()), time.time)


@cache
def room_alarms() -> RoomAlarms:
    """Return the use case of the alarms, imported and built on first use."""
    from waiting_room.use_cases.events.room_alarms import RoomAlarms

    chosen, stack = stores(settings()), settings().stack_name
    return RoomAlarms(chosen.alarms, edge_alarms(), chosen.admission, stack, time.monotonic)


def _actor() -> Actor:
    """Return the signer of this call, from API Gateway's identity."""
    return caller(app.current_request.context.get("identity"), settings().inlet_role)


def _inlet() -> InletControl:
    from waiting_room.adapters.aws import client
    from waiting_room.adapters.dynamodb.inlet import DynamoInlet
    from waiting_room.inlet.control import InletControl

    store = DynamoInlet(client("dynamodb"), settings().serving_log_table)
    return InletControl(store, time.time, _record_inlet)


def _record_inlet(
    event_id: str, change: str, actor: Actor, before: dict[str, int], after: dict[str, int], /
) -> None:
    """Record a change of an inlet's settings; a repeated call changes nothing."""
    from waiting_room.domain.events.document import changed_members
    from waiting_room.use_cases import change_log

    change_log.record(event_id, change, actor, before, after)
    if before != after:
        room().recorder.append(event_id, change, actor, *changed_members(before, after))


def _known(event_id: str) -> str:
    return settings().event(event_id).event_id


def _event(content: dict[str, Any]) -> str:
    return text(content, "event_id", longest=MAX_EVENT_ID)


def _request(content: dict[str, Any]) -> str:
    return text(content, "request_id", longest=36)
