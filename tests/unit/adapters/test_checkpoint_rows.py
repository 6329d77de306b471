# SPDX-License-Identifier: Apache-2.0
"""Checkpoints as rows: two places in turn, whole ones only, of the generation that is asked for."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest

from waiting_room.adapters.dynamodb import checkpoints
from waiting_room.adapters.dynamodb.items import to_item
from waiting_room.domain.counter_snapshot import Checkpoint, TokenTally
from waiting_room.domain.limits import ROW_LIFE
from waiting_room.domain.records import Segment

EVENT, NOW = "Sample", 1_800_000_000


class Table:
    """Rows by their entry, as DynamoDB keeps them in order."""

    def __init__(self) -> None:
        self.rows: dict[str, dict[str, Any]] = {}

    def put_item(self, TableName: str, Item: dict[str, Any]) -> None:
        self.rows[Item["entry"]["S"]] = Item

    def query(self, **_request: Any) -> dict[str, Any]:
        return {"Items": [self.rows[entry] for entry in sorted(self.rows)]}


def checkpoint(version: int, generation: int = 1, size: int = 10) -> Checkpoint:
    chance = random.Random(version)
    account = TokenTally(
        base=10, taken=chance.randbytes(size), ended=b"e", live=((NOW, 3), (NOW + 1, 4)),
        tokens=7, completed=1, abandoned=2, sessions=((3, NOW), (4, NOW + 1))[: version % 3],
    )  # fmt: skip
    return Checkpoint(generation, version, NOW, (Segment(1, 5, 9), Segment(6, 9, 12)), account)


@pytest.fixture
def table() -> Table:
    return Table()


def save(table: Table, one: Checkpoint) -> None:
    checkpoints.save(table, "t", EVENT, one)


def load(table: Table, generation: int = 1) -> Checkpoint | None:
    return checkpoints.load(table, "t", EVENT, generation)


def test_the_latest_is_read_as_it_was_written_and_replaces_the_one_before_the_last(
    table: Table,
) -> None:
    assert load(table) is None
    for version in range(1, 6):
        save(table, checkpoint(version))
        assert load(table) == checkpoint(version)
        assert len(table.rows) == min(version, 2)
    assert {row["ttl"]["N"] for row in table.rows.values()} == {str(NOW + ROW_LIFE)}


def test_one_that_is_larger_than_a_row_is_cut_into_rows(
    table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoints, "PIECE", 100)
    large = checkpoint(1, size=1_500)
    save(table, large)
    assert len(table.rows) > 10
    assert all(len(row["content"]["B"]) <= 100 for row in table.rows.values())
    assert load(table) == large


def test_of_one_whose_writer_died_the_other_place_is_read(
    table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoints, "PIECE", 100)
    save(table, checkpoint(1, size=500))
    save(table, checkpoint(2, size=500))
    lost = max(entry for entry in table.rows if entry.startswith("checkpoint#0"))
    kept = table.rows.pop(lost)
    assert load(table) == checkpoint(1, size=500)
    table.rows[lost] = {**kept, **to_item({"sequence": 99})}  # of another writing
    assert load(table) == checkpoint(1, size=500)


def test_only_the_generation_that_is_asked_for_counts(table: Table) -> None:
    save(table, checkpoint(1, generation=1))
    save(table, checkpoint(2, generation=2))
    assert load(table, 1) == checkpoint(1, generation=1)
    assert load(table, 2) == replace(checkpoint(2), generation=2)
    assert load(table, 3) is None
