# SPDX-License-Identifier: Apache-2.0
"""Requests of the watchdog to the public API and the entrance, each within DEADLINE.

The deadline is that of a whole request: name, connection, TLS, head and body. A room that sends one
byte a second gets no more time. A run has a connection of its own for each request.
"""

from __future__ import annotations

import asyncio
import http.client
import io
import logging
import ssl
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import cache
from typing import Any
from urllib.parse import quote, urlsplit

from waiting_room.domain.gate.watchdog import (
    ENTER,
    MAX_BODY,
    STATUS,
    ProbeRequest,
    Reading,
    read_response,
    worst,
)

DEADLINE = 5.0  # s; a cold function responds in two or three
CONCURRENT = 20  # events; more handshakes at once would make the room look slow
MAX_RESPONSE = MAX_BODY + 16_384  # bytes with the head
PORTS = {"http": 80, "https": 443}
Fetch = Callable[[str, str, Mapping[str, str]], Awaitable[tuple[int, bytes]]]

logger = logging.getLogger("waiting_room")


class InvalidResponse(Exception):
    """An incomplete HTTP response; the error text contains no part of it."""


class HttpRoomProbes:
    """The RoomProbes port. ``key`` returns the API key that the edge sends; raises Unavailable.

    ``fetch`` returns status and body of a GET request: address of the API, path with query,
    headers. It raises OSError or InvalidResponse without a response.
    """

    def __init__(
        self,
        public_api: str,
        entrance: str,
        key: Callable[[], str],
        fetch: Fetch | None = None,
    ) -> None:
        self._requests = ((public_api, STATUS), (entrance, ENTER))
        self._key, self._fetch = key, fetch or get

    def __call__(self, event_ids: Sequence[str]) -> Mapping[str, Reading]:
        """Return the reading of each event."""
        return asyncio.run(self._all(event_ids, self._key()))

    async def _all(self, event_ids: Sequence[str], key: str) -> dict[str, Reading]:
        limit = asyncio.Semaphore(CONCURRENT)

        async def one(event_id: str) -> Reading:
            async with limit:
                asked = [
                    ask(api, request, event_id, key, self._fetch) for api, request in self._requests
                ]
                return worst(await asyncio.gather(*asked))

        readings = await asyncio.gather(*(one(event_id) for event_id in event_ids))
        return dict(zip(event_ids, readings, strict=True))


async def ask(api: str, probe: ProbeRequest, watched_id: str, key: str, fetch: Fetch) -> Reading:
    """Return the reading of one request to an API, such as ``https://host/stage``.

    ``watched_id`` is the id of an event with a document.
    """
    target = f"{probe.path}?{probe.member}={quote(watched_id, safe='')}"
    try:
        async with asyncio.timeout(DEADLINE):
            status, body = await fetch(api, target, {**probe.headers, "x-api-key": key})
    except (OSError, InvalidResponse) as error:  # TimeoutError is an OSError
        logger.warning("GET %s of %s got no response: %s", probe.path, watched_id,
                       type(error).__name__)  # fmt: skip
        return Reading.FAULT
    reading = read_response(probe, watched_id, status, body)
    if reading is not Reading.HEALTHY:
        logger.warning("GET %s of %s returned status %d: %s", probe.path, watched_id, status,
                       reading.value)  # fmt: skip
    return reading


async def get(api: str, target: str, headers: Mapping[str, str]) -> tuple[int, bytes]:
    """Return status and body of a GET request. Raises OSError, InvalidResponse."""
    parts = urlsplit(api)
    host, port = parts.hostname or "", parts.port or PORTS[parts.scheme]
    secure = _context() if parts.scheme == "https" else None
    reader, writer = await asyncio.open_connection(host, port, ssl=secure)
    try:
        lines = [f"GET {parts.path}{target} HTTP/1.1", f"host: {parts.netloc}", "connection: close"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        writer.write("\r\n".join([*lines, "", ""]).encode("ascii"))
        received = b""
        while part := await reader.read(MAX_RESPONSE):
            received += part
            if len(received) > MAX_RESPONSE:
                raise InvalidResponse("too large")
    finally:
        writer.transport.abort()  # never waits, unlike an end of TLS
    return parse_response(received)


def parse_response(received: bytes) -> tuple[int, bytes]:
    """Return status and body of a complete response. Raises InvalidResponse."""
    response = http.client.HTTPResponse(_Received(received), method="GET")  # type: ignore[arg-type]
    try:
        response.begin()
        return response.status, response.read()
    except (http.client.HTTPException, ValueError) as error:
        raise InvalidResponse(type(error).__name__) from None


@cache
def _context() -> ssl.SSLContext:
    return ssl.create_default_context()


class _Received:
    """A complete response, in the form in which ``http.client`` reads a socket."""

    def __init__(self, received: bytes) -> None:
        self._received = received

    def makefile(self, *_args: Any, **_options: Any) -> io.BytesIO:
        """Return the bytes as a file."""
        return io.BytesIO(self._received)
