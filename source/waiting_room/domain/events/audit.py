# SPDX-License-Identifier: Apache-2.0
"""Audit log of an event: who changed what and when, with the values before and after."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from waiting_room.domain.actors import Actor

AUDIT_LIFE = 90 * 86_400  # seconds for which the table keeps an entry


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One change at ``at`` (epoch s); ``before`` and ``after`` have changed members only."""

    at: float
    who: str
    role: str
    what: str
    before: Mapping[str, Any] = field(default_factory=dict)
    after: Mapping[str, Any] = field(default_factory=dict)


def audit_entry(
    at: float, actor: Actor, what: str, before: Mapping[str, Any], after: Mapping[str, Any]
) -> AuditEntry:
    """Return the entry of a change that ``actor`` made."""
    return AuditEntry(at, actor.who, actor.kind.value, what, before, after)
