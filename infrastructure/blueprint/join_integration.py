# SPDX-License-Identifier: Apache-2.0
"""``POST /assign_queue_num``: API Gateway validates the body and writes it to SQS.

Request model and mapping templates, for the CDK stacks and the local gateway. No function runs. The
template writes only two members of the body to the queue. It validates both again, because its JSON
parser may differ from the request model's. The event id is also the group of the message, so that a
busy event does not delay the joins of other events (SQS fair queues). The request id is the message
id that SQS assigns; no caller can set it.

API Gateway does not know which events exist: the worker refuses joins of unknown events. With
``secret_required``, a join of the event of the deployment needs a ``client_secret_hash``.
"""

from __future__ import annotations

from typing import Any

from waiting_room.domain.joins import MAX_EVENT_ID, MAX_JOIN, MAX_MEMBERS, MAX_VALUE
from waiting_room.domain.limits import EVENT_ID

PATH = "/assign_queue_num"
TIMEOUT = 5  # s that API Gateway waits for SQS, which responds in milliseconds
FORM = "application/x-www-form-urlencoded"
# SQS returns JSON for this Accept header, else XML. The caller's own header must not decide.
REQUEST_HEADERS = {"Content-Type": FORM, "Accept": "application/json"}
HASH = "[0-9a-f]{64}"
MESSAGE_ID = "$.SendMessageResponse.SendMessageResult.MessageId"
FAILURE_TEMPLATE = '{"error": "the join was not queued; try again"}'
RESPONSE_TEMPLATE = (
    f"#set($id = $input.path('{MESSAGE_ID}'))"
    '#set($id = "$!id")'
    "#if($id == '')"
    f"#set($context.responseOverride.status = 503){FAILURE_TEMPLATE}"
    '#{else}{"api_request_id": "$id"}#end'
)
# SQS returns 4xx for an invalid message, and 5xx or no response while it is unavailable.
REFUSAL_TEMPLATE = (
    f'{{"error": "the body must be at most {MAX_JOIN} characters, with one event_id and at most '
    'one client_secret_hash"}'
)
FAILURE_HEADERS = {"Retry-After": "1"}


def request_template(event_id: str, secret_required: bool = False) -> str:
    """Return the mapping template of the request to SQS, which validates both members again.

    ``event_id`` is the event of the deployment. For an invalid join the template sends no message
    body, and SQS rejects the request with a 4xx.
    """
    secret = f" || ($hash == '' && $event == '{event_id}')" if secret_required else ""
    return (
        "#set($event = $input.path('$.event_id'))"
        '#set($event = "$!event")'
        "#set($hash = $input.path('$.client_secret_hash'))"
        '#set($hash = "$!hash")'
        "Action=SendMessage"
        f"#if($input.body.length() > {MAX_JOIN}"
        f" || $event.matches('{EVENT_ID.pattern}') == false"
        f" || $hash.matches('({HASH})?') == false{secret})"
        "#{else}"
        "&MessageBody=%7B%22event_id%22%3A%22$util.urlEncode($event)%22"
        "%2C%22client_secret_hash%22%3A%22$util.urlEncode($hash)%22%7D"
        "&MessageGroupId=$util.urlEncode($event)"
        "#end"
    )


def request_model(event_id: str, secret_required: bool = False) -> dict[str, Any]:
    """Return the JSON schema (draft 4) of a join; ``event_id`` is the event of the deployment.

    The schema also limits the length of members with a pattern, because ``$`` in a pattern matches
    before a final line feed too. Other members are ignored; their number and length are limited.
    """
    of_another = {"properties": {"event_id": {"not": {"enum": [event_id]}}}}
    secret = {"anyOf": [{"required": ["client_secret_hash"]}, of_another]}
    return {
        "$schema": "http://json-schema.org/draft-04/schema#",
        "title": "Join",
        "type": "object",
        "required": ["event_id"],
        **(secret if secret_required else {}),
        "maxProperties": MAX_MEMBERS,
        "properties": {
            "event_id": {
                "type": "string",
                "pattern": f"^{EVENT_ID.pattern}$",
                "maxLength": MAX_EVENT_ID,
            },
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
