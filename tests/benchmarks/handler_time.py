# SPDX-License-Identifier: Apache-2.0
"""Time of each route, warm, through the Chalice app; and where it goes."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.hashes import SHA256

import apps.private_api.app
import apps.public_api.app
from tests.benchmarks.sampling import NAMES, shares
from tests.benchmarks.tables import number_setting, percentile, room_on, servers_of_a_room, table
from tests.support.in_memory_room import settings
from tests.support.lambda_proxy_events import proxy_event
from tests.support.real_stores import RealRoom
from waiting_room.domain.signing_keys import Signer, private_key
from waiting_room.domain.tokens import TOKEN_USES, issue

ROUNDS = number_setting("ROUNDS", 300)
SAMPLED = 1.5  # s of each route under the sampler
Call = Callable[[], Any]


def main() -> None:
    """Print the table of times, the table of shares, and the floor of signing."""
    with servers_of_a_room() as (valkey, url, name):
        real = room_on(valkey, url)
        for module in (apps.public_api.app, apps.private_api.app):
            module.room = lambda: real.room  # type: ignore[assignment]
        apps.private_api.app.settings = settings  # type: ignore[assignment]
        calls = calls_of(real)
        times, split = [], []
        for route, call in calls.items():
            for _ in range(5):
                call()
            times.append([route, *measure(call)])
            if route not in ONCE:
                split.append([route, *shares(call, SAMPLED)])
        table(
            f"Time of a warm call in ms: Valkey and {name} on this machine, {ROUNDS} calls each",
            ["route", "p50", "p95", "p99", "processor time, mean"],
            times,
            name="handler-time",
        )
        table(
            "Parts of the time of a call, in percent",
            ["route", *NAMES],
            split,
            name="handler-shares",
        )
        table(
            "Signing: ms of processor time",
            ["operation", "p50"],
            signing(real),
            name="signing",
        )


ONCE = ("POST /generate_token, first",)  # needs a new visitor at each call


def calls_of(real: RealRoom) -> dict[str, Call]:
    """A call of each route, on a room with visitors."""
    event, joins = real.event_id, real.joins(ROUNDS + 10)
    real.room.workers.assignment.assign(event, joins)
    real.room.control.increment(event, len(joins))
    ids = iter(join.request_id for join in joins[1:])
    known = joins[0].request_id
    real.room.tokens.issue(event, known)
    one, both = {"event_id": event}, {"event_id": event, "request_id": known}

    def get(app: Any, path: str, query: dict[str, str]) -> Call:
        return lambda: app(proxy_event("GET", path, query=query), None)

    def post(app: Any, path: str, body: Callable[[], object]) -> Call:
        return lambda: app(proxy_event("POST", path, body=body()), None)

    public, private = apps.public_api.app.app, apps.private_api.app.app
    return {
        "GET /status": get(public, "/status", one),
        "GET /queue_num": get(public, "/queue_num", both),
        "GET /queue_pos_expiry": get(public, "/queue_pos_expiry", both),
        "POST /generate_token, first": post(
            public, "/generate_token", lambda: {"event_id": event, "request_id": next(ids)}
        ),
        "POST /generate_token, again": post(public, "/generate_token", lambda: both),
        "GET /.well-known/jwks.json": get(public, "/.well-known/jwks.json", {}),
        "POST /increment_serving_counter": post(
            private, "/increment_serving_counter", lambda: {**one, "increment_by": 1}
        ),
        "GET /num_active_tokens": get(private, "/num_active_tokens", one),
    }


def measure(call: Call) -> list[float]:
    """p50, p95, p99 in ms, and the mean processor time of a call."""
    spent, used = [], time.process_time()
    for _ in range(ROUNDS):
        started = time.perf_counter()
        answer = call()
        spent.append((time.perf_counter() - started) * 1000)
        assert answer["statusCode"] == 200, answer["body"]
    used = (time.process_time() - used) * 1000 / ROUNDS
    return [*(percentile(spent, share) for share in (0.5, 0.95, 0.99)), used]


def signing(real: RealRoom) -> list[list[Any]]:
    """The floor, with nothing around it, and what the room takes for a token set."""
    key = real.keys.load().keys[0]
    parsed, signer = jwt.PyJWK(dict(key.jwk), algorithm="RS256").key, Signer()
    joins = real.joins(1)
    real.room.workers.assignment.assign(real.event_id, joins)
    row = real.positions.get(real.event_id, joins[0].request_id)
    assert row is not None
    outcome = issue(row, key_id=key.key_id, issuer="https://room.example/api", validity=60, now=1)

    def bare() -> None:
        for _ in TOKEN_USES:
            parsed.sign(b"x" * 400, padding.PKCS1v15(), SHA256())

    calls: dict[str, Call] = {
        "three RS256 signatures alone": bare,
        "a token set of the room": lambda: signer.sign(outcome, key),
        "loading a key with PyJWT": lambda: jwt.PyJWK(dict(key.jwk), algorithm="RS256"),
        "loading a key in the room": lambda: private_key(key.jwk),
    }
    spent: dict[str, list[float]] = {what: [] for what in calls}
    for _ in range(ROUNDS // 3):  # in turn, so that the machine's other work meets all of them
        for what, call in calls.items():
            started = time.thread_time()
            call()
            spent[what].append((time.thread_time() - started) * 1000)
    return [[what, percentile(values, 0.5)] for what, values in spent.items()]


if __name__ == "__main__":
    main()
