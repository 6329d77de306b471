# SPDX-License-Identifier: Apache-2.0
"""Moves of the serving counter: packed in the state row, then in blocks; none is lost."""

from __future__ import annotations

import random
import uuid
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from tests.contract.test_state_row import WRITE_UNIT, size
from tests.support import servers
from waiting_room.adapters.dynamodb.audit_log import DynamoAuditLog
from waiting_room.adapters.dynamodb.packed_moves import MOST
from waiting_room.adapters.dynamodb.serving_log import DynamoServingLog
from waiting_room.domain import serving_counter
from waiting_room.domain.errors import Conflict
from waiting_room.domain.ports.serving_log import SLOTS, Attempt
from waiting_room.domain.records import EventState
from waiting_room.use_cases.position_assignment import attempt_token

NOW = 1_800_000_000
ADA, EVE = "person assumed-role/operators/ada@example.com", "inlet assumed-role/inlet/inlet"


class Log:
    """The serving log of one event on moto, and its rows."""

    def __init__(self, client: Any, names: Mapping[str, str]) -> None:
        self.client = client
        self.table, self.event_id = names["SERVING_LOG_TABLE"], f"Event-{uuid.uuid4().hex[:8]}"
        self.log = DynamoServingLog(self.client, self.client, self.table)
        self.audit = DynamoAuditLog(self.client, names["EVENTS_TABLE"], self.table)

    def rows(self, prefix: str) -> list[dict[str, Any]]:
        """The rows of the event whose sort key begins so."""
        items: list[dict[str, Any]] = self.client.query(
            TableName=self.table,
            KeyConditionExpression="event_id = :event AND begins_with(#entry, :prefix)",
            ExpressionAttributeNames={"#entry": "entry"},
            ExpressionAttributeValues={":event": {"S": self.event_id}, ":prefix": {"S": prefix}},
        )["Items"]
        return items

    def move(self, state: EventState, by: int, at: int, actor: str = ADA) -> EventState:
        """Move the serving counter of a state."""
        mark = uuid.uuid4().hex[:16]
        after = serving_counter.move(state, by, NOW + at, "operator", mark, actor)
        return self.log.write(state, after)

    def check(self, moves: list[Any]) -> None:
        """Compare what the log and the audit log return with all moves of the generation."""
        state = self.log.read(self.event_id)
        assert self.log.moves(state) == moves
        for after in (len(moves) // 3, len(moves) - 2):
            assert self.log.moves(state, after) == moves[after:]
        found: list[Any] = []
        mark = (0, 0)
        while page := self.audit.moves(self.event_id, *mark, 11):
            found += [one.move for one in page]
            mark = page[-1].generation, page[-1].move.version
        assert found == moves[::-1]


@pytest.fixture(scope="module")
def moto(moto_url: str) -> tuple[Any, Mapping[str, str]]:
    """A client of moto and the names of its tables."""
    client = servers.aws_client("dynamodb", moto_url)
    return client, servers.create_tables(client, f"wr-{uuid.uuid4().hex[:8]}")


@pytest.fixture
def log(moto: tuple[Any, Mapping[str, str]]) -> Log:
    """An event without moves."""
    return Log(*moto)


def test_moves_are_packed_in_the_state_row_and_then_in_blocks(log: Log) -> None:
    state, moves, sizes = log.log.read(log.event_id), [], []
    for slot in range(SLOTS):
        attempt = Attempt(slot, attempt_token())
        state = log.log.reserve(log.event_id, 100_000, state, attempt).state
    for number in range(45):
        state = log.move(state, 50, 10 * number, ADA if number % 3 else EVE)
        moves.append(state.move)
        sizes.append(size(log.rows("state")[0]))
    log.check(moves)
    assert max(sizes) <= WRITE_UNIT
    blocks = log.rows("move#")
    assert 2 <= len(blocks) <= 45 // 8, "a block has at least eight moves of two actors"


def test_the_row_stays_within_a_write_unit_while_its_numbers_grow(log: Log) -> None:
    state = log.log.read(log.event_id)
    for number in range(60):
        state = log.move(state, 1, number)
        full = size(log.rows("state")[0]) if number > 4 else 0
        if full > 650:
            break
    known = state
    for slot in range(SLOTS):
        attempt = Attempt(slot, attempt_token())
        state = log.log.reserve(log.event_id, 999_999_999, known, attempt).state
    queue = state.queue
    names = (
        *("reconciled_through", "pending_through", "expired_through", "settled_through"),
        *("holes", "expired", "settled_tokens", "settled_completed", "settled_abandoned"),
    )
    log.log.write(state, replace(state, pending_since=NOW, **dict.fromkeys(names, queue)))
    log.client.update_item(
        TableName=log.table,
        Key={"event_id": {"S": log.event_id}, "entry": {"S": "state"}},
        UpdateExpression="SET #line = :line, shut = :shut",
        ExpressionAttributeNames={"#line": "line"},
        ExpressionAttributeValues={":line": {"N": str(NOW)}, ":shut": {"N": "9" * 16}},
    )
    assert 900 < size(log.rows("state")[0]) <= WRITE_UNIT


def test_an_increment_costs_one_unit_and_a_block_one_more(dynamodb_local_url: str) -> None:
    client = servers.aws_client("dynamodb", dynamodb_local_url)
    local = Log(client, servers.create_tables(client, f"wr-{uuid.uuid4().hex[:8]}"))
    state, units = local.log.read(local.event_id), []

    def note(parsed: dict[str, Any], **_: Any) -> None:
        units.append(parsed["ConsumedCapacity"]["CapacityUnits"])

    def ask(params: dict[str, Any], **_: Any) -> None:
        params["ReturnConsumedCapacity"] = "TOTAL"

    for call in ("UpdateItem", "PutItem"):
        local.client.meta.events.register(f"provide-client-params.dynamodb.{call}", ask)
        local.client.meta.events.register(f"after-call.dynamodb.{call}", note)
    for number in range(20):
        state = local.move(state, 50, number)
    assert set(units) == {1}
    assert len(units) == 20 + len(local.rows("move#"))


def test_a_reset_logs_the_moves_of_the_state(log: Log) -> None:
    state = log.log.read(log.event_id)
    for number in range(5):
        state = log.move(state, 2, number)
    log.log.reset(state, state.next_generation(NOW + 9.0))
    versions = [one.move.version for one in log.audit.moves(log.event_id, 0, 0, 9)]
    assert versions == [5, 4, 3, 2, 1]
    assert log.log.moves(log.log.read(log.event_id)) == []
    with pytest.raises(Conflict):
        log.move(state, 2, 9)


@pytest.mark.parametrize("seed", range(2))
def test_writers_with_old_states_lose_and_repeat_no_move(log: Log, seed: int) -> None:
    """A writer whose state is old may log a block that ends before that of another writer."""
    chance = random.Random(seed)
    old, moves = [log.log.read(log.event_id)], []
    for number in range(24):
        state = log.log.read(log.event_id)
        actor = "a" * 250 if chance.random() < 0.15 else ADA  # does not fit beside other moves
        stale = chance.choice(old)
        if stale.version < state.version:
            with pytest.raises(Conflict):
                log.move(stale, 3, number, actor)
        old = [*old[-5:], log.move(state, 5 if number % 9 else -7, number, actor)]
        moves.append(old[-1].move)
    log.check(moves)


def legacy(move: Any) -> dict[str, str]:
    """The text of a move in rows of earlier releases."""
    text = f"{move.version}:{move.previous}:{move.current}:{move.at}:{move.mark}:{move.reason}"
    return {"S": f"{text}|{move.actor}"}


def test_rows_of_earlier_releases_are_read_and_replaced(log: Log) -> None:
    state, moves = log.log.read(log.event_id), []
    key = {"event_id": {"S": log.event_id}}
    for number in range(5):  # as an earlier release wrote them
        state = serving_counter.move(state, 4, NOW + number, "operator", uuid.uuid4().hex, ADA)
        moves.append(state.move)
        assert state.move
        entry = {"S": f"move#0000000001#{state.version:012d}"} if number < 4 else {"S": "state"}
        more = {"ttl": {"N": "1"}} if number < 4 else {
            name: {"N": str(getattr(state, name))} for name in ("generation", "serving", "version")
        }  # fmt: skip
        item = {**key, "entry": entry, "move": legacy(state.move), **more}
        log.client.put_item(TableName=log.table, Item=item)
    with_guards = {
        name: {"N": "0"}
        for name in ("expired_through", "reconciled_through", "pending_since", "settled_through")
    }
    row = {**log.rows("state")[0], **with_guards, "queue": {"N": "0"}, "reset_at": {"N": "0"}}
    log.client.put_item(TableName=log.table, Item=row)
    log.check(moves)
    for number in range(16):
        moves.append(log.move(log.log.read(log.event_id), 1, 9 + number).move)
        if number in (0, 1, 15):
            log.check(moves)


def test_functions_of_both_releases_move_the_counter(log: Log) -> None:
    """One of an earlier release logs the latest move, and leaves those before it in the state."""
    state = log.log.read(log.event_id)
    for number in range(3):
        state = log.move(state, 1, number)
    moves = [*state.row_moves]
    latest = {"entry": {"S": f"move#0000000001#{state.version:012d}"}, "move": legacy(moves[-1])}
    item = {"event_id": {"S": log.event_id}, **latest, "ttl": {"N": "1"}}
    log.client.put_item(TableName=log.table, Item=item)
    after = serving_counter.move(state, 1, NOW + 5, "operator", uuid.uuid4().hex, EVE)
    assert after.move
    log.client.update_item(
        TableName=log.table,
        Key={"event_id": {"S": log.event_id}, "entry": {"S": "state"}},
        UpdateExpression="SET #move = :move, version = :version, serving = :serving",
        ExpressionAttributeNames={"#move": "move"},
        ExpressionAttributeValues={
            ":move": legacy(after.move),
            ":version": {"N": str(after.version)},
            ":serving": {"N": str(after.serving)},
        },
    )
    moves.append(after.move)
    log.check(moves)
    for number in range(14):
        moves.append(log.move(log.log.read(log.event_id), 1, 9 + number).move)
        if number in (0, 13):
            log.check(moves)


def test_an_earlier_release_reads_the_latest_move_of_each_row(log: Log) -> None:
    state = log.log.read(log.event_id)
    for number in range(24):
        state = log.move(state, 1, number)
        move = state.move
        assert move
        assert log.rows("state")[0]["move"] == legacy(move)
    rows = log.rows("move#")
    assert rows
    assert all(int(row["move"]["S"].split(":")[0]) == int(row["entry"]["S"][-12:]) for row in rows)


def test_no_block_has_more_moves_than_a_reader_looks_back(log: Log) -> None:
    state = EventState(log.event_id)
    for number in range(2 * MOST):
        state = serving_counter.move(state, 1, NOW + number, "", "")
    moves = list(state.row_moves)
    assert len(moves) <= 2 * MOST
    log.log._log_moves(state)
    assert len(log.rows("move#")) == -(-len(moves) // MOST)
