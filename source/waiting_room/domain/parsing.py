# SPDX-License-Identifier: Apache-2.0
"""Reading text that others wrote: strict JSON, whole numbers, and what an unreadable text raises.

JSON is I-JSON (RFC 7493): UTF-8 without a byte order mark; each member once; texts without lone
surrogates; numbers that a double can hold. No value is nested deeper than MAX_DEPTH. Readers differ
in the rest, and two that differ about one text are two rules.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any, TypeGuard
from urllib.parse import urlsplit

from waiting_room.domain.errors import InvalidInput, SettingsError

# Every error that looking into a parsed text of unknown shape can raise. UnicodeError, binascii's
# error and JSONDecodeError are kinds of ValueError, KeyError and IndexError of LookupError.
UNREADABLE = (
    ValueError, TypeError, LookupError, AttributeError, OverflowError, RecursionError,
)  # fmt: skip
MAX_EXACT = 2**53  # up to here every whole number is a float of its own
MAX_DIGITS = 308  # of a whole number in JSON; the largest double has one more
MAX_DEPTH = 500  # of objects and lists in each other; Python's own limit differs by its version
LARGEST_DIGITS = 15  # of a whole number in a setting, a query or a header
LARGEST = 10**LARGEST_DIGITS - 1
# A bracket, or a text in quotes with all that is in it; one that does not end goes on to the end.
BRACKET = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|[\[\]{}]', re.DOTALL)
LOOPBACK = ("localhost", "127.0.0.1", "::1")  # where plain HTTP is safe
NAME = re.compile(r"[A-Za-z_]{1,40}", re.ASCII)  # a name that may be repeated: no id looks like it


class _NoNumber:
    """Stands for a number that a double cannot hold, until the name of its member is known."""


_NO_NUMBER = _NoNumber()


def json_object(source: str | bytes, what: str) -> dict[str, Any]:
    """The JSON object in ``source``; raises InvalidInput, which names the member or ``what``."""
    content = json_value(source, what)
    if not isinstance(content, dict):
        raise InvalidInput(f"{what} must be a JSON object")
    return content


def json_value(source: str | bytes, what: str) -> Any:
    """The I-JSON in ``source``; raises InvalidInput, which names the member or ``what``.

    ``2.0`` and ``2e3`` are whole numbers, as JSON Schema has it.
    """
    try:
        text = source.decode("utf-8") if isinstance(source, bytes) else source
        if _is_too_deep(text):
            raise InvalidInput(f"{what} is not valid JSON")
        content = _DECODER.decode(text)
        _check(content, what)
    except UNREADABLE:
        raise InvalidInput(f"{what} is not valid JSON") from None
    return content


def read_whole(text: str, low: int, high: int) -> int | None:
    """The whole number that ``text`` spells in ASCII digits; None when it is none of these."""
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdigit() and len(digits) <= LARGEST_DIGITS):
        return None
    value = int(text)
    return value if low <= value <= high else None


def is_whole(value: object) -> TypeGuard[int]:
    """Whether a parsed value is a whole number; ``true`` is none."""
    return isinstance(value, int) and not isinstance(value, bool)


def _is_too_deep(text: str) -> bool:
    """Whether brackets outside quotes open more than MAX_DEPTH levels; the rest is not judged."""
    if text.count("[") + text.count("{") <= MAX_DEPTH:
        return False
    depth = 0
    for found in BRACKET.finditer(text):
        if found[0] in "[{":
            depth += 1
            if depth > MAX_DEPTH:
                return True
        elif found[0] in "]}":
            depth -= 1
    return False


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        shown = name if NAME.fullmatch(name) else "a member"
        if name in found:
            raise InvalidInput(f"{shown} may be given once only")
        _check(name, shown)
        _check(value, shown)
        found[name] = value
    return found


def _check(value: object, name: str) -> None:
    """Refuse what I-JSON does not have; objects were checked when they were read."""
    if value is _NO_NUMBER:
        raise InvalidInput(f"{name} is not a number that JSON can hold")
    if isinstance(value, str) and not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise InvalidInput(f"{name} has half of a surrogate pair") from None
    if isinstance(value, list):
        for part in value:
            _check(part, name)


def _whole(text: str) -> int | _NoNumber:
    return int(text) if len(text) <= MAX_DIGITS else _NO_NUMBER


def _number(text: str) -> float | _NoNumber:
    value = float(text)
    if not math.isfinite(value):
        return _NO_NUMBER
    return int(value) if value.is_integer() and abs(value) <= MAX_EXACT else value


# One for all texts: `json.loads` would make one for each, which takes longer than a short text.
_DECODER = json.JSONDecoder(
    object_pairs_hook=_members,
    parse_int=_whole,
    parse_float=_number,
    parse_constant=lambda _: _NO_NUMBER,
)


def check_address(address: str, setting: str) -> str:
    """Return the address without a slash at the end.

    Raises SettingsError, which names ``setting``, unless it is an https address, or an http
    address of the local machine, without a query, a fragment and credentials. Keys that were
    fetched over plain HTTP from another machine cannot be trusted.
    """
    try:
        parts = urlsplit(address)
        plain = parts.scheme == "http" and parts.hostname in LOOPBACK
        known = bool(parts.hostname) and (parts.scheme == "https" or plain) and parts.port != 0
        known = known and parts.username is None and "\\" not in address
    except ValueError:  # an unclosed bracket, or an invalid port
        known = False
    if (
        not known
        or parts.query
        or parts.fragment
        or not all("!" <= sign <= "~" for sign in address)
    ):
        raise SettingsError(
            f"The setting {setting} must be an https address, or an http address of this machine, "
            "with a port up to 65535."
        )
    return address.rstrip("/")
