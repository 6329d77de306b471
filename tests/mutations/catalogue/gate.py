# SPDX-License-Identifier: Apache-2.0
"""Breaks of the gate."""

from __future__ import annotations

from tests.mutations.breaks import Break

BREAKS = (
    Break("13 closed, gate: a preflight passes unchecked",
          "Gate.check", "self._preflight(request)\n", "Allow()\n", "test_gate_origins"),
    Break("gate: any page hands over a token",
          "Gate.enter", "if not is_sent_by(", "if False and not is_sent_by(", "test_gate_origins"),
    Break("gate: a form without any header that tells its page",
          "is_sent_by", 'origin_of(headers.get("referer", "")) in own | others', "True",
          "test_gate_origins"),
    Break("gate: a WebSocket outlives its session",
          "WebSocket.run", "self._wait(self._until))", "asyncio.Event().wait())",
          "test_gate_connections"),
    Break("gate: the site reads on after the session",
          "WebSocket._is_over", "if self._now() >= self._until:", "if False:",
          "test_gate_connections"),
    Break("13 closed, gate: an excluded path in one reading only",
          "is_protected", "if all(_matches(reading, rule) for reading in found)",
          "if any(_matches(reading, rule) for reading in found)", "test_gate_paths"),
    Break("gate: parameters of a path hide it",
          "path_readings:OTHER_STEPS", "    _without_parameters,\n", "", "test_gate_paths"),
    Break("gate: an image of another site replaces the address to come back to",
          "Gate._reject", "if not page or not is_navigation(request.headers):", "if not page:",
          "test_gate_navigations"),
    Break("gate: a form without a session is dropped silently",
          "Gate._reject", 'if request.method in ("GET", "HEAD"):\n            url =',
          "if True:\n            url =", "test_gate_sessions"),
    Break("gate: an address that is too long leaves an older one",
          "Gate._save_return_path", "RETURN_SECONDS if kept else 0)]", "RETURN_SECONDS)] if kept else []",
          "test_gate_navigations"),
    Break("gate: a browser that keeps no cookie is redirected without end",
          "Gate._return_to_page",
          "if not isinstance(self._session_from_cookies(request), Accepted) and not",
          "if False and not", "test_gate_navigations"),
    Break("13 closed, gate: a rule with a pattern opens the site",
          "_is_rule", "is_normalised(path) and not PATTERN.search(path)", "is_normalised(path)",
          "test_gate_settings"),
    Break("gate: the waiting page does not tell its origin",
          "site_config:headers_of", "{**READABLE, **WITH_ORIGIN}", "READABLE",
          "test_sites_headers"),
)  # fmt: skip
