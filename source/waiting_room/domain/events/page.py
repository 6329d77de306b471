# SPDX-License-Identifier: Apache-2.0
"""What an event adds to the waiting page: its title, brand, texts and block of HTML."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Mapping
from typing import Any

from waiting_room.domain.events.schema import defaults


def with_clean_html(
    content: Mapping[str, Any], clean_html: Callable[[str], str]
) -> Mapping[str, Any]:
    """Return the content of a request with sanitised HTML; its length is checked afterwards."""
    page = content.get("page")
    html = page.get("html") if isinstance(page, Mapping) else None
    if not isinstance(page, Mapping) or not isinstance(html, str):
        return content
    return {**content, "page": {**page, "html": clean_html(html)}}


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
    if not title and page == defaults()["page"]:
        return ""
    content = json.dumps([title, page], sort_keys=True)
    return f"{zlib.crc32(content.encode()):08x}"
