# SPDX-License-Identifier: Apache-2.0
"""The brand in the deployed stacks: waiting page, OpenID page, room of the gate."""

from __future__ import annotations

import json
import re

import pytest

from infrastructure.blueprint.brand import plain_brand
from tests.support.templates.synthesized import EVERYTHING, Assembly
from waiting_room.domain.events.brand import BrandError, checked_brand
from waiting_room.runtime.settings.entrance import PageBrand, read_entrance_settings

BRAND = EVERYTHING["PageBrand"]
PICTURES = "https://pictures.example"
PAGES = [("Sample", "WaitingRoom"), ("OpenId", "WaitingRoom"), ("Gate", "Page")]


@pytest.mark.parametrize(("stack", "start"), PAGES)
def test_each_waiting_page_has_the_brand_in_its_files_and_its_logo_in_its_policy(
    assembly: Assembly, stack: str, start: str
) -> None:
    made = assembly.stacks[stack]
    (copier,) = (
        one for name, one in made.of_type("Custom::CDKBucketDeployment").items()
        if name.startswith(start)
    )  # fmt: skip
    digest = copier["SourceObjectKeys"][-1].partition(".")[0]
    file = assembly.folder / f"asset.{digest}" / "config.json"
    found = re.search(r'"brand":(\{.*?\})', file.read_text(encoding="utf-8"))
    assert found
    assert json.loads(found[1]) == BRAND
    (policy,) = (
        one for name, one in made.of_type("AWS::CloudFront::ResponseHeadersPolicy").items()
        if name.startswith(start)
    )  # fmt: skip
    assert "img-src 'self' data: https:" in json.dumps(policy)


def test_the_room_of_the_gate_without_scripts_has_the_brand(assembly: Assembly) -> None:
    settings = [
        made["Environment"]["Variables"]["PAGE_BRAND"]
        for made in assembly.stacks["Gate"].of_type("AWS::Lambda::Function").values()
        if "PAGE_BRAND" in made.get("Environment", {}).get("Variables", {})
    ]
    (value,) = settings
    assert read_entrance_settings({"PAGE_BRAND": value}).brand.name == BRAND["name"]


def test_the_colours_of_the_page_without_scripts_are_those_of_the_brand() -> None:
    brand = checked_brand({
        "name": "Night", "colors": {"accent": "#B3245B", "text": "#000000", "card": "#ffffff"},
        "colors_dark": {"background": "#000000"},
    })  # fmt: skip
    made = read_entrance_settings({"PAGE_BRAND": plain_brand(brand)}).brand
    assert made == PageBrand(
        "Night",
        "body{color:#000000}main{background:#ffffff}button:focus-visible{outline-color:#000000}"
        "button{color:#fff;background:#b3245b}"
        "@media(prefers-color-scheme:dark){body{background:#000000}}",
    )


def test_without_dark_colours_dark_mode_has_those_of_the_page_and_the_accent() -> None:
    colours = {"accent": "#ffdd00", "background": "#ffffff"}
    style = json.loads(plain_brand({"colors": colours}))["style"]
    light, dark = style.split("@media(prefers-color-scheme:dark)")
    assert "body{background:#ffffff}" in light
    assert "body{color:#eff2f8;background:#0e1117}" in dark
    for part in (light, dark):
        assert "button{color:#000;background:#ffdd00}" in part


def test_a_brand_fits_into_the_environment_of_a_function() -> None:
    colours = dict.fromkeys(("accent", "background", "card", "text", "muted", "line"), "#000000")
    brand = {"name": "é" * 100, "colors": colours, "colors_dark": colours}
    assert len(plain_brand(brand)) < 2_000  # of the 4 kB that Lambda accepts in all
    with pytest.raises(BrandError, match="name must be a text of at most 100 characters"):
        checked_brand({"name": "x" * 101})
