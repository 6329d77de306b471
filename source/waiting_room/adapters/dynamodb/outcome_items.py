# SPDX-License-Identifier: Apache-2.0
"""Items of the token table. The stream of the table delivers them too."""

from __future__ import annotations

from typing import Any

from waiting_room.adapters.dynamodb.items import Item, shard_of, to_item
from waiting_room.domain.limits import ROW_LIFE
from waiting_room.domain.records import Outcome, OutcomeKind, SessionStatus


def item_of(outcome: Outcome) -> Item:
    """Return the item of an outcome; an expiry has no token attributes. TTL deletes both."""
    values: dict[str, Any] = {
        "shard": shard_of(outcome.event_id, outcome.generation, outcome.position),
        "position": outcome.position,
        "event_id": outcome.event_id,
        "generation": outcome.generation,
        "request_id": outcome.request_id,
        "kind": outcome.kind.value,
        "at": outcome.at,
        "session_status": outcome.status.value,
        "ttl": outcome.at + ROW_LIFE,
    }
    if outcome.is_token:
        values |= {
            "expires_at": outcome.expires_at,
            "issuer": outcome.issuer,
            "key_id": outcome.key_id,
        }
        if outcome.session_until is not None:
            values["session_until"] = outcome.session_until
    return to_item(values)


def outcome_from_item(item: dict[str, Any]) -> Outcome:
    """Read an item of the token table; raises one of UNREADABLE for an invalid item."""
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
        ended_at=int(item.get("ended_at", {"N": "0"})["N"]),
        session_until=int(item["session_until"]["N"]) if "session_until" in item else None,
    )
