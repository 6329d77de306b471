# SPDX-License-Identifier: Apache-2.0
"""Audit entries as items, in the Events table and in the serving log."""

from __future__ import annotations

import json
import secrets

from waiting_room.adapters.dynamodb.items import Item, text, to_item
from waiting_room.domain.events.audit import AuditEntry, key_at
from waiting_room.domain.limits import AUDIT_LIFE


def new_entry(entry: AuditEntry) -> tuple[str, Item]:
    """Return the sort key of a new entry, which orders entries by time, and its attributes."""
    values = {
        "at": float(entry.at),
        "who": entry.who,
        "role": entry.role,
        "what": entry.what,
        "before": json.dumps(entry.before, ensure_ascii=False),
        "after": json.dumps(entry.after, ensure_ascii=False),
        "ttl": int(entry.at) + AUDIT_LIFE,
    }
    return key_at(entry.at, secrets.token_hex(4)), to_item(values)


def entry_of_item(item: Item) -> AuditEntry:
    """Return the entry that an item contains."""
    return AuditEntry(
        at=float(item["at"]["N"]),
        who=text(item, "who"),
        role=text(item, "role"),
        what=text(item, "what"),
        before=json.loads(text(item, "before")),
        after=json.loads(text(item, "after")),
    )
