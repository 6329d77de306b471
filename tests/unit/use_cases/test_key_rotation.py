# SPDX-License-Identifier: Apache-2.0
"""Changes of the signing keys: every living token verifies, whatever comes between two steps.

Operations run in threads that stop before each call to a store; the test says which one goes on.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from itertools import count
from typing import Any

import pytest
from hypothesis import settings as profile
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tests.support.fakes.keys import MemoryKeys, MemoryPublicKeys
from tests.support.in_memory_room import settings
from waiting_room.adapters.refreshing_value import RefreshingValue
from waiting_room.domain.errors import Conflict, KeysBusy, NoKeysYet, Unavailable, UnknownKey
from waiting_room.domain.limits import CLOCK_STEP, MAX_STALE_SECONDS, MAX_VALIDITY
from waiting_room.domain.published_keys import KEEP_AFTER_SUCCESSOR, Publication
from waiting_room.domain.room_settings import KEY_CACHE
from waiting_room.domain.signing_keys import KeySet
from waiting_room.use_cases.key_rotation import CHANGE_TIME, MOST_KEYS, KeyDelays, SigningKeys

START = 1_800_000_000
DELAYS = KeyDelays(activation=300, at_once=60)


class Crash(BaseException):
    """The process ends here."""


class Operation:
    """A call in a thread of its own that goes on step by step."""

    def __init__(self, call: Callable[[Callable[[], None]], Any]) -> None:
        self._go, self._stopped = threading.Semaphore(0), threading.Semaphore(0)
        self._crash, self.over = False, False
        self.answer: Any = None
        self._thread = threading.Thread(target=self._run, args=(call,), daemon=True)
        self._thread.start()
        self._wait()

    def step(self) -> None:
        """Let it make the call to a store that it stands before."""
        self._go.release()
        self._wait()

    def crash(self) -> None:
        """End the process before that call."""
        self._crash = True
        self.step()

    def finish(self) -> Any:
        """Let it come to its end; answers what it answered, or the error that it raised."""
        while not self.over:
            self.step()
        return self.answer

    def _wait(self) -> None:
        assert self._stopped.acquire(timeout=60), "the operation hangs"
        if self.over:
            self._thread.join()

    def _gate(self) -> None:
        self._stopped.release()
        self._go.acquire()
        if self._crash:
            raise Crash

    def _run(self, call: Callable[[Callable[[], None]], Any]) -> None:
        try:
            self.answer = call(self._gate)
        except (Crash, Exception) as error:
            self.answer = error
        self.over = True
        self._stopped.release()


class Stepwise:
    """A store each of whose calls stands before a gate; ``away`` says whether it is reachable."""

    def __init__(
        self, store: Any, gate: Callable[[], None], away: Callable[[], bool] = lambda: False
    ) -> None:
        self._store, self._gate, self._away = store, gate, away

    def __getattr__(self, name: str) -> Any:
        def call(*args: Any) -> Any:
            self._gate()
            if self._away():
                raise Unavailable("away")
            return getattr(self._store, name)(*args)

        return call


class Copy:
    """What a warm function keeps of a store, as the adapters keep it."""

    def __init__(self, store: Any, monotonic: Callable[[], float]) -> None:
        self._kept: RefreshingValue[Any] = RefreshingValue(
            store.refresh, KEY_CACHE, monotonic, "a store"
        )
        self.load, self.refresh = self._kept.get, self._kept.refresh


class Deployment:
    """The stores of a room, the time, and what may change the keys."""

    def __init__(self) -> None:
        self.now = float(START)
        self.keys, self.public = MemoryKeys(), MemoryPublicKeys()
        self._names = count(1)

    def make_key(self) -> dict[str, str]:
        """A key of which only the name matters."""
        name = f"k{next(self._names)}"
        return {"kid": name, "kty": "RSA", "alg": "RS256", "n": name, "e": "AQAB"}

    def ring(self, gate: Callable[[], None] = lambda: None, skew: float = 0) -> SigningKeys:
        """A worker, whose clock may be wrong by ``skew`` seconds."""
        return SigningKeys(
            settings(),
            Stepwise(self.keys, gate),
            Stepwise(self.public, gate),
            lambda: self.now + skew,
            DELAYS,
            self.make_key,
        )

    def start(self, kind: str, revoke: str | None = None, skew: float = 0) -> Operation:
        """Begin a change of the keys; it stands before its first call."""
        if kind == "set_up":
            return Operation(lambda gate: self.ring(gate, skew).set_up())
        return Operation(lambda gate: self.ring(gate, skew).rotate(revoke))

    def function(self, skew: float = 0, away: Callable[[], bool] = lambda: False) -> SigningKeys:
        """A function that signs; it keeps its own copies, and cannot read while it is ``away``."""
        stores = (Stepwise(store, lambda: None, away) for store in (self.keys, self.public))
        keys, public = (Copy(store, lambda: self.now) for store in stores)
        clock: Callable[[], float] = lambda: self.now + skew  # noqa: E731
        return SigningKeys(settings(), keys, public, clock, DELAYS, self.make_key)  # type: ignore[arg-type]

    def published(self) -> set[str]:
        """The names of the published keys."""
        return {key.key_id for key in self.public.refresh().keys}


SKEWS = st.sampled_from([0, -CLOCK_STEP, CLOCK_STEP])
TIMES = st.sampled_from([1, 61, CHANGE_TIME, 301, MAX_VALIDITY // 2, MAX_STALE_SECONDS - 1])
PICK = st.integers(0, 59)
LONGEST_RUN = 900  # s; Lambda ends a function then, and so an operation that was held up


class Function:
    """A function that signs. ``away`` cuts it off from both stores."""

    def __init__(self, room: Deployment, skew: float) -> None:
        self.away, self.skew = False, skew
        self.ring = room.function(skew, lambda: self.away)


class Rotations(RuleBasedStateMachine):
    """Rotations, set-ups and signers in any order; processes end and stores go away."""

    def __init__(self) -> None:
        super().__init__()
        self.room = Deployment()
        self.running: list[Operation] = []
        self.began: dict[Operation, float] = {}
        self.functions: list[Function] = []
        self.tokens: set[tuple[str, float]] = set()
        self.revoked: set[str] = set()
        self.room.start("set_up").finish()

    @rule(skew=SKEWS)
    def start_function(self, skew: float) -> None:
        self.functions = [*self.functions[-3:], Function(self.room, skew)]

    @precondition(lambda self: len(self.running) < 3)
    @rule(kind=st.sampled_from(["rotate"] * 4 + ["set_up", "revoke"]), pick=PICK, skew=SKEWS)
    def begin(self, kind: str, pick: int, skew: float) -> None:
        names = sorted(self.room.published())
        revoke = names[pick % len(names)] if kind == "revoke" else None
        self.revoked |= {revoke} if revoke else set()
        one = self.room.start(kind, revoke, skew)
        self.running.append(one)
        self.began[one] = self.room.now

    @precondition(lambda self: self.running)
    @rule(pick=PICK, steps=st.integers(1, 8))
    def go_on(self, pick: int, steps: int) -> None:
        one = self.running[pick % len(self.running)]
        for _ in range(steps):
            if not one.over:
                one.step()
        self._forget(one)

    @precondition(lambda self: self.running)
    @rule(pick=PICK)
    def crash(self, pick: int) -> None:
        one = self.running[pick % len(self.running)]
        one.crash()
        self._forget(one)

    @rule(skew=SKEWS)
    def rotate(self, skew: float) -> None:
        self._end(self.room.start("rotate", skew=skew))

    @rule(seconds=TIMES)
    def wait(self, seconds: int) -> None:
        """Time passes; functions sign before it and after it, as under load."""
        self._sign()
        self.room.now += seconds
        for one in list(self.running):
            if self.room.now - self.began[one] > LONGEST_RUN:
                one.crash()
                self._forget(one)
        self._sign()

    @precondition(lambda self: self.functions)
    @rule(pick=PICK, away=st.booleans())
    def cut_off(self, pick: int, away: bool) -> None:
        self.functions[pick % len(self.functions)].away = away

    @invariant()
    def every_living_token_verifies(self) -> None:
        self.tokens = {one for one in self.tokens if one[1] > self.room.now}
        signed = {name for name, _ in self.tokens} - self.revoked
        assert signed <= self.room.published()

    def teardown(self) -> None:
        """Whatever happened, a set-up makes the room sign with a key that verifiers know."""
        for one in self.running:
            one.crash()
        self.room.now += CHANGE_TIME + CLOCK_STEP
        answer = self.room.start("set_up").finish()
        assert answer is None, answer
        self.room.now += DELAYS.activation + 2 * CLOCK_STEP
        signs = self.room.function().current(int(self.room.now)).key_id
        assert signs in self.room.published()
        assert self.room.ring().public_key()["kid"] == signs
        self.every_living_token_verifies()

    def _sign(self) -> None:
        for one in self.functions:
            now = int(self.room.now + one.skew)
            try:
                self.tokens.add((one.ring.current(now).key_id, now + MAX_VALIDITY))
            except Unavailable:  # that it gives no token is allowed
                continue

    def _end(self, one: Operation) -> None:
        one.finish()
        self.running.append(one)
        self.began[one] = self.room.now
        self._forget(one)

    def _forget(self, one: Operation) -> None:
        if one.over:
            expected = (Unavailable, UnknownKey, Crash, KeySet, type(None))
            assert isinstance(one.answer, expected), repr(one.answer)
            self.running.remove(one)


TestRotations = Rotations.TestCase
TestRotations.settings = profile(max_examples=150, stateful_step_count=40, deadline=None)


@pytest.fixture
def room() -> Deployment:
    made = Deployment()
    made.start("set_up").finish()
    return made


def test_of_two_rotations_at_once_one_is_refused_and_changes_nothing(room: Deployment) -> None:
    first, second = room.start("rotate"), room.start("rotate")
    for _ in range(3):
        first.step()  # both halves read, announced
    refused = second.finish()
    assert isinstance(refused, KeysBusy)
    assert "another call" in str(refused)
    assert refused.retry_after == CHANGE_TIME
    assert len(first.finish().keys) == 2
    assert room.published() == {"k1", "k2"}


def test_two_rotations_that_read_the_same_do_not_both_announce(room: Deployment) -> None:
    first, second = room.start("rotate"), room.start("rotate")
    for _ in range(2):
        first.step()
        second.step()
    answers = [first.finish(), second.finish()]
    assert [type(answer) for answer in answers] == [KeySet, KeysBusy]
    assert {key.key_id for key in room.keys.load().keys} == room.published()


def test_a_rotation_that_comes_back_after_its_time_overwrites_no_key(room: Deployment) -> None:
    late = room.start("rotate")
    for _ in range(3):
        late.step()
    room.now += CHANGE_TIME
    done = room.start("rotate").finish()
    assert isinstance(late.finish(), Unavailable)
    assert {key.key_id for key in room.keys.load().keys} == {key.key_id for key in done.keys}


@pytest.mark.parametrize("steps", range(5))
def test_after_a_rotation_that_ended_anywhere_the_next_one_goes_on(
    room: Deployment, steps: int
) -> None:
    ended = room.start("rotate")
    for _ in range(steps):
        ended.step()
    ended.crash()
    signs = room.function().current(int(room.now)).key_id
    assert signs == "k1" == room.ring().public_key()["kid"]
    room.now += CHANGE_TIME
    newest = room.start("rotate").finish().keys[-1].key_id
    room.now += DELAYS.activation
    assert room.function().current(int(room.now)).key_id == newest
    assert room.ring().public_key()["kid"] == newest


def test_a_function_does_not_sign_with_a_key_whose_publication_it_has_not_read(
    room: Deployment,
) -> None:
    function = room.function()
    assert function.current(int(room.now)).key_id == "k1"
    rotation = room.start("rotate")
    for _ in range(4):
        rotation.step()  # the secret holds the new key, the publication does not confirm it
    room.now += DELAYS.activation + KEY_CACHE
    assert function.current(int(room.now)).key_id == "k1"
    rotation.finish()
    assert function.current(int(room.now)).key_id == "k1"  # not read again yet
    room.now += KEY_CACHE
    assert function.current(int(room.now)).key_id == "k2"


def test_a_key_stays_published_as_long_as_a_copy_may_sign_and_its_token_lives(
    room: Deployment,
) -> None:
    room.ring().rotate()
    started = room.now + DELAYS.activation
    room.now = started + KEEP_AFTER_SUCCESSOR - 1
    assert {key.key_id for key in room.ring().rotate().keys} == {"k1", "k2", "k3"}
    room.now += 1
    assert {key.key_id for key in room.ring().rotate().keys} == {"k2", "k3", "k4"}
    assert room.published() == {"k2", "k3", "k4"}
    assert KEEP_AFTER_SUCCESSOR >= MAX_STALE_SECONDS + MAX_VALIDITY + 2 * CLOCK_STEP


def test_a_younger_key_that_the_secret_lost_lets_no_older_one_leave(room: Deployment) -> None:
    before = room.keys.load()
    room.ring().rotate()
    room.keys.save(KeySet(before.keys), room.keys.load())  # an operator put the old secret back
    room.now += KEEP_AFTER_SUCCESSOR + 10_000
    assert room.function().current(int(room.now)).key_id == "k1"
    room.ring().rotate()
    assert "k1" in room.published()


def test_a_key_that_is_confirmed_late_starts_late(room: Deployment) -> None:
    """Until then the older one signed, whose tokens live on."""
    ended = room.start("rotate")
    for _ in range(4):
        ended.step()
    ended.crash()
    room.now += KEEP_AFTER_SUCCESSOR + 1_000
    assert room.function().current(int(room.now)).key_id == "k1"
    room.ring().set_up()
    room.ring().rotate()
    assert {"k1", "k2"} < room.published()


def test_a_set_up_beside_a_rotation_leaves_it_alone(room: Deployment) -> None:
    for steps in range(5):
        rotation = room.start("rotate")
        for _ in range(steps):
            rotation.step()
        assert room.start("set_up").finish() is None
        assert isinstance(rotation.finish(), KeySet)
        room.now += 1


def test_two_set_ups_at_once_make_one_key() -> None:
    room = Deployment()
    first, second = room.start("set_up"), room.start("set_up")
    for _ in range(2):
        first.step()
        second.step()
    assert sorted(type(one.finish()).__name__ for one in (first, second)) == [
        "KeysBusy", "NoneType",
    ]  # fmt: skip
    assert len(room.keys.load().keys) == 1
    assert room.start("set_up").finish() is None


def test_a_set_up_waits_for_another_one_when_nothing_can_sign() -> None:
    room = Deployment()
    first = room.start("set_up")
    for _ in range(3):
        first.step()
    assert isinstance(room.start("set_up").finish(), Unavailable)
    with pytest.raises(NoKeysYet):
        room.ring().public_key()


def test_a_revoked_key_leaves_at_once_and_the_next_one_signs_when_edges_know_it(
    room: Deployment,
) -> None:
    kept = room.ring().rotate("k1")
    assert [key.key_id for key in kept.keys] == ["k2"]
    assert room.published() == {"k2"}
    function = room.function()
    with pytest.raises(Unavailable) as refused:
        function.current(int(room.now))
    assert refused.value.retry_after == DELAYS.at_once
    room.now += DELAYS.at_once
    assert function.current(int(room.now)).key_id == "k2" == room.ring().public_key()["kid"]


def test_revoking_ended_between_two_writes_is_repeated(room: Deployment) -> None:
    for steps in range(3, 5):
        room.now += CHANGE_TIME
        stolen = room.keys.load().keys[0].key_id
        ended = room.start("rotate", revoke=stolen)
        for _ in range(steps):
            ended.step()
        ended.crash()
        room.now += CHANGE_TIME
        room.ring().rotate(stolen)
        assert stolen not in room.published()
        assert room.keys.load().by_id(stolen) is None


def test_a_key_that_is_not_the_rooms_is_not_revoked(room: Deployment) -> None:
    before = room.public.refresh()
    with pytest.raises(UnknownKey, match="revoke"):
        room.ring().rotate("unknown")
    assert room.public.refresh() == before


def test_so_many_keys_are_not_published_that_verifiers_refuse_them(room: Deployment) -> None:
    for _ in range(MOST_KEYS - 1):
        room.ring().rotate()
    with pytest.raises(Unavailable, match="published"):
        room.ring().rotate()
    assert len(room.published()) == MOST_KEYS
    room.ring().rotate("k3")  # a stolen key is revoked all the same
    assert "k3" not in room.published()


class Repeats(MemoryPublicKeys):
    """A store whose answers are lost, so that the client sends each write again."""

    def save(self, publication: Publication, before: Publication) -> None:
        super().save(publication, before)
        raise Conflict


def test_a_write_that_was_sent_twice_knows_its_own_effect() -> None:
    room = Deployment()
    room.public = Repeats()
    room.ring().set_up()
    assert len(room.ring().rotate().keys) == 2
    assert room.published() == {"k1", "k2"}
