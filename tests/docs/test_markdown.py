# SPDX-License-Identifier: Apache-2.0
"""The reader of Markdown that the tests of the pages use."""

from __future__ import annotations

import pytest

from tests.docs.markdown import Table, code, rows, section, table, tables

PAGE = """# Page

| a | b |
|---|---:|
| `x`, `y` | 1 |
| p \\| q |  |

## Errors

Text.

```sh
# no heading
| no | table |
|---|---|
```

### More

| c |
|---|
| 2 |

## Last

| not a table |
"""


def test_the_tables_of_a_page_have_head_and_rows() -> None:
    first, second = tables(PAGE)
    assert first == Table(("a", "b"), (("`x`, `y`", "1"), ("p | q", "")))
    assert second == Table(("c",), (("2",),))
    assert first.column("b") == ["1", ""]


def test_a_section_has_its_subsections_and_ends_at_the_next_heading() -> None:
    text = section(PAGE, "Errors")
    assert text.startswith("\nText.")
    assert "# no heading" in text
    assert "### More" in text
    assert "Last" not in text
    assert rows(PAGE, "More") == (("2",),)
    assert table(PAGE, "Errors").head == ("c",)


@pytest.mark.parametrize(("heading", "missing"), [("None", "heading"), ("Last", "table")])
def test_what_a_page_does_not_have_is_named(heading: str, missing: str) -> None:
    with pytest.raises(LookupError, match=f"has no {missing}"):
        table(PAGE, heading)


def test_code_spans_are_read_from_a_cell() -> None:
    assert code("`x`, `y z` and w") == ["x", "y z"]
