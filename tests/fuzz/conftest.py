# SPDX-License-Identifier: Apache-2.0
"""Writes down what a run of generated requests was answered."""

from __future__ import annotations

from tests.fuzz import tally


def pytest_sessionfinish() -> None:
    """At the end, failed or not."""
    tally.write()
