# SPDX-License-Identifier: Apache-2.0
"""Responses to browsers' preflight requests (``OPTIONS``), which run no function.

Pages may send any header, because tracing, signing and request libraries add their own. The
response therefore allows the headers that the browser requests. It allows the default headers
instead if the request names none, exceeds a limit or contains an invalid header name.

The rule exists twice: as a mapping template for the CDK stacks, as a function for the local
gateway.
"""

from __future__ import annotations

import re

from waiting_room.runtime.http_api import CORS

REQUESTED = "Access-Control-Request-Headers"
ALLOWED = "Access-Control-Allow-Headers"
MOST_NAMES = 64
LONGEST_NAME = 64  # characters
LONGEST = 2_000  # characters of all names together
# Characters of a header name in RFC 9110 (5.6.2), without # $ ' and the grave accent, which are
# special in mapping templates. The pattern has the same meaning in Java and Python.
NAME = f"[!%&*+.^_|~0-9A-Za-z-]{{1,{LONGEST_NAME}}}"
NAMES = f"{NAME}( *, *{NAME}){{0,{MOST_NAMES - 1}}}"
# HTTP/2 sends header names in lower case, and the template's map of headers is case-sensitive.
RESPONSE_TEMPLATE = (
    "#set($names = '')"
    "#foreach($header in $input.params().header.keySet())"
    f"#if($header.matches('(?i){REQUESTED}'))"
    "#set($names = $input.params().header.get($header))"
    "#end"
    "#end"
    f"#if($names.length() <= {LONGEST} && $names.matches('{NAMES}'))"
    f"#set($context.responseOverride.header.{ALLOWED} = $names)"
    "#end"
)


def allowed(names: str) -> str:
    """Return the headers that a preflight allows, for the value of ``REQUESTED`` or ""."""
    if len(names) <= LONGEST and re.fullmatch(NAMES, names):
        return names
    return CORS[ALLOWED]
