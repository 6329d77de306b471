# SPDX-License-Identifier: Apache-2.0
"""``make fuzz``: which seeds it takes, and that nothing it finds goes unsaid."""

from __future__ import annotations

import pytest

from tests.fuzz import __main__ as fuzz
from tests.fuzz.__main__ import Done

GOOD = Done(7, 0, {"2xx": 10, "4xx": 30}, {"passed": 5}, 1.0)


def test_without_a_setting_five_fresh_seeds_are_taken() -> None:
    seeds = fuzz.chosen_seeds({})
    assert len(set(seeds)) == 5
    assert all(seed >= 1 for seed in seeds)
    assert fuzz.chosen_seeds({}) != seeds
    assert len(fuzz.chosen_seeds({"FUZZ_SEEDS": "2"})) == 2


def test_one_seed_can_be_repeated() -> None:
    assert fuzz.chosen_seeds({"FUZZ_SEED": "424242", "FUZZ_SEEDS": "9"}) == [424242]


@pytest.mark.parametrize("name", ["FUZZ_SEED", "FUZZ_SEEDS", "FUZZ_EXAMPLES"])
@pytest.mark.parametrize("text", ["0", "-1", "x", "\u0661", "9" * 5000])
def test_a_setting_that_cannot_be_meant_is_named(
    name: str, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fuzz.main({name: text}) == 2
    assert name in capsys.readouterr().err


@pytest.mark.parametrize(
    "bad",
    [
        Done(8, 1, {"2xx": 10}, {"passed": 4, "failed": 1}, 1.0),
        Done(8, 1, {"2xx": 10}, {"passed": 4, "error": 1}, 1.0),
        Done(8, 2, {"2xx": 10}, {}, 1.0),
        Done(8, 0, {"2xx": 10, "5xx": 1}, {"passed": 5}, 1.0),
        Done(8, 0, {}, {"passed": 5}, 1.0),
    ],
)
def test_a_seed_that_found_something_does_not_end_the_run_and_is_the_worst(
    bad: Done, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert bad.bad
    left = [GOOD, bad, GOOD]
    monkeypatch.setattr(fuzz, "run", lambda _seed, _examples: left.pop(0))
    assert fuzz.main({"FUZZ_SEEDS": "3"}) == 1
    assert not left
    said = capsys.readouterr().out
    assert "the worst seed, 8, found something" in said
    assert said.count("\n| ") == 4


def test_a_run_that_found_nothing_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(fuzz, "run", lambda _seed, _examples: GOOD)
    assert fuzz.main({"FUZZ_SEEDS": "2"}) == 0
    said = capsys.readouterr().out
    assert "80 requests; the worst seed, 7, found nothing" in said
    assert "| 7 | 40 | 10 | 0 | 30 | 0 | 5 | 0 | 1 s |" in said


def test_what_pytest_says_is_read() -> None:
    assert fuzz.read_counts("FAILED x\n1 failed, 60 passed, 2 errors in 9.10s\n") == {
        "failed": 1, "passed": 60, "error": 2,
    }  # fmt: skip
