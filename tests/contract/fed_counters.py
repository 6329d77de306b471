# SPDX-License-Identifier: Apache-2.0
"""Counters in DynamoDB for suites that feed counters by ``apply``: here it writes the tables."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from tests.support import servers
from waiting_room.adapters.dynamodb.counters import DynamoCounters
from waiting_room.adapters.dynamodb.outcome_counts import CountRows
from waiting_room.adapters.dynamodb.serving_log import DynamoServingLog
from waiting_room.domain.errors import Conflict
from waiting_room.domain.records import NO_DETAILS, EventState, ServingMove, StateDetails


class FedCounters(DynamoCounters):
    """Counters whose ``apply`` writes the state row, its details and the latest move.

    As a copy does, it never takes an older number, and begins anew with a later generation.
    """

    def __init__(self, client: Any, single: Any, names: dict[str, str]) -> None:
        log = DynamoServingLog(client, single, names["SERVING_LOG_TABLE"])
        super().__init__(CountRows(client, names["COUNTERS_TABLE"]), log)
        self.client = client
        self._begun: set[str] = set()

    def apply(
        self,
        state: EventState,
        moves: Sequence[ServingMove] = (),
        details: StateDetails = NO_DETAILS,
    ) -> None:
        """Write what is newer than the tables; the log has every earlier move."""
        assert not moves
        held = self._log.read(state.event_id)
        if state.generation < held.generation:
            return
        if state.event_id not in self._begun or state.generation > held.generation:
            self._begun.add(state.event_id)
            self._log.reset(held, replace(state, move=None))
            held = self._log.read(state.event_id)
        later = state if state.version > held.version or held.move is None else held
        swept = state if state.expired_through > held.expired_through else held
        settled = state if state.reconciled_through > held.reconciled_through else held
        after = replace(
            held,
            serving=later.serving,
            version=later.version,
            move=later.move,
            lowering=max(state.lowering, held.lowering),
            expired_through=swept.expired_through,
            expired=swept.expired,
            reconciled_through=settled.reconciled_through,
            holes=settled.holes,
        )
        if after != held:
            self._log.write(held, after)
        if state.queue > held.queue:
            self._log.reserve(state.event_id, state.queue - held.queue, held)
        key = state.event_id, state.generation
        if details.message_at:
            with suppress(Conflict):  # of a later message
                self._log.set_message(*key, details.message, details.message_at)
        if details.unused_positions:
            self._log.add_unused_positions(*key, details.unused_positions)


def fed_counters(url: str) -> FedCounters:
    """Return counters on new tables of a server."""
    client, single = (servers.aws_client("dynamodb", url, attempts) for attempts in (3, 1))
    return FedCounters(client, single, servers.create_tables(client, f"wr-{uuid.uuid4().hex[:8]}"))
