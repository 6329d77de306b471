# SPDX-License-Identifier: Apache-2.0
"""What a build of the two sites puts beside a page, and what it says when it cannot."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from deployment import sites
from tests.servers import ROOT


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return sites.build(ROOT, tmp_path_factory.mktemp("sites"))


def test_each_site_has_its_page_and_no_configuration_of_anybody(built: dict[str, Path]) -> None:
    for site in ("waiting_room", "control_panel"):
        names = {file.name for file in built[site].rglob("*")}
        assert "index.html" in names
        assert not names & {"config.json", "package.json", "test", "node_modules"}


def test_the_control_panel_brings_its_npm_modules_along(built: dict[str, Path]) -> None:
    names = {file.name for file in (built["control_panel"] / "vendor").iterdir()}
    assert names == {"aws4fetch.esm.js", "uPlot.esm.js", "uPlot.min.css"}
    assert not (built["waiting_room"] / "vendor").exists()


def test_a_build_leaves_nothing_of_the_build_before(tmp_path: Path) -> None:
    left = sites.build(ROOT, tmp_path)["waiting_room"] / "old.js"
    left.write_text("")
    sites.build(ROOT, tmp_path)
    assert not left.exists()


def test_the_lock_file_pins_every_module_and_names_no_address() -> None:
    text = (ROOT / sites.WORKSPACE / "package-lock.json").read_text()
    assert "://" not in text
    packages = json.loads(text)["packages"]
    modules = {name: package for name, package in packages.items() if "/" in name}
    assert all("integrity" in package or package.get("link") for package in modules.values())


def test_a_failed_fetch_is_told_in_one_sentence(tmp_path: Path) -> None:
    workspace = tmp_path / sites.WORKSPACE
    shutil.copytree(
        ROOT / sites.WORKSPACE, workspace, ignore=shutil.ignore_patterns("node_modules"),
        dirs_exist_ok=True,
    )  # fmt: skip
    (workspace / "package-lock.json").write_text("{}")
    with pytest.raises(sites.SitesError) as said:
        sites.build(tmp_path, tmp_path / "out")
    assert len(str(said.value).splitlines()) == 1
