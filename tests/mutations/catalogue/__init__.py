# SPDX-License-Identifier: Apache-2.0
"""The catalogue of deliberate breaks, by area."""

from __future__ import annotations

from tests.mutations.catalogue import (
    admission,
    events,
    gate,
    line,
    operation,
    security,
    sessions,
    site_gate,
    sites,
    table_counters,
)

BREAKS = (
    *line.BREAKS,
    *admission.BREAKS,
    *security.BREAKS,
    *operation.BREAKS,
    *sites.BREAKS,
    *gate.BREAKS,
    *events.BREAKS,
    *sessions.BREAKS,
    *site_gate.BREAKS,
    *table_counters.BREAKS,
)
