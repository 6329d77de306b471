# SPDX-License-Identifier: Apache-2.0
"""The private API of a room, as the inlet calls it.

Reading metrics and ending a session are repeatable: a call id lets the room recognise its own
write. An increment is sent again only if it was not processed. Its caller may repeat it with the
same call id.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlencode

from waiting_room.adapters.http.signed_client import (
    THROTTLED,
    NoResponse,
    Response,
    RetryPolicy,
    SignedClient,
    TimeLimits,
)
from waiting_room.domain.errors import InvalidInput, RoomError, SettingsError, Unavailable
from waiting_room.domain.parsing import UNREADABLE, is_whole, json_value
from waiting_room.inlet.strategies import RoomMetrics

SERVICE = "execute-api"
# A cold function of the private API responds in two or three seconds.
LIMITS = TimeLimits(connect=1.0, read=5.0)
RETRY = RetryPolicy(attempts=3, pause=0.2)
MAX_CONCURRENT_CALLS = 8  # sessions ended at once
CONNECTIONS = 4 * MAX_CONCURRENT_CALLS  # several requests of one process share the pool


class PrivateApi:
    """The RoomApi port. ``credentials`` returns botocore credentials; called at every request."""

    def __init__(
        self,
        endpoint: str,
        region: str,
        credentials: Callable[[], Any],
        pool: Any = None,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._endpoint = endpoint.rstrip("/")
        self._client = SignedClient(
            SERVICE, region, credentials, LIMITS, RETRY,
            connections=CONNECTIONS, pool=pool, sleep=pause,
        )  # fmt: skip

    def metrics(self, event_id: str) -> RoomMetrics:
        """Return the metrics of an event."""
        query = urlencode({"event_id": event_id})
        metrics = _content(self._call("GET", f"/metrics?{query}", None, repeatable=True))
        try:
            return RoomMetrics.from_metrics(metrics)
        except UNREADABLE:
            raise Unavailable("the private API returned incomplete metrics") from None

    def increment(self, event_id: str, by: int, call_id: str) -> int:
        """Raise the serving counter, once per ``call_id``, and return its new value.

        After a lost response it raises Unavailable: the counter may have been raised.
        """
        response = self._call(
            "POST",
            "/increment_serving_counter",
            {"event_id": event_id, "increment_by": by, "call_id": call_id},
            repeatable=False,
        )
        serving = _content(response).get("serving_num")
        if not is_whole(serving):
            raise Unavailable(
                "the private API returned no serving_num: the counter may have been raised"
            )
        return serving

    def end_sessions(
        self, event_id: str, request_ids: Sequence[str], status: int, call_id: str
    ) -> int:
        """End sessions; return how many were active or were ended by this ``call_id``."""
        call_id = call_id or uuid.uuid4().hex

        def end(request_id: str) -> bool:
            sent = {
                "event_id": event_id,
                "request_id": request_id,
                "status": status,
                "call_id": call_id,
            }
            response = self._call("POST", "/update_session", sent, repeatable=True)
            if response.status in (400, 404, 410):
                return False
            _content(response)
            return True

        with ThreadPoolExecutor(max_workers=MAX_CONCURRENT_CALLS) as threads:
            return sum(threads.map(end, request_ids))

    def _call(
        self, method: str, path: str, content: Mapping[str, Any] | None, *, repeatable: bool
    ) -> Response:
        """Return a response that is final; raises Unavailable for a temporary failure."""
        body = b"" if content is None else json.dumps(content).encode()
        headers = {"Content-Type": "application/json"} if body else {}
        name = path.partition("?")[0]
        try:
            response = self._client.send(
                method, self._endpoint + path, body, headers, repeatable=repeatable
            )
        except NoResponse as error:
            raise Unavailable(f"the private API call {name} failed: {error.reason}") from None
        if response.status == THROTTLED or response.status >= 500:
            raise Unavailable(f"the private API call {name} failed: status {response.status}")
        return response


def _content(response: Response) -> Mapping[str, Any]:
    """Parse the content of a 200. Another status is an error of the deployment."""
    if response.status in (401, 403):
        raise SettingsError("The private API rejects this function: check its role and region.")
    try:
        content = json_value(response.body, "the response")
    except InvalidInput:
        content = None
    if response.status != 200 or not isinstance(content, dict):
        raise RoomError(f"the private API returned status {response.status} or invalid JSON")
    return content
