# SPDX-License-Identifier: Apache-2.0
"""The soak's book-keeping notices each kind of loss, and its rules notice what slows down."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.soak import __main__ as soak
from tests.soak import report
from tests.soak.disturbances import stopped
from tests.soak.observations import Check, Observations, Result, Row, Tables, Told, compare
from tests.soak.samples import Asked, Samples, Size, judge

NOW = 1_800_000_000.0
EXPIRES = int(NOW) + 3600


def observed() -> Observations:
    """Three visitors: one ended the session, one expired, one joined before a reset."""
    found = Observations()
    for request_id, place in (("a", 1), ("b", 2), ("old", 1)):
        found.joined(request_id, NOW)
        found.placed(request_id, place, NOW + 1)
    found.raised(2, 2, NOW + 5)
    found.tokens["a"] = NOW + 6
    found.ends["a"] = "completed"
    return found


def tables() -> Tables:
    return Tables(
        generation=2,
        rows=[Row("a", 2, 1), Row("b", 2, 2), Row("old", 1, 1)],
        results=[
            Result("a", 2, 1, "token", "completed", EXPIRES),
            Result("", 2, 2, "expired"),
        ],
        dead=[],
        queued=0,
    )


def told(**figures: int) -> Told:
    said: dict[str, Any] = {
        "queue_counter": 2,
        "waiting_num": 0,
        "total_tokens": 1,
        "positions_expired": 1,
        "active_tokens": 0,
        "completed_sessions": 1,
        "abandoned_sessions": 0,
        "holes": 0,
    }
    return Told(said | figures, figures.get("waiting_num", 0), ["a"])


def wrong(checks: list[Check]) -> list[str]:
    """The sentences that do not hold."""
    return [one.sentence for one in checks if not one.holds]


def test_a_run_without_a_fault_holds() -> None:
    assert wrong(compare(observed(), tables(), told(), NOW + 60)) == []


def lose_a_join(found: Observations, stored: Tables) -> Tables:
    found.joined("gone", NOW)
    return stored


def hold_twice(found: Observations, stored: Tables) -> Tables:
    return replace(stored, rows=[*stored.rows, Row("other", 1, 1)])


def move(found: Observations, stored: Tables) -> Tables:
    found.placed("old", 7, NOW + 2)
    return stored


def move_in_the_table(found: Observations, stored: Tables) -> Tables:
    return replace(stored, rows=[*list(stored.rows)[:2], Row("old", 1, 3)])


def take_early(found: Observations, stored: Tables) -> Tables:
    found.tokens["a"] = NOW + 4
    return stored


def take_what_is_nowhere(found: Observations, stored: Tables) -> Tables:
    found.tokens["old"] = NOW + 60
    found.raised(1, 5, NOW)
    return stored


def decide_twice(found: Observations, stored: Tables) -> Tables:
    again = Result("a", 1, 9, "token", "open", 0)
    return replace(stored, results=[again, *stored.results])


def end_without_effect(found: Observations, stored: Tables) -> Tables:
    found.ends["a"] = "abandoned"
    return stored


def leave_a_message(found: Observations, stored: Tables) -> Tables:
    return replace(stored, queued=1)


def give_other_tokens(found: Observations, stored: Tables) -> Tables:
    found.other_tokens.append("a")
    return stored


@pytest.mark.parametrize(
    ("break_it", "noticed"),
    [
        (lose_a_join, "no accepted join is lost"),
        (hold_twice, "no position is held twice"),
        (move, "no position changed"),
        (move_in_the_table, "no position changed"),
        (take_early, "no token is above the serving counter"),
        (take_what_is_nowhere, "each token is in the tables"),
        (decide_twice, "no request has two outcomes"),
        (end_without_effect, "each ended session is in the tables"),
        (leave_a_message, "the queue is empty"),
        (give_other_tokens, "a second call gives the same tokens"),
    ],
)
def test_each_fault_is_noticed_by_its_own_check(
    break_it: Callable[[Observations, Tables], Tables], noticed: str
) -> None:
    found = observed()
    stored = break_it(found, tables())
    assert wrong(compare(found, stored, told(), NOW + 60)) == [noticed]


def test_a_join_in_the_dead_letters_is_not_lost() -> None:
    found = observed()
    found.joined("gone", NOW)
    stored = replace(tables(), dead=['{"id": "gone", "reason": "no time"}'])
    assert wrong(compare(found, stored, told(), NOW + 60)) == []


@pytest.mark.parametrize(
    "name",
    [
        "queue_counter",
        "total_tokens",
        "positions_expired",
        "active_tokens",
        "completed_sessions",
        "abandoned_sessions",
    ],
)
def test_a_figure_that_drifts_is_noticed(name: str) -> None:
    drifted = told(**{name: told().figures[name] + 1})
    assert wrong(compare(observed(), tables(), drifted, NOW + 60)) == [
        f"{name} is what the tables hold"
    ]


def test_visitors_that_only_the_figures_know_are_noticed() -> None:
    assert wrong(compare(observed(), tables(), told(waiting_num=774), NOW + 60)) == [
        "waiting_num is what the tables hold",
        "/waiting_num is what the tables hold",
        "nobody waits once every turn is over",
    ]


@pytest.mark.parametrize("ended", [[], ["a", "b"]])
def test_a_list_of_ended_sessions_that_differs_is_noticed(ended: list[str]) -> None:
    said = replace(told(), ended=ended)
    assert wrong(compare(observed(), tables(), said, NOW + 60)) == [
        "/ended_sessions is what the tables hold"
    ]


def test_sessions_whose_token_is_over_need_not_be_listed() -> None:
    assert wrong(compare(observed(), tables(), replace(told(), ended=[]), EXPIRES + 1)) == []


# --- speed, memory, files ------------------------------------------------------------------------


def run(minutes: int = 20, slow_from: int = 99, ms: float = 100.0) -> Samples:
    """A run with one request a second; from a minute on each takes three times as long."""
    asked = [
        Asked(float(at), "token", ms * (3 if at >= 60 * slow_from else 1), 200)
        for at in range(60 * minutes)
    ]
    return Samples(asked, [], [], 60.0 * minutes)


def grown(megabytes_a_minute: float, part: str = "workers", files: int = 0) -> Samples:
    samples = run()
    samples.sizes = [
        Size(60.0 * n, part, 1, 100 + megabytes_a_minute * n, 10 + files * n) for n in range(20)
    ]
    return samples


def test_a_steady_run_holds() -> None:
    assert wrong(judge(grown(0.5), [1.0] * 100, 0)) == []


def test_a_route_that_slows_down_is_noticed() -> None:
    assert wrong(judge(run(slow_from=12), [1.0], 0)) == [
        "token stays as fast as in its first 5 min"
    ]


def test_milliseconds_that_double_are_no_fault() -> None:
    assert wrong(judge(run(slow_from=12, ms=10), [1.0], 0)) == []


def test_what_is_slow_during_a_disturbance_is_left_out() -> None:
    samples = run(slow_from=18)
    samples.windows = [(60.0 * 18, 60.0 * 20, "hangs")]
    assert wrong(judge(samples, [1.0], 0)) == []


@pytest.mark.parametrize("status", [500, 502, 504])
def test_a_server_error_is_noticed_and_a_503_is_counted(status: int) -> None:
    samples = run()
    samples.asked.append(Asked(3.0, "token", 1.0, 503))
    checks = judge(samples, [1.0], 0)
    assert wrong(checks) == []
    assert checks[-1].found == "none; 503: 1, 1 of them outside disturbances"
    samples.asked.append(Asked(3.0, "token", 1.0, status))
    assert wrong(judge(samples, [1.0], 0)) == ["no 500, 502 or 504"]
    assert samples.failures() == {0: {503: 1, status: 1}}


def test_late_positions_are_noticed() -> None:
    assert wrong(judge(run(), [1.0] * 98 + [16.0] * 2, 0)) == [
        "p99 from the join to the position is at most 15 s"
    ]
    assert len(wrong(judge(run(), [], 0))) == 1, "no position at all is no success"


def test_memory_that_grows_is_noticed() -> None:
    assert wrong(judge(grown(5), [1.0], 0)) == ["the memory of workers levels off"]


def test_the_emulator_may_keep_the_rows_of_its_visits_and_no_more() -> None:
    assert wrong(judge(grown(5, "AWS emulator"), [1.0], 9_000)) == []
    assert wrong(judge(grown(50, "AWS emulator"), [1.0], 9_000)) == [
        "the memory of AWS emulator levels off"
    ]


def test_files_that_are_never_closed_are_noticed() -> None:
    assert wrong(judge(grown(0, files=9), [1.0], 0)) == ["workers does not open files without end"]


def test_a_process_that_was_started_again_is_judged_from_then_on() -> None:
    samples = grown(0)
    early = [replace(one, pid=7, megabytes=5.0) for one in samples.sizes[:15]]
    samples.sizes[:15] = early
    assert wrong(judge(samples, [1.0], 0)) == []


def test_the_report_shows_minutes_disturbances_and_the_verdict(tmp_path: Path) -> None:
    samples = grown(0.5)
    samples.windows = [(125.0, 133.0, "Valkey hangs for 8 s")]
    checks = judge(samples, [1.0], 0)
    text = report.text({"seed": 7}, samples, [(1.0, 2.5)], checks)
    assert "seed 7" in text
    assert "| 2.1 | Valkey hangs for 8 s | 8.0 |" in text
    assert "| 0 | 1 | 2.5 | 2.5 | 2.5 |" in text
    assert "**All hold.**" in text
    assert report.plot(samples, [(1.0, 2.5)], tmp_path / "soak.png").stat().st_size > 1_000
    failed = report.text({}, samples, [], [Check("x", False, "y")])
    assert "**NOT all hold.**" in failed


# --- its own ways --------------------------------------------------------------------------------


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_a_paused_process_goes_on_when_the_soak_is_ended_meanwhile() -> None:
    def state(pid: int) -> str:
        text = Path(f"/proc/{pid}/stat").read_text()
        return text.rpartition(")")[2].split()[0]

    def becomes(pid: int, wanted: str) -> bool:
        end = time.monotonic() + 10
        while (state(pid) in "tT") is not (wanted == "T"):
            if time.monotonic() > end:
                return False
        return True

    child = subprocess.Popen(["sleep", "60"])
    try:

        async def pause() -> None:
            with stopped(child.pid):
                assert becomes(child.pid, "T")
                await asyncio.Event().wait()

        with pytest.raises(TimeoutError):
            asyncio.run(asyncio.wait_for(pause(), 0.2))
        assert becomes(child.pid, "running")
    finally:
        child.kill()
        child.wait()


@pytest.mark.parametrize("setting", ["MINUTES", "RATE", "SEED"])
@pytest.mark.parametrize("value", ["many", "-1", "nan", "1e9"])
def test_a_bad_setting_starts_nothing(
    setting: str, value: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(setting, value)
    monkeypatch.setattr(soak, "Valkey", None)
    assert soak.main() == 2
    assert capsys.readouterr().err.startswith(f"{setting} must be")
