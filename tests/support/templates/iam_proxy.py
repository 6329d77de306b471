# SPDX-License-Identifier: Apache-2.0
"""A proxy in front of the AWS emulator that checks each call against the function's role.

A function's access key id is its name here; the request says what it wants to do to what.
"""

from __future__ import annotations

import json
import re
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

ACCOUNT = "arn:aws:{service}:eu-central-1:123456789012:{rest}"
STATEMENTS = {"INSERT": "PartiQLInsert", "SELECT": "PartiQLSelect", "UPDATE": "PartiQLUpdate"}
TRANSACTION = {
    "Put": "PutItem",
    "Update": "UpdateItem",
    "Delete": "DeleteItem",
    "ConditionCheck": "ConditionCheckItem",
}
DENIED = {
    "__type": "AccessDeniedException",
    "message": "the role of the function does not allow it",
}

May = Callable[[str, str, str], bool]  # function, action, resource


class IamProxy:
    """``address`` is the AWS endpoint of functions; ``denied`` and ``used`` list what they tried.

    Each is (function, action, resource).
    """

    def __init__(self, aws_url: str, may: May) -> None:
        self._aws_url, self._may = aws_url, may
        self.used: set[tuple[str, str, str]] = set()
        self.denied: set[tuple[str, str, str]] = set()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.address = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def allows(self, function: str, calls: list[tuple[str, str]]) -> bool:
        """Return whether a function may do all of it; record the attempt."""
        tried = {(function, action, resource) for action, resource in calls}
        denied = {one for one in tried if not self._may(*one)}
        self.used |= tried - denied
        self.denied |= denied
        return not denied

    def close(self) -> None:
        """Close the port."""
        self._server.shutdown()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                function, service = signed_by(self.headers.get("Authorization") or "")
                calls = list(wanted(service, self.headers.get("X-Amz-Target") or self.path, body))
                if proxy.allows(function, calls):
                    status, kind, content = proxy._pass_on(self.path, self.headers, body)
                else:
                    status, kind = 400, "application/x-amz-json-1.1"
                    content = json.dumps(DENIED).encode()
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                pass

        return Handler

    def _pass_on(self, path: str, headers: Any, body: bytes) -> tuple[int, str, bytes]:
        kept = {name: text for name, text in headers.items() if name.lower() != "connection"}
        request = urllib.request.Request(self._aws_url + path, body, kept, method="POST")
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, answer.headers["Content-Type"] or "", answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.headers["Content-Type"] or "", error.read()


def signed_by(authorization: str) -> tuple[str, str]:
    """Access key id and service of a signature (SigV4)."""
    found = re.search(r"Credential=([^/]+)/\d+/[^/]+/([^/]+)/aws4_request", authorization)
    return (found[1], found[2]) if found else ("nobody", "nothing")


def wanted(service: str, target: str, body: bytes) -> Iterator[tuple[str, str]]:
    """Actions and resources of a request, by the names that IAM has for them."""
    operation = re.split(r"[./]", target)[-1]
    if service == "dynamodb":
        yield from _of_dynamodb(operation, json.loads(body))
    elif service == "secretsmanager":
        yield f"secretsmanager:{operation}", json.loads(body)["SecretId"]
    elif service == "events":
        for entry in json.loads(body)["Entries"]:
            bus = f"event-bus/{entry['EventBusName']}"
            yield f"events:{operation}", ACCOUNT.format(service="events", rest=bus)
    elif service == "sqs" and "QueueUrl" in (content := json.loads(body)):
        queue = content["QueueUrl"].rpartition("/")[2]
        yield f"sqs:{operation}", ACCOUNT.format(service="sqs", rest=queue)
    elif service == "monitoring":
        yield "cloudwatch:DescribeAlarms", "*"
    else:
        yield f"{service}:{operation}", "?"


def _of_dynamodb(operation: str, content: Any) -> Iterator[tuple[str, str]]:
    if operation == "BatchExecuteStatement":
        for one in content["Statements"]:
            kind, table = re.match(r'(\w+)(?: INTO)? "([^"]+)"', one["Statement"]).groups()  # type: ignore[union-attr]
            yield f"dynamodb:{STATEMENTS[kind]}", _table(table)
    elif operation == "BatchGetItem":
        for table in content["RequestItems"]:
            yield f"dynamodb:{operation}", _table(table)
    elif operation == "TransactWriteItems":
        for one in content["TransactItems"]:
            ((kind, part),) = one.items()
            yield f"dynamodb:{TRANSACTION[kind]}", _table(part["TableName"])
    else:
        yield f"dynamodb:{operation}", _table(content["TableName"], content.get("IndexName", ""))


def _table(name: str, index: str = "") -> str:
    arn = ACCOUNT.format(service="dynamodb", rest=f"table/{name}")
    return f"{arn}/index/{index}" if index else arn
