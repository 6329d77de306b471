# SPDX-License-Identifier: Apache-2.0
"""What an event adds to the waiting page: its title, brand, texts and block of HTML."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from typing import Any, Final

NONE: Final[Mapping[str, Any]] = {"brand": {}, "texts": {}, "html": ""}


def page_of(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return title, page and version, as ``GET /page`` returns them."""
    return {
        "title": document["title"],
        "page": document["page"],
        "version": page_version(document),
    }


def page_version(document: Mapping[str, Any]) -> str:
    """Return the version of an event's title and page; empty if it has neither.

    It depends on their content, so no other change of the document makes pages read them again.
    """
    title, page = document["title"], document["page"]
    if not title and page == NONE:
        return ""
    content = json.dumps([title, page], sort_keys=True)
    return f"{zlib.crc32(content.encode()):08x}"
