# SPDX-License-Identifier: Apache-2.0
"""The deliberate breaks of ``make broken`` still find the code that they change."""

from __future__ import annotations

import pytest

from tests.broken_on_purpose import BREAKS, ROOT, Break


@pytest.mark.parametrize("broken", BREAKS, ids=lambda broken: broken.rule)
def test_a_break_fits_its_file_and_names_tests_that_there_are(broken: Break) -> None:
    assert broken.old in (ROOT / broken.file).read_text(encoding="utf-8")
    assert broken.old != broken.new
    for path in broken.tests.split():
        assert (ROOT / path.partition("::")[0]).exists()
