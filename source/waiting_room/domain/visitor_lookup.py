# SPDX-License-Identifier: Apache-2.0
"""Whom an operator asks about: by request id, by queue number, or by support reference.

A visitor's page shows the reference, ``1234-9F3C``: the queue number, and the last four digits of a
check sum of the request id. The check finds a digit that was read out wrongly; it is no secret.
"""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass

from waiting_room.domain.errors import InvalidInput
from waiting_room.domain.joins import check_request_id
from waiting_room.domain.parsing import LARGEST, read_whole

REFERENCE = re.compile(r"([1-9][0-9]{0,14})-([0-9A-Fa-f]{4})", re.ASCII)


@dataclass(frozen=True, slots=True)
class VisitorQuery:
    """One visitor: either ``request_id``, or a ``number`` of the line that stands now.

    ``check`` is that of a reference, upper-case; empty when only the number is known.
    """

    request_id: str = ""
    number: int = 0
    check: str = ""


def check_of(request_id: str) -> str:
    """The last four hexadecimal digits, upper-case, of the CRC-32 of a lower-case request id."""
    return f"{zlib.crc32(request_id.encode()) & 0xFFFF:04X}"


def reference_of(number: int, request_id: str) -> str:
    """The reference that a visitor with this queue number reads on the page."""
    return f"{number}-{check_of(request_id)}"


def parse_visitor_query(
    request_id: str | None, number: str | None, reference: str | None
) -> VisitorQuery:
    """Whom the parameters of a look-up mean, exactly one of which is given; raises InvalidInput."""
    if [request_id, number, reference].count(None) != 2:
        raise InvalidInput("exactly one of request_id, queue_number and reference is needed")
    if request_id is not None:
        return VisitorQuery(request_id=check_request_id(request_id))
    if number is not None:
        value = read_whole(number, 1, LARGEST)
        if value is None:
            raise InvalidInput(f"queue_number must be a whole number from 1 to {LARGEST}")
        return VisitorQuery(number=value)
    found = REFERENCE.fullmatch(reference or "")
    if not found:
        raise InvalidInput(
            "reference must be a queue number, a hyphen and 4 hexadecimal digits, as in 1234-9F3C"
        )
    return VisitorQuery(number=int(found[1]), check=found[2].upper())
