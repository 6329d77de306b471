# SPDX-License-Identifier: Apache-2.0
"""``POST /assign_queue_num``: API Gateway checks the body and writes it to SQS, without compute.

One definition of the request model and the mapping templates, used by the CDK stack and by the
local gateway. The body goes into the form whole (``urlEncode``), the request id beside it.
"""

from __future__ import annotations

from typing import Any

from waiting_room.messages import REQUEST_ID_ATTRIBUTE

PATH = "/assign_queue_num"
TIMEOUT = 5  # seconds that API Gateway waits for SQS, which answers in milliseconds
FORM = "application/x-www-form-urlencoded"
REQUEST_TEMPLATE = (
    "Action=SendMessage"
    "&MessageBody=$util.urlEncode($input.body)"
    f"&MessageAttribute.1.Name={REQUEST_ID_ATTRIBUTE}"
    "&MessageAttribute.1.Value.DataType=String"
    "&MessageAttribute.1.Value.StringValue=$util.urlEncode($context.requestId)"
)
RESPONSE_TEMPLATE = '{"api_request_id": "$context.requestId"}'
# what SQS answers: 4xx to a body that no queue can hold, 5xx or nothing when it cannot take it now
REFUSAL_TEMPLATE = '{"error": "the join holds text that the queue cannot carry"}'
FAILURE_TEMPLATE = '{"error": "the join was not taken; try again"}'
FAILURE_HEADERS = {"Retry-After": "1"}


def request_model(event_ids: tuple[str, ...], secret_required: bool = False) -> dict[str, Any]:
    """The JSON schema (draft 4) of a join for these events.

    With ``secret_required`` a join without ``client_secret_hash`` is refused. The length stands
    beside the pattern because ``$`` also matches before a line feed at the end.
    """
    return {
        "$schema": "http://json-schema.org/draft-04/schema#",
        "title": "Join",
        "type": "object",
        "required": ["event_id", *(["client_secret_hash"] if secret_required else [])],
        "properties": {
            "event_id": {"type": "string", "enum": list(event_ids)},
            "client_secret_hash": {
                "type": "string",
                "pattern": "^[0-9a-f]{64}$",
                "maxLength": 64,
            },
        },
    }
