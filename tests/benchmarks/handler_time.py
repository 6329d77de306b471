# SPDX-License-Identifier: Apache-2.0
"""Time of each route, warm, through the Chalice app; and where it goes."""

from __future__ import annotations

import cProfile
import pstats
import time
from collections.abc import Callable
from typing import Any

import private_api.app
import public_api.app
from tests.benchmarks.tables import percentile, room_on, servers_of_a_room, table
from tests.gateway_event import proxy_event

ROUNDS = 300
OURS = ("/source/",)
LIBRARIES = {
    "client libraries": ("botocore", "urllib3", "redis", "jmespath", "dateutil"),
    "signing": ("cryptography", "/jwt/", "bindings"),
    "Chalice": ("chalice",),
}


def main() -> None:
    """Print the table of times and the table of shares."""
    with servers_of_a_room() as (valkey, url, name):
        real = room_on(valkey, url)
        for module in (public_api.app, private_api.app):
            module.room = lambda: real.room  # type: ignore[assignment]
        event = real.event_id
        joins = real.joins(ROUNDS * 3)
        real.room.assign(event, joins)
        real.room.increment_serving_counter(event, len(joins))
        ids = iter(join.request_id for join in joins)
        known = joins[0].request_id
        real.room.generate_token(event, known)
        one, both = {"event_id": event}, {"event_id": event, "request_id": known}

        def get(app: Any, path: str, query: dict[str, str]) -> Callable[[], Any]:
            return lambda: app(proxy_event("GET", path, query=query), None)

        def post(app: Any, path: str, body: Callable[[], object]) -> Callable[[], Any]:
            return lambda: app(proxy_event("POST", path, body=body()), None)

        pub, prv = public_api.app.app, private_api.app.app
        calls = {
            "GET /queue_num": get(pub, "/queue_num", both),
            "GET /status": get(pub, "/status", one),
            "GET /queue_pos_expiry": get(pub, "/queue_pos_expiry", both),
            "POST /generate_token, first": post(
                pub, "/generate_token", lambda: {"event_id": event, "request_id": next(ids)}
            ),
            "POST /generate_token, again": post(pub, "/generate_token", lambda: both),
            "GET /.well-known/jwks.json": get(pub, "/.well-known/jwks.json", {}),
            "POST /increment_serving_counter": post(
                prv, "/increment_serving_counter", lambda: {**one, "increment_by": 1}
            ),
            "GET /num_active_tokens": get(prv, "/num_active_tokens", one),
        }
        times, shares = [], []
        for route, call in calls.items():
            for _ in range(5):
                call()
            spent = []
            for _ in range(ROUNDS):
                started = time.perf_counter()
                answer = call()
                spent.append((time.perf_counter() - started) * 1000)
                assert answer["statusCode"] == 200, answer["body"]
            times.append([route, *(percentile(spent, share) for share in (0.5, 0.95, 0.99))])
            shares.append([route, *split(call)])
        table(
            f"Handler time: milliseconds, warm, Valkey and {name} on this machine",
            ["route", "p50", "p95", "p99"],
            times,
        )
        table(
            "Where the time goes: percent of a call under the profiler",
            ["route", "ours", *LIBRARIES, "waiting for the network", "Python and the rest"],
            shares,
        )
        table("Signing floor: milliseconds for three RS256 signatures", ["p50"], [[floor(real)]])


def split(call: Callable[[], Any], rounds: int = 60) -> list[float]:
    """Percent of time by whose code spends it: ours, each library, the network, the rest."""
    profile = cProfile.Profile()
    profile.enable()
    for _ in range(rounds):
        call()
    profile.disable()
    spent = dict.fromkeys(("ours", *LIBRARIES, "network", "rest"), 0.0)
    for (file, _line, function), row in pstats.Stats(profile).stats.items():  # type: ignore[attr-defined]
        own = row[2]
        whole = f"{file}:{function}"
        if "recv" in function or "send" in function or "poll" in function or "connect" in function:
            spent["network"] += own
        elif any(mark in file for mark in OURS):
            spent["ours"] += own
        else:
            for library, marks in LIBRARIES.items():
                if any(mark in whole for mark in marks):
                    spent[library] += own
                    break
            else:
                spent["rest"] += own
    total = sum(spent.values())
    return [100 * value / total for value in spent.values()]


def floor(real: Any) -> float:
    """Three signatures with nothing around them."""
    import jwt
    from cryptography.hazmat.primitives.asymmetric import padding
    from cryptography.hazmat.primitives.hashes import SHA256

    key = jwt.PyJWK(dict(real.keys.load().keys[0].jwk), algorithm="RS256").key
    spent = []
    for _ in range(200):
        started = time.perf_counter()
        for _ in range(3):
            key.sign(b"x" * 400, padding.PKCS1v15(), SHA256())
        spent.append((time.perf_counter() - started) * 1000)
    return percentile(spent, 0.5)


if __name__ == "__main__":
    main()
