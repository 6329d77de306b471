# SPDX-License-Identifier: Apache-2.0
"""Sanitises the block of HTML that an event adds to the waiting page, with nh3 (Ammonia)."""

from __future__ import annotations

TAGS = {
    "a", "abbr", "b", "blockquote", "br", "caption", "code", "dd", "del", "dl", "dt", "em", "h2",
    "h3", "h4", "hr", "i", "img", "ins", "li", "ol", "p", "s", "small", "span", "strong", "sub",
    "sup", "table", "tbody", "td", "th", "thead", "tr", "u", "ul",
}  # fmt: skip
ATTRIBUTES = {
    "*": {"dir", "lang", "title"},
    "a": {"href"},
    "img": {"alt", "height", "src", "width"},
    "ol": {"start"},
    "td": {"colspan", "rowspan"},
    "th": {"colspan", "rowspan", "scope"},
}
SCHEMES = {"https", "mailto", "tel", "data"}
IMAGE = "data:image/"


def clean_html(text: str) -> str:
    """Return the HTML without scripts, styles, forms, frames and unknown attributes.

    Links open another tab, so that the waiting page stays.
    """
    if not text:
        return ""
    import nh3  # only a change of an event needs it

    return nh3.clean(
        text,
        tags=TAGS,
        attributes=ATTRIBUTES,
        attribute_filter=_attribute,
        url_schemes=SCHEMES,
        link_rel="noopener noreferrer",
        set_tag_attribute_values={"a": {"target": "_blank"}},
    )


def _attribute(tag: str, name: str, value: str) -> str | None:
    """Return the value of an attribute; None removes it. Only an image may be a data: address."""
    if value.lstrip().lower().startswith("data:"):
        usable = tag == "img" and name == "src" and value.startswith(IMAGE)
        return value if usable else None
    return value
