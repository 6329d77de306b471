# SPDX-License-Identifier: Apache-2.0
"""Validates a site owner's brand: name, logo, colours and texts of the waiting page.

A deployment rejects an invalid brand. The page itself ignores invalid members
(``source/sites/waiting_room/view.js``).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

READABLE = 4.5  # minimum contrast of text, WCAG 2.1 AA
# Defaults: the page's own colours (style.css).
LIGHT = {"background": "#f1f3f8", "card": "#ffffff", "text": "#161a23", "muted": "#535b6d"}
DARK = {"background": "#0e1117", "card": "#181d27", "text": "#eff2f8", "muted": "#a9b2c4"}
COLOURS = ("accent", "background", "card", "text", "muted", "line")
LONGEST_NAME = 100  # characters
PLAIN_RULES = {  # selector of the page without scripts → property → colour
    "body": {"color": "text", "background": "background"},
    "main": {"background": "card"},
    "dt": {"color": "muted"},
    "button:focus-visible": {"outline-color": "text"},
}
LOOPBACK = ("localhost", "127.0.0.1")


class BrandError(ValueError):
    """The brand is invalid; the message names the member."""


def checked_brand(brand: Mapping[str, Any]) -> dict[str, Any]:
    """Return a valid brand as a dictionary. Raises BrandError."""
    for member, value in brand.items():
        if member not in MEMBERS:
            raise BrandError(f"{member[:40]!r} must be one of {', '.join(MEMBERS)}")
        MEMBERS[member](member, value)
    return dict(brand)


def plain_brand(brand: Mapping[str, Any]) -> str:
    """Return the brand of the page without scripts as JSON: its name, and its colours as CSS.

    That page loads nothing, so it has no logo; it has texts of its own.
    """
    light, dark = _rules(brand.get("colors") or {}), _rules(brand.get("colors_dark") or {})
    if dark:
        dark = f"@media(prefers-color-scheme:dark){{{dark}}}"
    elif brand.get("colors"):  # dark mode keeps its own colours, except the accent
        accent = {key: one for key, one in brand["colors"].items() if key == "accent"}
        dark = f"@media(prefers-color-scheme:dark){{{_rules({**DARK, **accent})}}}"
    return json.dumps({"name": brand.get("name") or "", "style": light + dark})


def logo_source(brand: Mapping[str, Any]) -> str:
    """Return the logo's origin for the Content-Security-Policy; "" for the page's own origin."""
    parts = urlsplit(brand.get("logo") or "")
    return f"{parts.scheme}://{parts.netloc}" if parts.netloc else ""


def contrast(one: str, other: str) -> float:
    """Return the contrast of two colours ``#rrggbb``, from 1 to 21 (WCAG 2.1)."""
    low, high = sorted((_light(one), _light(other)))
    return (high + 0.05) / (low + 0.05)


def _rules(colours: Mapping[str, str]) -> str:
    """Return CSS rules for colours; text on the accent is black or white, by contrast."""
    known = {part: colour.lower() for part, colour in colours.items()}
    rules = ""
    for selector, parts in PLAIN_RULES.items():
        found = ";".join(f"{name}:{known[part]}" for name, part in parts.items() if part in known)
        rules += f"{selector}{{{found}}}" if found else ""
    if accent := known.get("accent"):
        text = "#000" if contrast(accent, "#000000") >= READABLE else "#fff"
        rules += f"button{{color:{text};background:{accent}}}"
    return rules


def _light(colour: str) -> float:
    shares = (0.2126, 0.7152, 0.0722)
    parts = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    linear = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return sum(share * part for share, part in zip(shares, linear, strict=True))


def _name(member: str, value: object) -> None:
    if not isinstance(value, str) or len(value) > LONGEST_NAME:
        raise BrandError(f"{member} must be a text of at most {LONGEST_NAME} characters")


def _currency(member: str, value: object) -> None:
    if not isinstance(value, str) or not re.fullmatch(r"[A-Z]{3}", value):
        raise BrandError(f"{member} must be three capital letters, such as EUR")


def _logo(member: str, value: object) -> None:
    rule = f"{member} must be an https address, a path of the page or a data: address of an image"
    if not isinstance(value, str):
        raise BrandError(rule)
    if value.startswith("data:image/"):
        return
    if re.search(r"[\s\x00-\x1f;,]", value):  # these separate Content-Security-Policy directives
        raise BrandError(rule)
    try:
        parts = urlsplit(value)
        local = parts.scheme == "http" and parts.hostname in LOOPBACK
        parts.port  # noqa: B018 - raises for an invalid port
    except ValueError:
        raise BrandError(rule) from None
    hosted = (parts.scheme == "https" or local) and re.fullmatch(r"[\w.:\[\]-]+", parts.netloc)
    path = not parts.scheme and not parts.netloc and value
    if not (hosted or path):
        raise BrandError(rule)


def _colours(own: Mapping[str, str]) -> Callable[[str, object], None]:
    def check(member: str, value: object) -> None:
        if not isinstance(value, Mapping):
            raise BrandError(f"{member} must be an object")
        for part, colour in value.items():
            if part not in COLOURS:
                raise BrandError(f"{member}.{part[:40]} must be one of {', '.join(COLOURS)}")
            if not isinstance(colour, str) or not re.fullmatch(r"#[0-9A-Fa-f]{6}", colour):
                raise BrandError(f"{member}.{part} must be a colour like #1a2b3c")
        every = {**own, **value}
        for text in ("text", "muted"):
            for under in ("card", "background"):
                found = contrast(every[text], every[under])
                if found < READABLE:
                    raise BrandError(
                        f"{member}: {text} {every[text]} on {under} {every[under]} has a contrast"
                        f" of {found:.1f}; text requires at least {READABLE}"
                    )

    return check


def _texts(member: str, value: object) -> None:
    if not isinstance(value, Mapping):
        raise BrandError(f"{member} must be an object of texts by language")
    for language, texts in value.items():
        if not isinstance(texts, Mapping):
            raise BrandError(f"{member}.{language[:40]} must be an object of texts")
        for word, text in texts.items():
            many = text if isinstance(text, list) else [text]
            forms = list(text.values()) if isinstance(text, Mapping) else many
            if not all(isinstance(form, str) for form in forms):
                raise BrandError(f"{member}.{language[:40]}.{word[:40]} must be a text")


MEMBERS: dict[str, Callable[[str, object], None]] = {
    "name": _name,
    "logo": _logo,
    "colors": _colours(LIGHT),
    "colors_dark": _colours(DARK),
    "texts": _texts,
    "currency": _currency,
}
