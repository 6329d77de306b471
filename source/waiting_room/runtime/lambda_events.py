# SPDX-License-Identifier: Apache-2.0
"""Conversion of the workers' Lambda events to records of the domain."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from waiting_room.adapters.dynamodb.outcome_items import outcome_from_item
from waiting_room.adapters.join_queue import FIRST_ID, FIRST_SENT, STEP
from waiting_room.adapters.outbox import OutboxMessage, message_of_item
from waiting_room.domain.errors import InvalidInput
from waiting_room.domain.joins import check_request_id, parse_join
from waiting_room.domain.parsing import UNREADABLE
from waiting_room.domain.ports.join_queue import DeadLetter, Receipt
from waiting_room.domain.records import Join, Outcome, SessionStatus

logger = logging.getLogger("waiting_room")
LAST_SECOND = 100_000_000_000  # epoch s; a later time is invalid


def read_joins(
    event: dict[str, Any], event_id: str, redrive_role_id: str = ""
) -> tuple[list[Join], list[DeadLetter]]:
    """Return the joins of an SQS batch, and its invalid messages, each once."""
    joins: list[Join] = []
    dead: dict[str, DeadLetter] = {}
    for record in event["Records"]:
        try:
            joins.append(_read_join(record, event_id, redrive_role_id))
        except (InvalidInput, *UNREADABLE) as error:
            letter = _dead_letter(record, error)
            dead[letter.message_id] = letter
    return joins, list(dead.values())


def read_step_requests(event: dict[str, Any]) -> tuple[dict[str, float], dict[str, Any]]:
    """Return the events of which an SQS batch requests an admission step, and the other messages.

    Each event has the time (epoch s) at which its last request was sent; 0 if that is unknown.

    The worker itself sends these requests. Anyone else's would do no harm: a step admits what is
    due, whoever requests it.
    """
    requested: dict[str, float] = {}
    others: list[Any] = []
    for record in event["Records"]:
        try:
            attribute = (record.get("messageAttributes") or {}).get(STEP)
            event_id = str(attribute["stringValue"]) if attribute else ""
        except UNREADABLE:
            event_id = ""
        if event_id:
            requested[event_id] = max(requested.get(event_id, 0.0), _sent_at(record))
        else:
            others.append(record)
    return requested, {**event, "Records": others}


def _sent_at(record: dict[str, Any]) -> float:
    try:
        return _milliseconds(record["attributes"]["SentTimestamp"]) / 1000
    except (InvalidInput, *UNREADABLE):
        return 0.0


def first_id_and_time(
    message_id: object,
    attributes: Mapping[str, Any],
    more: Mapping[str, Any],
    redrive_role_id: str,
) -> tuple[str, int]:
    """Return a join's request id, and the time (epoch ms) at which SQS first received it.

    ``attributes`` are SQS's own, ``more`` the sender's values by name. Raises InvalidInput when
    attributes of a redrive come from another sender than the redrive role: the visitor would not
    have the request id.
    """
    taken = _milliseconds(attributes["SentTimestamp"])
    if FIRST_ID not in more and FIRST_SENT not in more:
        return check_request_id(message_id), taken
    if not redrive_role_id or not str(attributes["SenderId"]).startswith(f"{redrive_role_id}:"):
        raise InvalidInput(f"{FIRST_ID} and {FIRST_SENT} are accepted from RedriveRole only")
    return check_request_id(more[FIRST_ID]), min(taken, _milliseconds(more[FIRST_SENT]))


def _read_join(record: dict[str, Any], event_id: str, redrive_role_id: str) -> Join:
    message_id = check_request_id(record["messageId"])
    more = {
        name: value["stringValue"]
        for name, value in (record.get("messageAttributes") or {}).items()
        if name in (FIRST_ID, FIRST_SENT)
    }
    request_id, sent_at = first_id_and_time(message_id, record["attributes"], more, redrive_role_id)
    return parse_join(record["body"], request_id, sent_at / 1000, message_id, event_id)


def _milliseconds(value: object) -> int:
    found = int(value) if isinstance(value, str) and len(value) < 20 else 0
    if not 0 < found < LAST_SECOND * 1000:
        raise InvalidInput(
            f"SentTimestamp and {FIRST_SENT} must be whole milliseconds since the epoch"
        )
    return found


def _dead_letter(record: Any, error: Exception) -> DeadLetter:
    """Return the dead letter of a record, also of an invalid record."""
    reason = str(error) if isinstance(error, InvalidInput) else "the message cannot be read"
    if not isinstance(record, dict):
        return DeadLetter("", "", reason)
    message_id, body = record.get("messageId"), record.get("body")
    try:
        sent_at = _milliseconds(record["attributes"]["SentTimestamp"])
    except (InvalidInput, *UNREADABLE):
        sent_at = 0
    known = message_id if isinstance(message_id, str) else ""
    return DeadLetter(known, body if isinstance(body, str) else "", reason, known, sent_at)


def receipts(event: dict[str, Any]) -> dict[str, Receipt]:
    """Return the receipts of a batch by message id; invalid records have none."""
    found: dict[str, Receipt] = {}
    for record in event["Records"]:
        try:
            count = str(record["attributes"].get("ApproximateReceiveCount", "1"))
            handle = str(record["receiptHandle"])
            found[str(record["messageId"])] = Receipt(handle, int(count[:9]))
        except UNREADABLE:
            continue
    return found


def read_tick(event: dict[str, Any]) -> float | None:
    """Return the time (epoch s) at which EventBridge started a schedule; None if it is missing."""
    try:
        at = datetime.fromisoformat(event["time"])
        return at.timestamp() if at.tzinfo else None
    except (OSError, *UNREADABLE):
        return None


@dataclass(frozen=True, slots=True)
class OutcomeBatch:
    """Outcomes of a stream batch, in order.

    ``decided`` are new outcomes and ended sessions, ``extended`` open sessions with a later end.
    """

    decided: list[Outcome] = field(default_factory=list)
    extended: list[Outcome] = field(default_factory=list)


def read_outcomes(event: dict[str, Any]) -> OutcomeBatch:
    """Return the outcomes in a stream batch of the token table, in order.

    An invalid item is logged and skipped. Otherwise the stream would deliver it again for a day,
    and block all later items.
    """
    found = OutcomeBatch()
    for record in event["Records"]:
        try:
            kind = record["eventName"]
            if kind not in ("INSERT", "MODIFY"):
                continue
            outcome = outcome_from_item(record["dynamodb"]["NewImage"])
            is_open = outcome.status is SessionStatus.OPEN
            (found.extended if kind == "MODIFY" and is_open else found.decided).append(outcome)
        except UNREADABLE as error:
            logger.error(
                "skipped an invalid item of the token table's stream: %s", type(error).__name__
            )
    return found


def read_outbox(event: dict[str, Any]) -> Iterator[tuple[str, OutboxMessage]]:
    """Return the new messages in a stream batch of the outbox, each with its sequence number.

    An invalid row is logged and skipped: otherwise it would block all later ones.
    """
    for record in event["Records"]:
        try:
            if record["eventName"] == "INSERT":
                change = record["dynamodb"]
                yield str(change["SequenceNumber"]), message_of_item(change["NewImage"])
        except UNREADABLE as error:
            logger.error("skipped an invalid row of the outbox: %s", type(error).__name__)
