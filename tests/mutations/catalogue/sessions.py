# SPDX-License-Identifier: Apache-2.0
"""Breaks of the sessions at a gate."""

from __future__ import annotations

from tests.mutations.breaks import Break

BREAKS = (
    Break(
        "sessions: one that an operator ended is renewed",
        "gate/sessions:check_live",
        "if outcome.status is not SessionStatus.OPEN:",
        "if False:",
        "test_admission_at_gates",
    ),
    Break(
        "sessions: one of an earlier generation is renewed",
        "gate/sessions:check_generation",
        "if generation < current:",
        "if False:",
        "test_admission_at_gates",
    ),
    Break(
        "sessions: one that is over is renewed",
        "outcomes:EXTENDS",
        "((session_until > :now AND session_until < :until)",
        "((session_until > #kind OR session_until < :until)",
        "test_tables",
    ),
    Break(
        "sessions: tokens limit admission behind a gate",
        "AdmissionSteps._look",
        "counts = counts.at_gate()",
        "pass",
        "test_admission_at_gates",
    ),
    Break(
        "sessions: a visitor who leaves is replaced late",
        "admission:GATE_STEP",
        "GATE_STEP = 5.0",
        "GATE_STEP = 10.0",
        "test_admission_at_gates",
    ),
    Break(
        "sessions: no place is held for a visitor with a token",
        "tokens:issue",
        "now + session_life if session_life else None",
        "None",
        "test_sessions_at_gates",
    ),
    Break(
        "sessions: an earlier end replaces a later one",
        "counting.lua",
        "'GT', 'CH'",
        "'CH'",
        "test_counters",
    ),
    Break(
        "sessions: a late renewal brings an ended session back",
        "counting.lua",
        "  if redis.call('GETBIT', ENDED, position) == 1 then return end\n",
        "",
        "test_counters",
    ),
    Break(
        "sessions: renewals make no new checkpoint",
        "counting.lua",
        "if changed > 0 then redis.call('HINCRBY', STATE, 'session_changes', 1) end",
        "",
        "test_counters",
    ),
    Break(
        "sessions: a rebuild forgets them",
        "TokenTally.with_rows",
        "if row.until and not has_bit(ended, row.position):",
        "if False:",
        "test_sessions_at_gates",
    ),
    Break(
        "sessions: the stream gives up while the counters are busy",
        "RecoveringCounters.count_published",
        "self._count_delivered(outcome)",
        "self.count_outcome(outcome)",
        "test_sessions_at_gates",
    ),
    Break(
        "sessions: a renewal is published as a new token",
        "read_outcomes",
        'if kind == "MODIFY" and is_open',
        "if False",
        "test_lambda_events_rules",
    ),
    Break(
        "sessions: any site ends one",
        "session_views:leave",
        'raise SessionRefused("not_of_site")',
        "pass",
        "test_entrance_sessions",
    ),
    Break(
        "sessions: the cookie of an ended one stays in the browser",
        "session_views:renew",
        "cookies = ended_cookies(event_id, secure=secure)",
        "cookies = ()",
        "test_entrance_sessions",
    ),
)
