# SPDX-License-Identifier: Apache-2.0
"""Audit log, history and health of an event in the running room."""

from __future__ import annotations

from typing import Any

import pytest

from tests.demos.events import Demo
from tests.support.local_stack import RunningRoom

pytestmark = pytest.mark.server


def test_the_audit_log_has_each_change_and_who_made_it(demo: Demo) -> None:
    event_id = demo.create("audited", {"title": "A"})
    assert demo.result(event_id, demo.join(event_id)) == 1
    demo.operate("PATCH", f"/{event_id}", {"token": {"valid_for": 60}})
    for action, body in (
        ("admit", {"by": 1}), ("pause", None), ("resume", None), ("reset", {}), ("close", None),
    ):  # fmt: skip
        demo.act(event_id, action, body)
    demo.delete(event_id)
    found: list[dict[str, Any]] = demo.operate("GET", f"/{event_id}/audit")["entries"]
    assert {one["what"] for one in found} == {
        "create", "patch", "admit", "pause", "resume", "reset", "close", "delete",
    }  # fmt: skip
    assert len(found) == 8
    assert {one["role"] for one in found} == {"person"}
    assert all(one["who"].endswith("user/local-operator") for one in found)
    by_what = {one["what"]: (one["before"], one["after"]) for one in found}
    assert by_what["admit"] == ({"serving_counter": 0}, {"serving_counter": 1})
    assert by_what["patch"] == ({"token": {"valid_for": 3600}}, {"token": {"valid_for": 60}})
    assert by_what["reset"] == ({"generation": 1}, {"generation": 2})


def test_the_history_has_the_minute_in_which_visitors_were_admitted(
    demo: Demo, running: RunningRoom
) -> None:
    event_id = demo.create("history")
    for number in range(3):
        assert demo.result(event_id, demo.join(event_id)) == number + 1
    demo.act(event_id, "admit", {"by": 2})
    running.invoke("report_metrics")  # as its schedule does each minute
    points = demo.operate("GET", f"/{event_id}/history")["points"]
    totals = {name: sum(point[name] for point in points) for name in ("joined", "admitted")}
    assert totals == {"joined": 3, "admitted": 2}
    assert points[-1]["waiting"] == 3  # a served visitor waits until the token


def test_a_site_reports_its_health(demo: Demo) -> None:
    event_id = demo.create("health")
    assert demo.operate("POST", f"/{event_id}/health", {"health": 0.5}) == {}
