# SPDX-License-Identifier: Apache-2.0
"""State machine of several events in one room: the invariants of each, and their isolation.

Each operation on some events is compared with a copy of all other events before and after it: no
document, row, counter or ``/status`` of another event changes. The clock stands still during an
operation, so that each difference is the operation's. The module has more than 300 lines because
a state machine is one class.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    initialize,
    multiple,
    rule,
)

from tests.support.event_checks import EVENTS, SECRET_HASH, SERVING, EventChecks
from tests.support.event_model import ALLOWED, EventModel
from tests.support.in_memory_room import EVENT, InMemoryRoom
from waiting_room.domain.actors import Actor, ActorKind
from waiting_room.domain.errors import (
    EventConflict,
    InvalidInput,
    OtherGeneration,
    PhaseForbids,
    RoomError,
    StaleVersion,
    UnknownEvent,
)
from waiting_room.domain.events.admission import STEP
from waiting_room.domain.events.phase import Phase
from waiting_room.domain.records import Join, Position
from waiting_room.use_cases.events.directory import REGISTRY_CACHE
from waiting_room.use_cases.room import Room

IDS = st.sampled_from(("a", "b", EVENT, "c", "a", "b"))
SOON = st.sampled_from([None, None, None, -4, 3, 40])  # s from now
PEOPLE = [Actor(ActorKind.PERSON, f"arn:aws:iam::1:user/{name}") for name in ("ada", "bo")]
ACTORS = st.sampled_from(PEOPLE)

FIRST: dict[str, dict[str, Any]] = {  # expired positions raise the counter; admission in steps
    "a": {"turn": {"expires_after": 300, "increment_on_expiry": True}},
    "b": {"admission": {"strategy": "rate", "per_minute": 6}},
}


@st.composite
def contents(draw: Callable[..., Any]) -> Callable[[int], dict[str, Any]]:
    """Draw the content of a PUT: a function of the time."""
    opens, earlier, closes = draw(SOON), draw(st.sampled_from([None, 2])), draw(SOON)
    after = draw(st.sampled_from(["closed", "pass_through"]))
    admission = {
        "strategy": draw(st.sampled_from(["manual", "manual", "rate", "active", "both"])),
        "per_minute": draw(st.sampled_from([0, 12, 600])),
        "max_active": draw(st.sampled_from([0, 2, 1000])),
    }
    turn = {
        "expires_after": draw(st.sampled_from([300, 300, 0])),
        "increment_on_expiry": draw(st.booleans()),
    }
    secret = draw(st.sampled_from(["optional", "optional", "required"]))
    title = draw(st.sampled_from(["", "One", "Two"]))

    def content(now: int) -> dict[str, Any]:
        schedule: dict[str, Any] = {"after": after}
        if opens is not None:
            schedule["opens_at"] = now + opens
            if earlier is not None:
                schedule["pre_queue_at"] = now + opens - earlier
        if closes is not None:
            schedule["closes_at"] = now + closes
        return {
            "title": title, "schedule": schedule, "admission": admission, "turn": turn,
            "token": {"valid_for": 600}, "join": {"client_secret": secret},
        }  # fmt: skip

    return content


class EventsMachine(EventChecks):
    """Drives the events of a room whose counters get lost."""

    joins = Bundle("joins")  # messages in the join queue, also those that were processed

    @initialize()
    def start(self) -> None:
        self.made = InMemoryRoom(self.options)
        # the API makes the changes, so its copy of the registry is current; the worker's may be old
        self.made.room = self.api = self.fresh()
        self.worker = self.fresh()
        self.api.workers.setup.run()
        self.models = {event_id: EventModel(event_id) for event_id in EVENTS}
        self.held: dict[tuple[str, str], Position] = {}  # by event and request id
        own = self.made.documents.store.read(EVENT)
        self.models[EVENT].changed(own.document, self.now, own.version)
        self.models[EVENT].authors.append(("set_up", "create"))
        for event_id, content in FIRST.items():
            self.put(event_id, lambda _, content=content: content, False, PEOPLE[0])
        self.arrive(["a", "b", "a", "b", "b", "b"], [], True, 0.25, False, True)

    # --- changes of documents ----------------------------------------------------------------

    @rule(
        event_id=IDS,
        content=contents(),
        wrong=st.sampled_from([False, False, False, True]),
        actor=ACTORS,
    )
    def put(
        self, event_id: str, content: Callable[[int], dict[str, Any]], wrong: bool, actor: Actor
    ) -> None:
        """Create an event, or replace its document; a wrong version is refused."""
        model = self.models[event_id]
        sent = model.version + wrong if model.exists or wrong else None
        refused: type[RoomError] | None = None
        if wrong:
            refused = StaleVersion if model.exists else UnknownEvent
        self._change(
            event_id, "put" if model.exists else "create", actor, refused,
            lambda: self.made.event_documents.put(
                event_id, content(int(self.now)), sent, actor=actor
            )[0],
        )  # fmt: skip

    @rule(
        event_id=IDS,
        patch=st.sampled_from(
            [
                {"title": "Patched"},
                {"schedule": None},
                {"schedule": {"closes_at": None}},
                {"mode": "pass_through"},
                {"mode": None},
                {"turn": {"expires_after": 60}},
                {"join": {"client_secret": "required"}},
                {"admission": {"strategy": "rate"}},
            ]
        ),
        wrong=st.sampled_from([False, False, False, True]),
        actor=ACTORS,
    )
    def patch(self, event_id: str, patch: dict[str, Any], wrong: bool, actor: Actor) -> None:
        model = self.models[event_id]
        refused: type[RoomError] | None = None if model.exists else UnknownEvent
        if model.exists and wrong:
            refused = StaleVersion
        self._change(
            event_id, "patch", actor, refused,
            lambda: self.made.event_documents.patch(
                event_id, patch, model.version + 1 if wrong else None, actor=actor
            ),
        )  # fmt: skip

    @rule(event_id=IDS, number=st.integers(0, 11), actor=ACTORS)
    def act(self, event_id: str, number: int, actor: Actor) -> None:
        """Carry out an action; most of them are allowed in the phase."""
        phase = self.models[event_id].phase(self.now)
        allowed = [action for action in ALLOWED if phase in ALLOWED[action]]
        every = [*allowed, *ALLOWED]
        self._act(event_id, every[number % len(every)], actor)

    def _act(self, event_id: str, action: str, actor: Actor) -> None:
        model = self.models[event_id]
        refused: type[RoomError] | None = None if model.exists else UnknownEvent
        if model.exists and model.phase(self.now) not in ALLOWED[action]:
            refused = PhaseForbids
        self._change(
            event_id, action, actor, refused,
            lambda: self.made.event_documents.act(event_id, action, actor=actor),
        )  # fmt: skip

    def _change(
        self,
        event_id: str,
        what: str,
        actor: Actor,
        refused: type[RoomError] | None,
        call: Callable[[], dict[str, Any]],
    ) -> None:
        """Make a change and note it in the model, or see it refused without effect."""
        model, existed = self.models[event_id], self.models[event_id].exists
        with self.no_other_event_changes(event_id):
            if refused:
                with self.nothing_changes(event_id):
                    self._refused(call, refused)
                return
            try:
                response = call()
            except InvalidInput:  # for example closes_at before opens_at
                return
        document = self.made.documents.store.read(event_id).document
        if existed and document == model.document:
            assert response["version"] == model.version, "a change of nothing has no version"
            return
        if not existed and model.was_used:
            model.generation += 1
            model.reset_at = self.now
            model.operations.append((actor.who, "reset"))
        assert response["version"] == model.version + 1
        model.changed(document, self.now, response["version"])
        model.authors.append((actor.who, what))
        assert response["phase"] == model.phase(self.now)

    @rule(event_id=IDS, first=st.sampled_from(["", "close"]), again=st.booleans(), actor=ACTORS)
    def delete(self, event_id: str, first: str, again: bool, actor: Actor) -> None:
        """Delete an event if that is allowed, and create it again or not."""
        model = self.models[event_id]
        if first and model.phase(self.now) in ALLOWED[first]:
            self._act(event_id, first, actor)
        with self.no_other_event_changes(event_id):
            if event_id == EVENT or not model.exists or model.phase(self.now) != Phase.CLOSED:
                refused = EventConflict if model.exists else UnknownEvent
                with self.nothing_changes(event_id):
                    self._refused(
                        lambda: self.made.event_documents.delete(event_id, None, actor=actor),
                        refused,
                    )
                return
            self.made.event_documents.delete(event_id, None, actor=actor)
        model.removed(self.now)
        model.authors.append((actor.who, "delete"))
        if again:
            self._change(
                event_id, "create", actor, None,
                lambda: self.made.event_documents.put(event_id, {}, None, actor=actor)[0],
            )  # fmt: skip

    # --- operations --------------------------------------------------------------------------

    @rule(
        event_id=IDS,
        move=st.sampled_from([20, 3, 1, -1, -4]),
        number=st.integers(0, 20),
        what=st.sampled_from(["increment", "increment", "message", "session"]),
        warm=st.booleans(),
    )
    def operate(self, event_id: str, move: int, number: int, what: str, warm: bool) -> None:
        """Move the serving counter, set the message, or end a session."""
        if what == "increment":
            self._increment(event_id, move, warm)
        elif what == "message":
            self._set_message(event_id, ["", "Late", "Soon"][number % 3])
        else:
            self._end_session(event_id, number, 1 if move > 0 else -1)

    def _increment(self, event_id: str, by: int, warm: bool) -> None:
        model = self.models[event_id]
        room, age = (self.worker, REGISTRY_CACHE) if warm else (self.api, 0.0)
        possible = model.phases(self.now, age)
        with self.no_other_event_changes(event_id):
            try:
                room.control.increment(event_id, by, actor=PEOPLE[0])
            except PhaseForbids as error:
                self._is_one_of(Phase(error.phase), possible)
            except InvalidInput:
                assert not model.exists or warm
            else:
                assert possible & {Phase.OPEN, Phase.DRAINING}, "moved in a phase without turns"
                model.operations.append(("user/ada", "admit"))

    @rule(event_id=IDS, ends=st.sampled_from(["current", "other", None]))
    def reset(self, event_id: str, ends: str | None) -> None:
        model = self.models[event_id]
        generation = {"current": model.generation, "other": model.generation + 1, None: None}[ends]
        with self.no_other_event_changes(event_id):
            if not model.exists or ends == "other":
                refused = OtherGeneration if model.exists else InvalidInput
                with self.nothing_changes(event_id):
                    self._refused(
                        lambda: self.api.control.reset(event_id, generation, actor=PEOPLE[0]),
                        refused,
                    )
                return
            ended = self.api.control.reset(event_id, generation, actor=PEOPLE[1])
            assert ended == model.generation + 1
        model.operations.append((PEOPLE[1].who, "reset"))
        model.generation += 1
        model.reset_at = self.now

    def _set_message(self, event_id: str, message: str) -> None:
        with self.no_other_event_changes(event_id):
            if not self.models[event_id].exists:
                self._refused(lambda: self.api.control.set_message(event_id, message), InvalidInput)
                return
            self.api.control.set_message(event_id, message, actor=PEOPLE[0])
        self.models[event_id].operations.append((PEOPLE[0].who, "message"))
        assert self.fresh().metrics.status_page(event_id)["message"] == message

    def _end_session(self, event_id: str, number: int, status: int) -> None:
        visitors = self.visitors(event_id)
        if visitors:
            with self.no_other_event_changes(event_id):
                self._tolerant(
                    lambda: self.api.sessions.end(
                        event_id, visitors[number % len(visitors)], status, actor=PEOPLE[0]
                    )
                )

    # --- visitors ----------------------------------------------------------------------------

    @rule(
        target=joins,
        events=st.lists(IDS, min_size=1, max_size=6),
        again=st.lists(joins, max_size=5),
        secret=st.booleans(),
        lag=st.sampled_from([0.25, 0.25, 3]),
        warm=st.booleans(),
        delivered=st.sampled_from([True, True, True, False]),
    )
    def arrive(
        self,
        events: list[str],
        again: list[Join],
        secret: bool,
        lag: float,
        warm: bool,
        delivered: bool,
    ) -> Any:
        """Visitors of some events join; a worker gets their messages, and earlier ones again."""
        made = []
        for event_id in events:
            self.made.clock.now += 0.25
            plain = self.made.join(self.now, SECRET_HASH if secret else "")
            made.append(replace(plain, event_id=event_id))
        self.made.clock.now += lag
        if delivered:
            self._deliver([*made[::-1], *again], warm)
        return multiple(*made)

    def _deliver(self, batch: list[Join], warm: bool) -> None:
        """Process a batch as the worker function does."""
        room, age = (self.worker, REGISTRY_CACHE) if warm else (self.fresh(), 0.0)
        events = {join.event_id for join in batch}
        before = {event_id: self.made.log.store.read(event_id) for event_id in events}
        with self.no_other_event_changes(*events):
            found = room.workers.intake.sort(batch)
            assert not room.workers.intake.refuse(found)
            for event_id, mine in found.accepted.items():
                with self.no_other_event_changes(event_id):
                    assert not room.workers.assignment.assign(event_id, mine).retry
                    served = self.made.log.store.read(event_id).serving
                    room.workers.admission.step_after_joins(event_id)
                    self._check_admission(event_id, served)
        for event_id in events:
            joins = {one.request_id: one for one in batch if one.event_id == event_id}
            self._check_delivered(event_id, list(joins.values()), before[event_id], age)

    @rule(
        event_id=IDS,
        by=st.sampled_from([20, 2, 0]),
        first=st.sampled_from(["", "close", "pause"]),
        tokens=st.booleans(),
    )
    def ask(self, event_id: str, by: int, first: str, tokens: bool) -> None:
        """Serve visitors; all ask for their positions and tokens, perhaps after an action."""
        if by:
            self._increment(event_id, by, False)
        if first and self.models[event_id].phase(self.now) in ALLOWED[first]:
            self._act(event_id, first, PEOPLE[0])
        self._ask_for_positions(event_id)
        room = self.fresh()
        with self.no_other_event_changes(event_id):
            for request_id in self.visitors(event_id) if tokens else ():
                self._ask_for_token(room, event_id, request_id)

    # --- time, workers, counters -------------------------------------------------------------

    @rule(
        seconds=st.sampled_from([0.25, 1, 2.5, 35, 95, 310, 700]),
        jobs=st.sampled_from(["", "minute", "minute", "admit"]),
        times=st.sampled_from([1, 1, 6]),
        lost=st.sampled_from([[], [], ["a"], ["b", EVENT], list(EVENTS)]),
        warm=st.booleans(),
    )
    def time_passes(
        self, seconds: float, jobs: str, times: int, lost: list[str], warm: bool
    ) -> None:
        """Let time pass; counters get lost or not; the workers of each minute run or not."""
        for _ in range(times):
            self.made.clock.now += seconds
            self._lose_counters(lost)
            self._work(jobs, self.worker if warm else self.fresh())

    @rule(
        event_id=IDS,
        action=st.sampled_from(["pause", "pause", "close", *sorted(ALLOWED)]),
        jobs=st.sampled_from(["minute", "admit", "admit"]),
        actor=ACTORS,
    )
    def act_meanwhile(self, event_id: str, action: str, jobs: str, actor: Actor) -> None:
        """Visitors join, and an action comes just after a worker has read the registry."""
        self.arrive([event_id] * 3, [], True, 0.25, False, True)
        self.made.clock.now += STEP  # the next step of admission is due
        self.worker.directory.refresh()
        self.made.clock.now += 0.25
        if self.models[event_id].phase(self.now) in ALLOWED[action]:
            self._act(event_id, action, actor)
        self._work(jobs, self.worker)

    def _work(self, jobs: str, room: Room) -> None:
        if jobs == "minute":
            self._run_minute_jobs(room)
        elif jobs == "admit":
            self._admit(room)

    def _run_minute_jobs(self, room: Room) -> None:
        for event_id in room.directory.with_minute_work():
            before = self.made.log.store.read(event_id).serving
            with self.no_other_event_changes(event_id):
                room.workers.minute_jobs.run(event_id)
            if self.made.log.store.read(event_id).serving > before:
                phases = self.models[event_id].phases(self.now, REGISTRY_CACHE)
                assert phases & {Phase.OPEN, Phase.DRAINING}, "an expiry served in this phase"

    def _admit(self, room: Room) -> None:
        """Make one admission step of all events."""
        before = {one: self.made.log.store.read(one).serving for one in EVENTS}
        idle = [one for one in EVENTS if self.models[one].phase(self.now) not in SERVING]
        with self.nothing_changes(*idle):
            room.workers.admission.run_minute(lambda: 0.0)
        for event_id, served in before.items():
            self._check_admission(event_id, served)

    def _lose_counters(self, lost: list[str]) -> None:
        """Redis loses the counters of some events, or all of its data."""
        if len(lost) == len(EVENTS):
            self.made.memory.lose()
        for event_id in lost if not self.options else ():  # counters in tables are not lost
            self.made.memory._copies.pop(event_id, None)

    def teardown(self) -> None:
        if self._has_started:
            for event_id in EVENTS:
                self._ask_for_positions(event_id)
                self.check_audit_log(event_id)
