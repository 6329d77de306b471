# SPDX-License-Identifier: Apache-2.0
"""Operator message: plain text in any language, without characters that harm a page or a log.

Rejected characters are harmful in every script: control characters, halves of surrogate pairs, and
characters that override the direction of the text around them. All other characters are accepted,
because some language uses them: no-break spaces, joiners and non-joiners, direction marks and soft
hyphens.
"""

from __future__ import annotations

import re
import unicodedata

from waiting_room.domain.errors import InvalidInput
from waiting_room.domain.limits import MAX_MESSAGE

BLANKS_WITHOUT_WIDTH = "\u200b\u2060\ufeff"  # neither joiners nor direction marks
FILLERS = "\u115f\u1160\u2800\u3164\uffa0"  # letters and symbols without a visible glyph
UNSEEN = ("Cf", "Mn")  # categories that are invisible without a letter
CONTROLS = frozenset(map(chr, (*range(0x20), *range(0x7F, 0xA0)))) - {"\n", "\t"}
EMBEDDINGS, POP_EMBEDDING = "\u202a\u202b", "\u202c"
OVERRIDES = "\u202d\u202e"
ISOLATES, POP_ISOLATE = "\u2066\u2067\u2068", "\u2069"
PARAGRAPHS = re.compile("[\n\u2029]")  # separators at which the bidirectional algorithm restarts


def check_message(value: object) -> str:
    """Return the message as it is stored: line ends as line feeds, surrounding blanks removed.

    A message without a visible character is empty. Its length is counted in code points. Raises
    InvalidInput.
    """
    if not isinstance(value, str):
        raise InvalidInput(f"message must be a text of at most {MAX_MESSAGE} characters")
    text = value.replace("\r\n", "\n")
    if any(sign in CONTROLS or unicodedata.category(sign) == "Cs" for sign in text):
        raise InvalidInput("message must be plain text without control characters")
    if not all(_ends_what_it_begins(part) for part in PARAGRAPHS.split(text)):
        raise InvalidInput(
            "message must not override the text direction; close each embedding and isolate"
        )
    text = _trimmed(text)
    if len(text) > MAX_MESSAGE:
        raise InvalidInput(f"message must be a text of at most {MAX_MESSAGE} characters")
    return text


def _trimmed(text: str) -> str:
    """Remove surrounding blanks; return an empty text if no character is visible."""
    solid = [at for at, sign in enumerate(text) if not _is_blank(sign)]
    if not any(_is_seen(text[at]) for at in solid):
        return ""
    return text[solid[0] : solid[-1] + 1]


def _is_blank(sign: str) -> bool:
    return sign.isspace() or sign in BLANKS_WITHOUT_WIDTH


def _is_seen(sign: str) -> bool:
    return unicodedata.category(sign) not in UNSEEN and sign not in FILLERS


def _ends_what_it_begins(paragraph: str) -> bool:
    """Return whether all embeddings and isolates are closed and none overrides (UAX 9)."""
    ends: list[str] = []  # closing characters of what is open, the innermost last
    isolates = 0
    for sign in paragraph:
        if sign in OVERRIDES:
            return False
        if sign in EMBEDDINGS:
            ends.append(POP_EMBEDDING)
        elif sign in ISOLATES:
            ends.append(POP_ISOLATE)
            isolates += 1
        elif sign == POP_EMBEDDING and ends[-1:] == [POP_EMBEDDING]:
            ends.pop()
        elif sign == POP_ISOLATE and isolates:
            isolates -= 1
            while ends.pop() != POP_ISOLATE:
                pass  # closing an isolate closes the embeddings within it
    return not ends
