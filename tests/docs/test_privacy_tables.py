# SPDX-License-Identifier: Apache-2.0
"""The tables for a privacy notice in ``docs/security.md`` are those of the code."""

from __future__ import annotations

import re

from infrastructure.blueprint.resources import JOINS
from tests.docs import markdown
from tests.support.servers import ROOT
from waiting_room.adapters import outbox
from waiting_room.adapters.dynamodb import openid_codes
from waiting_room.domain.gate.decision import COOKIE_LIFE, PROBE_LIFE, cookie_name
from waiting_room.domain.gate.sessions import COOKIE_KINDS
from waiting_room.domain.limits import ROW_LIFE
from waiting_room.gate import GateSettings
from waiting_room.gate.decision import RETURN_SECONDS
from waiting_room.use_cases.gate import plain_room

SOURCE = ROOT / "source"
SITE = SOURCE / "sites" / "waiting_room"
PAGE = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
SECTION = markdown.section(PAGE, "Cookies and storage of browsers")
COOKIES, STORAGE = markdown.tables(SECTION)
PERSONAL = markdown.table(PAGE, "Personal data")
OF_AWS = "aws-waf-token"
DAY, HOUR = 86_400, 3_600


def python_files() -> dict[str, str]:
    """All files of the application, by their path."""
    return {
        str(file.relative_to(SOURCE)): file.read_text(encoding="utf-8")
        for folder in ("waiting_room", "apps")
        for file in (SOURCE / folder).rglob("*.py")
    }


def older_gate() -> set[str]:
    """The cookies of ``waiting_room.gate``."""
    settings = GateSettings(
        event_id="sale", public_api="https://api.example/api", issuer="https://i.example/api",
        waiting_room_url="https://wait.example/", secret="x" * 32,
    )  # fmt: skip
    names = {getattr(settings, name) for name in dir(settings) if name.endswith("cookie_name")}
    return {name.removesuffix("sale") + "<event>" for name in names}


def test_the_table_of_cookies_has_those_of_the_code() -> None:
    gate = {cookie_name(kind, "<event>", secure=True) for kind in COOKIE_KINDS}
    expected = sorted([*gate, *older_gate(), OF_AWS])
    assert len(expected) == 7
    assert sorted(markdown.code(cell)[0] for cell in COOKIES.column("cookie")) == expected


def test_the_list_of_cookies_is_complete() -> None:
    """Each kind that a file names is in COOKIE_KINDS, and nothing else sets a cookie."""
    files = python_files()
    named = {
        kind
        for text in files.values()
        for kind in re.findall(r"\bcookie_name\(\s*\"(\w*)\"", text)
    }  # fmt: skip
    assert named == set(COOKIE_KINDS)
    edge = [(SOURCE / "edge" / f"{name}.js").read_text() for name in ("decision", "response")]
    script = {kind for text in edge for kind in re.findall(r"cookieName\('(\w*)'", text)}
    assert script <= set(COOKIE_KINDS)
    setting = {name for name, text in files.items() if "set-cookie" in text.lower()}
    assert {name.rpartition("/")[0] for name in setting} == {
        "waiting_room/gate", "waiting_room/site_gate", "waiting_room/runtime",
        "waiting_room/domain/gate",
    }  # fmt: skip
    pages = [SOURCE / "sites" / name for name in ("waiting_room", "console")]
    for file in (one for folder in pages for one in folder.glob("*.js")):
        assert "document.cookie" not in file.read_text(encoding="utf-8"), file


def test_the_room_passes_on_its_own_cookies_and_that_of_aws_waf() -> None:
    room = (SOURCE / "edge" / "room.js").read_text(encoding="utf-8")
    kept = re.search(r"\? /\^\((.+?)\)/ : /\^(.+?)\$/;", room)
    assert kept is not None
    assert kept[1] == f"(__Host-)?waiting-room[-_]|{OF_AWS}$"
    assert kept[2] == OF_AWS


def test_cookies_are_kept_as_long_as_the_table_says() -> None:
    assert (COOKIE_LIFE, PROBE_LIFE, plain_room.COOKIE_LIFE) == (DAY, HOUR, DAY)
    assert RETURN_SECONDS == DAY
    kept = COOKIES.column("kept for")
    assert [one.split(";")[0] for one in kept[:4]] == [
        "the session and one day", "the session", "one hour", "one day after the last response",
    ]  # fmt: skip
    assert kept[5] == "one day"


def test_the_table_of_storage_has_the_keys_of_the_page() -> None:
    """In both pages that have such a table."""
    page, room, start = (
        (SITE / f"{name}.js").read_text(encoding="utf-8")
        for name in ("page", "waiting-room", "start")
    )
    page += (SITE / "visit.js").read_text(encoding="utf-8")
    event = "waiting-room:<event>"
    found = {("localStorage", event)}
    found |= {("localStorage", event + end) for end in re.findall(r"`\$\{key\}(:\w+)`", room)}
    for name in set(re.findall(r"\bkeyOf\(\"(\w+)\"\)", page)) - {"turn"}:  # of a notification
        session = re.search(rf"kept\(keyOf\(\"{name}\"\), \"sessionStorage\"\)", page)
        found.add(("sessionStorage" if session else "localStorage", f"{event}:{name}"))
    for name in re.findall(r'"(waiting-room::\w+)"', page):
        found.add(("localStorage", name))
    found |= {("sessionStorage", name) for name in re.findall(r'KEY = "([\w:-]+)"', start)}
    assert len(found) == 8
    here = {(where.strip("`"), key.strip("`")) for where, key, _ in STORAGE.rows}
    assert here == found
    pages = (ROOT / "docs" / "pages.md").read_text(encoding="utf-8")
    cells = markdown.table(pages, "Stored data").column("storage")
    assert {tuple(markdown.code(cell)) for cell in cells} == found


def test_personal_data_is_kept_as_long_as_the_table_says() -> None:
    assert ROW_LIFE == 30 * DAY
    assert (JOINS.retention, JOINS.dead_letter_retention) == (4 * DAY, 14 * DAY)
    assert (outbox.KEEP, openid_codes.LEAVES_AFTER) == (7 * DAY, HOUR)
    rows = {row[1]: row[2] for row in PERSONAL.rows if row[0] in ("request id", "")}
    assert rows["tables of positions and of tokens"].startswith("30 days")
    assert rows["join queue"] == "4 days at most"
    assert rows["dead-letter queue of the join queue"] == "14 days at most"
    assert rows["table of authorization codes (OpenID)"] == "an hour after the code expires"
    events = "bus events `token_generated`, `session_updated` in the outbox"
    assert rows[events] == "7 days at most"
    assert rows["the same bus events in their dead-letter queue"] == "14 days at most"
