# SPDX-License-Identifier: Apache-2.0
"""The public API. ``POST /assign_queue_num`` is not here: API Gateway writes it to SQS directly."""

from __future__ import annotations

from typing import Any

from chalice import Chalice, Response

from waiting_room.domain.errors import NoSuchEvent
from waiting_room.domain.joins import MAX_CLIENT_SECRET
from waiting_room.runtime.http_api import (
    ANY_TYPE,
    MAX_EVENT_ID,
    body,
    cached,
    client_secret,
    decode_ended_page_token,
    encode_page_token,
    json_handler,
    json_response,
    optional_query,
    query,
    text,
)
from waiting_room.runtime.loading import load_at_init
from waiting_room.runtime.wiring import room

app = Chalice(app_name="waiting-room-public-api", configure_logs=False)
load_at_init()


@app.route("/queue_num", methods=["GET", "HEAD"], content_types=ANY_TYPE)
@json_handler
def queue_num() -> Response:
    row = room().positions.queue_number(_query("event_id"), _query("request_id"))
    return json_response(
        {
            "queue_number": row.position,
            "entry_time": row.entry_time,
            "event_id": row.event_id,
            "status": 1,
        },
        cache=cached(3),
    )


@app.route("/serving_num", methods=["GET", "HEAD"], content_types=ANY_TYPE)
@json_handler
def serving_num() -> Response:
    return json_response(
        {"serving_counter": room().metrics.serving_number(_query("event_id"))}, cache=cached(1)
    )


@app.route("/waiting_num", methods=["GET", "HEAD"], content_types=ANY_TYPE)
@json_handler
def waiting_num() -> Response:
    return json_response(
        {"waiting_num": room().metrics.waiting_number(_query("event_id"))}, cache=cached(1)
    )


@app.route("/status", methods=["GET", "HEAD"], content_types=ANY_TYPE)
@json_handler
def status() -> Response:
    try:
        found = room().metrics.status_page(_query("event_id"))
    except NoSuchEvent as error:
        return json_response({"error": str(error), "reason": error.reason}, 400)
    return json_response(found, cache=cached(1))


@app.route("/page", methods=["GET", "HEAD"], content_types=ANY_TYPE)
@json_handler
def page() -> Response:
    from waiting_room.use_cases.events.event_page import event_page  # not at each cold start

    return json_response(event_page(room().directory, _query("event_id")), cache=cached(60))


@app.route("/queue_pos_expiry", methods=["GET", "HEAD"], content_types=ANY_TYPE)
@json_handler
def queue_pos_expiry() -> Response:
    left = room().tokens.time_to_expiry(_query("event_id"), _query("request_id"))
    return json_response({"expires_in": left}, cache=cached(2))


@app.route("/generate_token", methods=["POST"], content_types=ANY_TYPE)
@json_handler
def generate_token() -> dict[str, Any]:
    content = body(app.current_request)
    return room().tokens.issue(
        text(content, "event_id", longest=MAX_EVENT_ID),
        text(content, "request_id", longest=36),
        client_secret=client_secret(content, MAX_CLIENT_SECRET),
    )


@app.route("/public_key", methods=["GET", "HEAD"], content_types=ANY_TYPE)
@json_handler
def public_key() -> Response:
    room().directory.check(_query("event_id"))
    return json_response(room().keys.public_key(), cache=_keys_kept())


@app.route("/.well-known/jwks.json", methods=["GET", "HEAD"], content_types=ANY_TYPE)
@json_handler
def jwks() -> Response:
    return json_response(room().keys.jwks(), cache=_keys_kept())


@app.route("/ended_sessions", methods=["GET", "HEAD"], content_types=ANY_TYPE)
@json_handler
def ended_sessions() -> Response:
    after = decode_ended_page_token(optional_query(app.current_request, "next_token"))
    ids, mark = room().sessions.ended(_query("event_id"), after)
    more = {"next_token": encode_page_token(mark)} if mark else {}
    return json_response({"request_ids": ids, **more}, cache=cached(5))


def _keys_kept() -> str:
    return cached(room().keys.public_key_max_age)


def _query(name: str) -> str:
    return query(app.current_request, name)
