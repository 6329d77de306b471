# SPDX-License-Identifier: Apache-2.0
"""``POST /assign_queue_num``: API Gateway checks the body and writes it to SQS, without compute.

One definition of the request model and the mapping templates, used by the CDK stack and by the
local gateway. Nothing of the body reaches the queue but the two members that the room reads, each
checked once more as the template's own reader found it: so that it does not matter how two readers
of JSON differ. The request id is the id that SQS gives the message; no caller can set it.
"""

from __future__ import annotations

from typing import Any

from waiting_room.domain.joins import MAX_EVENT_ID, MAX_JOIN, MAX_MEMBERS, MAX_VALUE

PATH = "/assign_queue_num"
TIMEOUT = 5  # seconds that API Gateway waits for SQS, which answers in milliseconds
FORM = "application/x-www-form-urlencoded"
# SQS answers JSON to this, XML without; said outright, since a caller's own must not decide
REQUEST_HEADERS = {"Content-Type": FORM, "Accept": "application/json"}
HASH = "[0-9a-f]{64}"
MESSAGE_ID = "$.SendMessageResponse.SendMessageResult.MessageId"
FAILURE_TEMPLATE = '{"error": "the join was not taken; try again"}'
RESPONSE_TEMPLATE = (
    f"#set($id = $input.path('{MESSAGE_ID}'))"
    '#set($id = "$!id")'
    "#if($id == '')"
    f"#set($context.responseOverride.status = 503){FAILURE_TEMPLATE}"
    '#{else}{"api_request_id": "$id"}#end'
)
# what SQS answers: 4xx to what no queue can hold, 5xx or nothing when it cannot take it now
REFUSAL_TEMPLATE = (
    f'{{"error": "the body must be at most {MAX_JOIN} characters, with one event_id and at most '
    'one client_secret_hash"}'
)
FAILURE_HEADERS = {"Retry-After": "1"}


def request_template(event_ids: tuple[str, ...], secret_required: bool = False) -> str:
    """The form that SQS gets, with what the request model says of the two members once more.

    A join that does not fit is sent without a message: SQS refuses that with a 4xx.
    """
    events = "|".join(event_id.replace(".", "[.]") for event_id in event_ids)
    return (
        "#set($event = $input.path('$.event_id'))"
        '#set($event = "$!event")'
        "#set($hash = $input.path('$.client_secret_hash'))"
        '#set($hash = "$!hash")'
        "Action=SendMessage"
        f"#if($input.body.length() > {MAX_JOIN}"
        f" || $event.matches('{events}') == false"
        f" || $hash.matches('({HASH}){'' if secret_required else '?'}') == false)"
        "#{else}"
        "&MessageBody=%7B%22event_id%22%3A%22$util.urlEncode($event)%22"
        "%2C%22client_secret_hash%22%3A%22$util.urlEncode($hash)%22%7D"
        "#end"
    )


def request_model(event_ids: tuple[str, ...], secret_required: bool = False) -> dict[str, Any]:
    """The JSON schema (draft 4) of a join for these events.

    With ``secret_required`` a join without ``client_secret_hash`` is refused. The length stands
    beside the pattern because ``$`` also matches before a line feed at the end. Other members are
    ignored, and bounded.
    """
    return {
        "$schema": "http://json-schema.org/draft-04/schema#",
        "title": "Join",
        "type": "object",
        "required": ["event_id", *(["client_secret_hash"] if secret_required else [])],
        "maxProperties": MAX_MEMBERS,
        "properties": {
            "event_id": {"type": "string", "enum": list(event_ids), "maxLength": MAX_EVENT_ID},
            "client_secret_hash": {
                "type": "string",
                "pattern": f"^{HASH}$",
                "maxLength": 64,
            },
        },
        "additionalProperties": {
            "anyOf": [
                {"type": "string", "maxLength": MAX_VALUE},
                {"type": "number"},
                {"type": "boolean"},
                {"type": "null"},
            ]
        },
    }
