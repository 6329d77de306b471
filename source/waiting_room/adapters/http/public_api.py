# SPDX-License-Identifier: Apache-2.0
"""The public API of a room, as the OpenID provider calls it."""

from __future__ import annotations

import json
from typing import Any

from waiting_room.domain.errors import (
    Gone,
    InvalidInput,
    NotServedYet,
    PositionExpired,
    RoomError,
    RoomWasReset,
    SessionEnded,
    TokenExpired,
    Unavailable,
    UnknownRequest,
    WrongClientSecret,
)
from waiting_room.domain.parsing import json_object

CONNECT_TIMEOUT = 2.0  # s; the edge location is near
READ_TIMEOUT = 8.0  # s; a cold function needs less; two tries fit into API Gateway's 29 s
ATTEMPTS = 2  # generate_token is idempotent, so it may be repeated after a lost response
MAX_RESPONSE_BYTES = 65_536  # bytes
CONNECTIONS = 64  # size of the pool; it opens them only for concurrent calls
REFUSALS: dict[int, type[RoomError]] = {
    202: NotServedYet,
    400: InvalidInput,
    403: WrongClientSecret,
    404: UnknownRequest,
    410: Gone,
}
REASONS = {one.reason: one for one in (RoomWasReset, PositionExpired, SessionEnded, TokenExpired)}


class PublicApi:
    """Requests tokens; the room decides whether the position is served."""

    def __init__(self, public_api: str, event_id: str, pool: Any = None) -> None:
        self._address = f"{public_api}/generate_token"
        self._event_id, self._pool = event_id, pool

    def access_token(self, request_id: str, client_secret: str | None) -> str:
        """Return the access token of an admitted visitor.

        Raises NotServedYet, another RoomError that the room returned, or Unavailable.
        """
        asked = {"event_id": self._event_id, "request_id": request_id}
        if client_secret is not None:
            asked["client_secret"] = client_secret
        status, content = self._post(asked)
        if status in REFUSALS:
            raise _refusal(status, content)("the room returned no token for this request")
        token = content.get("access_token")
        if status != 200 or not isinstance(token, str):
            raise Unavailable(f"the room returned status {status}")
        return token

    def _post(self, asked: dict[str, str]) -> tuple[int, dict[str, Any]]:
        import urllib3

        if self._pool is None:
            self._pool = urllib3.PoolManager(
                maxsize=CONNECTIONS,
                timeout=urllib3.Timeout(connect=CONNECT_TIMEOUT, read=READ_TIMEOUT),
                retries=urllib3.Retry(
                    total=ATTEMPTS - 1, redirect=0, allowed_methods=None, backoff_factor=0.1
                ),
            )
        try:
            response = self._pool.request(
                "POST",
                self._address,
                body=json.dumps(asked),
                headers={"Content-Type": "application/json"},
                preload_content=False,
            )
            try:
                text = response.read(MAX_RESPONSE_BYTES, decode_content=True)
                return int(response.status), json_object(text, "the response")
            finally:
                response.release_conn()
        except urllib3.exceptions.HTTPError as error:
            raise Unavailable(f"the room did not respond: {type(error).__name__}") from None
        except InvalidInput as error:
            raise Unavailable(f"the room returned invalid JSON: {error}") from None


def _refusal(status: int, content: dict[str, Any]) -> type[RoomError]:
    """Return the error class of a status; for 410, of its ``reason``."""
    reason = content.get("reason")
    if status == 410 and isinstance(reason, str):
        return REASONS.get(reason, Gone)
    return REFUSALS[status]
