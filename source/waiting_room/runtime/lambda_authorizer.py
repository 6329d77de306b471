# SPDX-License-Identifier: Apache-2.0
"""The API Gateway TOKEN authorizer as a Lambda handler.

Name ``waiting_room.runtime.lambda_authorizer.handler`` as the function's handler. It needs only
PyJWT and cryptography. Its settings are environment variables (``docs/protect-your-api.md``).
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from functools import cache
from typing import Any

from waiting_room.adapters.http.room_keys import https_verifier
from waiting_room.authorizer.verifier import Accepted, Decision, NoToken, Verifier
from waiting_room.runtime.settings.authorizer import read_authorizer_settings

logger = logging.getLogger("waiting_room")
UNKNOWN_PRINCIPAL = "unknown"  # in a Deny policy: the claims of a rejected token prove nothing


class Unauthorized(Exception):
    """API Gateway returns 401 for exactly this word, and 500 for any other error."""

    def __init__(self) -> None:
        super().__init__("Unauthorized")


def handler(event: Mapping[str, Any], _context: object) -> dict[str, Any]:
    """Return the policy for a TOKEN authorizer event; raises as ``authorize``."""
    return authorize(verifier(), event)


@cache
def verifier() -> Verifier:
    """Return the verifier of this function, with its cached keys."""
    return https_verifier(read_authorizer_settings(os.environ))


def authorize(verifier: Verifier, event: Mapping[str, Any]) -> dict[str, Any]:
    """Return a policy for the called API and stage.

    Raises Unauthorized without a token, and Unavailable (a 500 that API Gateway does not cache)
    when the room's keys are unknown.
    """
    decision = verifier.check(event.get("authorizationToken"))
    if not isinstance(decision, Accepted):
        logger.warning("refused: %s", decision.reason)
    if isinstance(decision, NoToken):
        raise Unauthorized
    return policy_response(decision, stage_arn(str(event.get("methodArn", ""))))


def policy_response(decision: Decision, resource: str) -> dict[str, Any]:
    """Build the response. API Gateway caches it per token, so it covers the whole stage."""
    allowed = isinstance(decision, Accepted)
    statement = {
        "Action": "execute-api:Invoke",
        "Effect": "Allow" if allowed else "Deny",
        "Resource": [resource],
    }
    return {
        "principalId": decision.request_id if isinstance(decision, Accepted) else UNKNOWN_PRINCIPAL,
        "policyDocument": {"Version": "2012-10-17", "Statement": [statement]},
        "context": dict(decision.claims) if isinstance(decision, Accepted) else {},
    }


def stage_arn(method_arn: str) -> str:
    """Convert ``arn:…:{api}/{stage}/GET/path`` to the ARN of all methods of the stage.

    Raises ValueError for any other text: no policy would be correct.
    """
    arn = method_arn.split(":", 5)
    api, stage, method = [*arn[-1].split("/", 3), "", "", ""][:3]
    if len(arn) != 6 or arn[2] != "execute-api" or not (api and stage and method):
        raise ValueError("the event names no method of an API")
    if "*" in api + stage or "?" in api + stage:
        raise ValueError("the event names more than one API or stage")
    return ":".join([*arn[:5], f"{api}/{stage}/*"])
