# SPDX-License-Identifier: Apache-2.0
"""A site behind its gate, called as WSGI and ASGI servers call it."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, unquote_to_bytes

from waiting_room.domain.errors import Unavailable
from waiting_room.domain.gate.configuration import GateView
from waiting_room.domain.gate.request import GateRequest
from waiting_room.site_gate import AsgiSiteGate, SiteGate, SiteGateSettings, WsgiSiteGate

NOW = 1_800_000_000
SECURE = SiteGateSettings(events=("sale",), private_api="https://room.example", region="x")
PLAIN = SiteGateSettings(
    events=("sale",), private_api="https://room.example", region="x", secure_cookie=False
)


@dataclass
class Fixed:
    """Configurations that do not change; ``lost`` events have not been readable for a while."""

    view: GateView | None
    lost: set[str] = field(default_factory=set)

    def current(self) -> GateView:
        if self.view is None:
            raise Unavailable("no configuration")
        return self.view

    def is_lost(self, event_id: str) -> bool:
        return event_id in self.lost


@dataclass
class Answer:
    """The response; ``site`` has the headers that the site received, None if it was not called."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes
    site: dict[str, str] | None

    def header(self, name: str) -> str | None:
        return next((value for found, value in self.headers if found.lower() == name), None)

    @property
    def cookies(self) -> list[str]:
        return [value for name, value in self.headers if name.lower() == "set-cookie"]


def header_list(request: GateRequest) -> list[tuple[str, str]]:
    """The header lines of a request."""
    found = [(name, value) for name, values in request.headers.items() for value in values]
    cookies = [f"{name}={value}" for name, values in request.cookies.items() for value in values]
    cookie = [("cookie", "; ".join(cookies))] if cookies else []
    return [("host", request.host), *found, *cookie]


def target_of(request: GateRequest) -> str:
    return request.path + ("" if request.query is None else f"?{request.query}")


def environ_of(request: GateRequest, **more: Any) -> dict[str, Any]:
    """The environ of gunicorn: values of one name joined, the target as it was sent."""
    found: dict[str, Any] = {
        "REQUEST_METHOD": request.method, "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(request.path.encode("latin-1")).decode("latin-1"),
        "QUERY_STRING": request.query or "", "RAW_URI": target_of(request),
        "wsgi.input": io.BytesIO(b""),
    }  # fmt: skip
    for name, value in header_list(request):
        key = f"HTTP_{name.upper().replace('-', '_')}"
        found[key] = f"{found[key]},{value}" if key in found else value
    return {**found, **more}


def scope_of(request: GateRequest, **more: Any) -> dict[str, Any]:
    """The scope of uvicorn."""
    headers = [
        (name.lower().encode("latin-1"), value.encode("latin-1"))
        for name, value in header_list(request)
    ]
    return {
        "type": "http", "method": request.method, "path": unquote(request.path),
        "raw_path": request.path.encode("latin-1"), "root_path": "",
        "query_string": (request.query or "").encode("latin-1"), "headers": headers, **more,
    }  # fmt: skip


def by_wsgi(
    gate: SiteGate, environ: Mapping[str, Any], reply: Mapping[str, str] | None = None
) -> Answer:
    """Call the gate with an environ; the site responds with the headers ``reply``."""
    seen: dict[str, Any] = {}

    def app(environ: Any, start_response: Any) -> list[bytes]:
        seen["site"] = {
            name[5:].replace("_", "-").lower(): value
            for name, value in environ.items()
            if name.startswith("HTTP_")
        }
        start_response("200 OK", list((reply or {}).items()))
        return [b"site"]

    def start_response(status: str, headers: Any, *_: Any) -> Any:
        seen.update(status=int(status[:3]), headers=headers)

    body = b"".join(WsgiSiteGate(app, gate)(dict(environ), start_response))
    return Answer(seen["status"], seen["headers"], body, seen.get("site"))


def by_asgi(
    gate: SiteGate, scope: Mapping[str, Any], reply: Mapping[str, str] | None = None
) -> Answer:
    """Call the gate with a scope; the site responds with the headers ``reply``."""
    seen: dict[str, Any] = {}
    sent: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen["site"] = {
            name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]
        }
        headers = [(name.lower().encode(), value.encode()) for name, value in (reply or {}).items()]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"site"})

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(AsgiSiteGate(app, gate)(dict(scope), receive, send))
    headers = [(name.decode(), value.decode("latin-1")) for name, value in sent[0]["headers"]]
    return Answer(sent[0]["status"], headers, sent[1]["body"], seen.get("site"))
