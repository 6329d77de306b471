# SPDX-License-Identifier: Apache-2.0
"""Send requests for the room's paths on a protected site to the room.

The room gets its own cookies only, and the host of the site in a header. A redirect is returned to
the visitor, never followed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from waiting_room.domain.errors import Unavailable

HOST_HEADER = "X-Waiting-Room-Host"
CONNECT_TIMEOUT, READ_TIMEOUT = 2.0, 8.0  # s
CONNECTIONS = 32
MAX_BODY = 65_536  # bytes of a request
MAX_RESPONSE = 4_194_304  # bytes; the page's largest file is smaller
HOP_BY_HOP = frozenset({
    "connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "te", "trailer",
    "transfer-encoding", "upgrade",
})  # fmt: skip
OWN = frozenset({"host", "content-length", "cookie", "expect", HOST_HEADER.lower()})
Headers = Sequence[tuple[str, str]]


class RoomForwarder:
    """Sends requests to ``room``, the address of the room without the path of a request."""

    def __init__(self, room: str, pool: Any = None) -> None:
        self._room, self._pool = room.rstrip("/"), pool

    def send(
        self, method: str, target: str, host: str, headers: Headers, cookies: str, body: bytes
    ) -> tuple[int, list[tuple[str, str]], bytes]:
        """Return status, headers and body of the response. Raises Unavailable."""
        import urllib3

        if self._pool is None:
            self._pool = urllib3.PoolManager(
                maxsize=CONNECTIONS,
                retries=False,
                timeout=urllib3.Timeout(connect=CONNECT_TIMEOUT, read=READ_TIMEOUT),
            )
        sent = urllib3.HTTPHeaderDict()
        for name, value in headers:
            if name.lower() not in HOP_BY_HOP | OWN:
                sent.add(name, value)
        sent.add(HOST_HEADER, host)
        if cookies:
            sent.add("Cookie", cookies)
        try:
            response = self._pool.request(
                method, self._room + target, headers=sent, body=body or None, redirect=False,
                preload_content=False, decode_content=False,
            )  # fmt: skip
            try:
                content = response.read(MAX_RESPONSE + 1, decode_content=False)
            finally:
                response.release_conn()
        except urllib3.exceptions.HTTPError as error:
            raise Unavailable(f"the room did not respond: {type(error).__name__}") from None
        if len(content) > MAX_RESPONSE:
            raise Unavailable("the response of the room is too large")
        found = [
            (name, value)
            for name, value in response.headers.items()
            if name.lower() not in HOP_BY_HOP and name.lower() != "content-length"
        ]
        return int(response.status), [*found, ("Content-Length", str(len(content)))], content
