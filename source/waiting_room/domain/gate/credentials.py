# SPDX-License-Identifier: Apache-2.0
"""Credentials of a gate: session, renewal marker, probe, join and hand-over ticket.

A credential is printable ASCII. Numbers are in base 36, times are epoch seconds. A session is
``1:key id:event:generation:position:issued:expires:MAC``. The MAC is HMAC-SHA256 in base64url over
a label and all that precedes it. Each kind has a label of its own, so that no credential passes for
another kind. Nothing is decoded before the MAC is verified.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise

VERSION = "1"
KEY_ID = re.compile(r"[A-Za-z0-9]{1,16}")
FIELD = re.compile(r"[0-9a-z]{1,10}")
DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
MAX_CREDENTIAL = 256  # characters
TICKET_LIFE = 60  # s for which a hand-over ticket is valid


@dataclass(frozen=True, slots=True)
class GateKeys:
    """Keys by key id; ``signing`` is the id of the key that signs. The others only verify."""

    signing: str
    keys: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class GateSession:
    """Session of one position. Times are epoch seconds; it is valid before ``expires``."""

    event_id: str
    generation: int
    position: int
    issued: int
    expires: int

    @property
    def session_id(self) -> str:
        """The value of the header ``X-Waiting-Room-Session``."""
        return f"{self.event_id}:{self.generation}:{self.position}"


def mac(key: str, text: str) -> str:
    """Return HMAC-SHA256 in base64url without padding. The key is used as text."""
    found = hmac.new(key.encode(), text.encode(), hashlib.sha256).digest()
    return urlsafe_b64encode(found).decode().rstrip("=")


def encode_session(session: GateSession, keys: GateKeys) -> str:
    """Return the value of a session cookie."""
    return _signed("session", _fields(session, keys.signing), keys)


def encode_probe(event_id: str, now: int, keys: GateKeys) -> str:
    """Return the value of a probe cookie, which shows that the client keeps cookies."""
    return _signed("probe", ":".join((VERSION, keys.signing, event_id, base36(now))), keys)


def encode_join(event_id: str, request_id: str, keys: GateKeys) -> str:
    """Return the value of the cookie that shows that the client has joined with this id."""
    digits = request_id.replace("-", "")
    parts = (digits[at : at + 8] for at in range(0, 32, 8))
    return _signed("join", ":".join((VERSION, keys.signing, event_id, *parts)), keys)


def encode_ticket(session: GateSession, host: str, now: int, keys: GateKeys) -> str:
    """Return a ticket that hands a session over to another host for TICKET_LIFE seconds."""
    content = f"{_fields(session, keys.signing)}:{base36(now + TICKET_LIFE)}"
    return _signed(f"handover/{host}", content, keys)


def renewal_marker(session: str, keys: GateKeys) -> str:
    """Return the marker of a verified session cookie that is being renewed."""
    content = session.rpartition(":")[0]
    return mac(keys.keys[session.split(":")[1]], _labelled("renewing", content))


def decode_session(text: str, keys: GateKeys) -> GateSession | None:
    """Return a session whose MAC is valid, also an expired one; otherwise None."""
    fields = _verified("session", text, 8, keys)
    return _session(fields) if fields else None


def decode_probe(text: str, keys: GateKeys) -> tuple[str, int] | None:
    """Return event id and time of a probe whose MAC is valid; otherwise None."""
    fields = _verified("probe", text, 5, keys)
    return (fields[2], int(fields[3], 36)) if fields else None


def decode_join(text: str, keys: GateKeys) -> tuple[str, str] | None:
    """Return event id and request id of a join whose MAC is valid; otherwise None."""
    fields = _verified("join", text, 8, keys)
    if fields is None:
        return None
    digits = "".join(fields[3:7])
    cuts = (0, 8, 12, 16, 20, 32)
    return fields[2], "-".join(digits[low:high] for low, high in pairwise(cuts))


def decode_ticket(text: str, host: str, now: int, keys: GateKeys) -> GateSession | None:
    """Return the session of a ticket for this host, while the ticket is valid; otherwise None."""
    fields = _verified(f"handover/{host}", text, 9, keys)
    return _session(fields) if fields and now < int(fields[7], 36) else None


def base36(number: int) -> str:
    """Return a number from 0 in base 36."""
    digits = ""
    while number or not digits:
        number, digit = divmod(number, 36)
        digits = DIGITS[digit] + digits
    return digits


def _fields(session: GateSession, key_id: str) -> str:
    numbers = (session.generation, session.position, session.issued, session.expires)
    return ":".join((VERSION, key_id, session.event_id, *map(base36, numbers)))


def _session(fields: list[str]) -> GateSession:
    return GateSession(fields[2], *(int(field, 36) for field in fields[3:7]))


def _labelled(kind: str, content: str) -> str:
    return f"waiting-room/{kind}/{VERSION}:{content}"


def _signed(kind: str, content: str, keys: GateKeys) -> str:
    return f"{content}:{mac(keys.keys[keys.signing], _labelled(kind, content))}"


def _verified(kind: str, text: str, count: int, keys: GateKeys) -> list[str] | None:
    """Return the fields of a credential with a valid MAC; otherwise None."""
    fields = text.split(":")
    if len(text) > MAX_CREDENTIAL or len(fields) != count or fields[0] != VERSION:
        return None
    if not text.isascii() or (key := keys.keys.get(fields[1])) is None:
        return None
    content, _, given = text.rpartition(":")
    if not hmac.compare_digest(mac(key, _labelled(kind, content)), given):
        return None
    return fields if all(map(FIELD.fullmatch, fields[3:-1])) else None
