# SPDX-License-Identifier: Apache-2.0
"""API Gateway proxy events for tests that call a Chalice app directly."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from deployment.local.gateway import proxy_events

WITH_BODY = ("POST", "PUT", "PATCH")


def proxy_event(
    method: str,
    path: str,
    *,
    query: Mapping[str, str | Sequence[str]] | None = None,
    body: object = None,
    raw: str | None = None,
    headers: Mapping[str, str] | None = None,
    authorizer: Mapping[str, Any] | None = None,
    resource: str | None = None,
) -> dict[str, Any]:
    """A REST API proxy event (payload version 1.0) of a call; ``raw`` is a body that is no JSON.

    Query and body get into the event as given: tests also send texts that UTF-8 cannot encode.
    """
    sent = (
        {"Content-Type": "application/json", **(headers or {})} if method in WITH_BODY else headers
    )
    many = {
        name: [values] if isinstance(values, str) else list(values)
        for name, values in (query or {}).items()
    }
    call = proxy_events.Call(
        method=method,
        path=path,
        raw_path=path,
        query="",
        headers=dict(sent or {}),
        many_headers={name: [value] for name, value in (sent or {}).items()},
        body=b"",
        source_ip="127.0.0.1",
    )
    return {
        **proxy_events.proxy_event(call, resource or path, "test", authorizer),
        "queryStringParameters": {name: values[-1] for name, values in many.items()} or None,
        "multiValueQueryStringParameters": many or None,
        "body": raw if raw is not None else (None if body is None else json.dumps(body)),
    }


class Answer:
    """Response of an app."""

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
    """Return the response of an app to a request."""
    resource = proxy_events.resource_of(path, app.routes)
    return Answer(app(proxy_event(method, path, resource=resource, **request), None))
