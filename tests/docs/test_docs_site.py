# SPDX-License-Identifier: Apache-2.0
"""The hook of the documentation site adapts links, and the site loads nothing from another host."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import markdown
import pytest
import yaml

from deployment.release.docs_site import adapt
from tests.support.servers import ROOT


class Loader(yaml.SafeLoader):
    """Reads mkdocs.yml, whose tags name functions of Python."""


LOADED = r'<(?:script|img|link rel="(?:stylesheet|icon)")[^>]*>'  # tags that load another file
Loader.add_multi_constructor("tag:yaml.org,2002:python/", lambda *_: None)
CONFIG = yaml.load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"), Loader)


@pytest.mark.parametrize(
    ("page", "link", "wanted"),
    [
        ("api.md", "[Deploy](deploy.md#parameters)", "[Deploy](deploy.md#parameters)"),
        ("api.md", "[the README](../README.md)", "[the README](index.md)"),
        ("api.md", "[`room.py`](../deployment/local/room.py)", "`deployment/local/room.py`"),
        ("api.md", "[the room](../deployment/local/room.py)",
         "the room (`deployment/local/room.py`)"),
        ("api.md", "[tests](../tests/)", "`tests`"),
        ("api.md", "[missing](../tests/missing.py)", "[missing](../tests/missing.py)"),
        ("api.md", "[AWS](https://aws.amazon.com/)", "[AWS](https://aws.amazon.com/)"),
        ("api.md", "[below](#errors)", "[below](#errors)"),
        ("index.md", "[Deploy](docs/deploy.md)", "[Deploy](deploy.md)"),
        ("index.md", "[decisions](docs/decisions)", "[decisions](decisions/README.md)"),
        ("index.md", "![](docs/images/waiting-room.png)", "![](images/waiting-room.png)"),
        ("decisions/README.md", "[API](../api.md)", "[API](../api.md)"),
        ("decisions/README.md", "[log](../../CHANGELOG.md)", "[log](../changelog.md)"),
    ],
)  # fmt: skip
def test_a_link_is_adapted_to_the_site(page: str, link: str, wanted: str) -> None:
    assert adapt(f"See {link}.", page) == f"See {wanted}."


def test_code_is_not_changed() -> None:
    text = "```\n[a](../README.md)\ntext\n- x\n```"
    assert adapt(text, "api.md") == text


def test_an_empty_line_precedes_a_list() -> None:
    assert adapt("Text:\n- a\n  more\n- b", "api.md") == "Text:\n\n- a\n    more\n- b"


def test_each_level_of_a_list_has_four_spaces() -> None:
    assert adapt("- a\n  more\n  - b\n    - c", "api.md") == "- a\n    more\n    - b\n        - c"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("1. a\n\n   more\n2. b", "1. a\n\n    more\n\n2. b"),
        ("1. a\n\n    more\n2. b", "1. a\n\n    more\n\n2. b"),
        ("- a\n\n  more\n- b", "- a\n\n    more\n\n- b"),
        ("1. a\n\n   ```sh\n   x\n     y\n\n   ```\n2. b",
         "1. a\n\n    ```sh\n    x\n      y\n\n    ```\n\n2. b"),
        ("1. a\n\n       code\n2. b", "1. a\n\n        code\n\n2. b"),
        ("10. a\n\n    more", "10. a\n\n    more"),
        ("1. a\n   - b\n\n     more\n\n   last", "1. a\n    - b\n\n        more\n\n    last"),
        ("- a\nlazy\n\nend\n  b", "- a\n    lazy\n\nend\n  b"),
    ],
)  # fmt: skip
def test_paragraphs_and_code_in_an_item_have_four_spaces_for_each_level(
    text: str, wanted: str
) -> None:
    assert adapt(text, "api.md") == wanted


def test_a_list_with_code_is_one_list_in_the_site() -> None:
    steps = "1. a\n\n   ```sh\n   x\n   ```\n2. b\n\n   more\n3. c\n\nend"
    html = markdown.markdown(adapt(steps, "api.md"), extensions=["pymdownx.superfences"])
    assert (html.count("<ol>"), html.count("<li>")) == (1, 3)


def test_the_site_is_built_without_a_dead_link(tmp_path: Path) -> None:
    """A page that is not in `nav` of mkdocs.yml is an error, too."""
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path)],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    warnings = [line for line in done.stderr.splitlines() if "WARNING" in line or "  - " in line]
    assert done.returncode == 0, "\n".join(warnings) or done.stderr
    for page in tmp_path.rglob("*.html"):
        loaded = re.findall(
            r'<(?:script|img|link rel="(?:stylesheet|icon)")[^>]*>', page.read_text()
        )
        assert loaded, page
        assert not [tag for tag in loaded if "//" in tag], page


def test_no_font_or_script_comes_from_another_host() -> None:
    assert CONFIG["theme"]["font"] is False
    assert not {"repo_url", "extra_javascript", "extra_css"} & set(CONFIG)
    assert "analytics" not in CONFIG.get("extra", {})
    assert CONFIG["plugins"] == ["search"]


def test_the_site_has_the_four_groups() -> None:
    groups = [next(iter(group)) for group in CONFIG["nav"]]
    assert groups == ["Get started", "Operate", "Integrate", "Develop"]
    assert CONFIG["strict"] is True
