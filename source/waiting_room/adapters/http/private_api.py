# SPDX-License-Identifier: Apache-2.0
"""The private API, called with SigV4. The signer is botocore's, the transport urllib3.

Reading and ending a session may be repeated, so they are when no answer came; the call's id lets
the room know its own write again. An increment is sent again at once only when it surely was not
done: no connection was made, or API Gateway throttled it. Its caller may repeat it with its id.
"""

from __future__ import annotations

import json
import logging
import random
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any
from urllib.parse import urlencode

import urllib3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.session import Session

from waiting_room.adapters.aws import silence_library_logs
from waiting_room.domain.errors import InvalidInput, RoomError, Unavailable
from waiting_room.domain.parsing import UNREADABLE, is_whole, json_value
from waiting_room.domain.room_settings import SettingsError
from waiting_room.inlet.strategies import Figures

SERVICE = "execute-api"
CONNECT_TIMEOUT = 1.0  # s; API Gateway of the same region answers in milliseconds
READ_TIMEOUT = 5.0  # s; a cold function of the private API answers in two or three
ATTEMPTS = 3
PAUSE = 0.2  # s before the second try, doubled before the third, with jitter
LONGEST_ANSWER = 65_536  # bytes
WIDE = 8  # sessions ended at once
CONNECTIONS = 4 * WIDE  # kept: a few requests share the pool where they run in one process
THROTTLED = 429

logger = logging.getLogger("waiting_room")


class _NoAnswer(Exception):
    """The API gave no answer; ``sent`` tells whether it may have acted."""

    def __init__(self, why: str, sent: bool) -> None:
        super().__init__(why)
        self.sent = sent


def credentials() -> Any:
    """The credentials of this process, as every AWS client finds them; botocore renews them."""
    return _session().get_credentials()


@cache
def _session() -> Session:
    return Session()


class PrivateApi:
    """The RoomApi port. ``credentials`` answers botocore credentials, asked at every request."""

    def __init__(
        self,
        endpoint: str,
        region: str,
        credentials: Callable[[], Any],
        pool: Any = None,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._endpoint, self._region = endpoint.rstrip("/"), region
        self._credentials, self._pause = credentials, pause
        silence_library_logs()
        self._pool = pool or urllib3.PoolManager(
            maxsize=CONNECTIONS,
            retries=False,
            timeout=urllib3.Timeout(connect=CONNECT_TIMEOUT, read=READ_TIMEOUT),
        )

    def figures(self, event_id: str) -> Figures:
        """The figures of the room."""
        query = urlencode({"event_id": event_id})
        status, answer = self._ask("GET", f"/metrics?{query}", None, repeatable=True)
        try:
            return Figures.from_metrics(_ok(status, answer))
        except UNREADABLE:
            raise Unavailable("the private API answered metrics that lack figures") from None

    def increment(self, event_id: str, by: int, call_id: str) -> int:
        """Raise the serving counter, once for a ``call_id``; answers where it stands.

        Unavailable after an answer was lost means: perhaps done.
        """
        status, answer = self._ask(
            "POST",
            "/increment_serving_counter",
            {"event_id": event_id, "increment_by": by, "call_id": call_id},
            repeatable=False,
        )
        serving = _ok(status, answer).get("serving_num")
        if not is_whole(serving):
            raise Unavailable("the private API answered no serving counter: perhaps it moved")
        return serving

    def end_sessions(
        self, event_id: str, request_ids: Sequence[str], status: int, call_id: str
    ) -> int:
        """End sessions; answers how many had not ended before, or were by this ``call_id``."""
        call_id = call_id or uuid.uuid4().hex

        def end(request_id: str) -> bool:
            sent = {
                "event_id": event_id,
                "request_id": request_id,
                "status": status,
                "call_id": call_id,
            }
            code, answer = self._ask("POST", "/update_session", sent, repeatable=True)
            if code in (400, 404, 410):
                return False
            _ok(code, answer)
            return True

        with ThreadPoolExecutor(max_workers=WIDE) as threads:
            return sum(threads.map(end, request_ids))

    def _ask(
        self, method: str, path: str, content: Mapping[str, Any] | None, *, repeatable: bool
    ) -> tuple[int, Any]:
        body = b"" if content is None else json.dumps(content).encode()
        for attempt in range(1, ATTEMPTS + 1):
            try:
                status, answer = self._send(method, path, body)
                again = status == THROTTLED or (repeatable and status >= 500)
                why = f"it answered {status}"
            except _NoAnswer as error:
                status, answer, why = 0, None, str(error)
                again = repeatable or not error.sent
            if not again and status:
                return status, answer
            if not again or attempt == ATTEMPTS:
                break
            self._pause(PAUSE * 2 ** (attempt - 1) * random.uniform(0.5, 1.5))  # nosec B311 - jitter
        raise Unavailable(f"the private API did not do {path.partition('?')[0]}: {why}")

    def _send(self, method: str, path: str, body: bytes) -> tuple[int, Any]:
        headers = {"Content-Type": "application/json"} if body else {}
        request = AWSRequest(method, self._endpoint + path, headers=headers, data=body)
        credentials = self._credentials()
        if credentials is None:
            raise SettingsError("There are no AWS credentials to call the private API with.")
        SigV4Auth(credentials, SERVICE, self._region).add_auth(request)
        try:
            answer = self._pool.request(
                method,
                self._endpoint + path,
                body=body or None,
                headers=dict(request.headers.items()),
                preload_content=False,
                redirect=False,
            )
            try:
                text = answer.read(LONGEST_ANSWER, decode_content=True)
            finally:
                answer.release_conn()
        except (urllib3.exceptions.ConnectTimeoutError, urllib3.exceptions.NewConnectionError) as e:
            raise _NoAnswer(f"no connection ({type(e).__name__})", sent=False) from None
        except urllib3.exceptions.HTTPError as error:
            raise _NoAnswer(type(error).__name__, sent=True) from None
        try:
            return int(answer.status), json_value(text, "the answer")
        except InvalidInput:
            return int(answer.status), None


def _ok(status: int, answer: Any) -> Mapping[str, Any]:
    """The answer of a 200. A refusal is a fault of the deployment, and says so."""
    if status >= 500:
        raise Unavailable(f"the private API answered {status}")
    if status in (401, 403):
        raise SettingsError("The private API refuses this function: check its role and region.")
    if status != 200 or not isinstance(answer, dict):
        raise RoomError(f"the private API answered {status}")
    return answer
