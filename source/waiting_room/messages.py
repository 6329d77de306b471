# SPDX-License-Identifier: Apache-2.0
"""What Lambda hands to the workers, as records of the domain."""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Any

from waiting_room.errors import InvalidInput
from waiting_room.queue import read_join
from waiting_room.reading import UNREADABLE
from waiting_room.records import Join, Outcome, OutcomeKind, SessionStatus

logger = logging.getLogger("waiting_room")
REQUEST_ID_ATTRIBUTE = "apigw_request_id"
SENT_AT_ATTRIBUTE = "sent_at_ms"  # of a redriven join: when SQS took it first, ms since the epoch


def read_joins(event: dict[str, Any], event_id: str) -> tuple[list[Join], frozenset[str]]:
    """The joins of an SQS batch, and the ids of messages that are none."""
    joins: list[Join] = []
    dead: set[str] = set()
    for record in event["Records"]:
        message_id = record["messageId"]
        try:
            attributes = record.get("messageAttributes") or {}
            joins.append(
                read_join(
                    record["body"],
                    attributes.get(REQUEST_ID_ATTRIBUTE, {}).get("stringValue"),
                    _sent_at(record, attributes),
                    message_id,
                    event_id,
                )
            )
        except (InvalidInput, *UNREADABLE) as error:
            logger.warning("a message is not a join: %s", type(error).__name__)
            dead.add(message_id)
    return joins, frozenset(dead)


def _sent_at(record: dict[str, Any], attributes: dict[str, Any]) -> float:
    """When SQS took the join (epoch s); a redriven one says when that was the first time."""
    taken = int(record["attributes"]["SentTimestamp"])
    first = attributes.get(SENT_AT_ATTRIBUTE, {}).get("stringValue", taken)
    return min(taken, int(first)) / 1000


def read_tick(event: dict[str, Any]) -> float | None:
    """The time (epoch s) at which EventBridge started a schedule; None when it does not say."""
    try:
        at = datetime.fromisoformat(event["time"])
        return at.timestamp() if at.tzinfo else None
    except (OSError, *UNREADABLE):
        return None


def read_outcomes(event: dict[str, Any]) -> list[Outcome]:
    """The outcomes that a stream batch of the token table tells of, in order.

    A row that is no outcome is left out, with an error in the log: the stream would deliver it
    again until it is a day old, and everything behind it would wait.
    """
    found: list[Outcome] = []
    for record in event["Records"]:
        try:
            if record["eventName"] not in ("INSERT", "MODIFY"):
                continue
            found.append(outcome_from_item(record["dynamodb"]["NewImage"]))
        except UNREADABLE as error:
            logger.error("a row of the token table is no outcome: %s", type(error).__name__)
    return found


def outcome_from_item(item: dict[str, Any]) -> Outcome:
    """An item of the token table as a record."""
    return Outcome(
        event_id=item["event_id"]["S"],
        generation=int(item["generation"]["N"]),
        position=int(item["position"]["N"]),
        request_id=item["request_id"]["S"],
        kind=OutcomeKind(item["kind"]["S"]),
        at=int(item["at"]["N"]),
        expires_at=int(item.get("expires_at", {"N": "0"})["N"]),
        issuer=item.get("issuer", {"S": ""})["S"],
        key_id=item.get("key_id", {"S": ""})["S"],
        status=SessionStatus(item["session_status"]["S"]),
    )
