# SPDX-License-Identifier: Apache-2.0
"""Keep-alive connections for the server of moto.

The server of werkzeug closes each connection after one response, and waits ten milliseconds for
unread data. A botocore client sends hundreds of requests a second. So this handler reads each body
completely, sends the length of the response, and keeps the connection open.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

from moto.moto_server.werkzeug_app import MotoRequestHandler


class KeepAlive(MotoRequestHandler):  # type: ignore[misc]
    """Serves a WSGI application request by request on one connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # otherwise each response waits for a delayed ACK

    def run_wsgi(self) -> None:
        """Serve one request; bodies without a length are left to werkzeug."""
        if self.headers.get("Transfer-Encoding") or self.headers.get("Expect"):
            super().run_wsgi()
            return
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.environ = environ = self.make_environ()
        environ["wsgi.input"] = io.BytesIO(body)
        started: list[tuple[str, list[tuple[str, str]]]] = []

        def start_response(
            status: str, headers: list[tuple[str, str]], *_: Any
        ) -> Callable[[bytes], None]:
            started.append((status, headers))
            return parts.append

        parts: list[bytes] = []
        answer = self.server.app(environ, start_response)
        try:
            parts.extend(answer)
        finally:
            if hasattr(answer, "close"):
                answer.close()
        self._send(*started[-1], b"".join(parts))

    def _send(self, status: str, headers: list[tuple[str, str]], body: bytes) -> None:
        code, _, reason = status.partition(" ")
        self.send_response(int(code), reason)
        for name, value in headers:
            if name.lower() not in ("content-length", "connection"):
                self.send_header(name, value)
        if int(code) not in (204, 304):
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
