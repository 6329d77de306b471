# SPDX-License-Identifier: Apache-2.0
"""What API Gateway answers by itself, in the shape of every other answer: ``{"error": …}``.

Plain data: the CDK stacks make a gateway response of each, the local gateway answers the same.
Refusals also carry API Gateway's own ``message``, which clients of the AWS solution may read. The
sample store stands for somebody's own API and keeps API Gateway's answers as they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from waiting_room.runtime.http_api import CORS, NO_STORE

STAGE = "api"
NO_CACHE_HEADERS = {"Cache-Control": NO_STORE}
HEADERS = {**CORS, **NO_CACHE_HEADERS}  # of these answers, and of the join's
NOT_A_JOIN = (
    "the body must be JSON with event_id, an event of this waiting room, and where it is needed "
    "client_secret_hash, 64 lower-case hexadecimal digits; at most 8 members, 256 characters each"
)
NOT_JSON_TYPE = "the body must be sent as application/json"
REFUSED = '{"error": $context.error.messageString, "message": $context.error.messageString}'
THROTTLED = {"Retry-After": "5"}  # s; a stage's throttle looks at one second
NO_ANSWER = "the waiting room could not answer; try again shortly"


@dataclass(frozen=True)
class GatewayResponse:
    """A gateway response: its type, its template, and its status where another one is due.

    ``more`` are headers beside those of every answer.
    """

    kind: str
    template: str
    status: int | None = None
    more: Mapping[str, str] = field(default_factory=dict)


PLAIN_RESPONSES = tuple(
    GatewayResponse(kind, '{"message": $context.error.messageString}')
    for kind in ("DEFAULT_4XX", "DEFAULT_5XX")
)  # API Gateway's own words, but for any origin
ANSWERS = (
    GatewayResponse("DEFAULT_4XX", REFUSED),
    GatewayResponse("THROTTLED", REFUSED, more=THROTTLED),
    # what went wrong inside is nobody's business, and some of these have no message
    GatewayResponse("DEFAULT_5XX", f'{{"error": "{NO_ANSWER}"}}'),
    GatewayResponse("BAD_REQUEST_BODY", f'{{"error": "{NOT_A_JOIN}"}}'),
    GatewayResponse("UNSUPPORTED_MEDIA_TYPE", f'{{"error": "{NOT_JSON_TYPE}"}}', 400),
)
