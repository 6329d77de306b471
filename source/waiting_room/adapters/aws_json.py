# SPDX-License-Identifier: Apache-2.0
"""AWS services of the JSON protocol, without a service model: a request is JSON, signed and sent.

A botocore client reads the description of a whole service before its first request, which is most
of a cold start. The room makes a dozen known calls, in the protocol's own names and shapes, so it
needs no description. A client here answers and fails as a botocore client does; see
docs/decisions/0065.
"""

from __future__ import annotations

import json
import random
import time
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from functools import partial
from types import SimpleNamespace
from typing import Any

import urllib3

from waiting_room.adapters.sigv4 import Credentials, Signer

MAX_CONNECTIONS = 50  # a warm function needs one, a batch of inserts eight, the local stack more
PAUSE = 0.05  # s before the second try, doubled before the third, with jitter
# Answers that say: not now. Everything else that AWS refuses is a fault of ours, and stays one.
BUSY_CODES = {
    "InternalServerError",
    "InternalFailure",
    "InternalServiceErrorException",
    "LimitExceededException",
    "ProvisionedThroughputExceeded",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "ServiceUnavailable",
    "ServiceUnavailableException",
    "Throttling",
    "ThrottlingError",
    "ThrottlingException",
    "TransactionConflict",
    "TransactionConflictException",
}
# by service: the prefix of its targets, the version of the protocol
PROTOCOLS = {
    "dynamodb": ("DynamoDB_20120810", "1.0"),
    "events": ("AWSEvents", "1.1"),
    "secretsmanager": ("secretsmanager", "1.1"),
}


class NoAnswer(Exception):
    """The service did not answer in time."""


class ServiceError(Exception):
    """The service refused; ``response`` has what it said, ``Error.Code`` foremost."""

    def __init__(self, response: Mapping[str, Any]) -> None:
        super().__init__(response["Error"]["Code"])
        self.response = response


class ConditionalCheckFailedException(ServiceError):
    """A condition did not hold: nothing was written."""


class ResourceNotFoundException(ServiceError):
    """There is no such table, bus or secret."""


KINDS = {
    kind.__name__: kind for kind in (ConditionalCheckFailedException, ResourceNotFoundException)
}


class JsonClient:
    """A client of one service; ``put_item(…)`` calls ``PutItem``. Safe for threads.

    No answer, throttling and the service's own errors are tried again, ``attempts`` times in all.
    """

    exceptions = SimpleNamespace(ClientError=ServiceError, **KINDS)

    def __init__(
        self,
        service: str,
        endpoint: str,
        region: str,
        credentials: Callable[[], Credentials],
        *,
        timeout: urllib3.Timeout,
        attempts: int,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._target, version = PROTOCOLS[service]
        self._type = f"application/x-amz-json-{version}"
        self._pool = urllib3.connection_from_url(
            endpoint, maxsize=MAX_CONNECTIONS, timeout=timeout, retries=False
        )
        self._host = urllib3.util.parse_url(endpoint).netloc or ""
        self._signer = Signer(service, region, self._host)
        self._credentials, self._attempts, self._pause = credentials, attempts, pause

    def __getattr__(self, name: str) -> Callable[..., dict[str, Any]]:
        operation = "".join(word.capitalize() for word in name.split("_"))
        call: Callable[..., dict[str, Any]] = partial(self._call, operation)
        self.__dict__[name] = call
        return call

    def _call(self, operation: str, **request: Any) -> dict[str, Any]:
        body = json.dumps(request, separators=(",", ":"), default=_text_of).encode()
        for attempt in range(1, self._attempts + 1):
            try:
                return self._send(operation, body)
            except (NoAnswer, ServiceError) as error:
                if attempt == self._attempts or not _may_repeat(error):
                    raise
            self._pause(PAUSE * 2 ** (attempt - 1) * random.uniform(0.5, 1.5))
        raise AssertionError("a client makes one attempt at least")

    def _send(self, operation: str, body: bytes) -> dict[str, Any]:
        target = {"content-type": self._type, "x-amz-target": f"{self._target}.{operation}"}
        headers = self._signer.headers(target, body, self._credentials(), time.time())
        try:
            answer = self._pool.urlopen("POST", "/", body=body, headers=headers, redirect=False)
        except urllib3.exceptions.HTTPError as error:
            raise NoAnswer(type(error).__name__) from None
        try:
            content = _read(answer.data)
        except ValueError:
            content = {}
        if answer.status == 200:
            return content
        raise _refusal(answer.status, content)


def _text_of(value: object) -> str:
    """Binary attributes travel as base64; nothing else needs a form of its own."""
    if isinstance(value, bytes | bytearray):
        return b64encode(value).decode()
    raise TypeError(f"{type(value).__name__} cannot be sent")


def _read(data: bytes) -> dict[str, Any]:
    found = json.loads(data or b"{}", object_hook=_with_bytes if b'"B"' in data else None)
    if not isinstance(found, dict):
        raise ValueError
    return found


def _with_bytes(part: dict[str, Any]) -> dict[str, Any]:
    if len(part) == 1 and isinstance(part.get("B"), str):
        return {"B": b64decode(part["B"])}
    return part


def _may_repeat(error: NoAnswer | ServiceError) -> bool:
    if isinstance(error, NoAnswer):
        return True
    status: int = error.response["ResponseMetadata"]["HTTPStatusCode"]
    return status >= 500 or error.response["Error"]["Code"] in BUSY_CODES


def _refusal(status: int, content: dict[str, Any]) -> ServiceError:
    code = str(content.get("__type", "")).rpartition("#")[2].partition(":")[0]
    message = content.get("message", content.get("Message", ""))
    kind = KINDS.get(code, ServiceError)
    return kind(
        {
            **content,
            "Error": {"Code": code, "Message": message},
            "ResponseMetadata": {"HTTPStatusCode": status},
        }
    )
