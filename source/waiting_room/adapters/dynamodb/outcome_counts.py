# SPDX-License-Identifier: Apache-2.0
"""Rows of the table of the counters: totals, blocks of positions, ends of tokens and sessions.

- ``totals``, one row of a generation: the sums.
- ``ends#…``: how many tokens and sessions end in each second of SPAN seconds.
- ``block#…``: which positions are counted. Sixteen partition keys take turns, because a batch of
  ended sessions changes many blocks.
- ``jobs``, one row of an event: the times of the minute jobs; a reset keeps them.

One transaction writes the totals with the blocks that were counted and their ends, if the versions
of both are those that were read.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from waiting_room.adapters.aws import BUSY_CODES, translate_errors
from waiting_room.adapters.dynamodb.counter_items import (
    block_item,
    block_key,
    block_of,
    ends_entry,
    ends_of,
    ends_updates,
    id_of,
    jobs_key,
    totals_item,
    totals_key,
    totals_of,
)
from waiting_room.adapters.dynamodb.items import Item, pause_before, query_all, to_item
from waiting_room.domain.counters.outcome_counts import (
    BLOCK,
    SPAN,
    Counting,
    Ends,
    Totals,
)
from waiting_room.domain.errors import Unavailable
from waiting_room.domain.limits import MAX_VALIDITY, ROW_LIFE

if TYPE_CHECKING:
    from waiting_room.domain.counter_snapshot import LiveToken

WHAT = "the table of the counters"
TRANSACTION = 100  # writes of one transaction, DynamoDB's limit
ROUNDS = 8  # attempts after a conflict with another counting function: about 10 s at most
# A block is needed while the stream can deliver one of its rows: the life of a row, a session's
# renewals, and the time until TTL deletes the row.
BLOCK_LIFE = 2 * ROW_LIFE + MAX_VALIDITY
CONFLICTS = {"ConditionalCheckFailed", "TransactionConflict"}
BUSY_REASONS = {"ThrottlingError", "ProvisionedThroughputExceeded", "RequestLimitExceeded"}


class Conflicted(Exception):
    """Another function has changed one of the rows; the caller reads them again."""


class CountRows:
    """The rows of the counters."""

    def __init__(self, client: Any, table: str) -> None:
        self._client, self._table = client, table

    def read(self, event_id: str, generation: int) -> tuple[Totals, Item]:
        """Return the totals of a generation and the times of the jobs, by one request."""
        wanted = totals_key(event_id, generation), jobs_key(event_id)
        found = self._get(wanted)
        return totals_of(found.get(id_of(wanted[0]), {})), found.get(id_of(wanted[1]), {})

    def ends(self, event_id: str, generation: int, first: int, last: int) -> dict[int, Ends]:
        """Return the ends by second; they contain those after ``first`` and up to ``last``."""
        if last <= first:
            return {}
        found: dict[int, Ends] = {}
        for item in query_all(
            self._client,
            WHAT,
            TableName=self._table,
            KeyConditionExpression="#id = :id AND #entry BETWEEN :first AND :last",
            ExpressionAttributeNames={"#id": "id", "#entry": "entry"},
            ExpressionAttributeValues=to_item(
                {
                    ":id": f"{event_id}#{generation}",
                    ":first": ends_entry((first + 1) // SPAN),
                    ":last": ends_entry(last // SPAN),
                }
            ),
            ConsistentRead=True,
        ):
            found |= ends_of(item)
        return found

    def count(self, event_id: str, generation: int, rows: Sequence[LiveToken]) -> None:
        """Count rows, as many at once as one transaction takes."""
        left = list(rows)
        while left:
            left = left[self._count_some(event_id, generation, left) :]

    def _count_some(self, event_id: str, generation: int, rows: Sequence[LiveToken]) -> int:
        """Count the first of the rows; return how many."""
        for attempt in range(ROUNDS):
            pause_before(attempt)
            part = list(first_rows(rows))
            counting = self._counting(event_id, generation, part)
            for row in part:
                counting.add(row)
            if not counting.changed:
                return len(part)
            latest = max(max(row.expires_at, row.until) for row in part)
            try:
                self._write(event_id, generation, counting, latest)
            except Conflicted:
                continue
            return len(part)
        raise Unavailable(f"{WHAT} is busy: {len(rows)} outcomes not counted")

    def _counting(self, event_id: str, generation: int, rows: Sequence[LiveToken]) -> Counting:
        totals = totals_key(event_id, generation)
        numbers = sorted({row.position // BLOCK for row in rows})
        keys = {one: block_key(event_id, generation, one) for one in numbers}
        found = self._get([totals, *keys.values()])
        blocks = {one: block_of(found.get(id_of(key), {})) for one, key in keys.items()}
        return Counting(totals_of(found.get(id_of(totals), {})), blocks)

    def _write(self, event_id: str, generation: int, counting: Counting, latest: int) -> None:
        ttl = latest + BLOCK_LIFE
        totals = self._put(
            {**totals_key(event_id, generation), **totals_item(counting.totals)},
            counting.totals.version,
        )
        blocks = [
            self._put(
                {**block_key(event_id, generation, one), **block_item(counting.blocks[one], ttl)},
                counting.blocks[one].version,
            )
            for one in sorted(counting.changed)
        ]
        ends = [
            {"Update": {"TableName": self._table, **update}}
            for update in ends_updates(event_id, generation, counting.ends)
        ]
        self._transact([totals, *blocks, *ends])

    def fold(self, event_id: str, generation: int, before: Totals, after: Totals) -> bool:
        """Replace the totals if they are still ``before``; return whether they were."""
        try:
            self._transact(
                [
                    self._put(
                        {**totals_key(event_id, generation), **totals_item(after)}, before.version
                    )
                ]
            )
        except Conflicted:
            return False
        return True

    def note_jobs(self, event_id: str, reconciled_at: int, swept_at: int) -> None:
        """Store later times of the minute jobs; 0 for a job that did not succeed."""
        times = {"reconciled_at": reconciled_at, "swept_at": swept_at}
        for name, at in times.items():
            if not at:
                continue
            with translate_errors(WHAT):
                try:
                    self._client.update_item(
                        TableName=self._table,
                        Key=jobs_key(event_id),
                        UpdateExpression="SET #at = :at",
                        ConditionExpression="attribute_not_exists(#at) OR #at < :at",
                        ExpressionAttributeNames={"#at": name},
                        ExpressionAttributeValues=to_item({":at": at}),
                    )
                except self._client.exceptions.ConditionalCheckFailedException:
                    continue

    def end(self, event_id: str, generation: int, at: int) -> None:
        """Let TTL delete the totals of a generation, and the times of the jobs, after ``at``."""
        for key in (totals_key(event_id, generation), jobs_key(event_id)):
            with translate_errors(WHAT):
                try:
                    self._client.update_item(
                        TableName=self._table,
                        Key=key,
                        UpdateExpression="SET #ttl = :at",
                        ConditionExpression="attribute_exists(id)",
                        ExpressionAttributeNames={"#ttl": "ttl"},
                        ExpressionAttributeValues=to_item({":at": at}),
                    )
                except self._client.exceptions.ConditionalCheckFailedException:
                    continue

    def _get(self, keys: Sequence[Item]) -> dict[tuple[str, str], Item]:
        """Return rows by consistent reads; missing ones are left out."""
        found: dict[tuple[str, str], Item] = {}
        wanted = list(keys)
        for attempt in range(ROUNDS):
            pause_before(attempt)
            with translate_errors(WHAT):
                response = self._client.batch_get_item(
                    RequestItems={self._table: {"Keys": wanted[:100], "ConsistentRead": True}}
                )
            found.update({id_of(item): item for item in response["Responses"].get(self._table, [])})
            late = response.get("UnprocessedKeys", {}).get(self._table, {}).get("Keys", [])
            wanted = [*late, *wanted[100:]]
            if not wanted:
                return found
        raise Unavailable(f"{WHAT} is busy: {len(wanted)} rows not read")

    def _put(self, item: Item, version: int) -> dict[str, Any]:
        """Return the write of a row that was read in ``version``, as the next version."""
        return {
            "Put": {
                "TableName": self._table,
                "Item": {**item, "version": {"N": str(version + 1)}},
                "ConditionExpression": (
                    "#version = :version" if version else "attribute_not_exists(#version)"
                ),
                "ExpressionAttributeNames": {"#version": "version"},
                **(
                    {"ExpressionAttributeValues": {":version": {"N": str(version)}}}
                    if version
                    else {}
                ),
            }
        }

    def _transact(self, writes: list[dict[str, Any]]) -> None:
        """Write all of the rows or none; raises Conflicted, Unavailable."""
        with translate_errors(WHAT):
            try:
                self._client.transact_write_items(TransactItems=writes)
            except self._client.exceptions.TransactionCanceledException as error:
                codes = {
                    reason.get("Code", "None")
                    for reason in error.response.get("CancellationReasons", [])
                } - {"None"}
                if codes & CONFLICTS:
                    raise Conflicted from None
                if codes and codes <= BUSY_REASONS | BUSY_CODES:
                    raise Unavailable(f"{WHAT} is busy: {sorted(codes)[0]}") from None
                raise


def first_rows(rows: Sequence[LiveToken]) -> Iterator[LiveToken]:
    """Yield the first rows that fit into one transaction, whatever is counted of them already.

    A row changes its block, and at most three spans: those of the token and of the earlier and the
    later end of its session. The earlier one is not known before the block is read.
    """
    used: set[tuple[str, int]] = {("totals", 0)}
    for unknown, row in enumerate(rows):  # each may have an earlier end of its session
        needs = {("block", row.position // BLOCK), ("ends", row.expires_at // SPAN)}
        if row.until:
            needs.add(("ends", row.until // SPAN))
        if len(used | needs) + unknown + 1 > TRANSACTION:
            return
        used |= needs
        yield row
