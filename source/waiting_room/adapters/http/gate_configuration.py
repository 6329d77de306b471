# SPDX-License-Identifier: Apache-2.0
"""Read the configuration of a gate from the private API, signed with SigV4.

The body has the keys of the gate: neither this module nor an error shows it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

from waiting_room.adapters.http.signed_client import (
    NoResponse,
    RetryPolicy,
    SignedClient,
    TimeLimits,
    credentials,
)
from waiting_room.domain.errors import InvalidInput, SettingsError, Unavailable
from waiting_room.domain.parsing import json_object

SERVICE = "execute-api"
LIMITS = TimeLimits(connect=1.0, read=5.0)  # s; a cold function responds in two or three


class GateConfigurationReader:
    """Returns the body of ``GET /events/{id}/gate``. ``provide`` returns botocore credentials."""

    def __init__(
        self,
        endpoint: str,
        region: str,
        provide: Callable[[], Any] = credentials,
        pool: Any = None,
    ) -> None:
        self._endpoint = endpoint.rstrip("/")
        self._client = SignedClient(
            SERVICE, region, provide, LIMITS, RetryPolicy(), connections=1, pool=pool
        )

    def __call__(self, event_id: str) -> Mapping[str, Any]:
        """Return the body for one event. Raises Unavailable for any failure."""
        path = f"/events/{quote(event_id, safe='')}/gate"
        try:
            response = self._client.send("GET", self._endpoint + path)
        except NoResponse as error:
            raise Unavailable(f"the private API did not respond: {error.reason}") from None
        except SettingsError as error:
            raise Unavailable(str(error)) from None
        if response.status != 200:
            raise Unavailable(f"the private API returned status {response.status}")
        try:
            return json_object(response.body, "the response")
        except InvalidInput as error:
            raise Unavailable(f"the private API returned invalid JSON: {error}") from None
