# SPDX-License-Identifier: Apache-2.0
"""The state machine of several events, with operations from FUZZ_SEED."""

from __future__ import annotations

from hypothesis import HealthCheck, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.fuzz.inputs import RUNS, SEED
from tests.support.event_machine import EventsMachine


@seed(SEED)
class SeededMachine(EventsMachine):
    """The machine with the seed of this run."""


def test_the_invariants_of_several_events_hold_in_any_order() -> None:
    run_state_machine_as_test(
        SeededMachine,
        settings=settings(
            max_examples=RUNS or 20,
            stateful_step_count=40,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
            print_blob=True,
        ),
    )
