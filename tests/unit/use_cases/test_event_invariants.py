# SPDX-License-Identifier: Apache-2.0
"""The invariants of several events at once, under any order of operations."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

from tests.support.event_machine import EventsMachine


class TestEvents(EventsMachine.TestCase):
    settings = settings(
        max_examples=100,
        stateful_step_count=40,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
    )
