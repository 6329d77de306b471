# SPDX-License-Identifier: Apache-2.0
"""8. Keys rotate under load, two rotations at once; then the secret cannot be read for a while.

A minute of a deployment lasts a second here: functions keep keys for 1 s (60 s), a new key signs
after 2 s (300 s).
"""

from __future__ import annotations

import random
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import jwt

from tests import servers
from tests.chaos.faults import Faults, FaultyClient
from tests.chaos.ledger import Ledger, check
from tests.chaos.places import room_at, settle
from tests.chaos.report import Result
from tests.stack import RealRoom
from tests.world import ISSUER
from waiting_room.adapters import secrets_keys
from waiting_room.adapters.secrets_keys import SecretsKeys
from waiting_room.authorizer import Accepted, Expected, verify
from waiting_room.errors import Unavailable
from waiting_room.room import Room

ACTIVATION = 2


@contextmanager
def short_cache() -> Iterator[None]:
    """Functions that keep keys for a second."""
    before, secrets_keys.KEY_CACHE = secrets_keys.KEY_CACHE, 1
    try:
        yield
    finally:
        secrets_keys.KEY_CACHE = before


class Rotation:
    """Rooms whose keys lie in Secrets Manager."""

    def __init__(self, real: RealRoom, aws_url: str) -> None:
        self.real, self.faults = real, Faults()
        self.client = servers.aws_client("secretsmanager", aws_url, 1)
        self.secret = f"keys-{uuid.uuid4().hex[:8]}"
        self.client.create_secret(Name=self.secret, SecretString="{}")

    def room(self) -> Room:
        """A function, which has its own copy of the keys."""
        client = FaultyClient(self.client, self.faults)
        self.real.keys = SecretsKeys(client, self.secret, time.monotonic)  # type: ignore[assignment]
        return self.real.new_room()


def run(
    tables_url: str, aws_url: str, valkey: Any, *, rotations: int, seconds: float, seed: int
) -> Result:
    """Tokens are taken and judged all the time."""
    found = Result("keys: rotation under load, secret unreadable", 0, "tokens", seed=seed)
    real = room_at(tables_url, valkey, KEY_ACTIVATION_DELAY=ACTIVATION)
    ledger, over, dice = Ledger(), threading.Event(), random.Random(seed)
    rotation = Rotation(real, aws_url)
    with short_cache():
        rotation.room().set_up()
        joins = real.joins(2_000)
        ledger.accepted.update((join.request_id, join) for join in joins)
        real.room.assign(real.event_id, joins)
        real.room.increment_serving_counter(real.event_id, len(joins))
        ledger.moved = len(joins)
        names = [join.request_id for join in joins]
        threads = [
            threading.Thread(
                target=_visit, args=(rotation, names[share::2], ledger, over, found), daemon=True
            )
            for share in range(2)
        ]
        for thread in threads:
            thread.start()
        used = _rotate(rotation, rotations, dice, found)
        _hide_secret(rotation, seconds, ledger, found)
        over.set()
        for thread in threads:
            thread.join(30)
    settle(real)
    cases = found.cases
    check(real, ledger, found)
    found.cases = cases
    found.notes = f"{rotations} rotations, {used} keys in the end, {seconds:.0f} s without secret"
    return found


def _visit(
    rotation: Rotation, names: list[str], ledger: Ledger, over: threading.Event, found: Result
) -> None:
    """Visitors take tokens, and take them again; a door that asks for the keys judges them."""
    function, door = rotation.room(), rotation.room()
    dice, had = random.Random(len(names)), []  # type: ignore[var-annotated]
    for name in names:
        if over.is_set():
            return
        had.append(name)
        for one in (name, dice.choice(had)):
            token = ledger.ask(
                "generate_token",
                lambda one=one: function.generate_token(rotation.real.event_id, one),
            )
            if not isinstance(token, dict):
                ledger.blame(f"no token: {token}, {ledger.refusals[-1:]}")
                continue
            ledger.saw_token(one, token["access_token"])
            found.cases += 1
            _judge(rotation, door, token["access_token"], ledger)


def _judge(rotation: Rotation, door: Room, token: str, ledger: Ledger) -> None:
    kid = jwt.get_unverified_header(token)["kid"]
    keys = {key["kid"]: key for key in door.jwks()["keys"]}
    if kid not in keys:
        ledger.blame("a token of a key that is not published")
        return
    expected = Expected(rotation.real.event_id, ISSUER)
    decision = verify(token, jwt.PyJWK(keys[kid]), expected, time.time())
    if not isinstance(decision, Accepted):
        ledger.blame(f"a fresh token was refused: {decision}")


def _rotate(rotation: Rotation, rotations: int, dice: random.Random, found: Result) -> int:
    """Two rotations at once each time; once they are done, the key that signs is published."""
    room = rotation.room()
    for _ in range(rotations):
        both = [threading.Thread(target=rotation.room().rotate_keys) for _ in range(2)]
        for thread in both:
            thread.start()
            time.sleep(dice.uniform(0, 0.05))
        for thread in both:
            thread.join()
        time.sleep(ACTIVATION + 1.2)
        standing = SecretsKeys(rotation.client, rotation.secret, time.monotonic).refresh()
        signs = standing.current(int(time.time())).key_id
        if room.public_key(rotation.real.event_id)["kid"] != signs:
            found.wrong.append("/public_key is not the key that signs")
    return len(room.jwks()["keys"])


def _hide_secret(rotation: Rotation, seconds: float, ledger: Ledger, found: Result) -> None:
    """Warm functions go on; one that starts now says 503 and takes up the keys when it can."""
    rotation.faults.timeouts = 1.0
    cold = rotation.room()
    deadline, name = time.monotonic() + seconds, next(iter(ledger.tokens))
    while time.monotonic() < deadline:
        try:
            cold.generate_token(rotation.real.event_id, name)
            found.wrong.append("a token was signed without a key")
        except Unavailable:
            pass
        time.sleep(0.2)
    rotation.faults.timeouts = 0.0
    started = time.monotonic()
    ledger.saw_token(name, cold.generate_token(rotation.real.event_id, name)["access_token"])
    found.recovery = time.monotonic() - started
