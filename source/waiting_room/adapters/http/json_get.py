# SPDX-License-Identifier: Apache-2.0
"""Fetch JSON from the room within limits, with the standard library only.

The gate uses this module on other sites, where urllib3 may be missing.
"""

from __future__ import annotations

import http.client
import time
import urllib.error
import urllib.request
from functools import cache
from typing import Any

from waiting_room.domain.errors import InvalidInput, Unavailable
from waiting_room.domain.parsing import json_value

TIMEOUT = 2.0  # seconds to connect, and to wait for each part of a response
DEADLINE = 5.0  # seconds for the whole response: a visitor is waiting
CHUNK = 65_536  # bytes


class NotFound(Unavailable):
    """The room does not have this path; ``status`` is 403 or 404."""

    def __init__(self, status: int) -> None:
        super().__init__(f"the room returned status {status}")
        self.status = status


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Treats a redirect as an error: it may lead to another host, or to plain HTTP."""

    def redirect_request(self, *_args: Any, **_kwargs: Any) -> None:
        return None


def get_json(url: str, longest: int) -> Any:
    """Return the parsed content of a 200 of ``url`` (http or https), at most ``longest`` bytes.

    Raises NotFound for 403 and 404, and Unavailable for any other failure.
    """
    request = urllib.request.Request(url, headers={"Accept": "application/json"})
    try:
        with _opener().open(request, timeout=TIMEOUT) as response:
            return json_value(_read(response, longest), "the response")
    except urllib.error.HTTPError as error:
        error.close()
        if error.code in (403, 404):
            raise NotFound(error.code) from None
        raise Unavailable(f"the room returned status {error.code}") from None
    except (OSError, http.client.HTTPException) as error:
        raise Unavailable(f"the room did not respond: {type(error).__name__}") from None
    except InvalidInput as error:
        raise Unavailable(f"the room returned invalid JSON: {error}") from None
    except ValueError as error:  # of the transport, for example an invalid redirect
        raise Unavailable(f"the room did not respond: {type(error).__name__}") from None


@cache
def _opener() -> urllib.request.OpenerDirector:
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler,
        urllib.request.HTTPHandler,
        urllib.request.HTTPSHandler,
        urllib.request.HTTPDefaultErrorHandler,
        urllib.request.HTTPErrorProcessor,
        urllib.request.UnknownHandler,
        _NoRedirect,
    ):
        opener.add_handler(handler())
    return opener


def _read(response: Any, longest: int) -> bytes:
    end, parts, size = time.monotonic() + DEADLINE, [], 0
    while part := response.read1(CHUNK):
        parts.append(part)
        size += len(part)
        if size > longest:
            raise Unavailable("the room's response is too large")
        if time.monotonic() > end:
            raise Unavailable("the room's response takes too long")
    return b"".join(parts)
