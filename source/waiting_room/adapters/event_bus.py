# SPDX-License-Identifier: Apache-2.0
"""The event bus on EventBridge, ten events a request."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from waiting_room.adapters.aws import translate_errors
from waiting_room.domain.errors import Unavailable

SOURCE = "custom.waitingroom"
BATCH = 10  # entries of one PutEvents, EventBridge's limit


class EventBridgeBus:
    """The Events port on EventBridge."""

    def __init__(self, client: Any, bus: str) -> None:
        self._client, self._bus = client, bus

    def publish(self, detail_type: str, details: Sequence[Mapping[str, object]]) -> None:
        """Put events on the bus; raises Unavailable when one was not taken, for any reason.

        A bus that is gone or forbids the call is no fault of the caller: what the events tell of
        has happened.
        """
        from botocore.exceptions import ClientError

        entries = [
            {
                "Source": SOURCE,
                "DetailType": detail_type,
                "Detail": json.dumps(detail),
                "EventBusName": self._bus,
            }
            for detail in details
        ]
        for start in range(0, len(entries), BATCH):
            try:
                with translate_errors("the event bus"):
                    answer = self._client.put_events(Entries=entries[start : start + BATCH])
            except ClientError as error:
                code = error.response["Error"]["Code"]
                raise Unavailable(f"the event bus refused: {code}") from None
            if answer.get("FailedEntryCount"):
                raise Unavailable("the event bus did not take every event")
