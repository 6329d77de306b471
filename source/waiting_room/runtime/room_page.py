# SPDX-License-Identifier: Apache-2.0
"""The waiting room as a page without scripts: it reloads itself by the header ``Refresh``."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass

from waiting_room.domain.events.phase import Phase
from waiting_room.domain.gate.visitor_stage import Stage, VisitorStage
from waiting_room.runtime.room_words import LANGUAGES, words_of
from waiting_room.runtime.settings.entrance import NO_BRAND, PageBrand

LANGUAGE = re.compile(r"([a-z]{2})(?:-[a-z0-9-]+)?(?:\s*;\s*q\s*=\s*([01](?:\.[0-9]{0,3})?))?")
MAX_ACCEPTED = 1_000  # characters of Accept-Language that are read
NO_JOINS = ("closed", "draining")  # reasons of a refused join that hold for the next one too
PAGE = """<!doctype html>
<html lang="{tag}" dir="{direction}">
<head><meta charset="utf-8"><meta name="robots" content="noindex">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark"><title>{title}</title>
<style>{style}</style></head><body><main>{content}</main></body></html>
"""
STYLE = (
    "body{font:1.125rem/1.5 system-ui,sans-serif;max-width:34rem;margin:10vh auto;padding:0 1rem;"
    "color:#161a23;background:#f1f3f8}main{background:#fff;border-radius:1rem;padding:1.5rem}"
    "dt{color:#535b6d}dd{margin:0 0 1rem;font-size:2rem;font-weight:600}"
    "button{font:inherit;font-weight:600;padding:.75rem 1.5rem;border:0;border-radius:.5rem;"
    "color:#fff;background:#3355d1}button:focus-visible{outline:3px solid #161a23}"
    "@media(prefers-color-scheme:dark){body{color:#eff2f8;background:#0e1117}"
    "main{background:#181d27}dt{color:#a9b2c4}button:focus-visible{outline-color:#eff2f8}}"
)


@dataclass(frozen=True, slots=True)
class RoomPage:
    """A page. ``language`` is one of LANGUAGES, ``note`` one of NOTES or empty.

    ``event_id``, ``to`` and ``note`` go back with its form.
    """

    event_id: str
    to: str
    event_title: str
    language: str
    brand: PageBrand = NO_BRAND
    note: str = ""


def language_of(accepted: str) -> str:
    """Return the language of the page with the highest quality in ``Accept-Language``."""
    best, quality = LANGUAGES[0], 0.0
    for part in accepted[:MAX_ACCEPTED].lower().split(","):
        found = LANGUAGE.fullmatch(part.strip())
        given = float(found[2] or 1) if found else 0.0
        if found and found[1] in LANGUAGES and given > quality:
            best, quality = found[1], given
    return best


def stage_page(page: RoomPage, found: VisitorStage) -> str:
    """Return the page of a visitor who waits, or who has not joined."""
    words = words_of(page.language)
    if found.stage is Stage.OUTSIDE:
        content = _outside(page, found)
    elif found.stage is Stage.JOINING:
        content = _heading(words["placing"])
    else:
        title = f"{words['ahead']}: {found.ahead}" if found.ahead else words["next"]
        content = _heading(title) + _figure(words["place"], found.position)
        content += _figure(words["ahead"], found.ahead)
    if found.stage is not Stage.OUTSIDE:
        content += _phase_note(page, found)
    content += _note(page)
    if found.message:
        content += f"<h2>{_text(words['message'])}</h2>{_paragraph(found.message)}"
    return _page(page, content)


def note_page(page: RoomPage, link: str) -> str:
    """Return the page that shows a note to a visitor with a session, with a link to the site."""
    words = words_of(page.language)
    label = f'<p><a href="{_text(link)}">{_text(words["to_site"])}</a></p>'
    return _page(page, _heading(words["inside_title"]) + _note(page) + label)


def _outside(page: RoomPage, found: VisitorStage) -> str:
    words = words_of(page.language)
    if found.phase.accepts_joins:
        content = _heading(words["enter_title"]) + _paragraph(words["enter_text"])
        return content + _phase_note(page, found) + _form(page, words["enter"])
    title, text = words[found.phase.value]
    content = _heading(title)
    if found.opens_in:
        content += _paragraph(words["opens_in"].replace("{time}", _clock(found.opens_in)))
    return content + _paragraph(text)


def _phase_note(page: RoomPage, found: VisitorStage) -> str:
    """Return the note of a phase without turns: paused, or not begun."""
    words = words_of(page.language)
    if found.phase in (Phase.PRE_QUEUE, Phase.SCHEDULED) and found.opens_in:
        return _paragraph(words["begins_in"].replace("{time}", _clock(found.opens_in)))
    waits = found.phase in (Phase.PAUSED, Phase.PRE_QUEUE, Phase.SCHEDULED)
    return _paragraph(words["stopped"]) if waits else ""


def over_page(page: RoomPage, reason: str, text: str) -> str:
    """Return the page of a position that is over; ``text`` is the reason in English."""
    words = words_of(page.language)
    told = words.get(reason)
    if isinstance(told, list):
        content = _heading(told[0]) + _paragraph(told[1])
    else:
        content = f'<div lang="en" dir="ltr">{_heading(words["title"])}{_paragraph(text)}</div>'
    form = "" if reason in NO_JOINS else _form(page, words["again"])
    return _page(page, content + form)


def _page(page: RoomPage, content: str) -> str:
    titles = [one for one in (page.event_title, page.brand.name) if one]
    words = words_of(page.language)
    title = " · ".join(titles) or words["title"]
    named = (
        f'<p dir="auto"><strong>{_text(page.brand.name)}</strong></p>' if page.brand.name else ""
    )
    named += f'<p dir="auto">{_text(page.event_title)}</p>' if page.event_title else ""
    return PAGE.format(
        tag=words["tag"],
        direction=words["dir"],
        title=_text(title),
        style=STYLE + page.brand.style,
        content=named + content,
    )


def _form(page: RoomPage, label: str) -> str:
    fields = "".join(
        f'<input type="hidden" name="{name}" value="{_text(value)}">'
        for name, value in (("event", page.event_id), ("to", page.to), ("note", page.note))
        if value or name != "note"
    )
    return f'<form method="post" action="join">{fields}<button>{_text(label)}</button></form>'


def _note(page: RoomPage) -> str:
    return _paragraph(words_of(page.language)[f"note_{page.note}"]) if page.note else ""


def _heading(text: str) -> str:
    return f"<h1>{_text(text)}</h1>"


def _paragraph(text: str) -> str:
    return f'<p dir="auto">{_text(text)}</p>'


def _figure(name: str, value: int) -> str:
    return f"<dl><dt>{_text(name)}</dt><dd>{value}</dd></dl>"


def _clock(seconds: int) -> str:
    """Return a time left as h:mm:ss or m:ss, as the page with scripts does."""
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _text(value: str) -> str:
    return html.escape(value)
