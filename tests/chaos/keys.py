# SPDX-License-Identifier: Apache-2.0
"""8. Keys rotate under load, two changes at once, some ended halfway; then no secret is readable.

A minute of a deployment lasts a second here: functions keep keys for 1 s (60 s), a new key signs
after 2 s (300 s). With a longer ``keep`` functions sign on with old copies through several changes.
"""

from __future__ import annotations

import random
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import jwt

from tests.chaos.observations import Observations, check
from tests.chaos.report import Result
from tests.chaos.servers import MovedClock, settle
from tests.support import servers
from tests.support.faults import Crash, Faults, FaultyClient, FaultyPort
from tests.support.in_memory_room import ISSUER
from tests.support.real_stores import RealRoom
from waiting_room.adapters.secrets_manager import SecretsManagerKeys
from waiting_room.authorizer.verifier import Accepted, Expected, verify
from waiting_room.domain.errors import Unavailable
from waiting_room.use_cases.key_rotation import CHANGE_TIME
from waiting_room.use_cases.room import Room

ACTIVATION, EDGE = 2, 1  # seconds
VISITORS = 2_000
PACE = 0.02  # seconds between two visitors of a thread: they last as long as the rotations


class Rotation:
    """Rooms whose keys lie in Secrets Manager, on tables of their own: they publish there."""

    def __init__(self, tables_url: str, aws_url: str, valkey: Any, keep: int) -> None:
        self.clock, self.faults, self.keep = MovedClock(), Faults(), keep
        options = {
            "KEY_ACTIVATION_DELAY": ACTIVATION,
            "PUBLIC_KEY_CACHE_SECONDS": EDGE,
            "SIGNING_KEY_CACHE_SECONDS": keep,
            "ENABLE_QUEUE_POSITION_EXPIRY": "false",
        }
        self.real = RealRoom(tables_url, valkey, options, self.clock)
        self.client = servers.aws_client("secretsmanager", aws_url, 1)
        self.secret = f"keys-{uuid.uuid4().hex[:8]}"
        self.client.create_secret(Name=self.secret, SecretString="{}")

    def room(self, ends: Faults | None = None) -> Room:
        """A function, which has its own copy of the keys; ``ends`` is the fault that ends it."""
        client = FaultyClient(self.client, self.faults)
        keys: Any = SecretsManagerKeys(client, self.secret, time.monotonic, self.keep)
        self.real.keys = FaultyPort(keys, ends) if ends else keys
        return self.real.new_room()

    def signs(self) -> str:
        """The key with which a function signs that starts now."""
        return self.room().keys.current(int(self.clock())).key_id


@dataclass
class Changes:
    """Results of the key changes."""

    made: int = 0
    refused: int = 0
    ended: int = 0
    wrong: list[str] = field(default_factory=list)

    def run(self, call: Callable[[], object]) -> threading.Thread:
        """Make one in a thread."""

        def made() -> None:
            try:
                call()
                self.made += 1
            except Unavailable:
                self.refused += 1
            except Crash:
                self.ended += 1
            except Exception as error:
                self.wrong.append(f"a change of the keys: {type(error).__name__}: {error}")

        thread = threading.Thread(target=made)
        thread.start()
        return thread


def run(
    tables_url: str,
    aws_url: str,
    valkey: Any,
    *,
    rotations: int,
    seconds: float,
    seed: int,
    keep: int = 1,
) -> Result:
    """Tokens are taken and judged all the time."""
    name = f"keys: rotation under load, secret unreadable (functions cache keys for {keep} s)"
    found = Result(name, 0, "tokens", seed=seed)
    observations, over, dice = Observations(), threading.Event(), random.Random(seed)
    rotation = Rotation(tables_url, aws_url, valkey, keep)
    real = rotation.real
    rotation.room().workers.setup.run()
    rotation.clock.step += EDGE
    joins = real.joins(VISITORS)
    observations.accepted.update((join.request_id, join) for join in joins)
    real.room.workers.assignment.assign(real.event_id, joins)
    real.room.control.increment(real.event_id, len(joins))
    observations.moved = len(joins)
    names = [join.request_id for join in joins]
    threads = [
        threading.Thread(
            target=_visit,
            args=(rotation, names[share::2], observations, over, found, seed + share),
            daemon=True,
        )
        for share in range(2)
    ]
    for thread in threads:
        thread.start()
    changes = _rotate(rotation, rotations, dice, found)
    _hide_secret(rotation, seconds, observations, found)
    over.set()
    for thread in threads:
        thread.join(30)
    _verify_tokens(rotation, rotation.room(), list(observations.tokens.values()), observations)
    settle(real)
    cases = found.cases
    check(real, observations, found)
    found.cases = cases
    found.wrong += changes.wrong
    busy = sum(text.startswith("generate_token") for _, text in observations.unavailable)
    found.notes = (
        f"{changes.made} changes, {changes.refused} rejected, {changes.ended} ended halfway, "
        f"{len(rotation.room().keys.jwks()['keys'])} keys at the end, "
        f"{busy} responses 503 to visitors, "
        f"{seconds:.0f} s without secret"
    )
    return found


def _visit(
    rotation: Rotation,
    names: list[str],
    observations: Observations,
    over: threading.Event,
    found: Result,
    seed: int,
) -> None:
    """Request tokens repeatedly, and verify each with the current public keys."""
    function, verifier, dice = rotation.room(), rotation.room(), random.Random(seed)
    had: list[str] = []
    while not over.wait(PACE):
        if len(had) < len(names):
            had.append(names[len(had)])
        for one in (had[-1], dice.choice(had)):
            token = observations.request(
                "generate_token",
                lambda one=one: function.tokens.issue(rotation.real.event_id, one),
            )
            if token is None:  # a 503, counted: the page retries
                continue
            if not isinstance(token, dict):
                observations.add_violation(f"no token: {token}")
                continue
            observations.saw_token(one, token["access_token"])
            found.cases += 1
            _verify_tokens(rotation, verifier, [token["access_token"]], observations)


def _verify_tokens(
    rotation: Rotation, verifier: Room, tokens: list[str], observations: Observations
) -> None:
    keys = {key["kid"]: key for key in verifier.keys.jwks()["keys"]}
    expected = Expected(rotation.real.event_id, ISSUER)
    for token in tokens:
        kid = jwt.get_unverified_header(token)["kid"]
        if kid not in keys:
            observations.add_violation("a token of a key that is not published")
            continue
        decision = verify(token, jwt.PyJWK(keys[kid]), expected, rotation.clock())
        if not isinstance(decision, Accepted):
            observations.add_violation(f"a valid token was rejected: {decision}")


def _rotate(rotation: Rotation, rotations: int, dice: random.Random, found: Result) -> Changes:
    """Two changes at once each time; once they are done, the key that signs is published."""
    changes = Changes()
    for _ in range(rotations):
        both = []
        for second in (False, True):
            ends = None
            if second and dice.random() < 0.5:
                ends = Faults()
                ends.plan(dice.randint(1, 2), dice.random() < 0.5)
            room = rotation.room(ends)
            both.append(
                changes.run(
                    dice.choice((room.keys.rotate, room.keys.rotate, room.workers.setup.run))
                )
            )
            time.sleep(dice.uniform(0, 0.05))
        for thread in both:
            thread.join()
        time.sleep(ACTIVATION + 1.2)
        if rotation.room().keys.public_key()["kid"] != rotation.signs():
            found.wrong.append("/public_key is not the key that signs")
        rotation.clock.step += CHANGE_TIME  # what was left halfway is given up
    return changes


def _hide_secret(
    rotation: Rotation, seconds: float, observations: Observations, found: Result
) -> None:
    """Check that a cold function responds 503 without the secret, and recovers afterwards."""
    rotation.faults.timeouts = 1.0
    cold = rotation.room()
    deadline, name = time.monotonic() + seconds, next(iter(observations.tokens))
    while time.monotonic() < deadline:
        try:
            cold.tokens.issue(rotation.real.event_id, name)
            found.wrong.append("a token was signed without a key")
        except Unavailable:
            pass
        time.sleep(0.2)
    rotation.faults.timeouts = 0.0
    started = time.monotonic()
    token = None
    while token is None and time.monotonic() < started + 10:
        time.sleep(0.05)
        token = observations.request(
            "token", lambda: cold.tokens.issue(rotation.real.event_id, name)
        )
    found.recovery = time.monotonic() - started
    if token is None:
        found.wrong.append("no token ten seconds after the secret could be read again")
    else:
        observations.saw_token(name, token["access_token"])
