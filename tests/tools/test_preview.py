# SPDX-License-Identifier: Apache-2.0
"""``make preview``: its settings and files, and what its server returns."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from deployment.preview import PreviewError, PreviewServer, pages, read_settings
from infrastructure.blueprint.site_config import PREVIEW

EVENTS = """
onsale:
  title: Summer sale
  page:
    brand: {name: Nordlicht, colors: {accent: "#8a1c3b"}}
    html: <p onclick=x>Doors at <b>seven</b></p>
draw: {}
"""


def file(folder: Path, text: str = EVENTS) -> str:
    path = folder / "events.yaml"
    path.write_text(text, "utf-8")
    return str(path)


def ask(server: PreviewServer, *paths: str) -> list[httpx.Response]:
    async def run() -> list[httpx.Response]:
        transport = httpx.ASGITransport(app=server)  # type: ignore[arg-type]
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            return [await client.get(path) for path in paths]

    return asyncio.run(run())


def test_the_server_returns_the_pages_of_the_file_as_they_are_now(tmp_path: Path) -> None:
    brand = '{"name": "Own"}'
    settings = read_settings({"EVENTS": file(tmp_path), "BRAND": brand, "PORT": "8791"})
    (tmp_path / PREVIEW).write_text("preview")
    server = PreviewServer(tmp_path, settings)
    config, preview, one, other, none = ask(
        server, "/config.json", f"/{PREVIEW}", "/api/page?event_id=onsale",
        "/api/page?event_id=draw", "/api/page?event_id=x",
    )  # fmt: skip
    assert preview.text == "preview"
    assert config.json()["brand"] == {"name": "Own"}
    assert config.json()["event_id"] == "onsale"
    assert config.json()["public_api"] == "http://127.0.0.1:8791/api"
    assert "http://127.0.0.1:8791" in config.headers["content-security-policy"]
    assert one.json()["page"]["html"] == "<p>Doors at <b>seven</b></p>"
    assert (one.json()["title"], other.json()["version"]) == ("Summer sale", "")
    assert (none.status_code, none.json()) == (400, {"error": "events.yaml has no such event."})
    file(tmp_path, "onsale: {title: Two}")
    assert ask(server, "/api/page?event_id=onsale")[0].json()["title"] == "Two"
    file(tmp_path, "onsale: {page: {brand: {colors: {text: red}}}}")
    (wrong,) = ask(server, "/api/page?event_id=onsale")
    assert wrong.status_code == 400
    assert wrong.json()["error"].startswith("events.yaml: onsale: page.brand.colors.text must be")


def test_without_a_file_the_page_has_the_brand_alone(tmp_path: Path) -> None:
    settings = read_settings({})
    assert pages(settings) == {}
    (answer,) = ask(PreviewServer(tmp_path, settings), "/api/page?event_id=Sample")
    assert (answer.status_code, answer.json()["title"]) == (200, "")


@pytest.mark.parametrize(
    ("env", "says"),
    [
        ({"BRAND": "["}, "BRAND must be a JSON object"),
        ({"BRAND": json.dumps({"logo": "x y"})}, "BRAND: logo must be"),
        ({"PORT": "0"}, "PORT must be a number"),
        ({"PORT": "x"}, "PORT must be a number"),
        ({"EVENTS": "/nowhere/x.yaml"}, "EVENTS=/nowhere/x.yaml cannot be read: No such file"),
    ],
)
def test_an_invalid_setting_is_refused_with_its_name(env: dict[str, Any], says: str) -> None:
    with pytest.raises(PreviewError) as refused:
        read_settings(env)
    assert str(refused.value).startswith(says)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a: [", "events.yaml: invalid YAML"),
        ("a: {page: {css: x}}", "events.yaml: a: page.css is not a member"),
        ("'a b': {}", "events.yaml: 'a b' is not an event id"),
    ],
)
def test_an_invalid_file_is_refused_with_its_place(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(PreviewError) as refused:
        read_settings({"EVENTS": file(tmp_path, text)})
    assert str(refused.value).startswith(says)
