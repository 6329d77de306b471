# SPDX-License-Identifier: Apache-2.0
"""``docs/deploy.md`` says what can be told to the stacks, and what they tell."""

from __future__ import annotations

import re

from deployment import docs_tables
from infrastructure.parameters.docs_table import PAGE, TABLES, table
from tests.support.templates.synthesized import Assembly


def test_the_page_has_every_parameter_with_its_default() -> None:
    """Run ``python -m deployment.docs_tables`` to write the tables again."""
    page = PAGE.read_text(encoding="utf-8")
    assert docs_tables.parameters(page) == page
    assert all(table(name) in page for name in TABLES)


def test_the_page_names_every_output_of_the_getting_started_stacks(assembly: Assembly) -> None:
    page = PAGE.read_text(encoding="utf-8")
    for stack in ("Core", "Authorizer", "Sample"):
        outputs = assembly.stacks[stack].template["Outputs"]
        own = {name for name, one in outputs.items() if "Export" not in one}
        assert own, stack
        assert not {name for name in own if not re.search(rf"`{name}`", page)}, stack


def test_every_make_target_of_the_page_exists() -> None:
    makefile = (PAGE.parent.parent / "Makefile").read_text(encoding="utf-8")
    page = PAGE.read_text(encoding="utf-8")
    for target in set(re.findall(r"make ([a-z-]+)", page)) - {"test"}:
        assert re.search(rf"^{target}:", makefile, re.M), target
