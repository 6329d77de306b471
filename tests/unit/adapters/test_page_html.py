# SPDX-License-Identifier: Apache-2.0
"""The block of HTML of an event: what stays, and that nothing stays that could run or load."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.servers import ROOT
from waiting_room.adapters.page_html import ATTRIBUTES, TAGS, clean_html

KEPT = [
    "<h2>Doors</h2><p>At <strong>seven</strong>, <em>not</em> eight.<br>Bring a coat.</p>",
    '<p dir="rtl" lang="ar">مرحبا</p>',
    '<img src="https://cdn.example/a.png" alt="Map" width="300" height="200">',
    '<img src="data:image/png;base64,AAAA" alt="">',
    '<img src="map.png" alt="Map">',
    '<table><tbody><tr><th scope="row">Gate</th><td colspan="2">B</td></tr></tbody></table>',
    "5 &lt; 6 &amp; 7",
]
REMOVED = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg onload=alert(1)><a href='javascript:alert(1)'>x</a></svg>",
    "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)>",
    "<a href='jAvAsCrIpT:alert(1)'>x</a>",
    "<a href=' &#1;javascript:alert(1)'>x</a>",
    "<a href='data:text/html,<script>alert(1)</script>'>x</a>",
    "<img src='data:text/html,x'>",
    "<img src=' data:image/svg+xml,x'>",
    "<iframe src='https://evil.example'></iframe>",
    "<form action='https://evil.example'><input name=password><button>Go</button></form>",
    "<style>*{display:none}</style>",
    "<p style='position:fixed;inset:0'>x</p>",
    "<p id=enter class=card data-view=turn>x</p>",
    "<base href='https://evil.example/'>",
    "<meta http-equiv=refresh content='0;url=https://evil.example'>",
    "<link rel=stylesheet href='https://evil.example/x.css'>",
    "<object data='x'></object><embed src='x'>",
    "<img srcset='https://evil.example/a 2x' src='https://cdn.example/a'>",
    "<video src='https://evil.example/a' autoplay></video>",
    "<!--[if IE]><script>x</script><![endif]-->",
    "<noscript><p title='</noscript><img src=x onerror=alert(1)>'></noscript>",
]


class Seen(HTMLParser):
    """Tags and attributes of HTML as a parser sees them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))


def check(text: str) -> None:
    """Nothing in the text can run, load anything but images, or imitate a part of the page."""
    own = {"a": {"href", "rel", "target"}}
    for tag, attributes in Seen(text).tags:
        assert tag in TAGS
        assert set(attributes) <= ATTRIBUTES["*"] | own.get(tag, ATTRIBUTES.get(tag, set()))
        for name in ("href", "src"):
            address = attributes.get(name, "").strip().lower()
            scheme = re.match(r"([a-z][a-z0-9+.-]*):", address)
            allowed = ("https", "mailto", "tel") if name == "href" else ("https", "data")
            assert scheme is None or scheme[1] in allowed
            assert not address.startswith("data:") or address.startswith("data:image/")


@pytest.mark.parametrize("text", KEPT)
def test_plain_html_stays_as_it_is(text: str) -> None:
    assert clean_html(text) == text
    check(text)


@pytest.mark.parametrize("text", REMOVED)
def test_what_could_run_load_or_imitate_is_removed(text: str) -> None:
    cleaned = clean_html(text)
    assert cleaned != text
    check(cleaned)
    assert "alert" not in cleaned
    assert "evil" not in cleaned


def test_a_link_opens_another_tab_so_that_the_waiting_page_stays() -> None:
    assert clean_html('<a href="https://shop.example/faq">FAQ</a>') == (
        '<a href="https://shop.example/faq" target="_blank" rel="noopener noreferrer">FAQ</a>'
    )


PARTS = st.sampled_from(
    ["<", ">", "/", "=", '"', "'", " ", "&", ";", "#", ":", "!--", "-->", "script", "svg", "math",
     "style", "img", "src", "href", "onerror", "javascript:", "data:", "a", "p", "title",
     "textarea", "noscript", "template", "alert(1)", "\x00", "\n", "]]>", "<![CDATA["]
)  # fmt: skip


@given(st.lists(PARTS | st.characters(), max_size=30).map("".join))
def test_any_text_is_clean_and_is_cleaned_once(text: str) -> None:
    cleaned = clean_html(text)
    check(cleaned)
    assert clean_html(cleaned) == cleaned


def test_the_console_warns_of_every_tag_and_attribute_that_does_not_stay() -> None:
    edit = ROOT / "source" / "sites" / "console" / "events" / "edit"
    code = (edit / "warnings.js").read_text(encoding="utf-8")
    tags, attributes = re.findall(
        r"const TAGS = \[(.*?)\];.*?const ATTRIBUTES = \{(.*?)\};", code, re.S
    )[0]
    assert set(re.findall(r"\w+", tags)) == TAGS
    found = {
        tag: set(re.findall(r"\w+", names))
        for tag, names in re.findall(r"'?([*\w]+)'?: \[(.*?)\]", attributes)
    }
    assert found == {**ATTRIBUTES, "a": {"href", "target", "rel"}}  # the room sets the last two
