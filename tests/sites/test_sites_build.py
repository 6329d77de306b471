# SPDX-License-Identifier: Apache-2.0
"""What a build of the two sites puts beside a page, and what it says when it cannot."""

from __future__ import annotations

import json
import re
import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from infrastructure.assets import sites
from tests.support.servers import ROOT
from waiting_room.runtime.room_words import LANGUAGES, words_of


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return sites.build(ROOT, tmp_path_factory.mktemp("sites"))


def test_each_site_has_its_page_and_no_configuration_of_anybody(built: dict[str, Path]) -> None:
    for site in ("waiting_room", "console"):
        names = {file.name for file in built[site].rglob("*")}
        assert "index.html" in names
        assert not names & {"config.json", "package.json", "test", "node_modules"}


def test_the_console_is_one_script_and_one_style_sheet(built: dict[str, Path]) -> None:
    names = {str(file.relative_to(built["console"])) for file in built["console"].rglob("*")}
    assert names == {
        "index.html",
        "404.html",
        "callback.html",
        "callback.js",
        "callback.js.map",
        "icon.svg",
        "console.js",
        "console.js.map",
        "console.css",
        "console.css.map",
    }
    script = (built["console"] / "console.js").read_text()
    plain = script.split("//# source")[0]
    assert not re.search(r"""\bimport\s*[("'{*]|\bfrom\s*["'][^"'\n]*["'];""", plain)
    assert "@import" not in (built["console"] / "console.css").read_text()


def test_the_script_of_the_waiting_page_is_one_file_for_its_oldest_browsers(
    built: dict[str, Path],
) -> None:
    folder = built["waiting_room"]
    names = {str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file()}
    assert not names & {"view.js", "extras.js", "screen.js", "shop.js", "storage.js"}, (
        "only in the bundle"
    )
    for module in ("waiting-room.js", "event.js", "responses.js", "estimate.js", "policy.js"):
        source = ROOT / sites.WORKSPACE / "waiting_room" / module  # pages of others import them
        assert (folder / module).read_bytes() == source.read_bytes()
    assert "modulepreload" not in (folder / "index.html").read_text()


def test_a_language_of_the_waiting_page_is_one_file(built: dict[str, Path]) -> None:
    folder = built["waiting_room"]
    assert {file.stem for file in folder.glob("words/*.json")} == set(LANGUAGES)
    files = {language: words_of(language) for language in LANGUAGES}
    index, missing = ((folder / name).read_text() for name in ("index.html", "404.html"))
    assert "each language" not in index + missing
    options = re.findall(r'<option value="(\w+)" lang="([\w-]+)">([^<]+)<', index)
    assert options == [(one, files[one]["tag"], files[one]["name"]) for one in LANGUAGES]
    for language, words in files.items():
        served = json.loads((folder / "words" / f"{language}.json").read_text())
        assert served == {name: words[name] for name in words if name in served}
        assert set(words) - set(served) == {"name", "late", "not_found", "to_site"}
        assert f'<p lang="{words["tag"]}" dir="{words["dir"]}">{words["late"]}</p>' in index
        assert words["not_found"] in missing


def test_a_newer_operator_is_replaced_for_the_oldest_browsers_of_the_page(tmp_path: Path) -> None:
    """Safari has this operator since 14; start.js accepts 13.1."""
    page = tmp_path / "waiting_room"
    page.mkdir()
    (page / "page.js").write_text("export const set = (one) => (one.a ??= one.b);")
    (page / "visit.js").write_text("")
    (page / "branding.js").write_text("")
    (tmp_path / "node_modules").symlink_to(ROOT / sites.WORKSPACE / "node_modules")
    sites._bundle(tmp_path, "waiting_room", tmp_path / "out")
    script = (tmp_path / "out" / "page.js").read_text()
    assert "??=" not in script
    assert "??" in script


def test_the_source_map_has_the_panel_s_own_files_whole(built: dict[str, Path]) -> None:
    found = json.loads((built["console"] / "console.js.map").read_text())
    folder = ROOT / sites.WORKSPACE / "console"
    sources = {
        name.rpartition("sites/console/")[2].rpartition("node_modules/")[2]: text
        for name, text in zip(found["sources"], found["sourcesContent"], strict=True)
    }
    own = [file for file in folder.rglob("*.js") if "test" not in file.parts]
    own.remove(folder / "callback.js")  # of another page
    assert len(own) > 30
    for file in own:
        assert sources[str(file.relative_to(folder))] == file.read_text()
    assert {"aws4fetch/dist/aws4fetch.esm.mjs", "uplot/dist/uPlot.esm.js"} <= set(sources)


def test_a_folder_of_modules_that_others_share_is_not_emptied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace, shared = tmp_path / sites.WORKSPACE, tmp_path / "shared"
    workspace.mkdir(parents=True)
    shared.mkdir()
    (shared / "kept.js").write_text("")
    (workspace / "package-lock.json").write_text("{}")
    (workspace / "node_modules").symlink_to(shared)

    def npm(*_: object, **__: object) -> None:
        (workspace / "node_modules").mkdir()  # fails where the link is still there

    monkeypatch.setattr(sites.subprocess, "run", npm)
    sites.install(tmp_path)
    assert (shared / "kept.js").exists()
    assert (workspace / "node_modules" / ".package-lock.json").exists()


def test_two_processes_never_install_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """npm deletes the modules first: the second caller would read a folder without them."""
    workspace = tmp_path / sites.WORKSPACE
    workspace.mkdir(parents=True)
    (workspace / "package-lock.json").write_text("{}")
    started, second = threading.Event(), threading.Event()
    calls = []

    def npm(*_: object, **__: object) -> None:
        calls.append("npm")
        started.set()
        second.wait(0.5)  # set only by a second npm
        if len(calls) > 1:
            second.set()
        (workspace / "node_modules").mkdir(exist_ok=True)

    monkeypatch.setattr(sites.subprocess, "run", npm)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(sites.install, tmp_path)
        assert started.wait(10)
        pool.submit(sites.install, tmp_path).result(10)
        first.result(10)
    assert calls == ["npm"]


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


def test_a_failed_fetch_has_an_error_of_one_sentence(tmp_path: Path) -> None:
    workspace = tmp_path / sites.WORKSPACE
    shutil.copytree(
        ROOT / sites.WORKSPACE, workspace, ignore=shutil.ignore_patterns("node_modules"),
        dirs_exist_ok=True,
    )  # fmt: skip
    (workspace / "package-lock.json").write_text("{}")
    with pytest.raises(sites.SitesError) as said:
        sites.build(tmp_path, tmp_path / "out")
    assert len(str(said.value).splitlines()) == 1
