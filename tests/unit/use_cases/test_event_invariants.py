# SPDX-License-Identifier: Apache-2.0
"""The invariants of several events at once, under any order of operations."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

from tests.support.event_machine import EventsMachine
from tests.support.in_memory_room import IN_TABLES


class TestEvents(EventsMachine.TestCase):
    settings = settings(
        max_examples=100,
        stateful_step_count=40,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
    )


class TablesEventsMachine(EventsMachine):
    """As EventsMachine, with the counters in the tables: the stream repeats each row."""

    options = IN_TABLES

    def deliver_stream(self) -> None:
        """Deliver every outcome as it is now, also those that were delivered before."""
        self.api.counters.count_delivered(list(self.made.outcomes.store._rows.values()))


class TestTablesEvents(TablesEventsMachine.TestCase):
    settings = settings(TestEvents.settings, max_examples=25)
