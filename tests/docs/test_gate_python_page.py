# SPDX-License-Identifier: Apache-2.0
"""``docs/gate-python.md``: its sites run behind the gate; settings, commands and extra are real."""

from __future__ import annotations

import asyncio
import re
import shlex
import tomllib
from dataclasses import MISSING, fields
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from django.core.wsgi import get_wsgi_application
from fastapi import FastAPI

from apps.command_line.app import main
from tests.docs import markdown
from tests.support.fakes.gate_keys import MemoryGateKeys
from tests.support.gate_sites import django_site
from tests.support.servers import ROOT
from tests.unit.site_gate.site import Fixed
from waiting_room import site_gate
from waiting_room.domain.events.schema import defaults
from waiting_room.domain.gate.configuration import GateConfiguration, GateView
from waiting_room.domain.gate.store import GatedEvent
from waiting_room.site_gate import SiteGateSettings
from waiting_room.site_gate import gate as module

PAGE = (ROOT / "docs" / "gate-python.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^ *```python\n(.+?)^ *```", PAGE, re.MULTILINE | re.DOTALL)
SETTINGS = (
    'events=("Sample",), '
    'private_api="https://abcdefghij.execute-api.eu-central-1.amazonaws.com/api"'
)
HEADERS = {"Accept": "text/html", "Host": "www.shop.example"}


@pytest.fixture(autouse=True)
def configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each gate has the event of the page, which protects ``/checkout``."""
    event = GatedEvent("Sample", {**defaults(), "protect": [{"path": "/checkout"}]}, 1, 0)
    keys = MemoryGateKeys().keys("Sample")
    view = GateView.of([GateConfiguration.of_event(event, 1, keys)])
    monkeypatch.setattr(module, "Configurations", lambda _settings: Fixed(view))


def inline(framework: str) -> str:
    """The line of a framework in the text, with settings in place of the dots."""
    (line,) = re.findall(rf"{framework}: `(\w+ = \w+SiteGate\(.+?\))`", PAGE)
    return str(line).replace("…", SETTINGS)


def by_wsgi(app: Any, path: str) -> tuple[int, str]:
    """Status and location of a navigation to a WSGI application."""
    found: list[Any] = []
    environ = {
        "REQUEST_METHOD": "GET", "PATH_INFO": path, "QUERY_STRING": "", "wsgi.input": BytesIO(),
        "SERVER_NAME": "www.shop.example", "SERVER_PORT": "443", "wsgi.url_scheme": "https",
        **{f"HTTP_{name.upper()}": value for name, value in HEADERS.items()},
    }  # fmt: skip
    list(app(environ, lambda status, headers, *_: found.extend((status, dict(headers)))))
    return int(found[0][:3]), found[1].get("Location", "")


def by_asgi(app: Any, path: str) -> tuple[int, str]:
    """The same for an ASGI application."""
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http", "method": "GET", "path": path, "raw_path": path.encode(), "scheme": "https",
        "query_string": b"", "root_path": "", "http_version": "1.1",
        "headers": [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()],
    }  # fmt: skip
    asyncio.run(app(scope, receive, send))
    headers = {name.decode().lower(): value.decode() for name, value in sent[0]["headers"]}
    return sent[0]["status"], headers.get("location", "")


def check(call: Any, app: Any) -> None:
    """The gate protects ``/checkout`` and no other path of the site."""
    status, location = call(app, "/checkout")
    assert (status, location) == (302, "/_waiting-room/enter?event=Sample&to=%2Fcheckout")
    assert call(app, "/another")[0] == 404, "the site has no such page"


def test_the_flask_site_of_the_page_is_behind_the_gate() -> None:
    (block,) = (one for one in BLOCKS if "Flask" in one)
    names: dict[str, Any] = {"__name__": __name__}
    exec(re.sub(r"^    ", "", block, flags=re.MULTILINE), names)  # noqa: S102 - of the page
    check(by_wsgi, names["app"])


def test_the_line_for_django_puts_the_gate_around_the_site() -> None:
    django_site([])
    names = {**vars(site_gate), "get_wsgi_application": get_wsgi_application}
    exec(inline("Django"), names)  # noqa: S102 - of the page
    check(by_wsgi, names["application"])


def test_the_line_for_fastapi_puts_the_gate_around_the_site() -> None:
    names: dict[str, Any] = {**vars(site_gate), "app": FastAPI()}
    exec(inline("FastAPI"), names)  # noqa: S102 - of the page
    check(by_asgi, names["app"])


def test_the_table_of_settings_is_that_of_the_code() -> None:
    rows = {row[0].strip("`"): row[2] for row in markdown.rows(PAGE, "Settings")}
    assert list(rows) == [one.name for one in fields(SiteGateSettings)]
    stated = {"": MISSING, "empty": "", "from the host of `private_api`": ""}
    for one in fields(SiteGateSettings):
        cell = rows[one.name].strip("`")
        wanted = stated.get(rows[one.name], cell)
        assert wanted == one.default or wanted == str(one.default), one.name


def test_the_commands_of_the_page_are_those_of_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "event.json").write_text("{}")
    lines = re.findall(r"^ *waiting-room (.+)$", PAGE, re.MULTILINE)
    lines += re.findall(r"`waiting-room ([^`]+)`", PAGE)
    assert len(lines) >= 2
    for line in lines:
        result = CliRunner().invoke(main, [*shlex.split(line), "--help"])
        assert result.exit_code == 0, result.output  # it also checks the options
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"\bmake ([a-z-]+)", PAGE):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_the_extra_of_the_page_installs_what_it_names() -> None:
    (extra,) = re.findall(r"virtual-waiting-room\[([a-z-]+)\]", PAGE)
    (said,) = re.findall(rf"extra `{extra}` installs (\w+) and (\w+)", PAGE)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    found = {re.split(r"[<>=\[]", one)[0] for one in project["optional-dependencies"][extra]}
    assert found == set(said)
