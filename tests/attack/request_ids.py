# SPDX-License-Identifier: Apache-2.0
"""Finding 1: a caller chooses, repeats or guesses a request id, and with it another's place."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator

from tests.attack.report import Attempt
from tests.attack.target import Target

FAULT = "request ids"
HEADERS = (
    "x-amzn-RequestId", "X-AMZN-REQUESTID", "x-amzn-requestid", "x-amz-request-id", "X-Request-Id",
    "x-amzn-trace-id", "x-amz-apigw-id", "x-amz-cf-id", "x-correlation-id", "apigw_request_id",
)  # fmt: skip
MEMBERS = ("request_id", "api_request_id", "requestId", "apigw_request_id", "first_request_id")
ATTRIBUTES = (("apigw_request_id", "sent_at_ms"), ("first_request_id", "first_sent_at_ms"))
SAMPLE = 8  # joins whose ids are compared
Way = tuple[str, Callable[[str], str]]


def run(target: Target) -> list[Attempt]:
    """Every way in which a caller could say which request it is."""
    return [*_chosen(target), _repeated(target), _guessed(target), *_forged(target), _door(target)]


def _chosen(target: Target) -> Iterator[Attempt]:
    tried = [
        (name, chosen, send(chosen)) for name, send in _ways(target) if (chosen := target.uuid())
    ]
    for _, _, given in tried:
        target.position(given)
    for name, chosen, given in tried:
        held = target.room.ask("/queue_num", chosen).status_code == 200
        taken = given == chosen or held
        result = "the room took it" if taken else "the room made another"
        yield Attempt(FAULT, f"choose it by {name}", result, taken)


def _ways(target: Target) -> Iterator[Way]:
    event = {"event_id": target.room.event_id}

    def post(body: bytes, path: str = "/assign_queue_num", **headers: str) -> str:
        answer = target.post(path, body, **headers)
        given = str(answer.json().get("api_request_id", "")) if answer.status_code == 200 else ""
        target.ids.add(given or "refused")
        return given

    whole = json.dumps(event).encode()
    for header in HEADERS:
        yield (
            f"the header {header}",
            lambda chosen, header=header: post(whole, **{header: chosen}),  # type: ignore[misc]
        )
    yield (
        "the header x-amzn-RequestId, twice",
        lambda chosen: _twice(target, whole, chosen),
    )
    for member in MEMBERS:
        yield (
            f"the member {member} of the body",
            lambda chosen, member=member: post(  # type: ignore[misc]
                json.dumps({**event, member: chosen}).encode()
            ),
        )
    for name in ("request_id", "api_request_id"):
        yield (
            f"the query {name}",
            lambda chosen, name=name: post(whole, f"/assign_queue_num?{name}={chosen}"),  # type: ignore[misc]
        )
        yield (
            f"the cookie {name}",
            lambda chosen, name=name: post(whole, Cookie=f"{name}={chosen}"),  # type: ignore[misc]
        )
    for attribute, _ in ATTRIBUTES:
        yield (
            f"a form within the body that adds {attribute}",
            lambda chosen, attribute=attribute: post(  # type: ignore[misc]
                json.dumps(
                    {
                        **event,
                        "x": f"&MessageAttribute.1.Name={attribute}&MessageAttribute.1.Value"
                        f".StringValue={chosen}&MessageAttribute.1.Value.DataType=String",
                    }
                ).encode()
            ),
        )


def _twice(target: Target, body: bytes, chosen: str) -> str:
    request = (
        f"POST /api/assign_queue_num HTTP/1.1\r\nHost: room\r\nContent-Type: application/json\r\n"
        f"x-amzn-RequestId: {chosen}\r\nx-amzn-RequestId: {chosen}\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    ).encode()
    target.raw("public_api", request + body)
    return ""


def _repeated(target: Target) -> Attempt:
    chosen = target.uuid()
    body = json.dumps({"event_id": target.room.event_id}).encode()
    given = [
        str(target.post("/assign_queue_num", body, **{"x-amzn-RequestId": chosen}).json())
        for _ in range(2)
    ]
    same = given[0] == given[1]
    result = "two joins have one id" if same else "two joins have two ids"
    return Attempt(FAULT, "repeat an id by the header x-amzn-RequestId", result, same)


def _guessed(target: Target) -> Attempt:
    """Ids beside those that were given, and ids that have most bits in common."""
    numbers = [uuid.UUID(target.join()).int for _ in range(SAMPLE)]
    given = {str(uuid.UUID(int=number)) for number in numbers}
    near = {
        str(uuid.UUID(int=(number + step) % 2**128)) for number in numbers for step in (-1, 1)
    } - given
    hits = sum(target.room.ask("/queue_num", one).status_code == 200 for one in near)
    bits = min((one ^ other).bit_count() for one in numbers for other in numbers if one != other)
    result = f"{hits} of {len(near)} neighbours exist, ids differ in {bits} bits or more"
    return Attempt(FAULT, "guess an id from those of others", result, bool(hits) or bits < 24)


def _forged(target: Target) -> Iterator[Attempt]:
    client, url = target.sqs()
    tried = []
    for ids, times in ATTRIBUTES:
        chosen = target.uuid()
        client.send_message(
            QueueUrl=url,
            MessageBody=json.dumps({"event_id": target.room.event_id}),
            MessageAttributes={
                ids: {"DataType": "String", "StringValue": chosen},
                times: {"DataType": "Number", "StringValue": "1"},
                "SenderId": {"DataType": "String", "StringValue": "AROAREDRIVE:redrive"},
            },
        )
        tried.append((ids, chosen))
    target.position(target.join())  # what was sent before it was dealt with
    for ids, chosen in tried:
        held = target.position(chosen, 2) is not None
        result = "it has a place" if held else "no place has it"
        yield Attempt(FAULT, f"put {ids} into the queue, by other credentials", result, held)


def _door(target: Target) -> Attempt:
    body = json.dumps({"event_id": target.room.event_id}).encode()
    request = (
        f"POST /api/assign_queue_num HTTP/1.1\r\nHost: origin\r\nContent-Type: application/json\r\n"
        f"x-api-key: {'0' * 40}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    ).encode()
    status = target.raw("origin", request + body)
    return Attempt(FAULT, "join at the origin, beside the edge", f"{status}", status == 200)
