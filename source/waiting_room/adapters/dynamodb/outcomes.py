# SPDX-License-Identifier: Apache-2.0
"""Outcomes in DynamoDB: one row for each position with a token or an expiry.

The key is the position, so one conditional write decides between token and expiry.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from waiting_room.adapters.aws import translate_errors
from waiting_room.adapters.dynamodb.items import (
    SHARDS,
    Item,
    insert_if_absent,
    number,
    query_positions,
    shard_of,
    text,
    to_item,
)
from waiting_room.adapters.dynamodb.outcome_items import item_of, outcome_from_item
from waiting_room.domain.errors import Unavailable
from waiting_room.domain.limits import ROW_LIFE
from waiting_room.domain.ports.outcomes import ENDED_SHARDS
from waiting_room.domain.records import Ending, Outcome, OutcomeKind, SessionStatus, counted_status

if TYPE_CHECKING:
    from waiting_room.domain.counter_snapshot import LiveToken

WHAT = "the token table"
ENDED = "EndedSessions"  # the index of ended sessions
PAGE_ROWS = 1_000  # rows read by one query for expired tokens
PAGE_READS = 2 * SHARDS  # queries of one page of expired tokens: a small event needs one page
EXTENDS = (
    "#kind = :token AND #status = :open AND ((session_until > :now AND session_until < :until)"
    " OR (attribute_not_exists(session_until) AND #expires_at > :now))"
)
EXPIRED = "#kind = :token AND #status = :open AND #expires_at <= :now"


class DynamoOutcomes:
    """The Outcomes port on DynamoDB."""

    def __init__(self, client: Any, table: str) -> None:
        self._client, self._table = client, table

    def get(self, event_id: str, generation: int, position: int) -> Outcome | None:
        """Return the outcome of a position; a consistent read."""
        with translate_errors(WHAT):
            response = self._client.get_item(
                TableName=self._table,
                Key=_key(event_id, generation, position),
                ConsistentRead=True,
            )
        return outcome_from_item(response["Item"]) if "Item" in response else None

    def put_if_absent(self, outcome: Outcome) -> Outcome:
        """Write an outcome if there is none; return the current one."""
        with translate_errors(WHAT):
            try:
                self._client.put_item(
                    TableName=self._table,
                    Item=item_of(outcome),
                    ConditionExpression="attribute_not_exists(#shard)",
                    ExpressionAttributeNames={"#shard": "shard"},
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                )
            except self._client.exceptions.ConditionalCheckFailedException as error:
                return outcome_from_item(error.response["Item"])
        return outcome

    def put_expired(self, outcomes: Sequence[Outcome]) -> list[Outcome]:
        """Write many expiries; return the tokens of positions that have one."""
        items = [item_of(outcome) for outcome in outcomes]
        taken, failed = insert_if_absent(self._client, self._table, items, WHAT)
        if failed:
            raise Unavailable(f"{WHAT} is busy: {len(failed)} expiries not written")
        existing = [
            self.get(outcomes[i].event_id, outcomes[i].generation, outcomes[i].position)
            for i in taken
        ]
        return [outcome for outcome in existing if outcome and outcome.is_token]

    def end_session(
        self,
        event_id: str,
        generation: int,
        position: int,
        status: SessionStatus,
        now: int,
        mark: str,
        request_id: str = "",
    ) -> Ending:
        """Set the status of an open session.

        A retry, by botocore or by the caller, fails the condition and finds its own ``mark``.
        """
        of_request = {":request": {"S": request_id}} if request_id else {}
        with translate_errors(WHAT):
            try:
                response = self._client.update_item(
                    TableName=self._table,
                    Key=_key(event_id, generation, position),
                    UpdateExpression=(
                        "SET #status = :status, ended_at = :now, ended_shard = :shard, "
                        "ended_by = :mark"
                    ),
                    ConditionExpression="#kind = :token AND #status = :open"
                    + (" AND request_id = :request" if request_id else ""),
                    ExpressionAttributeNames={"#kind": "kind", "#status": "session_status"},
                    ExpressionAttributeValues={
                        **_values(now),
                        ":shard": {"S": _ended_shard(event_id, generation, position)},
                        ":status": {"S": status.value},
                        ":mark": {"S": mark},
                        **of_request,
                    },
                    ReturnValues="ALL_NEW",
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                )
            except self._client.exceptions.ConditionalCheckFailedException as error:
                current = error.response.get("Item")
                if not current:
                    return Ending(done=False)
                return Ending(text(current, "ended_by") == mark, outcome_from_item(current))
        return Ending(True, outcome_from_item(response["Attributes"]))

    def extend_session(
        self, event_id: str, generation: int, position: int, until: int, now: int
    ) -> Outcome | None:
        """Move the end of a gate's session, also the time at which TTL deletes the row.

        The condition makes a retry harmless: it finds the same end.
        """
        with translate_errors(WHAT):
            try:
                response = self._client.update_item(
                    TableName=self._table,
                    Key=_key(event_id, generation, position),
                    UpdateExpression="SET session_until = :until, #ttl = :ttl",
                    ConditionExpression=EXTENDS,
                    ExpressionAttributeNames={**_NAMES, "#ttl": "ttl"},
                    ExpressionAttributeValues={
                        **_values(now),
                        **to_item({":until": until, ":ttl": until + ROW_LIFE}),
                    },
                    ReturnValues="ALL_NEW",
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                )
            except self._client.exceptions.ConditionalCheckFailedException as error:
                current = error.response.get("Item")
                return outcome_from_item(current) if current else None
        return outcome_from_item(response["Attributes"])

    def in_range(self, event_id: str, generation: int, first: int, last: int) -> Iterable[Outcome]:
        """Yield the outcomes of a range of positions; consistent reads."""
        for item in query_positions(
            self._client,
            WHAT,
            f"{event_id}#{generation}",
            first,
            last,
            TableName=self._table,
            ConsistentRead=True,
        ):
            yield outcome_from_item(item)

    def tokens(self, event_id: str, generation: int, first: int, last: int) -> Iterable[LiveToken]:
        """Yield the tokens of a range of positions, with the attributes that the counters use."""
        from waiting_room.domain.counter_snapshot import LiveToken

        for item in query_positions(
            self._client,
            WHAT,
            f"{event_id}#{generation}",
            first,
            last,
            names=_NAMES,
            values={":token": {"S": OutcomeKind.TOKEN.value}},
            TableName=self._table,
            FilterExpression="#kind = :token",
            ProjectionExpression="#position, #expires_at, #status, ended_at, session_until",
            ConsistentRead=True,
        ):
            expires_at = number(item, "expires_at")
            ended_at = number(item, "ended_at") if "ended_at" in item else 0
            until = number(item, "session_until") if "session_until" in item else 0
            status = SessionStatus(text(item, "session_status"))
            yield LiveToken(
                number(item, "position"),
                expires_at,
                counted_status(status, ended_at, max(expires_at, until)),
                until if status is SessionStatus.OPEN else 0,
            )

    def ended_page(
        self, event_id: str, generation: int, now: int, limit: int, after: tuple[int, int] | None
    ) -> tuple[list[str], tuple[int, int] | None]:
        """Return request ids of ended sessions with a valid token, from the index of them."""
        ends, position = after or (0, 0)
        found: list[str] = []
        for shard in range(position % ENDED_SHARDS, ENDED_SHARDS):
            key = to_item(
                {
                    "ended_shard": _ended_shard(event_id, generation, position),
                    "expires_at": ends,
                    "shard": shard_of(event_id, generation, position),
                    "position": position,
                }
            )
            with translate_errors(WHAT):
                page = self._client.query(
                    TableName=self._table,
                    IndexName=ENDED,
                    KeyConditionExpression="ended_shard = :shard AND #expires_at > :now",
                    ExpressionAttributeNames={"#expires_at": "expires_at"},
                    ExpressionAttributeValues=to_item(
                        {":shard": _ended_shard(event_id, generation, shard), ":now": now}
                    ),
                    Limit=limit - len(found),
                    # DynamoDB rejects a start key outside of the key condition
                    **({"ExclusiveStartKey": key} if ends > now else {}),
                )
            found.extend(text(item, "request_id") for item in page["Items"])
            last = page.get("LastEvaluatedKey")
            if last:
                return found, (number(last, "expires_at"), number(last, "position"))
            ends = 0
            if len(found) == limit and shard + 1 < ENDED_SHARDS:
                return found, (0, shard + 1)
        return found, None

    def expired_page(
        self, event_id: str, generation: int, now: int, limit: int, after: tuple[int, int] | None
    ) -> tuple[list[Outcome], tuple[int, int] | None]:
        """Return open sessions whose token has expired, shard after shard."""
        shard, position = after or (0, 0)
        found: list[Outcome] = []
        for _ in range(PAGE_READS):
            with translate_errors(WHAT):
                page = self._client.query(
                    TableName=self._table,
                    KeyConditionExpression="#shard = :shard AND #position > :after",
                    FilterExpression=EXPIRED,
                    ExpressionAttributeNames={
                        **_NAMES,
                        "#shard": "shard",
                        "#position": "position",
                    },
                    ExpressionAttributeValues={
                        **_values(now),
                        ":shard": {"S": f"{event_id}#{generation}#{shard}"},
                        ":after": {"N": str(position)},
                    },
                    Limit=PAGE_ROWS,
                )
            fitting = page["Items"][: limit - len(found)]
            found.extend(outcome_from_item(item) for item in fitting)
            if len(fitting) < len(page["Items"]):
                return found, (shard, found[-1].position)
            last = page.get("LastEvaluatedKey")
            shard, position = (shard, int(last["position"]["N"])) if last else (shard + 1, 0)
            if shard >= SHARDS:
                return found, None
            if len(found) >= limit:
                break
        return found, (shard, position)


_NAMES = {"#kind": "kind", "#status": "session_status", "#expires_at": "expires_at"}


def _ended_shard(event_id: str, generation: int, position: int) -> str:
    return f"{event_id}#{generation}#{position % ENDED_SHARDS}"


def _values(now: int) -> Item:
    return to_item(
        {":token": OutcomeKind.TOKEN.value, ":open": SessionStatus.OPEN.value, ":now": now}
    )


def _key(event_id: str, generation: int, position: int) -> Item:
    return to_item({"shard": shard_of(event_id, generation, position), "position": position})
