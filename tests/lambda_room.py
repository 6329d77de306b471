# SPDX-License-Identifier: Apache-2.0
"""A whole room of Lambda functions in processes of their own, on real servers."""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from infrastructure.openid_resources import CODES
from tests.gateway_event import proxy_event
from tests.lambda_process import ENV, LambdaProcess, Start
from tests.servers import aws_client, create_table, create_tables

CLIENT_SECRET = "a-client-secret-of-24-chars"


class LambdaRoom:
    """One warm function per app; each API answers on a loopback port, too, under its app's name.

    ``env`` is the environment of all functions, by default that of a deployment made here.
    """

    def __init__(
        self, start: Start, aws_url: str, redis_port: int, env: Mapping[str, str] | None = None
    ) -> None:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._door())
        self.address = f"http://127.0.0.1:{self._server.server_port}"
        self._start, self._lock = start, threading.Lock()
        self._env = {
            **ENV,
            **(deploy(aws_url) if env is None else env),
            "PUBLIC_API_ENDPOINT": f"{self.address}/public_api",
            "PRIVATE_API_ENDPOINT": f"{self.address}/private_api",
            "AWS_ENDPOINT_URL": aws_url,
            "REDIS_HOST": "127.0.0.1",
            "REDIS_PORT": str(redis_port),
            "REDIS_TLS": "false",
            "START_TIME": "0",
        }
        self.event_id = self._env["EVENT_ID"]
        self._warm: dict[str, LambdaProcess] = {}
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def __call__(self, app: str, function: str, event: Any) -> Any:
        """What a function of an app returns; one environment takes one event at a time."""
        if app not in self._warm:
            self._warm[app] = self._start(app, self._env)
        return self._warm[app](f"app.{function}", event)

    def http(self, app: str, method: str, path: str, **request: Any) -> tuple[int, Any]:
        """Status and parsed body of a call to an API."""
        with self._lock:
            answer = self(app, "app", proxy_event(method, path, **request))
        return answer["statusCode"], json.loads(answer["body"] or "null")

    def close(self) -> None:
        """Close the port; functions end with who started them."""
        self._server.shutdown()
        self._server.server_close()

    def _door(self) -> type[BaseHTTPRequestHandler]:
        room = self

        class Door(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                _, app, path = urlsplit(self.path).path.split("/", 2)
                query = dict(parse_qsl(urlsplit(self.path).query))
                raw = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
                status, body = room.http(app, self.command, f"/{path}", query=query, raw=raw)
                content = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_POST = do_GET

            def log_message(self, *_: object) -> None:
                pass

        return Door


def deploy(aws_url: str) -> dict[str, str]:
    """Make what the stacks make that AWS emulates; answers the functions' settings."""
    prefix = f"wr-{uuid.uuid4().hex[:8]}"
    dynamodb = aws_client("dynamodb", aws_url)
    names = {
        **create_tables(dynamodb, prefix),
        "SIGNING_KEYS_SECRET": f"{prefix}-keys",
        "OPENID_CLIENT_SECRET_ID": f"{prefix}-client",
        "EVENT_BUS_NAME": f"{prefix}-bus",
        CODES.setting: f"{prefix}-codes",
    }
    create_table(dynamodb, CODES, names[CODES.setting])
    secrets = aws_client("secretsmanager", aws_url)
    secrets.create_secret(Name=names["SIGNING_KEYS_SECRET"], SecretString="{}")
    secrets.create_secret(
        Name=names["OPENID_CLIENT_SECRET_ID"],
        SecretString=json.dumps({"client_secret": CLIENT_SECRET}),
    )
    aws_client("events", aws_url).create_event_bus(Name=names["EVENT_BUS_NAME"])
    event = f"Sample-{prefix}"
    return {**names, "EVENT_ID": event, "WAITING_ROOM_EVENT_ID": event}
