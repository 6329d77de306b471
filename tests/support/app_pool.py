# SPDX-License-Identifier: Apache-2.0
"""The private API of a room in memory, as the connection pool of a signed client."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import apps.private_api.app
from tests.support.fakes.events_api import FakeResponse
from tests.support.lambda_proxy_events import call


class AppPool:
    """The pool; ``changes`` counts the calls that are not a GET."""

    def __init__(self) -> None:
        self.changes = 0

    def request(
        self, method: str, url: str, body: bytes | None, headers: dict[str, str], **_: Any
    ) -> FakeResponse:
        self.changes += method != "GET"
        parts = urlsplit(url)
        content = json.loads(body) if body else None
        answer = call(
            apps.private_api.app.app, method, parts.path, query=parse_qs(parts.query),
            body=content, headers=headers,
        )  # fmt: skip
        return FakeResponse(answer.status, answer.text.encode())
