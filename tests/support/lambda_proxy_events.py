# SPDX-License-Identifier: Apache-2.0
"""API Gateway proxy events for tests that call a Chalice app directly."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from typing import Any


def proxy_event(
    method: str,
    path: str,
    *,
    query: Mapping[str, str | Sequence[str]] | None = None,
    body: object = None,
    raw: str | None = None,
    headers: Mapping[str, str] | None = None,
    authorizer: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """A REST API proxy event (payload version 1.0), as API Gateway sends it."""
    many = {
        name: [values] if isinstance(values, str) else list(values)
        for name, values in (query or {}).items()
    }
    sent = {"Content-Type": "application/json", **(headers or {})} if method == "POST" else headers
    return {
        "resource": path,
        "path": path,
        "httpMethod": method,
        "headers": dict(sent or {}),
        "multiValueHeaders": {name: [value] for name, value in (sent or {}).items()},
        "queryStringParameters": {name: values[-1] for name, values in many.items()} or None,
        "multiValueQueryStringParameters": many or None,
        "pathParameters": None,
        "stageVariables": None,
        "requestContext": {
            "resourcePath": path,
            "httpMethod": method,
            "requestId": str(uuid.uuid4()),
            "stage": "api",
            "identity": {"sourceIp": "127.0.0.1"},
            **({"authorizer": dict(authorizer)} if authorizer else {}),
        },
        "body": raw if raw is not None else (None if body is None else json.dumps(body)),
        "isBase64Encoded": False,
    }


class Answer:
    """What an app answered."""

    def __init__(self, answer: Mapping[str, Any]) -> None:
        self.status: int = answer["statusCode"]
        self.headers = {name.lower(): value for name, value in answer["headers"].items()}
        for name, values in (answer.get("multiValueHeaders") or {}).items():
            self.headers.setdefault(name.lower(), values[-1])
        self.text: str = answer["body"]

    @property
    def json(self) -> Any:
        """The body, which must be JSON."""
        assert self.headers["content-type"] == "application/json"
        return json.loads(self.text)


def call(app: Any, method: str, path: str, **request: Any) -> Answer:
    """The answer of an app to a request."""
    return Answer(app(proxy_event(method, path, **request), None))
