# SPDX-License-Identifier: Apache-2.0
"""A DynamoDB client that returns prepared responses, and rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError

EVENT, NOW = "Sample", 1_800_000_000


class Refused(ClientError):
    """A condition did not hold."""


def failed(code: str, status: int = 400) -> ClientError:
    said: Any = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(said, "Call")


def refused(**more: Any) -> Refused:
    said: Any = {"Error": {"Code": "ConditionalCheckFailedException"}, **more}
    return Refused(said, "Call")


class Client:
    """Answers its script in order, then the last answer; keeps what it was asked."""

    class exceptions:
        ConditionalCheckFailedException = Refused
        ClientError = ClientError

    def __init__(self, *script: Any) -> None:
        self.script, self.asked = list(script), list[tuple[str, dict[str, Any]]]()

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(**request: Any) -> Any:
            self.asked.append((name, request))
            told = self.script.pop(0) if len(self.script) > 1 else self.script[0]
            if isinstance(told, Exception):
                raise told
            return told(request) if callable(told) else told

        return call
