# SPDX-License-Identifier: Apache-2.0
"""Parsing of external text: strict JSON, whole numbers and addresses; errors of unreadable text.

JSON is I-JSON (RFC 7493): UTF-8 without a byte order mark; unique member names; strings without
lone surrogates; numbers that a double can represent. No value is nested deeper than MAX_DEPTH.
JSON parsers disagree about all other texts, so two parsers could read one text differently.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any, TypeGuard
from urllib.parse import urlsplit

from waiting_room.domain.errors import InvalidInput, SettingsError

# All errors that access to a parsed text of unknown shape can raise. UnicodeError, binascii.Error
# and JSONDecodeError are subclasses of ValueError; KeyError and IndexError of LookupError.
UNREADABLE = (
    ValueError, TypeError, LookupError, AttributeError, OverflowError, RecursionError,
)  # fmt: skip
MAX_EXACT = 2**53  # up to here a float represents every whole number exactly
MAX_DIGITS = 308  # digits of a whole number in JSON; the largest double has one more
MAX_DEPTH = 500  # nested objects and lists; Python's own limit differs between versions
LARGEST_DIGITS = 15  # digits of a whole number in a setting, a query or a header
LARGEST = 10**LARGEST_DIGITS - 1
# A bracket, or a whole quoted string; an unterminated string extends to the end of the text.
BRACKET = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|[\[\]{}]', re.DOTALL)
LOOPBACK = ("localhost", "127.0.0.1", "::1")  # where plain HTTP is safe
NAME = re.compile(r"[A-Za-z_]{1,40}", re.ASCII)  # an error may quote such a name: it is not an id


class _NoNumber:
    """Placeholder for a number outside the range of a double, until its member's name is known."""


_NO_NUMBER = _NoNumber()


def json_object(source: str | bytes, what: str) -> dict[str, Any]:
    """Parse a JSON object; raises InvalidInput, which names the member or ``what``."""
    content = json_value(source, what)
    if not isinstance(content, dict):
        raise InvalidInput(f"{what} must be a JSON object")
    return content


def json_value(source: str | bytes, what: str) -> Any:
    """Parse a value in I-JSON; raises InvalidInput, which names the member or ``what``.

    ``2.0`` and ``2e3`` are whole numbers, as in JSON Schema.
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
    """Parse ASCII digits as a whole number from ``low`` to ``high``; None for any other text."""
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdigit() and len(digits) <= LARGEST_DIGITS):
        return None
    value = int(text)
    return value if low <= value <= high else None


def is_whole(value: object) -> TypeGuard[int]:
    """Return whether a parsed value is a whole number; ``true`` is not."""
    return isinstance(value, int) and not isinstance(value, bool)


def _is_too_deep(text: str) -> bool:
    """Return whether brackets outside quotes nest deeper than MAX_DEPTH; ignores other errors."""
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
    """Raise InvalidInput for values outside I-JSON; objects were checked when they were parsed."""
    if value is _NO_NUMBER:
        raise InvalidInput(f"{name} must be a number in the range of a double (IEEE 754)")
    if isinstance(value, str) and not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise InvalidInput(f"{name} must not contain an unpaired surrogate") from None
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


# Shared, because `json.loads` would create a decoder per call; that costs more than a short text.
_DECODER = json.JSONDecoder(
    object_pairs_hook=_members,
    parse_int=_whole,
    parse_float=_number,
    parse_constant=lambda _: _NO_NUMBER,
)


def check_address(address: str, setting: str) -> str:
    """Return the address without a slash at the end.

    Raises SettingsError, which names ``setting``, unless it is an https address, or an http
    address of the local machine, without a query, a fragment and credentials. Keys fetched over
    plain HTTP from another machine cannot be trusted.
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
