# SPDX-License-Identifier: Apache-2.0
"""5. A dependency is slow (2 s), hangs, refuses or cuts connections; tested through the apps.

A route that needs it returns 503 with Retry-After within the budget; other routes succeed."""

from __future__ import annotations

import os
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from unittest import mock
from urllib.parse import urlsplit

import apps.private_api.app
import apps.public_api.app
import apps.workers.app
from deployment.local.gateway import chalice_apps
from tests.chaos.proxy import Proxy, proxy
from tests.chaos.report import Result
from tests.support import servers
from tests.support.in_memory_room import EVENT, ISSUER
from tests.support.lambda_proxy_events import Answer, call
from waiting_room.adapters import aws
from waiting_room.runtime import wiring

BUDGET = 29.0  # s, the timeout of API Gateway
COUNTERS, TABLES = "counters", "tables"
MODES = ("slow", "hang", "refuse", "cut")
AT_ONCE = 8  # callers of a route at the same time


@dataclass
class Site:
    """The apps on servers behind proxies."""

    proxies: dict[str, Proxy]
    visitors: list[str]

    def routes(self) -> dict[str, tuple[set[str], Callable[[], Answer]]]:
        """Each route: what it cannot do without, and a call."""
        public, private = apps.public_api.app.app, apps.private_api.app.app
        event, both = {"event_id": EVENT}, {COUNTERS, TABLES}
        place = {"event_id": EVENT, "request_id": self.visitors[0]}

        def get(path: str, query: dict[str, str]) -> Callable[[], Answer]:
            return lambda: call(public, "GET", path, query=query)

        def post(path: str, **more: Any) -> Callable[[], Answer]:
            return lambda: call(private, "POST", path, body={**place, **more})

        return {
            "GET /status": ({COUNTERS}, get("/status", event)),
            "GET /serving_num": ({COUNTERS}, get("/serving_num", event)),
            "GET /queue_num": ({TABLES}, get("/queue_num", place)),
            "GET /queue_pos_expiry": (both, get("/queue_pos_expiry", place)),
            "GET /public_key": ({TABLES}, get("/public_key", event)),
            "POST /generate_token": (
                both,
                lambda: call(public, "POST", "/generate_token", body=place),
            ),
            "POST /increment_serving_counter": (
                {TABLES},
                post("/increment_serving_counter", increment_by=1),
            ),
            "POST /reset_initial_state": (both, post("/reset_initial_state")),
        }

    def join(self) -> list[str]:
        """Assign positions to two visitors; return the messages to deliver again."""
        ids = [str(uuid.uuid4()) for _ in range(2)]
        records = [
            {
                "messageId": request_id,
                "body": f'{{"event_id": "{EVENT}"}}',
                "attributes": {"SentTimestamp": str(int(time.time() * 1000) + 1)},
            }
            for request_id in ids
        ]
        answer = apps.workers.app.assign_positions({"Records": records}, None)
        self.visitors += ids
        return [failed["itemIdentifier"] for failed in answer["batchItemFailures"]]


@contextmanager
def site(aws_url: str, valkey: Any) -> Iterator[Site]:
    """The apps, wired as a deployment wires them, with a served visitor."""
    with (
        proxy(valkey.port) as counters,
        proxy(urlsplit(aws_url).port or 0) as tables,
        wired(f"http://127.0.0.1:{tables.port}", aws_url, counters.port),
    ):
        made = Site({COUNTERS: counters, TABLES: tables}, [])
        apps.workers.app.set_up({}, None)
        made.join()
        assert post_private("/increment_serving_counter", increment_by=50).status == 200
        yield made


@contextmanager
def wired(tables_url: str, aws_url: str, redis_port: int) -> Iterator[None]:
    """The environment of the functions; nothing of it is left behind."""
    suffix = uuid.uuid4().hex[:8]
    client = servers.aws_client("dynamodb", aws_url)
    env = {
        **servers.create_tables(client, f"slow-{suffix}"),
        "EVENT_ID": EVENT, "TOKEN_ISSUER": ISSUER, "REDIS_HOST": "127.0.0.1",
        "REDIS_PORT": str(redis_port), "REDIS_TLS": "false",
        "SIGNING_KEYS_SECRET": f"keys-{suffix}", "EVENT_BUS_NAME": "default",
        "GATE_KEYS_SECRET": f"gate-keys-{suffix}",
        "AWS_ENDPOINT_URL": aws_url, "AWS_ENDPOINT_URL_DYNAMODB": tables_url,
        "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "eu-central-1",
    }  # fmt: skip
    secrets = servers.aws_client("secretsmanager", aws_url)
    for setting in ("SIGNING_KEYS_SECRET", "GATE_KEYS_SECRET"):
        secrets.create_secret(Name=env[setting], SecretString="{}")
    for name in ("public_api", "private_api"):
        chalice_apps.load(name)
    with mock.patch.dict(os.environ, env):
        forget()
        yield
    forget()


def forget() -> None:
    """A cold start: nothing is kept from the calls before."""
    for kept in (wiring.room, wiring.joins_queue, wiring.settings, aws.client, aws.session):
        kept.cache_clear()


def start_again() -> None:
    """A cold start whose connections are still to be made."""
    forget()
    for attempts in (aws.AWS_ATTEMPTS, 1):
        aws.client("dynamodb", attempts=attempts)
    aws.client("dynamodb")
    aws.client("secretsmanager")
    wiring.room()


def post_private(path: str, **more: Any) -> Answer:
    """A call of the private API."""
    return call(apps.private_api.app.app, "POST", path, body={"event_id": EVENT, **more})


def run(
    aws_url: str,
    valkey: Any,
    *,
    seed: int = 0,
    modes: tuple[str, ...] = MODES,
    routes: tuple[str, ...] = (),
) -> Result:
    """Every route under every fault of every dependency, warm and after a cold start."""
    found = Result("slow dependency", 0, "calls", seed=seed, recovery=0.0)
    slowest = dict.fromkeys((COUNTERS, TABLES), 0.0)
    with site(aws_url, valkey) as made:
        for dependency in (COUNTERS, TABLES):
            for mode in modes:
                before = threading.active_count()
                took = _under(made, dependency, mode, found, routes)
                slowest[dependency] = max(slowest[dependency], took)
                _check_leftovers(made, f"{dependency} {mode}", before, found)
    found.notes = (
        f"slowest response without counters {slowest[COUNTERS]:.1f} s, without tables "
        f"{slowest[TABLES]:.1f} s, {AT_ONCE} callers at once"
    )
    return found


def _under(made: Site, dependency: str, mode: str, found: Result, routes: tuple[str, ...]) -> float:
    slowest = 0.0
    tcp_proxy = made.proxies[dependency]
    for route, (needs, ask) in made.routes().items():
        if routes and route not in routes:
            continue
        ask()
        tcp_proxy.set(mode)
        if mode == "hang":
            start_again()
        with ThreadPoolExecutor(AT_ONCE) as pool:
            answers = list(pool.map(lambda _, ask=ask: _timed(ask), range(AT_ONCE)))
        tcp_proxy.set("pass")
        for answer, took in answers:
            found.cases += 1
            slowest = max(slowest, took)
            sentence = _broken(answer, took, dependency in needs, mode)
            if sentence:
                found.wrong.append(f"{dependency} {mode}: {route} {sentence}")
        found.recovery = max(found.recovery or 0.0, _recovered(ask, f"{mode} {route}", found))
    return max(slowest, _worker(made, dependency, mode, found))


def _timed(ask: Callable[[], Answer]) -> tuple[Answer, float]:
    started = time.monotonic()
    return ask(), time.monotonic() - started


def _broken(answer: Answer, took: float, needed: bool, mode: str) -> str:
    if took > BUDGET:
        return f"took {took:.1f} s"
    if answer.status == 503:
        if not needed:
            return "returned 503 without a need for the dependency"
        return "" if int(answer.headers.get("retry-after", "0")) >= 1 else "has no Retry-After"
    if answer.status == 410 and needed:
        return ""  # after a reset
    if answer.status >= 500:
        return f"returned {answer.status}"
    if needed and mode in ("hang", "refuse"):
        return f"returned {answer.status} without its dependency"
    return ""


def _recovered(ask: Callable[[], Answer], what: str, found: Result) -> float:
    started = time.monotonic()
    while time.monotonic() - started < 5:
        if ask().status < 500:
            return time.monotonic() - started
    found.wrong.append(f"{what} did not recover in 5 s")
    return 5.0


def _worker(made: Site, dependency: str, mode: str, found: Result) -> float:
    """Assign joins without the counters; without the tables, they are delivered again."""
    tcp_proxy = made.proxies[dependency]
    tcp_proxy.set(mode)
    started = time.monotonic()
    try:
        again = made.join()
    except Exception as error:
        again = made.visitors[-2:]
        if type(error).__name__ != "Unavailable":
            found.wrong.append(f"{dependency} {mode}: the worker raised {type(error).__name__}")
    took = time.monotonic() - started
    tcp_proxy.set("pass")
    found.cases += 1
    if dependency == COUNTERS and again:
        found.wrong.append(f"counters {mode}: joins waited")
    if took > 25:
        found.wrong.append(f"{dependency} {mode}: a batch took {took:.1f} s of the worker's 30")
    return 0.0


def _check_leftovers(made: Site, what: str, before: int, found: Result) -> None:
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        threads = threading.active_count() - before - 3 * _sockets(made)
        if threads <= 0 and _sockets(made) <= 4 * AT_ONCE:
            return
        time.sleep(0.05)
    found.wrong.append(f"{what}: {threads} threads and {_sockets(made)} sockets are left")


def _sockets(made: Site) -> int:
    return sum(tcp_proxy.connections for tcp_proxy in made.proxies.values())
