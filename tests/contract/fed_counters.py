# SPDX-License-Identifier: Apache-2.0
"""Counters in DynamoDB for suites that feed counters by ``apply``: here it writes the tables."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from tests.support import servers
from waiting_room.adapters.dynamodb import serving_log as rows
from waiting_room.adapters.dynamodb.counters import DynamoCounters
from waiting_room.adapters.dynamodb.items import to_item
from waiting_room.adapters.dynamodb.outcome_counts import CountRows
from waiting_room.adapters.dynamodb.serving_log import DynamoServingLog
from waiting_room.domain.records import NO_DETAILS, EventState, ServingMove, StateDetails


class FedCounters(DynamoCounters):
    """Counters whose ``apply`` writes the state row, its details and the moves.

    As a copy does, it never takes an older number, and begins anew with a later generation.
    """

    def __init__(self, client: Any, single: Any, names: dict[str, str]) -> None:
        self.table = names["SERVING_LOG_TABLE"]
        log = DynamoServingLog(client, single, self.table)
        super().__init__(CountRows(client, names["COUNTERS_TABLE"]), log)
        self.client = client
        self._states: dict[str, EventState] = {}
        self._details: dict[str, StateDetails] = {}

    def apply(
        self,
        state: EventState,
        moves: Sequence[ServingMove] = (),
        details: StateDetails = NO_DETAILS,
    ) -> None:
        """Write what is newer than the tables."""
        held = self._states.get(state.event_id)
        if held and state.generation < held.generation:
            return
        if held is None or state.generation > held.generation:
            held, self._details[state.event_id] = state, NO_DETAILS
        for move in (*moves, *([held.move] if held.move else [])):
            self._put(rows.move_item(state.event_id, state.generation, move))
        later = state if state.version > held.version else held
        swept = state if state.expired_through > held.expired_through else held
        settled = state if state.reconciled_through > held.reconciled_through else held
        held = replace(
            later,
            queue=max(state.queue, held.queue),
            lowering=max(state.lowering, held.lowering),
            expired_through=swept.expired_through,
            expired=swept.expired,
            reconciled_through=settled.reconciled_through,
            holes=settled.holes,
        )
        self._states[state.event_id] = held
        item = rows._item(held)
        if held.move:
            item |= to_item({"move": rows._move_text(held.move)})
        self._put(item)
        self._put_details(held, details)

    def _put_details(self, state: EventState, details: StateDetails) -> None:
        held = self._details[state.event_id]
        message = details if details.message_at > held.message_at else held
        unused = {*held.unused_positions, *details.unused_positions}
        held = StateDetails(message.message, message.message_at, tuple(sorted(unused)))
        self._details[state.event_id] = held
        key = {"event_id": state.event_id, "generation": state.generation}
        if held.message_at:
            more = {"message": held.message, "message_at": held.message_at}
            self._put(to_item({**key, "entry": rows.MESSAGE, **more}))
        if unused:
            self._put(to_item({**key, "entry": rows.UNUSED, "positions": sorted(unused)}))

    def _put(self, item: dict[str, Any]) -> None:
        self.client.put_item(TableName=self.table, Item=item)


def fed_counters(url: str) -> FedCounters:
    """Return counters on new tables of a server."""
    client, single = (servers.aws_client("dynamodb", url, attempts) for attempts in (3, 1))
    return FedCounters(client, single, servers.create_tables(client, f"wr-{uuid.uuid4().hex[:8]}"))
