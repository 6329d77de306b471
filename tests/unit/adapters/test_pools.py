# SPDX-License-Identifier: Apache-2.0
"""Connection pools hold as many connections as threads use at once: none is thrown away."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from botocore.credentials import Credentials
from botocore.exceptions import ParamValidationError

from deployment.local.gateway.rest_api import RestApi
from waiting_room.adapters import aws
from waiting_room.adapters.http.private_api import PrivateApi
from waiting_room.adapters.http.public_api import PublicApi

CALLERS = 20  # threads of a route of the one-machine gateway
WAIT = 20  # s until a meeting is given up; a test that passes does not wait


class Server(ThreadingHTTPServer):
    """Answers once ``meeting`` callers ask at the same time."""

    daemon_threads = True
    request_queue_size = 256
    meeting: threading.Barrier
    answer: bytes


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.meeting.wait(WAIT)
        self.send_response(200)
        self.send_header("Content-Type", "application/x-amz-json-1.0")
        self.send_header("Content-Length", str(len(self.server.answer)))
        self.end_headers()
        self.wfile.write(self.server.answer)

    do_GET = do_POST

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(("127.0.0.1", 0), Handler) as found:
        threading.Thread(target=found.serve_forever, daemon=True).start()
        yield found
        found.shutdown()


@pytest.fixture(autouse=True)
def fresh_clients(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Clients of this test alone."""
    for name, value in (
        ("AWS_ACCESS_KEY_ID", "a"),
        ("AWS_SECRET_ACCESS_KEY", "b"),
        ("AWS_REGION", "eu-central-1"),
        ("AWS_DEFAULT_REGION", "eu-central-1"),
        ("NO_PROXY", "127.0.0.1"),
    ):
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(aws, "_pool_size", aws._pool_size)
    aws.client.cache_clear()
    yield
    aws.client.cache_clear()


def discarded(
    caplog: pytest.LogCaptureFixture, server: Server, callers: int, call: Callable[[], Any]
) -> list[str]:
    """What urllib3 says of connections when so many threads call at once, twice."""
    server.meeting = threading.Barrier(callers)
    logging.getLogger("urllib3").setLevel(logging.INFO)
    with caplog.at_level(logging.WARNING), ThreadPoolExecutor(callers) as threads:
        for _ in range(2):
            for done in [threads.submit(call) for _ in range(callers)]:
                done.result()
    return [one.getMessage() for one in caplog.records if "pool is full" in one.getMessage()]


def test_the_room_is_asked_over_as_many_connections_as_there_are_callers(
    caplog: pytest.LogCaptureFixture, server: Server
) -> None:
    server.answer = json.dumps({"access_token": "t"}).encode()
    room = PublicApi(f"http://127.0.0.1:{server.server_port}", "Sample")
    assert discarded(caplog, server, CALLERS, lambda: room._post({})) == []


def test_the_private_api_is_asked_over_as_many_connections_as_there_are_callers(
    caplog: pytest.LogCaptureFixture, server: Server
) -> None:
    server.answer = json.dumps({"serving_num": 1}).encode()
    api = PrivateApi(
        f"http://127.0.0.1:{server.server_port}", "eu-central-1", lambda: Credentials("a", "b")
    )
    assert discarded(caplog, server, CALLERS, lambda: api.increment("Sample", 1, "call")) == []


def test_a_process_with_many_threads_has_clients_with_as_many_connections(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, server: Server
) -> None:
    server.answer = json.dumps({"TableNames": []}).encode()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setattr(aws, "AWS_READ_TIMEOUT", WAIT)  # the last of many threads may begin late
    aws.share_clients(70)
    client = aws.client("dynamodb")
    assert discarded(caplog, server, 70, client.list_tables) == []


def test_a_smaller_number_of_callers_takes_no_connection_away() -> None:
    before = aws._pool_size
    aws.share_clients(1)
    assert aws._pool_size == before


@pytest.mark.parametrize("skipped", [False, True])
def test_only_a_process_that_skips_validation_sends_unchecked_parameters(
    monkeypatch: pytest.MonkeyPatch, server: Server, skipped: bool
) -> None:
    server.answer = json.dumps({"Item": {}}).encode()
    server.meeting = threading.Barrier(1)
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setattr(aws, "_validates", True)
    if skipped:
        aws.skip_validation()
    client = aws.client.__wrapped__("dynamodb")
    if skipped:
        client.get_item(TableName="t", Key={"a": {"N": 1}})
    else:
        with pytest.raises(ParamValidationError):
            client.get_item(TableName="t", Key={"a": {"N": 1}})


def test_the_workers_skip_validation() -> None:
    """The deployed function has no other app in its process."""
    code = "import apps.workers.app; from waiting_room.adapters import aws; print(aws._validates)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_an_api_of_this_machine_says_how_many_handlers_run_at_once() -> None:
    class App:
        routes: dict[str, dict[str, Any]] = {"/a": {"GET": None}, "/b": {"GET": None}}

    assert RestApi("api", App(), threads=7).callers == 14
