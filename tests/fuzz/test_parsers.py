# SPDX-License-Identifier: Apache-2.0
"""Any text at every parser: it is read, or refused by an error of the parser's own domain."""

from __future__ import annotations

import ast
import json
import logging
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.fuzz.inputs import DEEP, JSON, ODD, TEXT, fuzzed, spelled
from tests.fuzz.parsers import BY_NAME, CALLS, OWN, PARSERS, Parser
from tests.support.servers import ROOT

ALPHABET = "\x00\n\r\t \ufeff\ud800\udc00\u00e9\u0661\u00b2\u2028-+_.,:;/?#@%&=[]{}\"'\\09aZ"
SIGNS = st.text(st.sampled_from(ALPHABET), max_size=30)
EXACT = [
    "", " ", "\x00", "\ud800", "\ufeff", "9" * 5000, "-" + "9" * 5000, "1e400", "NaN", "Infinity",
    "\u0661\u0662", "\u00b2", "1_000", "+5", "5\n", "0x10", "true", "null", "[]", "{}",
    "https://[", "https://h:99999999/", "https://h:x/", "https://\ud800/", "//", "http://127.0.0.1:0",
    "Bearer", "Bearer ..", "....", "a.b.c", "Basic ====", "%", "%zz", "a=%ff", "&" * 60, "=" * 60,
    "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00",
    '{"keys":[]}', '{"keys":[{}]}', '{"keys":[1]}', '{"keys":{"a":1}}', '{"client_secret":1}',
    '{"client_secret":"' + "\\ud800" * 16 + '"}',
    '{"access_token":1}', '{"serving_num":1e300}', '{"serving_num":true}', '{"generation":"1"}',
    '{"aud":"Sample","nbf":1e400,"exp":[],"iat":{}}', '{"exp":Infinity}',
]  # fmt: skip
HOSTILE = TEXT | SIGNS | JSON.map(spelled) | st.sampled_from([*EXACT, *ODD, *DEEP])
FOUND = json.loads((Path(__file__).parent / "found.json").read_text())
WAYS = [pytest.param(parser, id=parser.name) for parser in PARSERS]


def read(parser: Parser, text: str) -> None:
    """Hand a text over; an error of another domain goes on. None repeats a long text."""
    said = ""
    try:
        parser.call(text)
    except parser.errors as error:
        said = str(error)
    assert len(said) < 300


@pytest.fixture(autouse=True)
def quiet() -> Any:
    """Refusals are logged; thousands of them need no line."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.parametrize("parser", WAYS)
def test_any_text_is_read_or_refused(parser: Parser) -> None:
    @given(HOSTILE)
    def holds(text: str) -> None:
        read(parser, text)

    holds.__name__ = parser.name
    fuzzed(holds)()


@pytest.mark.parametrize("parser", WAYS)
def test_so_is_every_text_of_the_list(parser: Parser) -> None:
    for text in [*EXACT, *ODD, *DEEP]:
        read(parser, text)


@pytest.mark.parametrize("one", [pytest.param(one, id=one["found"]) for one in FOUND])
def test_so_is_every_text_that_was_ever_found(one: dict[str, str]) -> None:
    read(BY_NAME[one["parser"]], one["text"])


@fuzzed
@given(st.binary(max_size=60))
@example(b"\xff\xfe{\x00}\x00")
@example(b"\xef\xbb\xbf{}")
def test_so_are_bytes(content: bytes) -> None:
    text = content.decode("latin-1")
    for name in ("body", "JSON in bytes", "form", "transaction", "token", "code"):
        read(BY_NAME[name], text)


def test_every_module_that_parses_is_listed() -> None:
    """A new parser comes with its line in ``PARSERS``, or with a reason in ``OWN``."""
    listed = {module for parser in PARSERS for module in parser.modules} | set(OWN)
    for path in sorted((ROOT / "source").rglob("*.py")):
        parts = path.relative_to(ROOT / "source").with_suffix("").parts
        module = ".".join(parts[1:] if parts[0] == "waiting_room" else parts[:2])
        called = {
            getattr(node.func, "id", getattr(node.func, "attr", ""))
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.Call)
        }
        if module.startswith("gate."):  # tests/unit/gate, tests/fuzz/test_credentials.py
            continue
        assert not called & CALLS or module in listed, (
            f"{module} calls {sorted(called & CALLS)}: add a Parser with this module to PARSERS in"
            " tests/fuzz/parsers.py, or the module to OWN there with the reason"
        )
