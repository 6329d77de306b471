# SPDX-License-Identifier: Apache-2.0
"""Origins of the local distribution: ASGI applications in the same process."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import unquote

from deployment.local.site_edge.distribution import Origin
from deployment.local.site_edge.function_events import Pairs, Reply, ViewerRequest


def asgi_origin(app: Any, *, remove: str = "", add: str = "", headers: Pairs = ()) -> Origin:
    """Return an origin that calls an ASGI application.

    Of the path, the beginning ``remove`` is replaced by ``add``. The application gets what
    CloudFront forwards, and ``headers`` of the origin itself.
    """

    async def call(request: ViewerRequest) -> Reply:
        raw = add + request.path.removeprefix(remove)
        cookies = "; ".join(f"{name}={value}" for name, value in request.cookies)
        sent_headers = [*request.headers, *headers, *([("cookie", cookies)] if cookies else [])]
        scope = {
            "type": "http", "http_version": "1.1", "method": request.method, "scheme": "http",
            "path": unquote(raw), "raw_path": raw.encode("latin-1"), "root_path": "",
            "query_string": (request.query or "").encode("latin-1"),
            "headers": [
                (name.encode("latin-1"), value.encode("latin-1")) for name, value in sent_headers
            ],
            "client": (request.source_ip, 0), "server": ("origin", 80),
        }  # fmt: skip
        sent: dict[str, Any] = {"status": 500, "headers": [], "body": b""}
        received = False

        async def receive() -> dict[str, Any]:
            nonlocal received
            if received:
                await asyncio.Event().wait()
            received = True
            return {"type": "http.request", "body": request.body, "more_body": False}

        async def send(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                sent.update(status=message["status"], headers=message.get("headers", []))
            else:
                sent["body"] += message.get("body", b"")

        await app(scope, receive, send)
        found = [
            (name.decode("latin-1").lower(), value.decode("latin-1"))
            for name, value in sent["headers"]
        ]
        return Reply(sent["status"], tuple(found), sent["body"])

    return call
