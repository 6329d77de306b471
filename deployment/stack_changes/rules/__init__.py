# SPDX-License-Identifier: Apache-2.0
"""Rules for the changes of one stack. Each takes a ChangeSet and yields its violations."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from deployment.stack_changes.change_set import ChangeSet
from deployment.stack_changes.rules import caches, copies, identities, publishing, state, tables
from deployment.stack_changes.violation import Violation

Rule = Callable[[ChangeSet], Iterator[Violation]]
RULES: tuple[Rule, ...] = (
    state.state_is_kept,
    state.types_are_kept,
    copies.copies_are_rebuilt,
    caches.cache_changes_one_setting,
    caches.engine_is_not_downgraded,
    caches.subnets_in_use_stay,
    tables.warm_throughput_is_not_lowered,
    tables.one_index_at_a_time,
    tables.index_keys_are_kept,
    tables.stream_view_is_kept,
    identities.no_two_with_one_name,
    identities.settings_of_a_resource_stay,
    identities.no_two_rules_alike,
    publishing.stages_get_new_deployments,
    publishing.aliases_get_new_versions,
    publishing.stream_readers_keep_their_checkpoint,
    publishing.messages_are_not_doubled,
)


def violations(changes: ChangeSet) -> list[Violation]:
    """Return what all rules find in the changes of a stack."""
    return sorted(found for rule in RULES for found in rule(changes))
