# SPDX-License-Identifier: Apache-2.0
"""The operators' message: plain text of any language, without signs that harm a page or a log.

What is refused does harm in every script: control characters, halves of surrogate pairs, and signs
that turn the order of the text around them. All else is some language's own: spaces that do not
break, joiners and non-joiners, marks of direction, soft hyphens.
"""

from __future__ import annotations

import re
import unicodedata

from waiting_room.domain.errors import InvalidInput
from waiting_room.domain.limits import MAX_MESSAGE

BLANKS_WITHOUT_WIDTH = "\u200b\u2060\ufeff"  # not joiners, nor marks of direction
FILLERS = "\u115f\u1160\u2800\u3164\uffa0"  # letters and signs without a shape
UNSEEN = ("Cf", "Mn")  # a mark needs a letter
CONTROLS = frozenset(map(chr, (*range(0x20), *range(0x7F, 0xA0)))) - {"\n", "\t"}
EMBEDDINGS, POP_EMBEDDING = "\u202a\u202b", "\u202c"
OVERRIDES = "\u202d\u202e"
ISOLATES, POP_ISOLATE = "\u2066\u2067\u2068", "\u2069"
PARAGRAPHS = re.compile("[\n\u2029]")  # where the bidirectional algorithm starts anew


def check_message(value: object) -> str:
    """The message as it is kept: line ends as line feeds, blanks around it removed.

    A message that shows nothing is empty. Its length is counted in code points. Raises
    InvalidInput.
    """
    if not isinstance(value, str):
        raise InvalidInput(f"message must be a text of at most {MAX_MESSAGE} characters")
    text = value.replace("\r\n", "\n")
    if any(sign in CONTROLS or unicodedata.category(sign) == "Cs" for sign in text):
        raise InvalidInput("message must be plain text without control characters")
    if not all(_ends_what_it_begins(part) for part in PARAGRAPHS.split(text)):
        raise InvalidInput("message must not override the direction of text, nor leave it open")
    text = _trimmed(text)
    if len(text) > MAX_MESSAGE:
        raise InvalidInput(f"message must be a text of at most {MAX_MESSAGE} characters")
    return text


def _trimmed(text: str) -> str:
    """Without blanks around it; empty when nothing in it can be seen."""
    solid = [at for at, sign in enumerate(text) if not _is_blank(sign)]
    if not any(_is_seen(text[at]) for at in solid):
        return ""
    return text[solid[0] : solid[-1] + 1]


def _is_blank(sign: str) -> bool:
    return sign.isspace() or sign in BLANKS_WITHOUT_WIDTH


def _is_seen(sign: str) -> bool:
    return unicodedata.category(sign) not in UNSEEN and sign not in FILLERS


def _ends_what_it_begins(paragraph: str) -> bool:
    """Whether no embedding and no isolate is open at the end, and nothing is overridden (UAX 9)."""
    ends: list[str] = []  # of what is open now, the innermost last
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
                pass  # an isolate ends the embeddings within it
    return not ends
