# SPDX-License-Identifier: Apache-2.0
"""Traceback for the log: types and code locations of an unexpected error, without its text."""

from __future__ import annotations

import traceback
from pathlib import PurePath

MOST_CAUSES = 5  # of one error
MAX_FRAMES = 20  # of one cause, the innermost


def safe_traceback(error: BaseException) -> str:
    """Format an error and its causes, one line for each code location, the innermost last.

    The text of an error is left out. ``KeyError`` contains the key, and errors of libraries contain
    the invalid value. That may be a request id, an address or a token.
    """
    lines: list[str] = []
    found: BaseException | None = error
    while found is not None and len(lines) < MOST_CAUSES * (MAX_FRAMES + 1):
        lines.append(("from " if lines else "") + type(found).__qualname__)
        places = traceback.extract_tb(found.__traceback__)[-MAX_FRAMES:]
        lines += [f"  {_short(one.filename)}:{one.lineno} {one.name}" for one in places]
        found = found.__cause__ or (None if found.__suppress_context__ else found.__context__)
    return "\n".join(lines)


def _short(name: str) -> str:
    return "/".join(PurePath(name).parts[-2:])
