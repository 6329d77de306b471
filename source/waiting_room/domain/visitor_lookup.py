# SPDX-License-Identifier: Apache-2.0
"""Visitor look-up: by request id, by queue number, or by support reference.

The waiting page shows the reference, for example ``1234-9F3C``: the queue number and the last four
digits of a checksum of the request id. The checksum detects a misread digit; it is not a secret.
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
    """One visitor: either ``request_id``, or a queue ``number`` of the current generation.

    ``check`` is the checksum of a reference, upper-case; empty when only the number is known.
    """

    request_id: str = ""
    number: int = 0
    check: str = ""


def check_of(request_id: str) -> str:
    """Return the last four hexadecimal digits, upper-case, of a lower-case request id's CRC-32."""
    return f"{zlib.crc32(request_id.encode()) & 0xFFFF:04X}"


def reference_of(number: int, request_id: str) -> str:
    """Return the support reference that the waiting page shows for this queue number."""
    return f"{number}-{check_of(request_id)}"


def parse_visitor_query(
    request_id: str | None, number: str | None, reference: str | None
) -> VisitorQuery:
    """Parse the parameters of a look-up; raises InvalidInput unless exactly one is given."""
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
