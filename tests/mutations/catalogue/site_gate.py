# SPDX-License-Identifier: Apache-2.0
"""Breaks of the gate of a Python site."""

from __future__ import annotations

from tests.mutations.breaks import Break

BREAKS = (
    Break(
        "13 closed, site gate: a target counts although the server read another path",
        "site_gate/requests:sent_path",
        "if raw and is_it(raw):",
        "if raw:",
        "test_site_gate_requests",
    ),
    Break(
        "site gate: a shared response ends a session",
        "site_gate/requests:may_end",
        'return bool(directives & {"no-store", "private"})',
        "return True",
        "test_site_gate_requests",
    ),
    Break(
        "site gate: the site gets the session header of the visitor",
        "WsgiSiteGate.__call__",
        "environ.pop(SESSION, None)",
        "pass",
        "test_site_gate_requests",
    ),
    Break(
        "13 closed, site gate: the room's paths reach the site",
        "WsgiSiteGate.__call__",
        'if isinstance(found, Pass) and found.reason == "room":',
        "if False:",
        "test_site_gate_servers",
    ),
    Break(
        "site gate: the room gets the cookies of the site",
        "Forwarding.send",
        "if ROOM_COOKIE.match(name)",
        "if True",
        "test_site_gate_servers",
    ),
    Break(
        "13 closed, site gate: one failed read opens an event",
        "_Source.is_lost",
        "lost = self._failures >= LOST_AFTER_FAILURES",
        "lost = self._failures >= 1",
        "test_site_gate_configurations",
    ),
    Break(
        "13 closed, site gate: an unforeseen error opens each event",
        "SiteGate.decide",
        "is_open = event_id is not None and view.events[event_id].open_unreachable",
        "is_open = True",
        "test_site_gate_configurations",
    ),
)
