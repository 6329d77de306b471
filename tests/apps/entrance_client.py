# SPDX-License-Identifier: Apache-2.0
"""A client of the entrance that keeps cookies, as a browser does."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from apps.entrance import app as module
from tests.support.lambda_proxy_events import proxy_event

BROWSER = "text/html,application/xhtml+xml,*/*;q=0.8"


@dataclass(frozen=True)
class Reply:
    """A response of the entrance; ``cookies`` by name with value and attributes."""

    status: int
    headers: Mapping[str, str]
    cookies: Mapping[str, str]
    body: str

    @property
    def location(self) -> str:
        """The address of a redirect."""
        return self.headers["Location"]

    @property
    def json(self) -> Any:
        """The content of a JSON response."""
        return json.loads(self.body)


@dataclass
class EntranceClient:
    """Calls the views of the entrance; ``jar`` has the cookies.

    ``entrance`` returns the response to a proxy event.
    """

    host: str = "shop.example"
    jar: dict[str, str] = field(default_factory=dict)
    entrance: Callable[[Any], Any] = lambda event: module.app(event, None)

    def call(
        self,
        route: str,
        *,
        method: str = "GET",
        accept: str = BROWSER,
        headers: Mapping[str, str] | None = None,
        raw: str | None = None,
        **query: str,
    ) -> Reply:
        """Call a route below ``/_waiting-room/``; cookies of the response go into the jar."""
        cookie = "; ".join(f"{name}={value}" for name, value in self.jar.items())
        sent = {
            "Host": "api.example", "X-Waiting-Room-Host": self.host, "Accept": accept,
            **({"Cookie": cookie} if cookie else {}), **(headers or {}),
        }  # fmt: skip
        event = proxy_event(method, f"/{route}", query=query, headers=sent, raw=raw)
        answer = self.entrance(event)
        set_cookies = [
            one.split("=", 1) for one in answer.get("multiValueHeaders", {}).get("Set-Cookie", [])
        ]
        for name, rest in set_cookies:
            value = rest.split(";")[0]
            if rest.endswith("Max-Age=0"):
                self.jar.pop(name, None)
            else:
                self.jar[name] = value
        cookies = dict(set_cookies)
        return Reply(answer["statusCode"], answer["headers"], cookies, answer["body"])
