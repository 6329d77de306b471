# SPDX-License-Identifier: Apache-2.0
"""The operator of a load test: signed calls to the private API, and admission at a steady rate."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlencode

from botocore.credentials import Credentials

from deployment.load_test.record import Record
from deployment.load_test.target import RoomUnderTest
from waiting_room.adapters.http.signed_client import NoResponse, SignedClient, TimeLimits

LIMITS = TimeLimits(connect=2, read=30)
BETWEEN = 1.0  # seconds between two raises


class OperatorError(Exception):
    """A call of the private API failed; the text names the path and the status."""


class Operator:
    """Calls the private API of the tested room with the operator's AWS keys."""

    def __init__(self, target: RoomUnderTest) -> None:
        self._target = target
        keys = Credentials(
            target.access_key_id, target.secret_access_key, target.session_token or None
        )
        self._client = SignedClient("execute-api", target.region, lambda: keys, LIMITS)

    def call(self, method: str, path: str, content: Mapping[str, Any] | None = None) -> Any:
        """Return the content of a 200; raises OperatorError for everything else."""
        url, body = f"{self._target.private_api}{path}", b""
        given = {"event_id": self._target.event_id, **(content or {})}
        headers = {}
        if method == "GET":
            url += "?" + urlencode(given)
        else:
            body, headers = json.dumps(given).encode(), {"Content-Type": "application/json"}
        try:
            response = self._client.send(method, url, body, headers)
        except NoResponse as error:
            raise OperatorError(f"{path} failed: {error}") from None
        if response.status != 200:
            start = response.body[:200].decode(errors="replace")
            raise OperatorError(f"{path} returned status {response.status}: {start}")
        return json.loads(response.body)

    def metrics(self) -> dict[str, Any]:
        """Return all metrics of the event."""
        metrics: dict[str, Any] = self.call("GET", "/metrics")
        return metrics

    def reset(self) -> None:
        """Reset the event."""
        self.call("POST", "/reset_initial_state")

    def raise_counter(self, by: int) -> int:
        """Raise the serving counter; return its new value."""
        return int(
            self.call("POST", "/increment_serving_counter", {"increment_by": by})["serving_num"]
        )


class Admission:
    """Raises the serving counter once a second by the admission rate, up to ``most``."""

    def __init__(
        self,
        operator: Operator,
        record: Record,
        *,
        per_minute: float,
        most: int,
        began: float,
        sleep: Callable[[float], None],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._operator, self._record, self._began = operator, record, began
        self._rate, self._most = per_minute / 60, most
        self._sleep, self._monotonic = sleep, monotonic
        self.admitted = 0
        self.troubles = 0

    def run(self) -> None:
        """Run until all are admitted. A failed call is not repeated: its effect is unknown."""
        while self.admitted < self._most:
            self._sleep(BETWEEN)
            now = self._monotonic() - self._began
            wanted = min(self._most, int(now * self._rate))
            if wanted > self.admitted:
                self._raise(wanted - self.admitted, now)

    def _raise(self, by: int, now: float) -> None:
        """Record the new bound before the call, so that it is never too low."""
        self._record.raises.append((now, self._record.bound_at(now) + by))
        self.admitted += by
        try:
            self._operator.raise_counter(by)
        except OperatorError:
            self.troubles += 1
