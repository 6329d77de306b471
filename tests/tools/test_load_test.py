# SPDX-License-Identifier: Apache-2.0
"""The load test's own parts: what it may load, what it records, what it calls right or wrong."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, ClassVar

import pytest

from deployment.load_test import processes, report
from deployment.load_test.checks import Check, Rows, check
from deployment.load_test.operator import Admission, Operator, OperatorError
from deployment.load_test.processor import seconds_by_part
from deployment.load_test.record import (
    LoadTestOptions,
    LoadTestResults,
    Record,
    Request,
    Share,
    ShareResults,
    VisitorRecord,
    percentile,
)
from deployment.load_test.target import (
    RoomUnderTest,
    TargetError,
    is_loopback,
    of_options,
    of_this_machine,
)
from tests.support.servers import ROOT

FIGURES = {"queue_counter": 3, "total_tokens": 3, "serving_counter": 3, "holes": 0}
ROWS = Rows(3, 3)


def good() -> Record:
    """Three visitors, let in one by one."""
    record = Record(raises=[(0.0, 1), (5.0, 2), (6.0, 3)])
    for number, admitted in ((1, 4.0), (2, 5.5), (3, 7.0)):
        visitor = VisitorRecord(
            0.0, joined=0.5, learned=2.0, number=number, admitted=admitted, paid=8.0
        )
        record.visitors.append(visitor)
    return record


def verdict(record: Record, **changed: Any) -> list[str]:
    """The sentences that do not hold."""
    options = {"alone": True, "metrics": FIGURES, "rows": ROWS, "admitted": 3, **changed}
    return [one.sentence for one in check(record, **options) if not one.holds]


def test_a_test_in_which_all_went_well_is_right() -> None:
    assert verdict(good()) == []


def test_a_number_given_twice_is_wrong() -> None:
    record = good()
    record.visitors[1].number = 1
    assert verdict(record) == [
        "no two visitors have the same position",
        "the positions are 1 to n without a gap",
    ]


def test_a_gap_is_wrong_only_where_nobody_else_joined() -> None:
    record = good()
    record.visitors[2].number = 4
    assert "the positions are 1 to n without a gap" in verdict(record)
    assert verdict(record, alone=False) == []


def test_a_visitor_who_is_admitted_early_is_reported() -> None:
    record = good()
    record.visitors[2].admitted = 5.9
    assert verdict(record) == ["no visitor was admitted before the position was served"]


def test_a_join_without_a_number_and_a_visitor_without_a_token_are_seen() -> None:
    record = good()
    record.visitors[2] = VisitorRecord(0.0, joined=0.5, ended="the number was answered 410")
    found = verdict(record)
    assert found[:2] == ["every accepted join became a position", "every visitor was admitted"]


@pytest.mark.parametrize("name", ["queue_counter", "total_tokens", "serving_counter"])
def test_a_counter_that_says_something_else_is_wrong(name: str) -> None:
    assert "the counters equal what the visitors saw" in verdict(
        good(), metrics={**FIGURES, name: 9}
    )


@pytest.mark.parametrize("rows", [Rows(4, 3), Rows(3, 2)])
def test_rows_that_are_not_the_visitors_are_wrong(rows: Rows) -> None:
    assert verdict(good(), rows=rows) == [
        "the tables contain one row for each, and the counters agree"
    ]


def test_what_cannot_be_known_is_not_checked() -> None:
    found = check(good(), alone=False, metrics=None, rows=None, admitted=None)
    assert len(found) == 3


def test_the_counter_can_never_have_been_above_what_was_raised_so_far() -> None:
    record = good()
    assert [record.bound_at(moment) for moment in (-1, 0, 4.9, 5, 99)] == [0, 1, 1, 2, 3]


def test_trouble_is_no_answer_a_throttle_or_a_fault_of_the_server() -> None:
    failed = [Request("join", 0, 1, status).failed for status in (0, 200, 202, 410, 429, 500, 503)]
    assert failed == [True, False, False, False, True, True, True]


def test_percentiles_are_values_that_were_measured() -> None:
    assert percentile([3, 1, 2], 0.5) == 2
    assert percentile([3, 1, 2], 1.0) == 3
    assert percentile([], 0.5) == 0


# --- what it may load --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "here"),
    [
        ("http://127.0.0.1:1", True),
        ("http://localhost/api", True),
        ("http://[::1]:8080", True),
        ("http://127.0.0.1.example.com", False),
        ("https://room.example", False),
        ("http://10.0.0.1", False),
        ("", False),
    ],
)
def test_only_this_machine_is_this_machine(address: str, here: bool) -> None:
    assert is_loopback(address) is here


def endpoints(folder: Path, **changed: Any) -> Path:
    names = ("public_api", "private_api", "store_api", "aws_endpoint_url")
    found = dict.fromkeys(names, "http://127.0.0.1:1/api")
    found |= {"event_id": "Sample", "region": "r", "access_key_id": "a", "secret_access_key": "s"}
    (folder / "endpoints.json").write_text(json.dumps({**found, "pid": 1, **changed}))
    return folder


def test_without_a_host_it_loads_the_room_of_this_machine_alone(tmp_path: Path) -> None:
    assert of_this_machine(endpoints(tmp_path)).edge_stats == "http://127.0.0.1:1/__edge/stats"
    with pytest.raises(TargetError, match="not on this machine"):
        of_this_machine(endpoints(tmp_path, public_api="https://room.example/api"))
    with pytest.raises(TargetError, match="make run"):
        of_this_machine(tmp_path / "nothing")


def test_a_deployed_room_is_loaded_when_its_user_names_it_and_never_reset() -> None:
    keys = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "s", "AWS_REGION": "eu-central-1"}
    given = {"host": "https://room.example/", "event": "Sale", "private": "https://p.example"}
    target = of_options(given, keys)
    assert (target.public_api, target.region, target.local) == (
        "https://room.example", "eu-central-1", False,
    )  # fmt: skip
    assert of_options(given, {**keys, "AWS_SESSION_TOKEN": "t"}).session_token == "t"
    with pytest.raises(TargetError, match="--event"):
        of_options({"host": "https://room.example"}, keys)
    with pytest.raises(TargetError, match="AWS_ACCESS_KEY_ID"):
        of_options(given, {})


class Listening(BaseHTTPRequestHandler):
    """Responds with an empty object, and keeps the headers of the last request."""

    received: ClassVar[Mapping[str, str]] = {}

    def do_GET(self) -> None:
        type(self).received = dict(self.headers.items())
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@pytest.mark.parametrize("token", ["temporary", ""])
def test_calls_of_the_operator_have_the_session_token_of_temporary_keys(token: str) -> None:
    server = HTTPServer(("127.0.0.1", 0), Listening)
    thread = Thread(target=server.handle_request)
    thread.start()
    given = {"host": "http://127.0.0.1:1", "event": "Sale",
             "private": f"http://127.0.0.1:{server.server_port}"}  # fmt: skip
    keys = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "s", "AWS_REGION": "eu-central-1"}
    assert Operator(of_options(given, {**keys, "AWS_SESSION_TOKEN": token})).metrics() == {}
    thread.join(10)
    server.server_close()
    assert Listening.received.get("X-Amz-Security-Token", "") == token


@pytest.mark.parametrize("words", [["--users", "0"], ["--users", "20001"], ["--limit", "0"]])
def test_the_number_of_visitors_and_the_time_are_bounded(words: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "deployment.load_test", *words],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": "source:."},
    )
    assert done.returncode == 2
    assert "must be" in done.stderr


# --- the operator ------------------------------------------------------------------------------


class FakeRoom:
    """A private API that counts."""

    def __init__(self, breaks: int = 0) -> None:
        self.serving, self.breaks = 0, breaks

    def raise_counter(self, by: int) -> int:
        self.serving += by
        if self.breaks:
            self.breaks -= 1
            raise OperatorError("503")
        return self.serving


def admission(room: FakeRoom, most: int, per_minute: float = 600) -> tuple[Admission, Record]:
    clock = [0.0]

    def sleep(seconds: float) -> None:
        clock[0] += seconds

    record = Record()
    made = Admission(
        room,  # type: ignore[arg-type]
        record,
        per_minute=per_minute,
        most=most,
        began=0.0,
        sleep=sleep,
        monotonic=lambda: clock[0],
    )
    return made, record


def test_the_operator_admits_at_the_rate_and_no_more_than_wait() -> None:
    room = FakeRoom()
    made, record = admission(room, most=25)
    made.run()
    assert (room.serving, made.admitted) == (25, 25)
    assert record.raises == [(1.0, 10), (2.0, 20), (3.0, 25)]


def test_a_raise_whose_answer_was_lost_is_not_repeated() -> None:
    room = FakeRoom(breaks=1)
    made, _ = admission(room, most=20)
    made.run()
    assert (room.serving, made.admitted, made.troubles) == (20, 20, 1)


# --- the report --------------------------------------------------------------------------------


def test_the_report_says_everything_in_figures(tmp_path: Path) -> None:
    record = good()
    record.requests = [Request("join", 0.5, 12.0, 200), Request("status", 1.5, 3.0, 503)]
    done = LoadTestResults(
        record=record, metrics=FIGURES, admitted=3, troubles=0, seconds=8.0, processor_share=0.1,
        in_time=True, parts={"workers": 2.0},
        edge={"/status": {"hits": 3, "misses": 1, "origin_calls": 1}, "/quiet": {"hits": 0}},
    )  # fmt: skip
    found = report.summary(
        LoadTestOptions(3, "flash", 1, 60, 60), done, [Check("it holds", False, "no")]
    )
    assert found["visits"]["admitted"] == 3
    assert found["requests"]["join"]["ms"] == [12.0] * 4
    assert found["requests"]["status"]["failed"] == 1
    text = report.tables(found)
    assert "| /status | 4 | 3 | 1 |" in text
    assert "/quiet" not in text
    assert "| workers | 2.0 | 666.7 | 1000.00 |" in text
    assert "| it holds | **no** | no |" in text
    assert report.draw(done, tmp_path / "p.png").stat().st_size > 1_000
    json.dumps(found)
    assert report.tables({**found, "edge": {}, "processor_seconds": {}})
    assert replace(done, in_time=False).in_time is False


def test_processor_time_of_nobodys_children_is_empty() -> None:
    childless = subprocess.Popen(["sleep", "30"])
    try:
        assert seconds_by_part(childless.pid) == {}
    finally:
        childless.kill()
        childless.wait()


def part(*numbers: int, in_time: bool = True) -> ShareResults:
    """The results of a process whose visitors got these positions."""
    record = Record()
    for number in numbers:
        record.visitors.append(VisitorRecord(float(number), joined=1.0, learned=2.0, number=number))
        record.requests.append(Request("join", float(number), 12.5, 200))
    return ShareResults(record, 60.0 + len(numbers), 0.25, in_time)


def test_results_of_a_process_are_the_same_after_its_file() -> None:
    done = part(1, 3)
    assert ShareResults.of_json(json.loads(json.dumps(done.as_json()))) == done


def test_results_of_several_processes_are_those_of_one_test() -> None:
    raises = Record(raises=[(1.0, 4)])
    done = processes.merged([part(1, 3), part(2, 4, 5, in_time=False)], raises)
    assert [one.number for one in done.record.visitors] == [1, 2, 3, 4, 5]
    assert [one.at for one in done.record.requests] == [1.0, 2.0, 3.0, 4.0, 5.0]
    assert done.record.bound_at(2.0) == 4
    assert (done.seconds, done.processor_share, done.in_time) == (63.0, 0.5, False)


def nowhere() -> RoomUnderTest:
    """A room without a private API, which the parent process does not call."""
    return RoomUnderTest("https://room.example", "", "", "Sample", "", "", "")


def script(code: str) -> processes.Start:
    """Start Python code instead of visitors; it gets its share and its file."""

    def start(share: Share, file: Path) -> subprocess.Popen[bytes]:
        values = [str(share.index), str(share.of), str(file)]
        return subprocess.Popen([sys.executable, "-c", code, *values])

    return start


def test_each_process_gets_its_share_and_its_results_are_merged() -> None:
    code = """
import json, sys
index, of, file = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
visitors = [{"arrived": number} for number in range(index, 5, of)]
results = {"requests": [], "seconds": 1, "processor_share": 0.5, "in_time": True}
open(file, "w").write(json.dumps({"visitors": visitors, **results}))
"""
    asked = LoadTestOptions(5, "flash", 10, 60, 20)
    done = processes.run(asked, nowhere(), 2, script(code))
    assert [one.arrived for one in done.record.visitors] == [0, 1, 2, 3, 4]
    assert (done.processor_share, done.in_time) == (1.0, True)


def test_a_process_that_fails_ends_the_test_and_the_other_processes() -> None:
    started: list[subprocess.Popen[bytes]] = []
    good_start, bad_start = script("import time; time.sleep(600)"), script("raise SystemExit(3)")

    def start(share: Share, file: Path) -> subprocess.Popen[bytes]:
        started.append((good_start if share.index else bad_start)(share, file))
        return started[-1]

    asked = LoadTestOptions(5, "flash", 10, 60, -processes.START - processes.GRACE)
    with pytest.raises(processes.ProcessFailed, match=r"Process \d of 2 ended without results"):
        processes.run(asked, nowhere(), 2, start)
    assert [one.poll() is None for one in started] == [False, False]


def test_more_visitors_than_the_processes_may_have_are_rejected() -> None:
    """In a process of its own: the load test patches sockets."""
    options = ["--processes", "2", "--users", "40001"]
    command = [sys.executable, "-m", "deployment.load_test", *options]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "--users must be between 2 and 40000 with --processes 2" in done.stderr
