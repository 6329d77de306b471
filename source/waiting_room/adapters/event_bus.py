# SPDX-License-Identifier: Apache-2.0
"""Event bus on EventBridge, ten events per request."""

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
        """Put events on the bus; raises Unavailable when one was not accepted, for any reason.

        That includes a missing bus and a missing permission: the change that the events describe
        is already made, so the caller must not fail.
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
                    response = self._client.put_events(Entries=entries[start : start + BATCH])
            except ClientError as error:
                code = error.response["Error"]["Code"]
                raise Unavailable(f"the event bus rejected the events: {code}") from None
            if response.get("FailedEntryCount"):
                raise Unavailable("the event bus did not accept every event")
