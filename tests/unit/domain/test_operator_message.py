# SPDX-License-Identifier: Apache-2.0
"""The operators' message: every language, nothing that harms."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.support.in_memory_room import EVENT, InMemoryRoom
from waiting_room.domain.errors import InvalidInput
from waiting_room.domain.operator_message import check_message

LANGUAGES = {
    "Japanese, with its full-width space": "本日は満席です。\u3000明日お越しください。",
    "French, with spaces that do not break": "Ouverture à 10\u202fh\u00a0: patience\u00a0!",
    "Persian, with a non-joiner": "لطفاً منتظر بمانید، نوبت شما می\u200cرسد.",
    "Sinhala, with a joiner": "ශ්\u200dරී ලංකා",
    "Hebrew, with a mark of direction": "הדלתות נפתחות ב-10:00!\u200f",
    "Arabic, with a mark of direction": "\u200eHall 3\u200e مفتوح الآن",
    "German, with soft hyphens": "Warte\u00adschlangen\u00adnummer",
    "a family": "Welcome 👨\u200d👩\u200d👧\u200d👦",
    "a flag": "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
    "Hindi": "कृपया प्रतीक्षा करें",
    "Thai": "กรุณารอสักครู่",
    "Korean": "잠시만 기다려 주세요",
    "a table, with tabs": "Hall\tDoors\n1\t10:00",
    "an isolate that ends": "Tickets: \u2068ABC-12\u2069, Hall 3",
    "an embedding that ends": "\u202bABC 12\u202c left",
    "an isolate that ends an embedding": "\u2067\u202babc\u2069",
    "ends of nothing": "a\u2069b\u202cc",
}


@pytest.mark.parametrize("message", LANGUAGES.values(), ids=LANGUAGES.keys())
def test_every_language_stays_as_it_was_written(message: str) -> None:
    assert InMemoryRoom().room.control.set_message(EVENT, message) == message


@pytest.mark.parametrize(
    ("message", "kept"),
    [
        ("", ""),
        ("   ", ""),
        ("\u3000\u00a0\u2003\n\t", ""),
        ("\u200b\ufeff\u2060", ""),
        ("\u200d\u200f\u3164", ""),
        (" \u3000Doors open.\n\u00a0", "Doors open."),
        ("one\r\ntwo\r\n", "one\ntwo"),
        ("\u200fשלום\u200f", "\u200fשלום\u200f"),
        (" " * 600 + "x" * 500 + "\n" * 600, "x" * 500),
        ("👍" * 500, "👍" * 500),
    ],
)
def test_blanks_around_a_message_are_removed(message: str, kept: str) -> None:
    in_memory_room = InMemoryRoom()
    assert in_memory_room.room.control.set_message(EVENT, message) == kept
    assert in_memory_room.room.metrics.status_page(EVENT)["message"] == kept


TURNS = ("\u202dabc\u202c", "\u202eabc\u202c", "\u202a", "\u202b", "\u2066", "\u2067", "\u2068",
         "\u2067\n\u2069", "\u2067\u2029\u2069", "\u202b\u2067\u202c\u2069")  # fmt: skip
HARMS = [*map(chr, (*range(9), *range(0x0B, 0x20), *range(0x7F, 0xA0), 0xD800, 0xDFFF)), *TURNS]


@pytest.mark.parametrize("harm", HARMS)
@pytest.mark.parametrize("around", ["{}", "Doors {} open"])
def test_what_harms_is_refused_by_name(harm: str, around: str) -> None:
    in_memory_room = InMemoryRoom()
    in_memory_room.room.control.set_message(EVENT, "stands")
    with pytest.raises(InvalidInput, match=r"^message must") as refused:
        in_memory_room.room.control.set_message(EVENT, around.format(harm))
    assert str(refused.value).isprintable()
    assert in_memory_room.room.metrics.status_page(EVENT)["message"] == "stands"


@pytest.mark.parametrize("value", ["x" * 501, "👍" * 501, None, 5, True, [], {}, b"x"])
def test_what_is_no_text_of_500_characters_is_refused(value: object) -> None:
    with pytest.raises(InvalidInput, match="message must be a text of at most 500 characters"):
        check_message(value)


BLANKS = "\u200b\u2060\ufeff" + "".join(filter(str.isspace, map(chr, range(0x3001))))
SIGNS = st.text(
    st.one_of(
        st.characters(),
        st.sampled_from("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\n\r\t \u2029"),
    ),
    max_size=40,
)


@given(SIGNS)
@example("\u202b\u2067\u202c\u2069\u202c")
def test_a_message_is_refused_or_kept_whole(text: str) -> None:
    """What is accepted lacks blanks around it at most, and setting it again changes nothing."""
    harmful = any(
        unicodedata.category(sign) == "Cs"
        or (unicodedata.category(sign) == "Cc" and sign not in "\n\t")
        for sign in text.replace("\r\n", "\n")
    )
    try:
        kept = check_message(text)
    except InvalidInput:
        assert harmful or set(text) & set("\u202a\u202b\u202d\u202e\u2066\u2067\u2068")
        return
    assert not harmful
    assert check_message(kept) == kept
    if kept:
        before, found, after = text.replace("\r\n", "\n").partition(kept)
        assert found == kept
        assert (before + after).strip(BLANKS) == ""


@given(st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=500))
def test_text_without_controls_and_turns_is_always_accepted(text: str) -> None:
    plain = "".join(
        sign for sign in text if sign not in "\u202a\u202b\u202d\u202e\u2066\u2067\u2068"
    )
    assert check_message(f"({plain[:498]})") == f"({plain[:498]})"
