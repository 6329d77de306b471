# SPDX-License-Identifier: Apache-2.0
"""Import and first answer of each function, as a whole process, on real servers.

Beside a process that imports redis and boto3 and makes one DynamoDB client. Rounds go through all
of them in turn, and each is compared with the reference of its own round: the machine's other work
then meets both. Processor time disturbs the comparison less than the clock on the wall.
"""

from __future__ import annotations

import http.server
import json
import os
import resource
import statistics
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from tests.benchmarks.tables import ROOT, number_setting, room_on, servers_of_a_room, table
from tests.support import servers
from tests.support.lambda_proxy_events import proxy_event
from tests.support.real_stores import RealRoom

STARTS = number_setting("STARTS", 7)
PUBLIC, PRIVATE = "apps.public_api", "apps.private_api"
REFERENCE = """
import redis, boto3
boto3.client("dynamodb")
"""
ANSWER = """
import json, sys
import {app}.app as loaded
answer = loaded.app(json.loads(sys.stdin.read()), None)
assert answer["statusCode"] == 200, answer
"""
AUTHORIZE = """
import json, sys
import apps.token_authorizer.app as loaded
answer = loaded.token_authorizer(json.loads(sys.stdin.read()), None)
assert answer["policyDocument"]["Statement"][0]["Effect"] == "Allow", answer
"""
RESTORED = """
import json, sys, time
import apps.public_api.app as loaded
from waiting_room.adapters.snapstart import load_libraries
event = json.loads(sys.stdin.read())
load_libraries()  # what is done before the snapshot
wall, cpu = time.perf_counter(), time.process_time()
answer = loaded.app(event, None)
assert answer["statusCode"] == 200, answer
print(json.dumps([time.perf_counter() - wall, time.process_time() - cpu]))
"""
GROUPS = (
    ("Chalice", ("chalice",)),
    ("the room", ("waiting_room", "apps")),
    ("botocore", ("botocore", "urllib3", "jmespath", "dateutil")),
    ("redis", ("redis", "opentelemetry", "asyncio")),
    ("signing", ("jwt", "cryptography", "_cffi_backend")),
)
TARGETS = {"public": 0.5, "authorizer": 0.3}


@dataclass(frozen=True)
class Function:
    """A function's name, the program that is its first answer, and its event."""

    name: str
    code: str
    event: Any = None
    kind: str = "public"


def main() -> None:
    """Print the table of cold starts, and what is loaded in them."""
    with room_for_processes() as (env, functions):
        reference = Function("redis + boto3 + one DynamoDB client", REFERENCE, kind="reference")
        run(reference, env)  # the first one reads files from the disk
        found: dict[str, list[tuple[float, float]]] = {}
        for _ in range(STARTS):
            for function in (reference, *functions):
                found.setdefault(function.name, []).append(run(function, env))
        base = found[reference.name]
        rows: list[list[Any]] = []
        for function in (reference, *functions):
            mine = found[function.name]
            ratios = [cpu / theirs for (_, cpu), (_, theirs) in zip(mine, base, strict=True)]
            rows.append(
                [
                    function.name,
                    statistics.median(wall for wall, _ in mine) * 1000,
                    statistics.median(cpu for _, cpu in mine) * 1000,
                    statistics.median(ratios),
                    TARGETS.get(function.kind, "-"),
                ]
            )
        table(
            f"Cold start: import and first response, medians of {STARTS} processes",
            ["function", "ms", "processor ms", "ratio to the reference", "target ratio"],
            rows,
            name="cold-start",
        )
        whole = [function for function in functions if function.kind != "restored"]
        parts = [[function.name, *imports(function, env)] for function in (reference, *whole)]
        table(
            "Import time of a cold start, in ms (python -X importtime, which adds time of its own)",
            ["function", *(name for name, _ in GROUPS), "other"],
            parts,
            name="cold-start-imports",
        )


def run(function: Function, env: dict[str, str], *options: str) -> tuple[float, float]:
    """Seconds on the wall and of processor time of a whole process."""
    before, started = _used(), time.perf_counter()
    done = _start(function, env, *options)
    assert done.returncode == 0, done.stderr
    if function.kind == "restored":  # it says itself what came after the snapshot
        wall, cpu = json.loads(done.stdout)
        return float(wall), float(cpu)
    return time.perf_counter() - started, _used() - before


def imports(function: Function, env: dict[str, str]) -> list[float]:
    """Milliseconds of import time by group."""
    spent: Counter[str] = Counter()
    for line in _start(function, env, "-X", "importtime").stderr.splitlines():
        parts = line.removeprefix("import time:").split("|")
        if len(parts) == 3 and parts[0].strip().isdigit():
            top = parts[2].strip().partition(".")[0]
            group = next((name for name, tops in GROUPS if top in tops), "other")
            spent[group] += int(parts[0])
    return [spent[name] / 1000 for name in (*(name for name, _ in GROUPS), "other")]


def _start(
    function: Function, env: dict[str, str], *options: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *options, "-c", function.code],
        input=json.dumps(function.event),
        env=env,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def _used() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


@contextmanager
def room_for_processes() -> Iterator[tuple[dict[str, str], list[Function]]]:
    """A room on servers that other processes reach: their environment, and the functions."""
    with ExitStack() as stack:
        valkey, url, _name = stack.enter_context(servers_of_a_room())
        secrets = stack.enter_context(servers.moto_server())
        real = room_on(valkey, url)
        keys = real.keys.load()
        store = servers.aws_client("secretsmanager", secrets)
        store.create_secret(Name="keys", SecretString=keys.to_json())
        joins = real.joins(3)
        real.room.workers.assignment.assign(real.event_id, joins)
        real.room.control.increment(real.event_id, 3)
        token = real.room.tokens.issue(real.event_id, joins[0].request_id)["access_token"]
        public = stack.enter_context(key_server(keys.jwks()))
        env = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": f"{ROOT / 'source'}:{ROOT}",
            "EVENT_ID": real.event_id,
            "TOKEN_ISSUER": "https://room.example/api",
            "REDIS_HOST": "127.0.0.1",
            "REDIS_PORT": str(valkey.port),
            "REDIS_TLS": "false",
            "SIGNING_KEYS_SECRET": "keys",
            "GATE_KEYS_SECRET": "gate-keys",
            "AWS_ENDPOINT_URL": url,
            "AWS_ENDPOINT_URL_SECRETS_MANAGER": secrets,
            "AWS_ENDPOINT_URL_EVENTBRIDGE": secrets,
            "EVENT_BUS_NAME": "default",
            "AWS_DEFAULT_REGION": "eu-central-1",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "WAITING_ROOM_EVENT_ID": real.event_id,
            "ISSUER": "https://room.example/api",
            "PUBLIC_API_ENDPOINT": public,
            **real.names,
        }
        yield env, functions_of(real, joins[0].request_id, token)


def functions_of(real: RealRoom, request_id: str, token: str) -> list[Function]:
    """Every public function, the authorizer, and a private one to compare."""
    one = {"event_id": real.event_id}
    both = {**one, "request_id": request_id}
    gets = {
        "serving_num": one,
        "waiting_num": one,
        "status": one,
        "queue_num": both,
        "queue_pos_expiry": both,
        "public_key": one,
        ".well-known/jwks.json": {},
        "ended_sessions": one,
    }
    public = ANSWER.format(app=PUBLIC)
    asked = {
        "type": "TOKEN",
        "authorizationToken": token,
        "methodArn": "arn:aws:execute-api:eu-central-1:123456789012:api/stage/GET/checkout",
    }
    more = {**one, "increment_by": 1}
    return [
        *(
            Function(path, public, proxy_event("GET", f"/{path}", query=query))
            for path, query in gets.items()
        ),
        Function("generate_token", public, proxy_event("POST", "/generate_token", body=both)),
        *(
            Function(f"{path}, from a snapshot", RESTORED, event, "restored")
            for path, event in (
                ("status", proxy_event("GET", "/status", query=one)),
                ("queue_num", proxy_event("GET", "/queue_num", query=both)),
                ("generate_token", proxy_event("POST", "/generate_token", body=both)),
            )
        ),
        Function("token_authorizer", AUTHORIZE, asked, "authorizer"),
        Function(
            "increment_serving_counter (private)",
            ANSWER.format(app=PRIVATE),
            proxy_event("POST", "/increment_serving_counter", body=more),
            "private",
        ),
    ]


@contextmanager
def key_server(jwks: object) -> Iterator[str]:
    """The room's public keys over HTTP, for the authorizer."""
    sent = json.dumps(jwks).encode()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(sent)))
            self.end_headers()
            self.wfile.write(sent)

        def log_message(self, *_args: Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


if __name__ == "__main__":
    main()
