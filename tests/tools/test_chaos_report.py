# SPDX-License-Identifier: Apache-2.0
"""The seeds of ``make chaos``, and which of its results the page shows."""

from __future__ import annotations

import json
from itertools import count
from pathlib import Path

import pytest

from tests.chaos import __main__ as chaos
from tests.chaos.report import COLUMNS, Result, rows, worst

PAGE = "before\n<!-- table: chaos -->\nold\n<!-- /table -->\nafter\n"


def fresh(env: dict[str, str]) -> list[int]:
    numbers = count(1)
    return chaos.chosen_seeds(env, lambda: next(numbers))


def test_several_fresh_seeds_unless_one_is_repeated() -> None:
    assert fresh({}) == [1, 2, 3]
    assert fresh({"CHAOS_SEEDS": "5"}) == [1, 2, 3, 4, 5]
    assert fresh({"CHAOS_SEED": "777", "CHAOS_SEEDS": "5"}) == [777]


@pytest.mark.parametrize(
    "bad",
    [
        Result("a", seed=2, lost=1),
        Result("a", seed=2, duplicated=1),
        Result("a", seed=2, wrong=["x"]),
        Result("a", seed=2, recovery=0.3),
    ],
)
def test_the_worst_run_is_shown(bad: Result) -> None:
    found = worst([Result("a", seed=1, recovery=0.2), bad, Result("a", seed=3)])
    assert (found.seed, found.seeds) == (2, 3)
    assert found.clean is bad.clean
    assert dict(zip(COLUMNS, rows([found])[0], strict=True))["seeds"] == "3"


def test_the_page_is_written_only_with_a_result_of_every_attack(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = tmp_path / "reliability.md"
    page.write_text(PAGE)
    monkeypatch.setattr(chaos, "PAGE", page)
    monkeypatch.setattr(chaos, "KEPT", tmp_path / "build" / "chaos.json")
    kept = {name: [vars(Result(f"attack of {name}"))] for name in chaos.ORDER[1:]}
    chaos.write(kept)
    assert page.read_text() == PAGE
    kept[chaos.ORDER[0]] = [vars(Result("the last one"))]
    chaos.keep(kept)
    chaos.write(kept)
    text = page.read_text()
    assert "old" not in text
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert text.index("the last one") < text.index(f"attack of {chaos.ORDER[-1]}")
    assert json.loads((tmp_path / "build" / "chaos.json").read_text()) == kept


def test_an_attack_that_there_is_not_starts_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CHAOS_ONLY", "keys,kyes")
    assert chaos.main() == 2
    assert "not kyes" in capsys.readouterr().out
