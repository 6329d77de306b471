# SPDX-License-Identifier: Apache-2.0
"""Events at run time in the running room: own queues, isolation, reasons."""

from __future__ import annotations

import pytest

from tests.demos.events import EVENTS, Demo, audited, first_position, isolated, own_queues, reasons

pytestmark = pytest.mark.server


def test_events_created_at_run_time_assign_positions_in_queues_of_their_own(demo: Demo) -> None:
    """Prints the times; `python -m tests.demos.events` shows them for `make run`."""
    print(f"from PUT to the first position: {first_position(demo):.2f} s")
    seconds = own_queues(demo)
    print(f"{EVENTS} events at once: {max(seconds):.2f} s")
    assert len(seconds) == EVENTS


def test_operations_on_one_event_change_no_status_of_another(demo: Demo) -> None:
    other, empty = demo.create("other"), demo.create("empty")
    for _ in range(3):
        demo.result(other, demo.join(other))
    demo.act(other, "admit", {"by": 1})
    operated, done = isolated(demo, [other, empty])
    assert done[-1] == "delete"
    assert "person" in audited(demo, operated, done)


def test_the_reason_of_a_refused_join_tells_the_phase(demo: Demo) -> None:
    assert set(reasons(demo)) == {"closed", "draining", "not_open", "unknown_event"}
