# SPDX-License-Identifier: Apache-2.0
"""Names of the waiting page's texts, which a brand may replace, by their form.

A test compares them with ``source/sites/waiting_room/words/en.json``.
"""

from __future__ import annotations

from typing import Final

TEXTS: Final = frozenset({
    "late", "not_found", "not_loaded", "title", "loading", "enter_title", "enter_text", "enter",
    "placing", "place", "serving", "ahead", "next", "waiting", "wait", "wait_unknown",
    "wait_soon", "wait_long", "range", "stopped", "not_kept", "note_form", "note_address",
    "to_site", "message", "alert", "alert_denied", "alert_sound", "alert_none", "turn_title",
    "held", "checkout", "inside_title", "session", "purchase", "leaving", "receipt_title",
    "order", "total", "again", "offline", "busy", "unreachable", "next_try", "safe", "retry",
    "back", "failed", "language", "reference", "copy", "copied", "near", "opens_in",
    "begins_in", "opening", "pass_through", "proceed", "portal",
})  # fmt: skip
PAIRS: Final = frozenset({
    "expired", "session_expired", "reset", "ended", "refused", "scheduled", "draining",
    "closed", "not_open", "unknown_event", "client_secret", "join_refused",
})  # fmt: skip
PLURALS: Final = frozenset({
    "minutes", "hours", "days",
})  # fmt: skip
