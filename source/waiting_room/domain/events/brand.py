# SPDX-License-Identifier: Apache-2.0
"""Rules of a site owner's brand: name, logo, colours and texts of the waiting page.

A deployment (``PageBrand``) and an event (``page.brand``, ``page.texts``) reject an invalid brand.
The page itself ignores invalid members (``source/sites/waiting_room/view.js``).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from waiting_room.domain.events.page_texts import PAIRS, PLURALS, TEXTS

READABLE: Final = 4.5  # minimum contrast of text, WCAG 2.1 AA
# Defaults: the page's own colours (style.css).
LIGHT: Final = {"background": "#f1f3f8", "card": "#ffffff", "text": "#161a23", "muted": "#535b6d"}
DARK: Final = {"background": "#0e1117", "card": "#181d27", "text": "#eff2f8", "muted": "#a9b2c4"}
COLOURS: Final = ("accent", "background", "card", "text", "muted", "line")
COLOUR: Final = "#[0-9A-Fa-f]{6}"  # as a pattern
CURRENCY: Final = "[A-Z]{3}"
LONGEST_NAME: Final = 100  # characters
LONGEST_TEXT: Final = 500  # characters
LANGUAGE: Final = re.compile(r"\*|[a-z]{2,3}(-[A-Za-z0-9]{2,8})*", re.ASCII)
CATEGORIES: Final = frozenset({"zero", "one", "two", "few", "many", "other"})  # of Intl.PluralRules
LOOPBACK = ("localhost", "127.0.0.1")


class BrandError(ValueError):
    """The brand is invalid; the message names the member."""


def checked_brand(brand: Mapping[str, Any]) -> dict[str, Any]:
    """Return a valid brand as a dictionary. Raises BrandError."""
    for member, value in brand.items():
        if member not in MEMBERS:
            raise BrandError(
                f"{member[:40]!r} is not a member of a brand: use {', '.join(MEMBERS)}"
            )
        MEMBERS[member](member, value)
    return dict(brand)


def contrast(one: str, other: str) -> float:
    """Return the contrast of two colours ``#rrggbb``, from 1 to 21 (WCAG 2.1)."""
    low, high = sorted((_light(one), _light(other)))
    return (high + 0.05) / (low + 0.05)


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
    if not isinstance(value, str) or not re.fullmatch(CURRENCY, value):
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
                raise BrandError(
                    f"{member}.{part[:40]} is not a colour of the page: use {', '.join(COLOURS)}"
                )
            if not isinstance(colour, str) or not re.fullmatch(COLOUR, colour):
                raise BrandError(f"{member}.{part} must be a colour like #1a2b3c")
        every = {**own, **value}
        for text in ("text", "muted"):
            for under in ("card", "background"):
                found = contrast(every[text], every[under])
                if found < READABLE:
                    shown = min(found, READABLE - 0.1)  # 4.47 is not shown as 4.5
                    given = text if text in value or under not in value else under
                    raise BrandError(
                        f"{member}.{given}: {text} {every[text]} on {under} {every[under]} has a"
                        f" contrast of {shown:.1f}; text requires at least {READABLE}"
                    )

    return check


def _texts(member: str, value: object) -> None:
    if not isinstance(value, Mapping):
        raise BrandError(f"{member} must be an object of texts by language")
    for language, texts in value.items():
        if not LANGUAGE.fullmatch(language):
            raise BrandError(
                f"{member} must have languages as names, such as en or pt-BR, or * for all"
            )
        if not isinstance(texts, Mapping):
            raise BrandError(f"{member}.{language} must be an object of texts")
        for word, text in texts.items():
            _text(f"{member}.{language}", word, text)


def _text(where: str, word: str, text: object) -> None:
    """Check a text: one, a pair of title and text, or plural forms, as the page has it."""
    member = f"{where}.{word[:40]}"
    if word in TEXTS:
        valid, form = isinstance(text, str), "a text"
        parts = [text]
    elif word in PAIRS:
        valid, form = isinstance(text, list) and len(text) == 2, "a list of title and text"
        parts = list(text) if isinstance(text, list) else []
    elif word in PLURALS:
        valid = isinstance(text, Mapping) and "other" in text and set(text) <= CATEGORIES
        form = "an object of plural forms that contains 'other'"
        parts = list(text.values()) if isinstance(text, Mapping) else []
    else:
        raise BrandError(f"{member} is not a text of the waiting page")
    if not valid or not all(isinstance(one, str) for one in parts):
        raise BrandError(f"{member} must be {form}")
    if any(len(str(one)) > LONGEST_TEXT for one in parts):
        raise BrandError(f"{member} must have at most {LONGEST_TEXT} characters")


MEMBERS: dict[str, Callable[[str, object], None]] = {
    "name": _name,
    "logo": _logo,
    "colors": _colours(LIGHT),
    "colors_dark": _colours(DARK),
    "texts": _texts,
    "currency": _currency,
}
