# SPDX-License-Identifier: Apache-2.0
"""Preflights (``OPTIONS``) of browsers: API Gateway answers them itself, without a function.

A page may send any header: tracing, signing and request libraries add their own. So the answer
allows the headers that the browser asks for. It allows the usual ones instead where the request
names none, names more than the limits, or has something that is no header name.

One rule for the CDK stacks (a mapping template) and the local gateway (a function).
"""

from __future__ import annotations

import re

from waiting_room.runtime.http_api import CORS

REQUESTED = "Access-Control-Request-Headers"
ALLOWED = "Access-Control-Allow-Headers"
MOST_NAMES = 64
LONGEST_NAME = 64  # characters
LONGEST = 2_000  # characters of all names together
# The characters of RFC 9110 (5.6.2) without four that mean something in a mapping template or in
# a text of one: # $ ' and the grave accent. Java and Python read this pattern alike.
NAME = f"[!%&*+.^_|~0-9A-Za-z-]{{1,{LONGEST_NAME}}}"
NAMES = f"{NAME}( *, *{NAME}){{0,{MOST_NAMES - 1}}}"
# Over HTTP/2 the name of a header arrives in lower case, and a map of them minds the case.
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
    """The headers that a preflight allows, for the value of ``REQUESTED`` ("" without one)."""
    if len(names) <= LONGEST and re.fullmatch(NAMES, names):
        return names
    return CORS[ALLOWED]
