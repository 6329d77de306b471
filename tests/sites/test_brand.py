# SPDX-License-Identifier: Apache-2.0
"""A brand that cannot be read or cannot be meant is refused before anybody sees it."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployment.local import config
from infrastructure.blueprint.site_config import headers_of
from infrastructure.parameters.optional_stacks import BrandConfig
from infrastructure.parameters.parameter import ParameterError
from tests.screenshots.waiting_room import BRAND
from tests.support.servers import ROOT
from waiting_room.domain.events.brand import DARK, LIGHT, BrandError, checked_brand, contrast
from waiting_room.domain.events.page_texts import PAIRS, PLURALS, TEXTS

PAGE = ROOT / "source" / "sites" / "waiting_room"
STYLE = (PAGE / "style.css").read_text()
colour = st.from_regex(r"#[0-9a-f]{6}", fullmatch=True)

WRONG = [
    ({"colours": {}}, "'colours'"),
    ({"name": 5}, "name"),
    ({"currency": "euro"}, "currency"),
    ({"logo": "http://cdn.example/logo.svg"}, "logo"),
    ({"logo": "//cdn.example/logo.svg"}, "logo"),
    ({"logo": "javascript:alert(1)"}, "logo"),
    ({"logo": "data:text/html,x"}, "logo"),
    ({"logo": "https://cdn.example; script-src *"}, "logo"),
    ({"logo": "https://"}, "logo"),
    ({"logo": "https://cdn.example:port/x"}, "logo"),
    ({"logo": ""}, "logo"),
    ({"colors": "red"}, "colors"),
    ({"colors": {"accent": "red"}}, "colors.accent"),
    ({"colors": {"accents": "#112233"}}, "colors.accents"),
    (
        {"colors": {"text": "#999999"}},
        "colors.text: text #999999 on card #ffffff has a contrast of 2.8",
    ),
    (
        {"colors": {"background": "#222222"}},
        "colors.background: text #161a23 on background #222222",
    ),
    ({"colors": {"muted": "#8a8a8a"}}, "colors.muted: muted"),
    (
        {"colors": {"muted": "#777777"}},
        "colors.muted: muted #777777 on card #ffffff has a contrast of 4.4",
    ),
    ({"colors": {"text": "#999999", "card": "#fefefe"}}, "colors.text: text #999999 on card"),
    ({"colors": {"card": "#fefefe", "muted": "#fefefe"}}, "colors.muted: muted #fefefe on card"),
    ({"colors_dark": {"card": "#ffffff"}}, "colors_dark.card: text #eff2f8 on card #ffffff"),
    ({"texts": []}, "texts"),
    ({"texts": {"de": "x"}}, "texts.de"),
    ({"texts": {"de": {"enter": 5}}}, "texts.de.enter must be a text"),
    ({"texts": {"german": {}}}, "texts must have languages"),
    ({"texts": {"de": {"entre": "x"}}}, "texts.de.entre is not a text of the waiting page"),
    ({"texts": {"de": {"tag": "de"}}}, "texts.de.tag is not a text"),
    ({"texts": {"de": {"closed": "x"}}}, "texts.de.closed must be a list of title and text"),
    ({"texts": {"de": {"closed": ["x"]}}}, "texts.de.closed must be a list"),
    ({"texts": {"de": {"closed": ["x", 5]}}}, "texts.de.closed must be a list"),
    ({"texts": {"de": {"minutes": {"one": "x"}}}}, "texts.de.minutes must be an object of plural"),
    ({"texts": {"de": {"enter": "x" * 501}}}, "texts.de.enter must have at most 500 characters"),
]


@pytest.mark.parametrize(("brand", "says"), WRONG, ids=lambda one: str(one)[:40])
def test_what_is_wrong_with_a_brand_is_said_by_its_member(brand: Any, says: str) -> None:
    with pytest.raises(BrandError, match=re.escape(says)):
        checked_brand(brand)
    with pytest.raises(ParameterError, match=r"^The parameter PageBrand: ") as told:
        BrandConfig.from_context({"PageBrand": json.dumps(brand)})
    assert len(str(told.value).splitlines()) == 1
    with pytest.raises(config.ConfigError, match=r"^BRAND: "):
        config.read({"BRAND": json.dumps(brand)}, ROOT)


def test_a_brand_that_can_be_read_is_taken_as_text_and_as_an_object() -> None:
    for given_ in (BRAND, json.dumps(BRAND)):
        assert BrandConfig.from_context({"PageBrand": given_}).brand == BRAND
    assert BrandConfig.from_context({}).brand is None
    for wrong in ("{", "[]", 5):
        with pytest.raises(ParameterError, match="PageBrand must be a JSON object"):
            BrandConfig.from_context({"PageBrand": wrong})
    words = {"minutes": {"one": "{time} m", "other": "{time} m"}, "reset": ["a", "b"]}
    assert checked_brand({"texts": {"*": words}})


@given(colours=st.dictionaries(st.sampled_from(["text", "muted", "card", "background"]), colour))
def test_colours_that_are_taken_leave_every_text_readable(colours: dict[str, str]) -> None:
    for member, own in (("colors", LIGHT), ("colors_dark", DARK)):
        every = {**own, **colours}
        pairs = [(text, under) for text in ("text", "muted") for under in ("card", "background")]
        readable = all(contrast(every[text], every[under]) >= 4.5 for text, under in pairs)
        try:
            checked_brand({member: colours})
        except BrandError:
            assert not readable
        else:
            assert readable


def test_the_pages_own_colours_are_those_of_its_stylesheet() -> None:
    light, dark = (
        dict(re.findall(r"--(\w+): (#[0-9a-f]{6});", part))
        for part in STYLE.split("@media (prefers-color-scheme: dark)")[:2]
    )
    assert {name: light[name] for name in LIGHT} == LIGHT
    assert {name: dark[name] for name in DARK} == DARK
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    checked_brand({"colors": {}, "colors_dark": {}})


def test_the_page_shows_images_of_https_addresses_and_the_console_does_not() -> None:
    def images(site: str, *more: str) -> str:
        policy = headers_of(site, [], images=more)["Content-Security-Policy"]
        return next(rule for rule in policy.split("; ") if rule.startswith("img-src"))

    assert images("waiting_room") == "img-src 'self' data: https:"
    assert images("waiting_room", "http://localhost:*").endswith(" http://localhost:* https:")
    assert images("console") == "img-src 'self' data:"


def test_the_names_of_the_texts_are_those_of_the_page() -> None:
    words = json.loads((PAGE / "words" / "en.json").read_text("utf-8"))
    own = {"tag", "dir", "name"}  # of the language itself
    assert {name for name, one in words.items() if isinstance(one, str)} - own == TEXTS
    assert {name for name, one in words.items() if isinstance(one, list)} == PAIRS
    assert {name for name, one in words.items() if isinstance(one, dict)} == PLURALS
