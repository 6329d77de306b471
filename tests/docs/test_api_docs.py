# SPDX-License-Identifier: Apache-2.0
"""docs/api.md knows every error that a caller can get, and no other; and every caching rule."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest

import apps.public_api.app
from deployment.local.gateway import sigv4
from infrastructure.blueprint import discovery, gateway_responses, join_integration
from tests.docs import markdown
from tests.support.in_memory_room import EVENT, InMemoryRoom
from tests.support.lambda_proxy_events import call
from tests.support.servers import ROOT
from waiting_room.domain import errors
from waiting_room.runtime.http_api import status_of

PAGE = (ROOT / "docs" / "api.md").read_text()
# raised where no caller of an API is: by workers, whose messages go to the log or to the operator
UNSEEN = {
    "parse_join",
    "_members_of_a_join",
    "first_id_and_time",
    "_milliseconds",
    "read_departures",
    "_ids",
}
OPENID = ("source/apps/openid/app.py", "source/waiting_room/openid/protocol.py",
          "source/waiting_room/openid/provider.py")  # fmt: skip
BY_THE_GATEWAY = {
    (400, gateway_responses.NOT_A_JOIN), (400, gateway_responses.NOT_JSON_TYPE),
    (403, "Forbidden"), (403, sigv4.MISSING), (403, sigv4.UNKNOWN_KEY),
    (403, sigv4.MISMATCH), (403, sigv4.EXPIRED), (413, "Request Too Long"),
    (429, "Too Many Requests"), (431, "Request Header Fields Too Large"),
    (502, gateway_responses.NO_ANSWER),
    (400, join_integration.REFUSAL_TEMPLATE.split('"')[3]),
    (503, join_integration.FAILURE_TEMPLATE.split('"')[3]),
    (400, "Missing required request parameters: […]"),
    (429, "too many joins from this address; try again in a few minutes"),
    (429, "too many requests from this address; try again in a few minutes"),
    (500, "internal error"), (503, "the waiting room is busy; try again shortly"),
}  # fmt: skip


REFUSALS: tuple[type[errors.RoomError], ...] = (errors.JoinRefused, errors.SessionRefused)


def sentence(node: ast.expr) -> str:
    """A text of the code, with … for what is filled in."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(
            str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values
        )
    return "…"


def calls(path: str) -> Iterator[tuple[str, str, list[str]]]:
    """Function around it, name, and the texts of the arguments of every call in a file."""
    tree = ast.parse((ROOT / path).read_text())
    for function in ast.walk(tree):
        if not isinstance(function, ast.FunctionDef):
            continue
        for node in ast.walk(function):
            if isinstance(node, ast.Call):
                name = getattr(node.func, "id", getattr(node.func, "attr", ""))
                yield function.name, name, [sentence(argument) for argument in node.args]


def raised(path: str) -> set[tuple[int, str]]:
    """Status and sentence of every error that a file raises for a caller."""
    found = set()
    for function, name, texts in calls(path):
        kind = getattr(errors, name, None)
        if function in UNSEEN or not texts or not isinstance(kind, type):
            continue
        if (texts[0] == "…" or kind in REFUSALS) and getattr(kind, "text", ""):
            continue  # its text is in errors.py
        if issubclass(kind, errors.RoomError) and status_of(kind(texts[0])) != 503:
            found.add((status_of(kind(texts[0])), texts[0]))
    return found


def texts_of_errors() -> set[tuple[int, str]]:
    """Status and text of every error whose text is always the same."""
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type)]
    refusals = {
        (status_of(kind.__new__(kind)), text)
        for kind in REFUSALS
        for text in kind.texts.values()  # type: ignore[attr-defined]
    }
    return refusals | {
        (status_of(kind.__new__(kind)), kind.text)
        for kind in kinds
        if issubclass(kind, errors.RoomError) and kind.text and kind not in REFUSALS
    }


def sources() -> list[str]:
    every = [str(path.relative_to(ROOT)) for path in (ROOT / "source").rglob("*.py")]
    return [path for path in every if "/adapters/" not in path and path not in OPENID]


def rows(title: str, columns: int) -> set[tuple[str, ...]]:
    """The first columns of the table under a title."""
    every = markdown.rows(PAGE, title)
    return {tuple(cell.strip("`") for cell in row[:columns]) for row in every}


def test_every_error_of_the_apis_is_explained_and_no_other() -> None:
    told = {(int(status), text) for status, text in rows("Public, private, store and inlet", 2)}
    documents = "source/waiting_room/use_cases/events/event_documents.py"
    stale = {
        (409, texts[1]) for _, name, texts in calls(documents) if name == "_stale" and texts[1:]
    }
    known = BY_THE_GATEWAY.union(texts_of_errors(), stale, *(raised(path) for path in sources()))
    assert told == known


def test_what_the_firewall_says_is_what_the_page_says() -> None:
    firewall = (ROOT / "infrastructure/constructs/edge/waf.py").read_text()
    said = re.findall(r'{"error": "([^"]+)"}', firewall)
    assert len(said) == 2
    assert {(429, one) for one in said} <= BY_THE_GATEWAY


def test_every_error_of_the_openid_provider_is_explained_and_no_other() -> None:
    told = {(code, text) for _, code, text in rows("OpenID provider", 3)}
    known = {("invalid_request", text) for path in OPENID for _, text in raised(path)}
    known.add(("invalid_request", next(iter(raised_in_queue()))))
    for path in OPENID:
        for _, name, texts in calls(path):
            if name == "error_response" and "…" not in texts[:2]:
                known.add((texts[0], texts[1]))
            if name == "_reject" and len(texts) > 2:
                known.add((texts[1], texts[2]))
    tree = ast.parse((ROOT / "source/waiting_room/openid/protocol.py").read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and node.name == "unsupported_feature":
            for answer in ast.walk(node):
                if isinstance(answer, ast.Return) and isinstance(answer.value, ast.Tuple):
                    code, text = (sentence(part) for part in answer.value.elts)
                    known.add((code, text))
    known.discard(("invalid_request", "client_secret is too long"))  # "… is too long"
    assert told == known


def raised_in_queue() -> set[str]:
    return {
        text for _, text in raised("source/waiting_room/domain/joins.py") if "request_id" in text
    }


def test_no_error_is_hard_to_read() -> None:
    for _, text in rows("Public, private, store and inlet", 2):
        assert 5 < len(text) < 200
        assert not re.search(r"Error|Exception|None|\bdict\b|\bstr\b|\bint\b", text), text


def test_the_caching_rules_are_those_of_the_code(monkeypatch: pytest.MonkeyPatch) -> None:
    in_memory_room = InMemoryRoom()
    in_memory_room.room.workers.setup.run()
    visitor = in_memory_room.visitors(1)[0]
    in_memory_room.serve(1)
    monkeypatch.setattr(apps.public_api.app, "room", lambda: in_memory_room.room)
    listed = {
        path: markdown.code(age)[0]
        for paths, age in markdown.rows(PAGE, "Caching")
        if age.startswith("`public, ")
        for path in markdown.code(paths)
    }
    query = {"event_id": EVENT, "request_id": visitor}
    assert listed == {
        path: call(apps.public_api.app.app, "GET", path, query=query).headers["cache-control"]
        for path, methods in apps.public_api.app.app.routes.items()
        if "GET" in methods
    } | {discovery.PATH: discovery.HEADERS["Cache-Control"]}


def test_every_test_that_a_page_names_is_there() -> None:
    written = "\n".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    files = {path.name for path in (ROOT / "tests").rglob("test_*.py")}
    page = (ROOT / "docs" / "security.md").read_text()
    named = set(re.findall(r"`(test_\w+(?:\.py)?)`", page))
    assert len(named) > 10
    for name in named:
        assert name in files or f"def {name}(" in written, name
