# SPDX-License-Identifier: Apache-2.0
"""Invariant 9: what a logger call may hold. No request id, no address, no text of unknown origin.

Every call of a logger in the code that runs is read. Its first argument is a constant text, and
every other one is in the list below, with the reason why it is harmless.
"""

from __future__ import annotations

import ast
import textwrap
import traceback
from collections.abc import Iterator
from pathlib import Path

import pytest

import apps.inlet.app
import apps.workers.app
from waiting_room.domain.errors import Unavailable
from waiting_room.runtime import http_api
from waiting_room.runtime.safe_traceback import safe_traceback
from waiting_room.runtime.worker_errors import Failed, hide_error_texts

ROOT = Path(__file__).resolve().parents[3]
LEVELS = {"debug", "info", "warning", "error", "critical"}
HARMLESS = {
    # names of our own code, and counts
    "type(error).__name__": "a class",
    "type(reason).__name__": "a class",
    "safe_traceback(error)": "classes and places in the code, no text",
    "view.__name__": "a function",
    "entry.view_name": "a function (one machine)",
    "self._function.name": "a function (one machine)",
    "self._thread.name": "a function (one machine)",
    "self._what": "what was to be read: a constant",
    "detail_type": "the kind of a bus event: a constant",
    "task": "reconciliation or sweep: a constant",
    "decision.reason": "a text of Rejected, NoToken, IncrementDecision or AdmissionStep",
    "decision.by": "a number of positions",
    "fault": "a sentence of ExitNotice about a member: its name and limits, never its value",
    "lost.by": "a number of positions",
    "count": "a number of items",
    "serving": "the serving counter",
    "served": "a number of positions",
    "increment": "a number of positions",
    "event_id": "the id of an event with a document",
    "_listed(missing)": "names of alarms in documents",
    "self._settings.alarm": "the name of an alarm: a setting",
    "type(cause).__name__": "a class",
    "index + 1": "a tick",
    "short": "the name of a member",
    "ticks": "a number of ticks",
    "REQUEST_ID_CODES_WARNING": "a constant",
    "probe.path": "a route: a constant",
    "watched_id": "the id of an event with a document",
    "status": "an HTTP status",
    "reading.value": "one of Reading",
    "OPEN_FOR": "a constant",
    "EDGE_REGION": "a constant",
    "_listed(renewed)": "ids of events with a document",
    "_listed(ended)": "ids of events with a document",
    "sentences": "constants and numbers of events",
    "json.dumps(line)": "a change, whose members are held below",
}
# Exceptions whose texts are ours: the calls that make them are read too.
OWN_TEXTS = {
    "Unavailable", "InvalidInput", "InvalidToken", "InletError", "NoResponse",
    "InvalidConfiguration",
}  # fmt: skip
READ_TEXTS = {
    "Unavailable", "InvalidToken", "Rejected", "NoToken", "NoResponse", "InvalidConfiguration",
}  # fmt: skip
IN_TEXTS = {
    "MOST_KEYS": "a constant",
    "type(error).__name__": "a class",
    "error.code": "an HTTP status",
    "error.claim": "the name of a claim",
    "missing": "the name of a claim",
    "status": "an HTTP status",
    "response.status": "an HTTP status",
    "error.reason": "the class of a connection error",
    "code": "an error code of AWS",
    "why": "an HTTP status or a class",
    "path.partition('?')[0]": "a route without its query",
    "WHAT": "a constant",
    "why_keys_fail": "our own texts: KeyCheck",
    "sorted(codes)[0]": "an error code of AWS",
    "what": "a constant",
    "self._what": "a constant",
    "name": "the name of a member or setting",
    "short": "the name of a member",
    "ticks": "a number of ticks",
    "failed + bool(lost)": "a number of ticks",
    "failed": "a number of steps",
}
# What no log may hold, by the names that our code gives it.
SECRET_NAMES = {
    "request_id", "request_ids", "message_id", "message_ids", "row", "rows", "outcome", "outcomes",
    "join", "joins", "record", "records", "body", "event", "headers", "query", "url", "raw_path",
    "ip", "source_ip", "address", "client", "remote_addr", "token", "tokens", "access_token",
    "secret", "client_secret", "cookie", "cookies", "code_verifier", "key", "session", "visit",
}  # fmt: skip


def sources() -> list[Path]:
    """The code that runs in Lambda, at a site's gate, and on one machine."""
    folders = (ROOT / "source", ROOT / "deployment" / "local")
    return [path for folder in folders for path in sorted(folder.rglob("*.py"))]


def parsed(text: str) -> ast.Module:
    """A module whose nodes know their parents."""
    tree = ast.parse(textwrap.dedent(text))
    for node in ast.walk(tree):
        for child in ast.iter_child_nodes(node):
            child.parent = node  # type: ignore[attr-defined]
    return tree


def logger_calls(tree: ast.Module) -> Iterator[ast.Call]:
    """Every call of a logger's method, however the logger is named."""
    methods = LEVELS | {"exception", "log"}
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        owner = ast.unparse(node.func.value)
        named = owner.rsplit(".", 1)[-1].lstrip("_") in ("logger", "log", "logging")
        if node.func.attr in methods and (named or "getLogger" in owner) and owner != "changes":
            yield node


def caught(node: ast.AST, name: str) -> set[str]:
    """The exceptions that an ``except … as name`` around a node catches."""
    found: ast.AST | None = node
    while found is not None:
        if isinstance(found, ast.ExceptHandler) and found.name == name and found.type:
            kinds = found.type.elts if isinstance(found.type, ast.Tuple) else [found.type]
            return {ast.unparse(kind).rsplit(".", 1)[-1] for kind in kinds}
        found = getattr(found, "parent", None)
    return set()


def harmless(node: ast.expr) -> bool:
    """Whether an argument is a count, in the list, or the text of an exception of ours."""
    text = ast.unparse(node)
    if text in HARMLESS or isinstance(node, ast.Constant):
        return True
    if isinstance(node, ast.BinOp):
        return harmless(node.left) and harmless(node.right)
    if isinstance(node, ast.Call) and ast.unparse(node.func) == "len":
        return True
    if isinstance(node, ast.Name):
        kinds = caught(node, node.id)
        return bool(kinds) and kinds <= OWN_TEXTS
    return False


def faults(text: str) -> list[str]:
    """What is wrong with the logger calls of a module."""
    found = []
    for call in logger_calls(parsed(text)):
        said = ast.unparse(call)
        assert isinstance(call.func, ast.Attribute)
        words = call.args[1:] if call.func.attr == "log" else call.args
        if call.func.attr == "exception":
            found.append(f"a traceback has the error's text; log safe_traceback(error): {said}")
        if call.keywords:
            found.append(f"exc_info, stack_info and extra are not read here: {said}")
        if not words or not isinstance(words[0], ast.Constant):
            found.append(f"the text is not a constant: {said}")
        found += [
            f"{ast.unparse(one)} is not in the list: {said}"
            for one in words[1:]
            if not harmless(one)
        ]
    return found


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(ROOT)))
def test_no_logger_call_holds_more_than_the_list_allows(path: Path) -> None:
    assert faults(path.read_text()) == []


def test_the_list_holds_no_name_of_a_secret() -> None:
    for known in {*HARMLESS, *IN_TEXTS}:
        names = {node.id for node in ast.walk(ast.parse(known)) if isinstance(node, ast.Name)}
        names |= {
            node.attr for node in ast.walk(ast.parse(known)) if isinstance(node, ast.Attribute)
        }
        assert not names & SECRET_NAMES, known


def test_the_code_has_logger_calls_and_they_are_found() -> None:
    calls = [call for path in sources() for call in logger_calls(parsed(path.read_text()))]
    assert len(calls) > 25


@pytest.mark.parametrize(
    "line",
    [
        "logger.warning('message %s is not a join', message_id)",
        "logger.warning('%s', request_id)",
        "logger.info('from %s', call.source_ip)",
        "logger.info(f'{request_id} came')",
        "logger.info('x' + request_id)",
        "logger.exception('%s failed', type(error).__name__)",
        "logger.error('failed', exc_info=True)",
        "logger.error('failed', extra={'id': request_id})",
        "logging.getLogger('x').info('%s', row)",
        "self._logger.log(logging.INFO, '%s', outcome)",
        "try:\n    act()\nexcept Exception as error:\n    logger.error('%s', error)",
        "try:\n    act()\nexcept (Unavailable, KeyError) as error:\n    logger.error('%s', error)",
    ],
)
def test_calls_that_would_tell_too_much_are_found(line: str) -> None:
    assert len(faults(line)) == 1


@pytest.mark.parametrize(
    "line",
    [
        "logger.info('%d rows', len(rows))",
        "logger.info('%d rows', len(dead) - len(left))",
        "try:\n    act()\nexcept errors.Unavailable as error:\n    logger.error('%s', error)",
    ],
)
def test_calls_that_tell_counts_and_our_own_texts_are_allowed(line: str) -> None:
    assert faults(line) == []


def test_the_texts_of_exceptions_that_are_logged_hold_nothing_of_a_request() -> None:
    """Those of READ_TEXTS."""
    made = 0
    for path in sources():
        for node in ast.walk(parsed(path.read_text())):
            if not isinstance(node, ast.Call):
                continue
            kind = ast.unparse(node.func).rsplit(".", 1)[-1]
            if kind not in READ_TEXTS:
                continue
            made += 1
            for part in ast.walk(node):
                if isinstance(part, ast.FormattedValue):
                    text = ast.unparse(part.value)
                    known = text in IN_TEXTS or harmless(part.value) or "__name__" in text
                    assert known or text.isupper(), (  # a constant of the code
                        path, ast.unparse(node),
                    )  # fmt: skip
    assert made > 40


def test_a_change_is_logged_without_a_visitors_id() -> None:
    seen = 0
    for path in sources():
        for node in ast.walk(parsed(path.read_text())):
            if not isinstance(node, ast.Call):
                continue
            if not ast.unparse(node.func).startswith("change_log."):
                continue
            seen += 1
            for part in [*node.args, *(one.value for one in node.keywords)]:
                names = {one.id for one in ast.walk(part) if isinstance(one, ast.Name)}
                names |= {one.attr for one in ast.walk(part) if isinstance(one, ast.Attribute)}
                secret = names & (SECRET_NAMES - {"row", "outcome", "outcomes"})
                assert not secret, ast.unparse(node)
                assert ast.unparse(part) not in ("row", "outcome"), ast.unparse(node)
            assert not {one.arg for one in node.keywords} & SECRET_NAMES
    assert seen >= 5


def test_nothing_is_printed() -> None:
    """Lambda logs what a function prints. The figures alone are printed: by their own library, and
    one of them, a name and a count, by ``metric_line``.
    """
    prints = {"print", "sys.stdout.write", "warnings.warn"}
    found = [
        path.name
        for path in sorted((ROOT / "source").rglob("*.py"))
        for node in ast.walk(parsed(path.read_text()))
        if isinstance(node, ast.Call) and ast.unparse(node.func) in prints
    ]
    assert found == ["metric_line.py"]


def test_the_trail_of_an_error_has_its_places_and_none_of_its_texts() -> None:
    request_id = "0f6c3b9e-6d5c-4b0a-9a3e-2f0d1c7b8a90"
    try:
        try:
            {}[request_id]
        except KeyError:
            int(request_id)
    except ValueError as error:
        said = safe_traceback(error)
    assert request_id not in said
    assert "ValueError\n  use_cases/test_log_fields.py:" in said
    assert "from KeyError\n  use_cases/test_log_fields.py:" in said


def test_an_error_without_end_is_cut() -> None:
    first = error = ValueError()
    for _ in range(1000):
        error.__cause__ = ValueError()
        error = error.__cause__
    assert safe_traceback(first).count("\n") < 200


def test_a_500_logs_no_text_of_the_error(caplog: pytest.LogCaptureFixture) -> None:
    @http_api.json_handler
    def view() -> None:
        raise KeyError("the-request-id")

    assert view().status_code == 500  # type: ignore[func-returns-value,attr-defined]
    assert "the-request-id" not in caplog.text
    assert "view: unexpected KeyError" in caplog.text


def test_a_function_without_an_api_raises_no_text_that_is_not_ours(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def broken(_: object) -> None:
        raise KeyError("the-request-id")

    def busy(_: object) -> None:
        raise Unavailable("the token table is busy")

    with pytest.raises(Failed, match=r"^KeyError$") as raised:
        hide_error_texts({}, broken)
    said = "".join(traceback.format_exception(raised.value))
    assert "the-request-id" not in said + caplog.text
    assert "unexpected KeyError\n" in caplog.text
    with pytest.raises(Unavailable, match="token table"):
        hide_error_texts({}, busy)


def test_every_function_without_an_api_has_the_middleware() -> None:
    for module in (apps.workers.app, apps.inlet.app):
        assert (hide_error_texts, "pure_lambda") in module.app.middleware_handlers
