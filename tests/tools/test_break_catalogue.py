# SPDX-License-Identifier: Apache-2.0
"""The deliberate breaks of ``make broken`` still find the code that they change."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.mutations.breaks import Break
from tests.mutations.catalogue import BREAKS
from tests.mutations.project import ROOT
from tests.mutations.targets import Project, TargetError

PROJECT = Project(ROOT)


@pytest.mark.parametrize("broken", BREAKS, ids=lambda broken: broken.rule)
def test_a_break_finds_its_symbol_its_text_and_its_tests(broken: Break) -> None:
    assert broken.old != broken.new
    wrong = ""
    try:
        PROJECT.broken(broken.target, broken.old, broken.new)
        PROJECT.tests(broken.tests)
    except TargetError as error:
        wrong = f"edit the entry {broken.rule!r} in tests/mutations/catalogue: {error}"
    if wrong:
        pytest.fail(wrong, pytrace=False)


def test_each_rule_names_one_break() -> None:
    assert [rule for rule, count in Counter(one.rule for one in BREAKS).items() if count > 1] == []
