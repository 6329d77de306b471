# SPDX-License-Identifier: Apache-2.0
"""Proxy events of API Gateway (REST API, payload 1.0), and responses from functions."""

from __future__ import annotations

import base64
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from deployment.local.config import STAGE
from infrastructure.blueprint.gateway_responses import NO_ANSWER

MAX_BODY = 10 * 1024 * 1024  # bytes, API Gateway's limit
MAX_HEAD = 10_240  # bytes of path, query and header values together, API Gateway's limit


class TooLong(Exception):
    """The request exceeds a limit of API Gateway; carries its status and message."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status, self.message = status, message


@dataclass(frozen=True)
class Call:
    """One request to an API; ``path`` without the stage, header names in lower case."""

    method: str
    path: str
    raw_path: str
    query: str
    headers: Mapping[str, str]
    many_headers: Mapping[str, list[str]]
    body: bytes
    source_ip: str
    request_id: str = field(default_factory=lambda: str(uuid.uuid4()))


@dataclass(frozen=True)
class Answer:
    """A response; header names as they are sent."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def header(self, name: str) -> str:
        """Return a header by its lower-case name; empty if it is missing."""
        return next((value for known, value in self.headers if known.lower() == name), "")


async def read(scope: Mapping[str, Any], receive: Any) -> Call:
    """Read the request of an ASGI connection; raises TooLong."""
    raw_path = scope.get("raw_path") or scope["path"].encode()
    head = [raw_path, scope["query_string"], *(value for _, value in scope["headers"])]
    if sum(map(len, head)) > MAX_HEAD:
        raise TooLong(431, "Request Header Fields Too Large")
    body = bytearray()
    more = True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
        if len(body) > MAX_BODY:
            raise TooLong(413, "Request Too Long")
    many: dict[str, list[str]] = {}
    for name, value in scope["headers"]:
        many.setdefault(name.decode("latin-1"), []).append(value.decode("latin-1"))
    prefix = f"/{STAGE}"
    path = scope["path"]
    chosen = many.get("x-amzn-requestid", [""])[-1]  # a caller's header sets the id, as on AWS
    return Call(
        method=scope["method"],
        path=path.removeprefix(prefix) or "/" if path.startswith(f"{prefix}/") else "",
        raw_path=raw_path.decode("latin-1"),
        query=scope["query_string"].decode("latin-1"),
        headers={name: ",".join(values) for name, values in many.items()},
        many_headers=many,
        body=bytes(body),
        source_ip=scope["client"][0] if scope.get("client") else "127.0.0.1",
        request_id=chosen or str(uuid.uuid4()),
    )


async def write(answer: Answer, send: Any) -> None:
    """Send a response; the server omits the body for HEAD."""
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in answer.headers]
    headers.append((b"content-length", str(len(answer.body)).encode()))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})


def resource_of(path: str, resources: Iterable[str]) -> str | None:
    """Return the resource that API Gateway chooses for a path: the one with the most literal parts.

    A part such as ``{event_id}`` of a resource stands for one part of a path that is not empty.
    """
    parts = path.split("/")
    found = [one for one in resources if _fits(parts, one.split("/"))]
    return min(found, key=lambda one: (one.count("{"), one), default=None)


def _fits(parts: list[str], template: list[str]) -> bool:
    return len(parts) == len(template) and all(
        bool(part) if _is_parameter(wanted) else part == wanted
        for part, wanted in zip(parts, template, strict=True)
    )


def _is_parameter(part: str) -> bool:
    return part.startswith("{") and part.endswith("}")


def path_parameters(path: str, resource: str) -> dict[str, str] | None:
    """Return the parameters of a path, decoded; None for a resource without parameters."""
    pairs = zip(path.split("/"), resource.split("/"), strict=True)
    found = {wanted[1:-1]: part for part, wanted in pairs if _is_parameter(wanted)}
    return found or None


def proxy_event(
    call: Call,
    resource: str,
    api_id: str,
    authorizer: Mapping[str, Any] | None = None,
    identity: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return the Lambda event of a request to a resource; ``identity`` is that of its signer."""
    query: dict[str, list[str]] = {}
    for name, value in parse_qsl(call.query, keep_blank_values=True, errors="replace"):
        query.setdefault(name, []).append(value)
    context: dict[str, Any] = {
        "accountId": "123456789012",
        "apiId": api_id,
        "httpMethod": call.method,
        "identity": {
            "sourceIp": call.source_ip,
            "userAgent": call.headers.get("user-agent"),
            **(identity or {}),
        },
        "path": f"/{STAGE}{call.path}",
        "protocol": "HTTP/1.1",
        "requestId": call.request_id,
        "resourcePath": resource,
        "stage": STAGE,
    }
    if authorizer is not None:
        context["authorizer"] = dict(authorizer)
    return {
        "resource": resource,
        "path": call.path,
        "httpMethod": call.method,
        "headers": {name: values[-1] for name, values in call.many_headers.items()},
        "multiValueHeaders": dict(call.many_headers),
        "queryStringParameters": {name: values[-1] for name, values in query.items()} or None,
        "multiValueQueryStringParameters": query or None,
        "pathParameters": path_parameters(call.path, resource),
        "stageVariables": None,
        "requestContext": context,
        "body": call.body.decode("utf-8", "replace") if call.body else None,
        "isBase64Encoded": False,
    }


def from_lambda(returned: Any) -> Answer:
    """Convert the return value of a function; an invalid one becomes API Gateway's 502."""
    try:
        status, body = int(returned["statusCode"]), returned.get("body") or ""
        headers = [(name, str(value)) for name, value in (returned.get("headers") or {}).items()]
        for name, values in (returned.get("multiValueHeaders") or {}).items():
            headers += [(name, str(value)) for value in values]
        content = base64.b64decode(body) if returned.get("isBase64Encoded") else body.encode()
    except (TypeError, KeyError, ValueError, AttributeError):
        return Answer(
            502, (("Content-Type", "application/json"),), b'{"error": "%s"}' % NO_ANSWER.encode()
        )
    return Answer(status, tuple(headers), content)
