# SPDX-License-Identifier: Apache-2.0
"""Checks of the state machine of several events: what holds after each step and operation."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, ClassVar

from hypothesis.stateful import RuleBasedStateMachine, invariant

from tests.support.event_model import ALLOWED, ASSIGNED, RESET, EventModel, kind_of
from tests.support.in_memory_room import EVENT, InMemoryRoom, settings
from waiting_room.domain import serving_counter
from waiting_room.domain.errors import (
    InvalidInput,
    JoinRefused,
    NotAssignedYet,
    RoomError,
    RoomWasReset,
    UnknownEvent,
)
from waiting_room.domain.events.phase import Phase
from waiting_room.domain.expiry import is_expired
from waiting_room.domain.records import EventState, Join, Position, SessionStatus
from waiting_room.use_cases.room import Room, build_room

EVENTS = (EVENT, "a", "b", "c")
CHANGES = ("create", "put", "patch", "delete", *ALLOWED)  # entries of the audit log
SERVING = {Phase.OPEN, Phase.DRAINING, Phase.PASS_THROUGH}
CLIENT_SECRET = "of the visitor"
SECRET_HASH = hashlib.sha256(CLIENT_SECRET.encode()).hexdigest()


class EventChecks(RuleBasedStateMachine):
    """Room, models and checks; ``EventsMachine`` adds the operations.

    ``held`` is the row of each join by event and request id, as it was first seen.
    """

    options: ClassVar[dict[str, str]] = {}  # settings of the room
    made: InMemoryRoom
    api: Room  # the room that makes the changes: its copies are current
    models: dict[str, EventModel]
    held: dict[tuple[str, str], Position]

    @property
    def now(self) -> float:
        return self.made.clock.now

    @invariant()
    def each_event_is_what_its_changes_made_it(self) -> None:
        if not self._has_started:
            return
        store = self.made.documents.store
        registry = store.registry()
        present = [event_id for event_id in EVENTS if self.models[event_id].exists]
        assert sorted(registry) == sorted(store.documents) == sorted(present)
        rows, _ = self.made.event_documents.page()
        assert [(one["event_id"], one["version"], one["phase"]) for one in rows] == [
            (one, self.models[one].version, self.models[one].phase(self.now))
            for one in sorted(present)
        ]
        for event_id, model in self.models.items():
            entries = [(one.who, one.what) for one in store.audit[event_id] if one.what in CHANGES]
            assert entries == model.authors, "each change has one entry, with its author"

    @invariant()
    def no_position_is_held_twice_or_changed(self) -> None:
        if not self._has_started:
            return
        rows = self.made.positions.store._rows
        assert rows == self.held
        positions = Counter(
            (row.event_id, row.generation, row.position) for row in rows.values() if row.position
        )
        assert all(count == 1 for count in positions.values())

    @invariant()
    def the_counts_of_each_event_are_those_of_its_rows(self) -> None:
        if self._has_started:
            self.deliver_stream()
            for event_id, model in self.models.items():
                self._check_counts(event_id, model)

    def deliver_stream(self) -> None:
        """Do nothing: counters in Redis count each token at once."""

    def _check_counts(self, event_id: str, model: EventModel) -> None:
        state = self.made.log.store.read(event_id)
        assert state.generation == model.generation
        assert state.expired_through <= state.reconciled_through <= state.queue
        mine = [
            row for row in self.held.values()
            if row.event_id == event_id and row.generation == state.generation and row.position
        ]  # fmt: skip
        outcomes = list(self.made.outcomes.store.in_range(event_id, state.generation, 1, 2**53))
        tokens = [row for row in outcomes if row.is_token]
        assert {row.position for row in tokens} <= {row.position for row in mine}
        if not model.exists:
            self._refused(lambda: self.fresh().metrics.status_page(event_id), InvalidInput)
            return
        counts = self.fresh().metrics.counts(event_id)
        assert (counts.generation, counts.queue, counts.serving) == (
            state.generation, state.queue, state.serving,
        )  # fmt: skip
        assert counts.queue - counts.holes == len(mine)
        assert counts.tokens == len(tokens)
        assert counts.active == sum(row.is_active(int(self.now)) for row in tokens)
        for status in (SessionStatus.COMPLETED, SessionStatus.ABANDONED):
            ended = sum(row.counted_status is status for row in tokens)
            assert getattr(counts, status.value) == ended
        swept = sum(row.position <= state.expired_through for row in mine)
        assert counts.expired == swept - sum(
            row.position <= state.expired_through for row in tokens
        )
        assert counts.waiting == len(mine) - len(tokens) - counts.expired

    def check_audit_log(self, event_id: str) -> None:
        """Compare the log with the operations of people: each has one entry, with its author."""
        model = self.models[event_id]
        found = Counter(
            (entry["who"], entry["what"])
            for entry in self.audit_log(event_id)
            if entry["role"] in ("person", "deployment")
        )
        wanted = Counter([*model.authors, *model.operations])
        assert found == wanted, f"{event_id} also has {found - wanted}, lacks {wanted - found}"

    def audit_log(self, event_id: str) -> list[dict[str, Any]]:
        """Return the audit log of an event, page by page; empty for an id that was never used."""
        entries: list[dict[str, Any]] = []
        mark = None
        with suppress(UnknownEvent):
            while True:
                page, mark = self.made.event_records.audit(event_id, mark)
                entries += page
                if mark is None:
                    break
        return entries

    @property
    def _has_started(self) -> bool:
        return hasattr(self, "models")

    # --- helpers -----------------------------------------------------------------------------

    def fresh(self) -> Room:
        """Return a room that starts now, with a copy of the registry of this moment."""
        made = self.made
        chosen = settings(QUEUE_POSITION_EXPIRY_PERIOD=300, **self.options)
        return build_room(chosen, made.stores, made.clock, made.pause)

    def visitors(self, event_id: str) -> list[str]:
        """Return the request ids of an event in the order of their rows."""
        return [request_id for event, request_id in self.held if event == event_id]

    @contextmanager
    def no_other_event_changes(self, *event_ids: str) -> Iterator[None]:
        """Check that only these events change."""
        with self.nothing_changes(*(one for one in EVENTS if one not in event_ids)):
            yield

    @contextmanager
    def nothing_changes(self, *event_ids: str) -> Iterator[None]:
        """Check that nothing of these events changes, neither data nor responses."""
        at, before = self.now, {one: self._everything(one) for one in event_ids}
        yield
        assert self.now == at, "the operation took time"
        for event_id in event_ids:
            assert self._everything(event_id) == before[event_id], f"{event_id} has changed"

    def _everything(self, event_id: str) -> tuple[Any, ...]:
        made = self.made
        state, details = made.log.store.read_with_details(event_id)
        documents = made.documents.store
        responses = (
            self._response(lambda: self.fresh().metrics.panel(event_id)),
            self._response(lambda: made.event_documents.show(event_id)),
        )
        return (
            state, details, list(made.log.store.moves(state)), responses,
            documents.documents.get(event_id), documents.entries.get(event_id),
            self.audit_log(event_id),
            made.admission.store.read(event_id),
            [row for (event, _), row in made.positions.store._rows.items() if event == event_id],
            [row for key, row in made.outcomes.store._rows.items() if key[0] == event_id],
        )  # fmt: skip

    @staticmethod
    def _response(call: Callable[[], dict[str, Any]]) -> dict[str, Any] | str:
        try:
            return call()
        except RoomError as error:
            return type(error).__name__

    @staticmethod
    def _is_one_of(phase: Phase, possible: set[Phase]) -> None:
        assert phase in possible, f"{phase}, not one of {possible}"

    @staticmethod
    def _tolerant(call: Callable[[], object]) -> None:
        with suppress(RoomError):
            call()

    @staticmethod
    def _refused(call: Callable[[], object], error: type[RoomError]) -> None:
        try:
            call()
        except error:
            return
        raise AssertionError(f"{error.__name__} is missing")

    # --- results of operations

    def _check_delivered(
        self, event_id: str, batch: Sequence[Join], before: EventState, age: float
    ) -> None:
        model, positions = self.models[event_id], []
        for join in sorted(batch, key=lambda one: one.sent_at):
            row = self.made.positions.store.get(event_id, join.request_id)
            known = self.held.get((event_id, join.request_id))
            if known is not None:
                assert row == known, "a later delivery changed a position or a refusal"
                continue
            possible = model.fates(join, self.now, age)
            assert kind_of(row) in possible, f"{kind_of(row)}, not {possible}"
            if row is not None:
                self.held[event_id, join.request_id] = row
            if kind_of(row) == ASSIGNED:
                positions.append(row.position)
                assert row.position > before.queue
                assert row.generation == before.generation
            if kind_of(row) == RESET:
                assert row.generation < before.generation
        assert positions == sorted(positions), "an earlier join has a later position"

    def _ask_for_positions(self, event_id: str) -> None:
        """No position of an earlier generation, or of a deleted event, is valid."""
        model = self.models[event_id]
        for request_id in self.visitors(event_id):
            row = self.held[event_id, request_id]
            try:
                found = self.api.positions.queue_number(event_id, request_id)
            except JoinRefused as refused:
                reason = refused.members["reason"]
                assert reason == (row.refused if model.exists else "unknown_event")
            except RoomWasReset:
                assert row.generation < model.generation or not row.position
            except NotAssignedYet:
                assert not model.exists, "the table has the row"
            else:
                assert found == row
                assert (row.generation, model.exists) == (model.generation, True)

    def _ask_for_token(self, room: Room, event_id: str, request_id: str) -> None:
        row, model = self.held[event_id, request_id], self.models[event_id]
        before = self.made.outcomes.store.get(event_id, row.generation, row.position)
        try:
            secret = CLIENT_SECRET if row.client_secret_hash else None
            room.tokens.issue(event_id, request_id, client_secret=secret)
        except RoomError:
            after = self.made.outcomes.store.get(event_id, row.generation, row.position)
            assert after == before, "a refused call decides nothing"
            return
        assert model.exists
        assert row.generation == model.generation, "a token of a generation that ended"
        if before is not None:
            return
        assert model.phase(self.now) != Phase.CLOSED, "a token of a closed event"
        state = self.made.log.store.read(event_id)
        assert row.position <= state.serving, "a token above the serving counter"
        parts = serving_counter.segments(
            self.made.log.store.moves(state), expired_through=state.expired_through
        )
        at = serving_counter.served_at(parts, row.position)
        assert at is not None
        period = model.document["turn"]["expires_after"]
        assert not period or not is_expired(row.entry_time, at, period, int(self.now))

    def _check_admission(self, event_id: str, served: int) -> None:
        """Check a step: not above the queue counter, and not in a phase without turns."""
        state, model = self.made.log.store.read(event_id), self.models[event_id]
        if state.serving == served:
            return
        assert state.serving <= state.queue, "admission raised the counter above the queue"
        phase = model.phase(self.now)
        assert phase in SERVING, f"admission in phase {phase}"
        if phase is not Phase.PASS_THROUGH:
            assert model.document["admission"]["strategy"] != "manual"
