# SPDX-License-Identifier: Apache-2.0
"""What a cold function loads to give its first answer: its route's parts and no more.

Import sets, not times: a time fails on a busy machine, a set fails when somebody adds an import.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from infrastructure.blueprint import loading
from tests.support.in_memory_room import EVENT, IN_TABLES, one_jwk
from tests.support.lambda_proxy_events import proxy_event
from waiting_room.adapters.dynamodb.outcome_items import item_of
from waiting_room.domain.records import Outcome, OutcomeKind

SOURCE = Path(__file__).resolve().parents[2] / "source"
REQUEST = "00000000-0000-4000-8000-000000000000"
# Never for a visitor: the resource layer, a key generator, the metrics.
NEVER = {"boto3", "jwcrypto", "aws_lambda_powertools", "requests"}
WATCHED = NEVER | {"botocore", "redis", "jwt"}
TABLES, COUNTERS, TOKENS = {"botocore"}, {"redis"}, {"jwt"}

FIRST_ANSWER = """
import json, sys
import apps.public_api.app as loaded
answer = loaded.app(json.loads(sys.stdin.read()), None)
print(json.dumps([answer["statusCode"], sorted({name.partition(".")[0] for name in sys.modules})]))
"""

# The whole way to a token on stores in memory; the real ones are in the test before it.
FIRST_TOKEN = """
import json, sys
from tests.support.fakes.admission import MemoryAdmissionStates, MemoryAlarms
from tests.support.fakes.counters import MemoryCounters
from tests.support.fakes.event_bus import MemoryEventBus
from tests.support.fakes.keys import MemoryKeys, MemoryPublicKeys
from tests.support.fakes.outcomes import MemoryOutcomes
from tests.support.fakes.audit import MemoryAuditLog, MemoryHistory
from tests.support.fakes.events import MemoryEvents
from tests.support.fakes.gate_keys import MemoryGateKeys
from tests.support.fakes.positions import MemoryPositions
from tests.support.fakes.serving_log import MemoryServingLog
from waiting_room.domain.records import Join
from waiting_room.domain.published_keys import Publication, PublishedKey
from waiting_room.use_cases.room import Stores, build_room
from waiting_room.runtime.settings.room import read_room_settings
from waiting_room.domain.signing_keys import KeySet
jwk = json.loads(sys.stdin.read())
log = MemoryServingLog()
keys = MemoryKeys(KeySet(()).added(jwk, 0))
published = Publication((PublishedKey(keys.load().keys[0].public),), 1)
stores = Stores(MemoryCounters(), MemoryPositions(log), MemoryOutcomes(), log, keys,
                MemoryPublicKeys(published), MemoryEventBus(), MemoryEvents(),
                MemoryAdmissionStates(), MemoryAlarms(), MemoryAuditLog(MemoryEvents(), log),
                MemoryHistory(), log, MemoryGateKeys())
room = build_room(read_room_settings({"EVENT_ID": "E"}), stores, lambda: 2000.0)
room.workers.assignment.assign("E", [Join("00000000-0000-4000-8000-000000000000", 1999.0, "m")])
room.control.increment("E", 1)
tokens = room.tokens.issue("E", "00000000-0000-4000-8000-000000000000")
assert tokens["access_token"].count(".") == 2
print(json.dumps([200, sorted({name.partition(".")[0] for name in sys.modules})]))
"""


REDIS = {"REDIS_HOST": "127.0.0.1", "REDIS_PORT": "9", "REDIS_TLS": "false"}


def loaded_by(
    code: str, given: object, watched: set[str] = WATCHED, counters: Mapping[str, str] = REDIS
) -> tuple[int, set[str]]:
    """The status that a fresh process answers, and which of ``watched`` it loaded.

    The addresses of all stores are closed ports, so a route gets as far as its first store.
    """
    closed = {"AWS_ENDPOINT_URL": "http://127.0.0.1:9", **counters}
    done = subprocess.run(
        [sys.executable, "-c", code],
        input=json.dumps(given),
        env={
            "PYTHONPATH": f"{SOURCE}:{SOURCE.parent}",
            "EVENT_ID": EVENT,
            "QUEUE_POSITIONS_TABLE": "positions",
            "TOKENS_TABLE": "tokens",
            "EVENTS_TABLE": "events",
            "SERVING_LOG_TABLE": "log",
            "AWS_DEFAULT_REGION": "eu-central-1",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            **closed,
        },
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    status, names = json.loads(done.stdout)
    return status, watched & set(names)


@pytest.mark.parametrize(
    ("method", "path", "given", "expected"),
    [
        ("GET", "/status", {}, TABLES | COUNTERS),
        ("GET", "/serving_num", {}, COUNTERS),
        ("GET", "/waiting_num", {}, COUNTERS),
        ("GET", "/queue_num", {"request_id": REQUEST}, TABLES),
        ("GET", "/queue_pos_expiry", {"request_id": REQUEST}, TABLES),
        ("GET", "/public_key", {}, TABLES),
        ("GET", "/.well-known/jwks.json", {}, TABLES),
        ("POST", "/generate_token", {"request_id": REQUEST}, TABLES),
    ],
)
def test_a_public_route_loads_only_what_reaches_its_store(
    method: str, path: str, given: dict[str, str], expected: set[str]
) -> None:
    given = {"event_id": EVENT, **given}
    request = {"query": given} if method == "GET" else {"body": given}
    assert loaded_by(FIRST_ANSWER, proxy_event(method, path, **request)) == (503, expected)


@pytest.mark.parametrize(
    ("method", "path", "given"),
    [
        ("GET", "/status", {}),
        ("GET", "/serving_num", {}),
        ("GET", "/waiting_num", {}),
        ("GET", "/queue_num", {"request_id": REQUEST}),
        ("GET", "/queue_pos_expiry", {"request_id": REQUEST}),
        ("POST", "/generate_token", {"request_id": REQUEST}),
    ],
)
def test_no_route_loads_redis_if_the_counters_are_in_the_tables(
    method: str, path: str, given: dict[str, str]
) -> None:
    given = {"event_id": EVENT, **given}
    request = {"query": given} if method == "GET" else {"body": given}
    found = loaded_by(FIRST_ANSWER, proxy_event(method, path, **request), counters=IN_TABLES)
    assert found == (503, TABLES)


COUNTED = """
import json, sys
import apps.workers.app as loaded
from waiting_room.domain.errors import Unavailable
try:
    loaded.count_outcomes(json.loads(sys.stdin.read()), None)
except Unavailable:
    print(json.dumps([503, sorted({name.partition(".")[0] for name in sys.modules})]))
"""


def test_the_function_that_counts_the_stream_loads_the_client_of_the_tables_only() -> None:
    row = item_of(Outcome(EVENT, 1, 1, REQUEST, OutcomeKind.TOKEN, 1, expires_at=2))
    record = {"eventName": "INSERT", "dynamodb": {"NewImage": row}}
    found = loaded_by(COUNTED, {"Records": [record]}, counters=IN_TABLES)
    assert found == (503, TABLES)


def test_a_token_is_signed_without_the_key_generator() -> None:
    assert loaded_by(FIRST_TOKEN, one_jwk()) == (200, TOKENS)


BEFORE_SNAPSHOT = """
import json, sys
import apps.APP.app
from snapshot_restore_py import get_before_snapshot
early = len({"botocore", "redis", "jwt"} & set(sys.modules))
[(hook, given, named)] = get_before_snapshot()
hook(*given, **named)
print(json.dumps([early, sorted({name.partition(".")[0] for name in sys.modules})]))
"""


@pytest.mark.parametrize("app", ["public_api", "private_api"])
def test_under_snap_start_the_libraries_are_loaded_before_the_snapshot(app: str) -> None:
    code = BEFORE_SNAPSHOT.replace("APP", app)
    assert loaded_by(code, None) == (0, TABLES | COUNTERS | TOKENS)


AT_INIT = """
import json, sys
import apps.public_api.app as loaded
early = set(sys.modules)
answer = loaded.app(json.loads(sys.stdin.read()), None)
first = {name.partition(".")[0] for name in set(sys.modules) - early}
print(json.dumps([answer["statusCode"], sorted({n.partition(".")[0] for n in early})]))
assert not first & {"botocore", "redis", "jwt", "cryptography", "urllib3"}, sorted(first)
"""


@pytest.mark.parametrize(
    ("method", "view", "expected"),
    [
        ("GET", "queue_num", TABLES),
        ("GET", "serving_num", COUNTERS),
        ("POST", "generate_token", TABLES | COUNTERS | TOKENS),
    ],
)
def test_a_view_loads_its_libraries_before_the_first_request_and_no_others(
    method: str, view: str, expected: set[str]
) -> None:
    given = {"event_id": EVENT, "request_id": REQUEST}
    request = {"query": given} if method == "GET" else {"body": given}
    env = {**REDIS, loading.SETTING: ",".join(loading.PUBLIC[view])}
    assert loaded_by(AT_INIT, proxy_event(method, f"/{view}", **request), counters=env) == (
        503, expected,
    )  # fmt: skip


def test_a_snapshot_contains_no_client() -> None:
    names = ",".join(loading.PUBLIC["generate_token"])
    snap = {**REDIS, loading.SETTING: names, "AWS_LAMBDA_INITIALIZATION_TYPE": "snap-start"}
    code = """
import json, sys
import apps.public_api.app
print(json.dumps([0, sorted({name.partition(".")[0] for name in sys.modules})]))
"""
    assert loaded_by(code, None, counters=snap) == (0, set())


OWN_MODULES = """
import json, sys
import apps.public_api.app as loaded
loaded.room()
print(json.dumps([200, sorted({name.rpartition(".")[2] for name in sys.modules})]))
"""
# Modules of the room that only operators, workers or a rebuild need, and of its stores.
LATER = {
    "admission", "audit", "counter_snapshot", "counters", "document", "history", "metrics",
    "no_shows", "published_keys", "reconciliation", "schema", "validation",
}  # fmt: skip


def test_the_public_api_starts_without_the_modules_of_operators_and_workers() -> None:
    status, names = loaded_by(OWN_MODULES, None, LATER | {"token_issuing"})
    assert (status, names) == (200, {"token_issuing"})
