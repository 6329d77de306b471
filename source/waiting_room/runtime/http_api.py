# SPDX-License-Identifier: Apache-2.0
"""HTTP: parameters, headers, and the mapping of errors to statuses."""

from __future__ import annotations

import base64
import functools
import json
import logging
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from chalice import Response

from waiting_room.domain.errors import (
    EventConflict,
    Gone,
    InvalidInput,
    KeysBusy,
    NoLiveSession,
    NotAssignedYet,
    NotServedYet,
    OtherGeneration,
    PhaseForbids,
    RoomError,
    SessionRefused,
    StaleVersion,
    Unavailable,
    UnknownEvent,
    UnknownKey,
    UnknownRequest,
    WrongClientSecret,
)
from waiting_room.domain.parsing import json_object, read_whole
from waiting_room.runtime.safe_traceback import safe_traceback

STATUS: tuple[tuple[type[RoomError], int], ...] = (
    (InvalidInput, 400),
    (WrongClientSecret, 403),
    (SessionRefused, 403),
    (UnknownRequest, 404),
    (UnknownKey, 404),
    (NoLiveSession, 404),
    (UnknownEvent, 404),
    (PhaseForbids, 409),
    (StaleVersion, 409),
    (EventConflict, 409),
    (OtherGeneration, 409),
    (KeysBusy, 409),
    (NotAssignedYet, 202),
    (NotServedYet, 202),
    (Gone, 410),
    (Unavailable, 503),
)

MAX_BODY = 16_384  # bytes; the largest valid body of the contract is much smaller
MAX_EVENT_ID = 64
VERSION = re.compile(r'"([1-9][0-9]{0,8})"', re.ASCII)

CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Headers": "Content-Type,Authorization,X-Amz-Date,X-Amz-Security-Token,"
    "X-Api-Key,If-Match",
    "Access-Control-Allow-Methods": "GET,HEAD,POST,PUT,PATCH,DELETE,OPTIONS",
    # Date: a browser that signs its calls computes its clock difference from it
    "Access-Control-Expose-Headers": "Retry-After,X-Next-Token,Date",
    "Access-Control-Max-Age": "600",
}
NO_STORE = "no-store"
LONGEST_STALE = 5  # s; the longest use of a response from before a reset, also in an outage
# For every route: clients of the AWS solution send JSON as `text/plain`, as a form, or without a
# type. Chalice would return a 415 of its own.
ANY_TYPE = ["*/*"]

logger = logging.getLogger("waiting_room")
View = TypeVar("View", bound=Callable[..., Any])


def cached(seconds: int) -> str:
    """Return the ``Cache-Control`` for browser and edge, for ``seconds``.

    Without ``stale-if-error`` an edge serves an expired response for as long as the origin fails.
    """
    return f"public, max-age={seconds}, stale-if-error={max(0, LONGEST_STALE - seconds)}"


def json_response(
    body: Mapping[str, Any] | list[Any],
    status: int = 200,
    cache: str = NO_STORE,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Return a JSON response with CORS and cache headers."""
    return Response(
        body=json.dumps(body),
        status_code=status,
        headers={
            "Content-Type": "application/json",
            "Cache-Control": cache,
            **CORS,
            **(headers or {}),
        },
    )


def status_of(error: RoomError) -> int:
    """Return the HTTP status of a domain error."""
    return next((status for kind, status in STATUS if isinstance(error, kind)), 500)


def json_handler(view: View) -> View:
    """Decorate a Chalice view: convert domain errors to their status, all others to a 500.

    Chalice converts a view's exception to a 500 before any middleware runs, so this is a decorator
    of the view. The log contains the route and nothing else of the request.
    """

    @functools.wraps(view)
    def answered(*args: Any, **kwargs: Any) -> Response:
        try:
            result = view(*args, **kwargs)
            return result if isinstance(result, Response) else json_response(result)
        except KeysBusy as error:
            wait = {"Retry-After": str(error.retry_after)}
            return json_response({"error": str(error)}, status_of(error), headers=wait)
        except Unavailable as error:
            logger.warning("%s: unavailable: %s", view.__name__, error)
            wait = {"Retry-After": str(error.retry_after)}
            return json_response(
                {"error": "the waiting room is busy; try again shortly"}, 503, headers=wait
            )
        except RoomError as error:
            return json_response({"error": str(error), **error.members}, status_of(error))
        except Exception as error:
            logger.error("%s: unexpected %s", view.__name__, safe_traceback(error))
            return json_response({"error": "internal error"}, 500)

    return answered  # type: ignore[return-value]


def query(request: Any, name: str) -> str:
    """Return a required query parameter; raises InvalidInput unless it is given once."""
    values = _query_values(request, name)
    if len(values) != 1 or not values[0]:
        raise InvalidInput(f"{name} must be given exactly once in the query string")
    return values[0]


def optional_query(request: Any, name: str) -> str | None:
    """Return an optional query parameter; raises InvalidInput when it is given more than once."""
    values = _query_values(request, name)
    if len(values) > 1:
        raise InvalidInput(f"{name} may be given once only")
    return values[0] if values else None


def _query_values(request: Any, name: str) -> list[str]:
    params = request.query_params
    return list(params.getlist(name)) if params and name in params else []


def body(request: Any, *, optional: bool = False) -> dict[str, Any]:
    """Return the JSON object in the request's body, independent of its content type.

    Without a body, an ``optional`` one is an empty object. Raises InvalidInput for any other body.
    """
    try:
        raw: bytes = request.raw_body or b""
    except ValueError:  # not UTF-8, or invalid base64
        raise InvalidInput("the body is not valid JSON") from None
    if optional and not raw:
        return {}
    if len(raw) > MAX_BODY:
        raise InvalidInput(f"the body is longer than {MAX_BODY} bytes")
    return json_object(raw, "the body")


def text(content: Mapping[str, Any], name: str, *, longest: int) -> str:
    """Return a required text member of a body; raises InvalidInput."""
    value = content.get(name)
    if not isinstance(value, str) or len(value) > longest:
        raise InvalidInput(f"{name} must be a text of at most {longest} characters")
    return value


def whole_number(text_value: str | None, name: str, low: int, high: int) -> int | None:
    """Parse a whole number of a query string, from ``low`` to ``high``; raises InvalidInput."""
    if text_value is None:
        return None
    value = read_whole(text_value, low, high)
    if value is None:
        raise InvalidInput(f"{name} must be a whole number from {low} to {high}")
    return value


def client_secret(content: Mapping[str, Any], longest: int) -> str | None:
    """Return the optional client secret of a token call; raises InvalidInput for an invalid one."""
    if content.get("client_secret") is None:
        return None
    return text(content, "client_secret", longest=longest)


def encode_page_token(mark: Sequence[int]) -> str:
    """Encode a page mark, of whole numbers from 0, as an opaque text for the caller."""
    return base64.urlsafe_b64encode(".".join(map(str, mark)).encode()).decode().rstrip("=")


def encode_name_token(name: str) -> str:
    """Encode a name as an opaque text for the caller."""
    return base64.urlsafe_b64encode(name.encode()).decode().rstrip("=")


def decode_name_token(token: str | None) -> str:
    """Decode a mark of the list of events; empty without one; raises InvalidInput."""
    if token is None:
        return ""
    try:
        name = base64.urlsafe_b64decode(token.encode() + b"=" * (-len(token) % 4)).decode()
    except ValueError:  # binascii.Error and UnicodeError are subclasses
        name = ""
    if not name or len(name) > MAX_EVENT_ID or encode_name_token(name) != token:
        raise InvalidInput("next_token is invalid; use the value from the previous page")
    return name


def encode_json_token(content: Mapping[str, Any]) -> str:
    """Encode a JSON object as an opaque text for the caller."""
    written = json.dumps(content, separators=(",", ":"))
    return base64.urlsafe_b64encode(written.encode()).decode().rstrip("=")


def decode_json_token(token: str) -> dict[str, Any]:
    """Decode the JSON object of a page token; raises InvalidInput."""
    try:
        decoded = base64.urlsafe_b64decode(token.encode() + b"=" * (-len(token) % 4))
        content = json_object(decoded, "next_token")
    except (ValueError, InvalidInput):  # binascii.Error and UnicodeError are ValueErrors
        content = {}
    if not content or encode_json_token(content) != token:
        raise InvalidInput("next_token is invalid; use the value from the previous page")
    return content


def if_match(request: Any) -> int | None:
    """Return the version in ``If-Match``, such as ``"3"``; None without one or for ``*``.

    Raises InvalidInput for any other text.
    """
    given = (request.headers.get("if-match") or "").strip()
    if given in ("", "*"):
        return None
    found = VERSION.fullmatch(given)
    if found is None:
        raise InvalidInput('If-Match must be the version of the event in quotes, such as "3"')
    return int(found[1])


def decode_page_token(token: str | None) -> tuple[int, int] | None:
    """Decode a mark of ``expired_tokens``; raises InvalidInput."""
    if token is None:
        return None
    shard, position = _mark(token, (4, 15))
    return shard, position


def decode_ended_page_token(token: str | None) -> tuple[int, int, int] | None:
    """Decode a mark of ``ended_sessions``; raises InvalidInput."""
    if token is None:
        return None
    generation, expires_at, position = _mark(token, (9, 12, 15))
    return generation, expires_at, position


def _mark(token: str, digits: Sequence[int]) -> tuple[int, ...]:
    """Decode a text of ``page_token``, of numbers with these digits; raises InvalidInput.

    The decoder skips invalid characters, so the result is encoded again and compared.
    """
    pattern = r"\.".join(rf"(\d{{1,{most}}})" for most in digits)
    try:
        decoded = base64.urlsafe_b64decode(token.encode() + b"=" * (-len(token) % 4)).decode()
        found = re.fullmatch(pattern, decoded, re.ASCII)
    except ValueError:  # binascii.Error and UnicodeError are subclasses
        found = None
    mark = tuple(map(int, found.groups())) if found else ()
    if not mark or encode_page_token(mark) != token:
        raise InvalidInput("next_token is invalid; use the value from the previous page")
    return mark
