# SPDX-License-Identifier: Apache-2.0
"""The prose check finds replaced words in added lines, and nothing else."""

from __future__ import annotations

import subprocess
import tomllib
from typing import Any

import pytest

from deployment.checks import prose

DIFF = """\
diff --git a/docs/a.md b/docs/a.md
--- a/docs/a.md
+++ b/docs/a.md
@@ -3,2 +3,2 @@ The ledger of an event
-The junk of old.
+Invalid input, and Junk.
+A `ledger` is a name.
@@ -9,0 +11 @@
+++ ledgers
diff --git a/docs/glossary.md b/docs/glossary.md
--- a/docs/glossary.md
+++ b/docs/glossary.md
@@ -1 +1 @@
+| state row | ledger |
diff --git a/docs/images/a.png b/docs/images/a.png
--- a/docs/images/a.png
+++ b/docs/images/a.png
@@ -1 +1 @@
+junk
"""


def test_only_added_lines_of_code_and_prose_are_checked() -> None:
    assert [(one.path, one.line, one.word.replaced) for one in prose.offences(DIFF)] == [
        ("docs/a.md", 3, "junk"),
        ("docs/a.md", 11, "ledger"),
    ]


def test_an_offence_names_the_line_and_the_word_to_use() -> None:
    assert str(prose.offences(DIFF)[0]) == 'docs/a.md:3: "junk": use "invalid input"'


@pytest.mark.parametrize("text", ["Junk.", "two doors", "it was mended", "Habits", "dead letters"])
def test_a_replaced_word_is_found_with_its_endings(text: str) -> None:
    assert len(prose.in_text(text)) == 1


@pytest.mark.parametrize(
    "text", ["outdoors", "amendment", "dead-letter queue", "in place", "inhabit", "`junk`"]
)
def test_other_words_and_names_in_backquotes_are_not_found(text: str) -> None:
    assert prose.in_text(text) == []


@pytest.mark.parametrize(
    "name", ["LedgerState", "the_ledger", "VISITS", "count_visits", "key-ring"]
)
def test_a_name_is_checked_word_by_word(name: str) -> None:
    assert len(prose.in_name(name)) == 1


@pytest.mark.parametrize("name", ["replace", "visitor_sessions", "VisitorSessions", "position"])
def test_a_name_may_contain_a_replaced_word_within_another(name: str) -> None:
    assert prose.in_name(name) == []


def test_each_word_is_in_one_section_and_has_a_replacement_that_is_allowed() -> None:
    sections = tomllib.loads(prose.WORDS.read_text(encoding="utf-8"))
    assert not set(sections["everywhere"]) & set(sections["names"])
    for word in prose.words(*sections):
        assert word.replaced == word.replaced.lower()
        assert word.instead
        assert prose.in_text(word.instead, tuple(sections)) == [], word


def test_without_git_the_check_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def missing(*_: Any, **__: Any) -> None:
        raise FileNotFoundError

    monkeypatch.setattr(subprocess, "run", missing)
    assert prose.main() == 2
    assert "git is not installed" in capsys.readouterr().out
