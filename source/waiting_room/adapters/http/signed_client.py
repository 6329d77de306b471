# SPDX-License-Identifier: Apache-2.0
"""HTTP requests signed with SigV4: botocore signs, urllib3 sends, within limits of time and size.

A redirect is never followed: it would carry the signature to another address.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import urllib3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest

from waiting_room.adapters.aws import session, silence_library_logs
from waiting_room.domain.errors import SettingsError

MAX_RESPONSE_BYTES = 65_536
THROTTLED = 429
NOT_SENT = (urllib3.exceptions.ConnectTimeoutError, urllib3.exceptions.NewConnectionError)


class NoResponse(Exception):
    """No response arrived. ``sent`` is true if the server may have processed the request."""

    def __init__(self, reason: str, sent: bool) -> None:
        super().__init__(reason)
        self.reason = reason
        self.sent = sent


@dataclass(frozen=True)
class TimeLimits:
    """Seconds to connect, and to wait for each part of a response."""

    connect: float
    read: float


@dataclass(frozen=True)
class RetryPolicy:
    """The number of attempts of a request, and the pause between them.

    ``pause`` is in seconds. It doubles after each attempt and has 50 % jitter.
    """

    attempts: int = 1
    pause: float = 0.0

    def pause_after(self, attempt: int) -> float:
        """Return the seconds to wait after an attempt; the first attempt is 1."""
        return self.pause * 2.0 ** (attempt - 1) * random.uniform(0.5, 1.5)  # nosec B311 - jitter


@dataclass(frozen=True)
class Response:
    """The status of a response and its body, cut off after the longest size."""

    status: int
    body: bytes


def credentials() -> Any:
    """Return the credentials of this process, by the AWS default chain; botocore renews them."""
    return session().get_credentials()


class SignedClient:
    """Sends signed requests to one AWS service of one region.

    ``credentials`` returns botocore credentials and is called for every attempt. ``connections``
    is the number of idle connections that the pool keeps. ``longest`` is the number of bytes that
    are read of a response.
    """

    def __init__(
        self,
        service: str,
        region: str,
        credentials: Callable[[], Any],
        limits: TimeLimits,
        retry: RetryPolicy | None = None,
        *,
        connections: int = 10,
        longest: int = MAX_RESPONSE_BYTES,
        pool: Any = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._service, self._region, self._credentials = service, region, credentials
        self._retry, self._sleep = retry or RetryPolicy(), sleep
        self._longest = longest
        silence_library_logs()
        self._pool = pool or urllib3.PoolManager(
            maxsize=connections,
            retries=False,
            timeout=urllib3.Timeout(connect=limits.connect, read=limits.read),
        )

    def send(
        self,
        method: str,
        url: str,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        *,
        repeatable: bool = False,
    ) -> Response:
        """Send a request and return the response of the last attempt.

        A request is sent again after status 429 or a failed connection: it was not processed.
        If it is ``repeatable``, it is also sent again after a 5xx status or a lost response.
        Raises NoResponse if the last attempt has no response, and SettingsError without
        credentials.
        """
        for attempt in range(1, self._retry.attempts):
            try:
                response = self._send_once(method, url, body, headers or {})
                if not (response.status == THROTTLED or (repeatable and response.status >= 500)):
                    return response
            except NoResponse as error:
                if error.sent and not repeatable:
                    raise
            self._sleep(self._retry.pause_after(attempt))
        return self._send_once(method, url, body, headers or {})

    def _send_once(
        self, method: str, url: str, body: bytes, headers: Mapping[str, str]
    ) -> Response:
        request = AWSRequest(method, url, headers=headers, data=body)
        found = self._credentials()
        if found is None:
            raise SettingsError(
                f"There are no AWS credentials to sign requests to {self._service} with."
                " Set them, or give the function a role."
            )
        SigV4Auth(found, self._service, self._region).add_auth(request)
        try:
            response = self._pool.request(
                method,
                url,
                body=body or None,
                headers=dict(request.headers.items()),
                preload_content=False,
                redirect=False,
            )
            try:
                content = response.read(self._longest, decode_content=True)
            finally:
                response.release_conn()
        except NOT_SENT as error:
            raise NoResponse(f"no connection ({type(error).__name__})", sent=False) from None
        except urllib3.exceptions.HTTPError as error:
            raise NoResponse(f"no response ({type(error).__name__})", sent=True) from None
        return Response(int(response.status), content)
