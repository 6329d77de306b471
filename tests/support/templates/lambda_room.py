# SPDX-License-Identifier: Apache-2.0
"""The deployed room: each function in a process of its own, from its bundle, by its template.

A function has the environment that its template gives it, calls AWS through a referee that knows
its role, and talks to a Valkey that asks for the password of the deployment. What is changed are
addresses: of Redis and AWS, and of the two APIs, which listen on a loopback port.
"""

from __future__ import annotations

import json
import threading
from collections import defaultdict
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import redis

from tests.support.lambda_proxy_events import proxy_event
from tests.support.servers import Valkey
from tests.support.templates.deployed import Deployed, Deployment, resource_for, view_of
from tests.support.templates.iam_proxy import IamProxy, signed_by
from tests.support.templates.lambda_process import LambdaProcess, Start
from tests.support.templates.synthesized import Synthesized

LOWERING_AT = 6  # number of `lowering` in the field `summary` of the counters
LAMBDAS_OWN = {  # what Lambda tells a function beside its environment
    "AWS_REGION": "eu-central-1",
    "AWS_DEFAULT_REGION": "eu-central-1",
    "AWS_SECRET_ACCESS_KEY": "test",
}


class LambdaRoom:
    """Functions are called by app and name: a view of an HTTP app, or a handler.

    ``valkey`` is None for stacks without Redis.
    """

    def __init__(
        self, stacks: Mapping[str, Synthesized], start: Start, aws_url: str, valkey: Valkey | None
    ) -> None:
        self.aws_url, self.core = aws_url, stacks["Core"]
        self.deployment = Deployment(stacks, aws_url)
        self.clock_ahead = 0.0  # seconds, of every function's clock
        self.iam_proxy = IamProxy(aws_url, self._may)
        self._start = start
        self._warm: dict[tuple[str, str], tuple[Deployed, LambdaProcess]] = {}
        self._locks: dict[str, threading.Lock] = defaultdict(threading.Lock)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        here = f"http://127.0.0.1:{self._server.server_port}"
        values = self.deployment.values
        self._private = values.output(self.core, "PrivateApiInvokeURL")
        self._moved = {
            values.output(self.core, "PublicApiInvokeURL"): f"{here}/public_api",
            self._private: f"{here}/private_api",
        }
        self._redis: dict[str, str] = {}
        self.event_id = self.deployment.function("public_api", "status").environment["EVENT_ID"]
        if valkey:
            self._guard(valkey)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def _guard(self, valkey: Valkey) -> None:
        """Give the server the password of the deployment, and the functions its address."""
        password = self.deployment.secret("Core", "CountersPassword")
        valkey.client().config_set("requirepass", password)
        self.valkey = redis.Redis(host="127.0.0.1", port=valkey.port, password=password)
        self._redis = {
            "REDIS_HOST": "127.0.0.1",
            "REDIS_PORT": str(valkey.port),
            "REDIS_TLS": "false",
        }

    def __call__(self, app: str, name: str, event: Any) -> Any:
        """Return the result of a function; each environment handles one event at a time."""
        with self._locks[f"{app}.{name}"]:
            if (app, name) not in self._warm:
                deployed = self.deployment.function(app, name)
                self._warm[app, name] = deployed, self._start(app, self._env(app, name, deployed))
            deployed, process = self._warm[app, name]
            return process(deployed.handler, event, self.clock_ahead)

    def answer(self, app: str, method: str, path: str, **request: Any) -> Any:
        """Return the result of the function of a route."""
        resource = resource_for(app, path)
        event = proxy_event(method, path, resource=resource, **request)
        return self(app, view_of(app, method, path), event)

    def http(self, app: str, method: str, path: str, **request: Any) -> tuple[int, Any]:
        """Status and parsed body of a call to an API; a 500 fails the test with the log."""
        answer = self.answer(app, method, path, **request)
        if answer["statusCode"] == 500:
            raise AssertionError(self._warm[app, view_of(app, method, path)][1].log)
        return answer["statusCode"], json.loads(answer["body"] or "null")

    @property
    def stream_readers(self) -> list[str]:
        """The workers that the template lets read the stream of the tokens."""
        mappings = self.core.of_type("AWS::Lambda::EventSourceMapping").values()
        functions = self.core.of_type("AWS::Lambda::Function")
        return [
            functions[one["FunctionName"]["Fn::GetAtt"][0]]["Handler"].removeprefix("app.")
            for one in mappings
            if "TablesTokens" in json.dumps(one["EventSourceArn"])
        ]

    def lose_counters(self) -> None:
        """Empty Redis, so that the next function that reads the counters has to rebuild them."""
        self.valkey.flushall()

    def announce_lowering(self) -> None:
        """Announce a lower serving counter, so that readers of the counters read the table too."""
        for key in self.valkey.scan_iter("*:state"):
            summary: Any = self.valkey.hget(key, "summary")
            numbers, rest = summary.split(b"\n", 1)
            found = numbers.split(b" ")
            found[LOWERING_AT] = b"1000000000"
            summary = b"\n".join([b" ".join(found), rest])
            self.valkey.hset(key, mapping={"lowering": 10**9, "summary": summary})

    def close(self) -> None:
        """Close the ports; functions end with who started them."""
        self._server.shutdown()
        self._server.server_close()
        self.iam_proxy.close()

    def _env(self, app: str, name: str, deployed: Deployed) -> dict[str, str]:
        environment = {
            key: self._moved.get(value, value) for key, value in deployed.environment.items()
        }
        moved = self._redis if "REDIS_HOST" in environment else {}
        own = {"AWS_ACCESS_KEY_ID": f"{app}.{name}", "AWS_ENDPOINT_URL": self.iam_proxy.address}
        return {**environment, **moved, **LAMBDAS_OWN, **own}

    def _may(self, function: str, action: str, resource: str) -> bool:
        app, _, name = function.partition(".")
        return self._warm[app, name][0].may(action, resource)

    def _invokes(self, authorization: str, method: str, path: str) -> bool:
        """Return whether the caller of the private API may call the route."""
        caller, _ = signed_by(authorization)
        api, _, stage = self._private.removeprefix("https://").partition("/")
        route = f"{api.partition('.')[0]}/{stage}/{method}{path}"
        resource = f"arn:aws:execute-api:eu-central-1:123456789012:{route}"
        return self.iam_proxy.allows(caller, [("execute-api:Invoke", resource)])

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        room = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                _, app, rest = parts.path.split("/", 2)
                path, query = f"/{rest}", dict(parse_qsl(parts.query))
                raw = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
                signature = self.headers.get("Authorization") or ""
                if app == "private_api" and not room._invokes(signature, self.command, path):
                    status, body = 403, {"message": "not allowed by the function's role"}
                else:
                    status, body = room.http(app, self.command, path, query=query, raw=raw)
                content = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_POST = do_GET

            def log_message(self, *_: object) -> None:
                pass

        return Handler
