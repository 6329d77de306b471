# SPDX-License-Identifier: Apache-2.0
"""The state of an event and its serving log in DynamoDB.

Per event: one row ``state``, and rows with blocks of moves of the serving counter. One conditional
write of the state moves the counter. The state contains the latest moves, as many as fit. A block
with these is written before a state without them, so no move is lost.

The state row has at most 1 kB, so that a write costs one unit. The operators' message and the known
unused positions have a row each. These rows contain their generation; a reset does not write them,
and readers ignore those of other generations.

The module has more than 300 lines because each method is one request with its expressions.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from heapq import merge
from typing import TYPE_CHECKING, Any

from waiting_room.adapters.aws import THROTTLE_CODES, translate_errors
from waiting_room.adapters.dynamodb.items import Item, number, query_all, text, to_item
from waiting_room.adapters.dynamodb.packed_moves import move_text, moves_of_row, pack, runs
from waiting_room.domain import serving_counter
from waiting_room.domain.errors import Conflict, Unavailable
from waiting_room.domain.limits import AUDIT_LIFE, MAX_UNUSED_POSITIONS
from waiting_room.domain.ports.serving_log import NO_ATTEMPT, SLOTS, Attempt, Reservation
from waiting_room.domain.records import EventState, ServingMove, StateDetails

if TYPE_CHECKING:
    from waiting_room.domain.counter_snapshot import Checkpoint

WHAT = "the serving log"
STATE, MESSAGE, UNUSED = "state", "state#message", "state#unused"  # sort keys; one query reads them
RESERVE_TRIES = 4  # after throttling only; without a response the reservation may have been made
NUMBERS = (
    "generation",
    "queue",
    "reconciled_through",
    "holes",
    "pending_through",
    "pending_since",
    "serving",
    "version",
    "expired_through",
    "expired",
    "settled_through",
    "settled_tokens",
    "settled_completed",
    "settled_abandoned",
    "lowering",
)
WRITTEN = tuple(name for name in NUMBERS if name not in ("generation", "queue", "lowering"))
WRITE_UNIT = 1024  # bytes of a row that one write unit pays for
TOKEN = 11  # characters of the token of an attempt
DIGITS = 10  # of each number at least, so that the row still fits when they have grown
GUARDS = (
    "generation",
    "version",
    "expired_through",
    "reconciled_through",
    "pending_since",
    "settled_through",
)


class DynamoServingLog:
    """The ServingLog port on DynamoDB. ``single`` is a client without retries."""

    def __init__(self, client: Any, single: Any, table: str) -> None:
        self._client, self._single, self._table = client, single, table

    def read(self, event_id: str) -> EventState:
        """Return the state, by a consistent read; create it when it is missing."""
        for _ in range(2):
            with translate_errors(WHAT):
                response = self._client.get_item(
                    TableName=self._table, Key=_key(event_id, STATE), ConsistentRead=True
                )
            if "Item" in response:
                return state_of(response["Item"])
            self._create(EventState(event_id))
        raise Unavailable(f"{WHAT} has no state row of the event")

    def read_with_details(self, event_id: str) -> tuple[EventState, StateDetails]:
        """Return the state and the details of its generation, by one consistent query."""
        rows = {
            text(item, "entry"): item
            for item in query_all(
                self._client,
                WHAT,
                TableName=self._table,
                KeyConditionExpression="#event = :event AND begins_with(#entry, :prefix)",
                ExpressionAttributeNames={"#event": "event_id", "#entry": "entry"},
                ExpressionAttributeValues=to_item({":event": event_id, ":prefix": STATE}),
                ConsistentRead=True,
            )
        }
        state = state_of(rows[STATE]) if STATE in rows else self.read(event_id)
        message = _of_generation(rows.get(MESSAGE, {}), state.generation)
        unused = _of_generation(rows.get(UNUSED, {}), state.generation)
        return state, StateDetails(
            text(message, "message"), _fraction(message, "message_at"), _positions(unused)
        )

    def reserve(
        self, event_id: str, count: int, known: EventState, attempt: Attempt = NO_ATTEMPT
    ) -> Reservation:
        """Reserve the next ``count`` positions."""
        for round_ in range(RESERVE_TRIES):
            with translate_errors(WHAT):
                try:
                    return self._reserve(event_id, count, known, attempt)
                except self._single.exceptions.ClientError as error:
                    if error.response["Error"]["Code"] not in THROTTLE_CODES:
                        raise
            time.sleep(0.05 * 2**round_)
        raise Unavailable(f"{WHAT} is busy: throttled")

    def _reserve(
        self, event_id: str, count: int, known: EventState, attempt: Attempt
    ) -> Reservation:
        try:
            response = self._single.update_item(
                TableName=self._table,
                Key=_key(event_id, STATE),
                UpdateExpression=("SET #mine = :token, #end = #queue + :count ADD #queue :count"),
                ConditionExpression="#generation = :generation AND #reset_at = :reset_at",
                ExpressionAttributeNames={
                    "#queue": "queue",
                    "#generation": "generation",
                    "#reset_at": "reset_at",
                    "#mine": f"attempt_{attempt.slot}",
                    "#end": f"end_{attempt.slot}",
                },
                ExpressionAttributeValues=to_item(
                    {
                        ":count": count,
                        ":token": attempt.token,
                        ":generation": known.generation,
                        ":reset_at": float(known.reset_at),
                    }
                ),
                ReturnValues="ALL_OLD",
            )
        except self._single.exceptions.ConditionalCheckFailedException:
            raise Conflict from None
        before = response["Attributes"]
        state = state_of(before)
        return Reservation(
            replace(state, queue=state.queue + count),
            attempt.unused(
                text(before, f"attempt_{attempt.slot}"), number(before, f"end_{attempt.slot}")
            ),
        )

    def write(self, before: EventState, after: EventState) -> EventState:
        """Write the members that differ, but not the queue counter, if ``before`` is current."""
        values: dict[str, Any] = {
            name: getattr(after, name)
            for name in (*WRITTEN, "lowering")
            if getattr(after, name) != getattr(before, name)
        }
        if not values:  # the condition is to be checked all the same
            values = {"version": after.version}
        update = ""
        if after.version > before.version and after.move:
            values["move"] = move_text(after.move)
            if self._fits(before, after.move):
                values["moves"] = pack(before.row_moves)
            else:
                self._log_moves(before)
                update = " REMOVE #moves"
        names = (*values, *GUARDS, *(["moves"] if update else []))
        update = "SET " + ", ".join(f"#{name} = :{name}" for name in values) + update
        guards = {f":was_{name}": getattr(before, name) for name in GUARDS}
        return state_of(
            self._conditional(
                _key(before.event_id, STATE),
                update,
                " AND ".join(f"#{name} = :was_{name}" for name in GUARDS),
                names,
                {f":{name}": value for name, value in values.items()} | guards,
            )
        )

    def _fits(self, before: EventState, move: ServingMove) -> bool:
        """Return whether the next state row has room for the moves of this one and the next."""
        if len(list(runs(before.row_moves))) != 1:
            return False
        moves = "move" + move_text(move) + "moves" + pack(before.row_moves)
        return _size_without_moves(before) + len(moves.encode()) <= WRITE_UNIT

    def reset(self, before: EventState, after: EventState) -> None:
        """Write the next generation, if ``before`` is current. Its details are empty."""
        self._log_moves(before)
        with translate_errors(WHAT):
            try:
                self._client.put_item(
                    TableName=self._table,
                    Item=_item(after),
                    ConditionExpression=(
                        "#generation = :generation AND #version = :version AND "
                        f"{'shut = :shut' if before.shut else 'attribute_not_exists(shut)'}"
                    ),
                    ExpressionAttributeNames={"#generation": "generation", "#version": "version"},
                    ExpressionAttributeValues=to_item(
                        {
                            ":generation": before.generation,
                            ":version": before.version,
                            **({":shut": before.shut} if before.shut else {}),
                        }
                    ),
                )
            except self._client.exceptions.ConditionalCheckFailedException:
                raise Conflict from None

    def add_unused_positions(
        self, event_id: str, generation: int, positions: Sequence[int]
    ) -> StateDetails:
        """Add to the known unused positions of a generation; return all of them.

        The first ones of a generation replace the row of an earlier one.
        """
        key, names = _key(event_id, UNUSED), ("positions", "generation")
        values = {":generation": generation, ":positions": list(positions)[:MAX_UNUSED_POSITIONS]}
        try:
            row = self._conditional(
                key,
                "ADD #positions :positions",
                "#generation = :generation AND "
                "(attribute_not_exists(#positions) OR size(#positions) < :most)",
                names,
                {**values, ":most": MAX_UNUSED_POSITIONS},
            )
        except Conflict:
            row = self._conditional(
                key,
                "SET #positions = :positions, #generation = :generation",
                "attribute_not_exists(#generation) OR #generation < :generation",
                names,
                values,
            )
        return StateDetails(unused_positions=_positions(row))

    def remove_unused_positions(
        self, event_id: str, generation: int, positions: Sequence[int]
    ) -> None:
        """Remove known unused positions of a generation; raises Conflict for an earlier one."""
        self._conditional(
            _key(event_id, UNUSED),
            "DELETE #positions :positions",
            "#generation = :generation",
            ("positions", "generation"),
            {":positions": list(positions), ":generation": generation},
        )

    def set_message(self, event_id: str, generation: int, message: str, at: float) -> None:
        """Set the operators' message of a generation."""
        self._conditional(
            _key(event_id, MESSAGE),
            "SET #message = :message, #message_at = :at, #generation = :generation",
            "attribute_not_exists(#generation) OR #generation < :generation OR "
            "(#generation = :generation AND "
            "(#message_at < :at OR (#message_at = :at AND #message = :message)))",  # own first try
            ("message", "message_at", "generation"),
            {":message": message, ":at": float(at), ":generation": generation},
        )

    def checkpoint(self, event_id: str, generation: int) -> Checkpoint | None:
        """Return the latest complete checkpoint of a generation."""
        from waiting_room.adapters.dynamodb import checkpoints

        return checkpoints.load(self._client, self._table, event_id, generation)

    def save_checkpoint(self, event_id: str, checkpoint: Checkpoint) -> None:
        """Store a checkpoint."""
        from waiting_room.adapters.dynamodb import checkpoints

        checkpoints.save(self._client, self._table, event_id, checkpoint)

    def moves(self, state: EventState, after_version: int = 0) -> list[ServingMove]:
        """Return the logged moves, read backwards until earlier ones are not needed."""
        if state.move is None or state.version <= after_version:
            return []
        found: list[ServingMove] = []
        for move in self._latest_first(state, after_version):
            if not found or move.version < found[-1].version:  # blocks of two writers overlap
                found.append(move)
                if serving_counter.reaches_back(state, move, after_version):
                    break
        return found[::-1]

    def _latest_first(self, state: EventState, after_version: int) -> Iterator[ServingMove]:
        """Yield the moves of the state and of the log, latest first; some of them twice."""
        kept = state.row_moves
        if len(list(runs(kept))) == 1:
            yield from reversed(kept)
            yield from self._logged(state, after_version, kept[0].version - 1)
        else:  # a function of an earlier release has logged a move between them
            logged = self._logged(state, after_version, state.version - 1)
            yield from merge(reversed(kept), logged, key=lambda move: -move.version)

    def _logged(self, state: EventState, after_version: int, version: int) -> Iterator[ServingMove]:
        """Yield the logged moves of rows up to ``version``, latest first, page by page."""
        prefix = f"move#{state.generation:010d}#"
        for item in query_all(
            self._client,
            WHAT,
            TableName=self._table,
            KeyConditionExpression="#event = :event AND #entry BETWEEN :first AND :last",
            ExpressionAttributeNames={"#event": "event_id", "#entry": "entry"},
            ExpressionAttributeValues=to_item(
                {
                    ":event": state.event_id,
                    ":first": f"{prefix}{after_version + 1:012d}",
                    ":last": f"{prefix}{max(version, after_version + 1):012d}",
                }
            ),
            ConsistentRead=True,
            ScanIndexForward=False,
        ):
            yield from reversed(moves_of_row(item))

    def _create(self, state: EventState) -> None:
        with translate_errors(WHAT):
            try:
                self._client.put_item(
                    TableName=self._table,
                    Item=_item(state),
                    ConditionExpression="attribute_not_exists(#event)",
                    ExpressionAttributeNames={"#event": "event_id"},
                )
            except self._client.exceptions.ConditionalCheckFailedException:
                return

    def _log_moves(self, state: EventState) -> None:
        """Write the moves of a state as blocks. Idempotent: a move in the state never changes."""
        for block in runs(state.row_moves):
            with translate_errors(WHAT):
                self._client.put_item(
                    TableName=self._table,
                    Item=block_item(state.event_id, state.generation, block),
                )

    def _conditional(
        self, key: Item, update: str, condition: str, names: Iterable[str], values: dict[str, Any]
    ) -> Item:
        """Update a row and return it; raises Conflict unless ``condition`` holds."""
        with translate_errors(WHAT):
            try:
                response: dict[str, Item] = self._client.update_item(
                    TableName=self._table,
                    Key=key,
                    UpdateExpression=update,
                    ConditionExpression=condition,
                    ExpressionAttributeNames={f"#{name}": name for name in names},
                    ExpressionAttributeValues=to_item(values),
                    ReturnValues="ALL_NEW",
                )
            except self._client.exceptions.ConditionalCheckFailedException:
                raise Conflict from None
        return response["Attributes"]


def block_item(event_id: str, generation: int, moves: Sequence[ServingMove]) -> Item:
    """Return the row of a block of moves; its key has the version of the last one."""
    return to_item(
        {
            "event_id": event_id,
            "entry": f"move#{generation:010d}#{moves[-1].version:012d}",
            "move": move_text(moves[-1]),
            "ttl": moves[-1].at + AUDIT_LIFE,
            **({"moves": pack(moves[:-1])} if moves[:-1] else {}),
        }
    )


def _size_without_moves(state: EventState) -> int:
    """Return the bytes of the state row without its moves, when its numbers have grown."""
    digits = max(DIGITS, max(len(str(getattr(state, name))) for name in NUMBERS) + 1)
    number_size = 1 + (digits + 1) // 2
    names = "event_id entry state reset_at line shut".replace(" ", "")
    times = 9 + 6 + 9  # reset_at, line and shut
    attempts = SLOTS * (len("attempt_0") + TOKEN + len("end_0") + number_size)
    numbers = sum(len(name) + number_size for name in NUMBERS)
    return len(state.event_id) + len(names) + times + attempts + numbers


def _key(event_id: str, entry: str) -> Item:
    return to_item({"event_id": event_id, "entry": entry})


def _item(state: EventState) -> Item:
    values: dict[str, Any] = {name: getattr(state, name) for name in NUMBERS}
    values |= {
        "event_id": state.event_id,
        "entry": STATE,
        "reset_at": float(state.reset_at),
    }
    if state.shut:
        values["shut"] = state.shut
    return to_item(values)


def state_of(item: Item) -> EventState:
    """Return the state in the item of a state row."""
    moves = moves_of_row(item)
    return EventState(
        event_id=text(item, "event_id"),
        **{name: number(item, name) for name in NUMBERS},
        reset_at=_fraction(item, "reset_at"),
        move=moves[-1] if moves else None,
        unlogged=tuple(moves[:-1]),
        line=number(item, "line"),
        shut=number(item, "shut"),
    )


def _of_generation(row: Item, generation: int) -> Item:
    return row if number(row, "generation") == generation else {}


def _positions(row: Item) -> tuple[int, ...]:
    return tuple(sorted(map(int, row["positions"]["NS"]))) if "positions" in row else ()


def _fraction(item: Item, name: str) -> float:
    return float(item[name]["N"]) if name in item else 0.0
