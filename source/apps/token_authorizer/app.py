# SPDX-License-Identifier: Apache-2.0
"""The token authorizer: attach it to an API Gateway REST API to require a token of the room."""

from __future__ import annotations

from typing import Any

from chalice import Chalice

from waiting_room.runtime.lambda_authorizer import (
    Unauthorized,
    authorize,
    policy_response,
    stage_arn,
    verifier,
)

__all__ = ["Unauthorized", "app", "policy_response", "stage_arn", "token_authorizer", "verifier"]
app = Chalice(app_name="waiting-room-token-authorizer", configure_logs=False)


@app.lambda_function(name="token_authorizer")
def token_authorizer(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Return a policy for the called API and stage.

    Raises Unauthorized without a token, and Unavailable (a 500 that API Gateway does not cache)
    when the room's keys are unknown.
    """
    return authorize(verifier(), event)
