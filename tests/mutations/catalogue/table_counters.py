# SPDX-License-Identifier: Apache-2.0
"""Breaks of the counters in DynamoDB."""

from __future__ import annotations

from tests.mutations.breaks import Break

BREAKS = (
    Break(
        "counters in tables: a token that is delivered again counts again",
        "Counting.add",
        "if _set(block.taken, index):",
        "_set(block.taken, index)\n        if True:",
        "test_outcome_counts",
    ),
    Break(
        "counters in tables: an end that is delivered again counts again",
        "Counting.add",
        "if has_bit(block.ended, index):",
        "if False:",
        "test_outcome_counts",
    ),
    Break(
        "counters in tables: an earlier end of a session replaces a later one",
        "Counting.add",
        "elif row.until > before:",
        "elif row.until:",
        "test_outcome_counts",
    ),
    Break(
        "counters in tables: a late end of a folded second stays in the active ones",
        "Counting._change",
        "if second <= found.folded_through:",
        "if False:",
        "test_outcome_counts",
    ),
    Break(
        "counters in tables: a fold goes back",
        "counters/outcome_counts:fold",
        "if now <= totals.folded_through:",
        "if False:",
        "test_outcome_counts",
    ),
    Break(
        "counters in tables: two functions write the same version",
        "CountRows._put",
        '"#version = :version" if version',
        '"#version >= :version" if version',
        "contract/test_table_counters",
    ),
    Break(
        "counters in tables: a token of a generation that was reset",
        "TableCounters.count_outcome",
        "<= outcome.generation",
        "<= outcome.generation + 1",
        "integration/test_table_counters",
    ),
    Break(
        "counters in tables: a join gets a position without a read",
        "DynamoCounters.acquire_join_leases",
        "JoinLease.STALE",
        "JoinLease.NEW",
        "contract/test_table_counters",
    ),
)
