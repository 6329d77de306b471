# SPDX-License-Identifier: Apache-2.0
"""2. The process ends at each point between two side effects, once before and once after it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from tests.chaos.faults import faulty_room
from tests.chaos.observations import Observations, check
from tests.chaos.report import Result
from tests.chaos.servers import MovedClock, deliver_stream, room_at, settle
from tests.support.faults import Crash, Faults
from tests.support.real_stores import RealRoom
from waiting_room.domain.records import Join
from waiting_room.use_cases.room import Room

LATER = 200  # seconds until a message comes again: its visibility timeout is 180
EXPIRY = 1000
JOINS = 30  # in a batch: two requests of 25 rows


@dataclass
class Scene:
    """An event with visitors in it: 40 of 60 served, ten with a token."""

    real: RealRoom
    observations: Observations = field(default_factory=Observations)

    def __post_init__(self) -> None:
        self.joins = self.accept(60)
        self.real.room.workers.assignment.assign(self.real.event_id, self.joins)
        self.raise_counter(self.real.room, 40)
        for join in self.joins[:10]:
            self.token(self.real.room, join)

    def accept(self, count: int) -> list[Join]:
        """Joins that the queue has taken."""
        joins = self.real.joins(count)
        self.observations.accepted.update((join.request_id, join) for join in joins)
        return joins

    def raise_counter(self, room: Room, by: int) -> None:
        """Increment the counter; the increment is doubtful until the response."""
        self.observations.doubtful += by
        room.control.increment(self.real.event_id, by)
        self.observations.doubtful -= by
        self.observations.moved += by

    def token(self, room: Room, join: Join) -> None:
        """A token that the visitor was given."""
        token = room.tokens.issue(self.real.event_id, join.request_id)
        self.observations.saw_token(join.request_id, token["access_token"])

    def read_positions(self) -> None:
        """Read the position of every visitor."""
        rows = self.real.positions.get_many(self.real.event_id, list(self.observations.accepted))
        for row in rows.values():
            if row.position:
                self.observations.saw_position(row)

    def pass_time(self, seconds: float) -> None:
        """Let time pass."""
        clock = self.real.clock
        assert isinstance(clock, MovedClock)
        clock.step += seconds


Act = Callable[[Scene, Room], Any]


def assign(scene: Scene, room: Room) -> None:
    """A batch with a duplicate of an old join."""
    if len(scene.observations.accepted) == 60:
        scene.accept(JOINS)
    batch = [*list(scene.observations.accepted.values())[60:], scene.joins[0]]
    assignment = room.workers.assignment.assign(scene.real.event_id, batch)
    if assignment.retry:
        scene.pass_time(LATER)
        scene.observations.wrong += ["never done"] * bool(
            room.workers.assignment.assign(scene.real.event_id, batch).retry
        )


def token(scene: Scene, room: Room) -> None:
    """A first token."""
    scene.token(room, scene.joins[20])


def token_after_a_loss(scene: Scene, room: Room) -> None:
    """A first token, for which the counters have to be rebuilt."""
    scene.real.valkey.client().flushall()
    scene.token(room, scene.joins[20])


def session(scene: Scene, room: Room) -> None:
    """End a session; a repeated call after a completed one raises NoLiveSession."""
    from waiting_room.domain.errors import NoLiveSession

    try:
        room.sessions.end(scene.real.event_id, scene.joins[3].request_id, 1)
    except NoLiveSession:
        row = scene.real.positions.get(scene.real.event_id, scene.joins[3].request_id)
        assert row
        outcome = scene.real.outcomes.get(row.event_id, row.generation, row.position)
        assert outcome
        assert outcome.status.value == "completed"


def increment(scene: Scene, room: Room) -> None:
    """The counter moves."""
    scene.raise_counter(room, 7)


def reconcile(scene: Scene, room: Room) -> None:
    """Reconcile in three successive minutes."""
    for _ in range(3):
        room.workers.reconciliation.run(scene.real.event_id)
        scene.pass_time(91)


def sweep(scene: Scene, room: Room) -> None:
    """Expire thirty served positions."""
    reconcile(scene, scene.real.room)
    scene.pass_time(EXPIRY)
    room.workers.expiry_sweep.run(scene.real.event_id)


def publish(scene: Scene, room: Room) -> None:
    """The stream's batch."""
    rows = list(scene.real.outcomes.in_range(scene.real.event_id, 1, 1, 60))
    scene.real.deliver(rows, room)


def reset(scene: Scene, room: Room) -> None:
    """Reset the event; repeated after a crash, it may start one more generation."""
    room.control.reset(scene.real.event_id)
    scene.observations.moved = scene.observations.doubtful = 0


ACTS: tuple[Act, ...] = (
    assign, token, token_after_a_loss, session, increment, reconcile, sweep, publish, reset,
)  # fmt: skip


def run(
    tables_url: str,
    valkey: Any,
    *,
    seed: int = 0,
    every: int = 1,
    acts: tuple[Act, ...] = (),
    **options: str,
) -> Result:
    """Each act crashed at every ``every``-th point, before and after the call.

    ``options`` are settings of the room; with IN_TABLES it has no counters that can be lost.
    """
    found = Result("process crashed", 0, "crashes", seed=seed)
    points, acts = 0, acts or ACTS
    if options:
        found.attack += ", counters in the tables"
        acts = tuple(act for act in acts if act is not token_after_a_loss)
    for act in acts:
        faults, total = Faults(seed), 0
        scene = _scene(tables_url, valkey, options)
        act(scene, faulty_room(scene.real, faults))
        total = faults.calls
        for point in range(1, total + 1):
            for before in (True, False):
                points += 1
                if (points + seed) % every:
                    continue
                found.cases += 1
                _crash(_scene(tables_url, valkey, options), act, point, before, found)
    found.notes = f"{len(acts)} operations, {found.cases} of {points} crash points"
    return found


def _scene(tables_url: str, valkey: Any, options: Mapping[str, str]) -> Scene:
    real = room_at(
        tables_url, valkey, QUEUE_POSITION_EXPIRY_PERIOD=EXPIRY, ENABLE_EVENTS_GENERATION=True,
        **options,
    )  # fmt: skip
    return Scene(real)


def _crash(scene: Scene, act: Act, point: int, before: bool, found: Result) -> None:
    faults = Faults()
    faults.plan(point, before)
    with suppress(Crash):
        act(scene, faulty_room(scene.real, faults))
    crashed = faults.log[point - 1] if len(faults.log) >= point else "nothing"
    scene.read_positions()
    scene.pass_time(LATER)
    one = Result(found.attack)
    try:
        act(scene, scene.real.new_room())
        deliver_stream(scene.real)
        settle(scene.real)
        check(scene.real, scene.observations, one)
    except Exception as error:
        one.wrong.append(f"{type(error).__name__}: {error}")
    found.lost, found.duplicated = found.lost + one.lost, found.duplicated + one.duplicated
    when = "before" if before else "after"
    found.wrong += [f"{act.__name__} {when} call {point} ({crashed}): {it}" for it in one.wrong]
