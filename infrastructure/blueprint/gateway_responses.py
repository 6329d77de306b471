# SPDX-License-Identifier: Apache-2.0
"""API Gateway's own error responses, in the shape of all other errors: ``{"error": …}``.

Plain data: the CDK stacks create gateway responses from it, and the local gateway returns the same.
4xx responses also contain API Gateway's own ``message``, which clients of the AWS solution may
read. The sample store represents a customer's API and has API Gateway's default responses.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from waiting_room.runtime.http_api import CORS, NO_STORE

STAGE = "api"
NO_CACHE_HEADERS = {"Cache-Control": NO_STORE}
HEADERS = {**CORS, **NO_CACHE_HEADERS}  # of these responses, and of the join's
NOT_A_JOIN = (
    "the body must be a JSON object with event_id (1 to 64 letters, digits, _, . or -); "
    "client_secret_hash must be 64 lower-case hexadecimal digits; at most 8 members, "
    "256 characters each"
)
NOT_JSON_TYPE = "the body must be sent as application/json"
REJECTED = '{"error": $context.error.messageString, "message": $context.error.messageString}'
THROTTLED = {"Retry-After": "5"}  # s; a stage's throttle counts per second
NO_ANSWER = "the waiting room could not answer; try again shortly"


@dataclass(frozen=True)
class GatewayResponse:
    """A gateway response: type, template, and a status that replaces API Gateway's own.

    ``more`` contains headers in addition to ``HEADERS``.
    """

    kind: str
    template: str
    status: int | None = None
    more: Mapping[str, str] = field(default_factory=dict)


PLAIN_RESPONSES = tuple(
    GatewayResponse(kind, '{"message": $context.error.messageString}')
    for kind in ("DEFAULT_4XX", "DEFAULT_5XX")
)  # API Gateway's own texts, with CORS headers
RESPONSES = (
    GatewayResponse("DEFAULT_4XX", REJECTED),
    GatewayResponse("THROTTLED", REJECTED, more=THROTTLED),
    # hides internal details; some of these errors have no message
    GatewayResponse("DEFAULT_5XX", f'{{"error": "{NO_ANSWER}"}}'),
    GatewayResponse("BAD_REQUEST_BODY", f'{{"error": "{NOT_A_JOIN}"}}'),
    GatewayResponse("UNSUPPORTED_MEDIA_TYPE", f'{{"error": "{NOT_JSON_TYPE}"}}', 400),
)
