# SPDX-License-Identifier: Apache-2.0
"""The counters' connection: its password may be rotated, and it gives up in time."""

from __future__ import annotations

import socket
import threading
import time
from pathlib import Path

import pytest

from tests.support.servers import Valkey
from waiting_room.adapters.redis.counters import RedisCounters, connect
from waiting_room.domain.errors import CountersLost, Unavailable

pytestmark = pytest.mark.server


def test_a_rotated_password_is_taken_up_by_a_warm_function(tmp_path: Path) -> None:
    server = Valkey(tmp_path)
    try:
        current = ["first-password"]
        operator = server.client()
        operator.config_set("requirepass", current[0])
        counters = RedisCounters(connect("127.0.0.1", server.port, password=lambda: current[0]))
        with pytest.raises(CountersLost):  # it may speak to the server, which knows nothing yet
            counters.counts("Sample", 0)
        current[0] = "second-password"
        operator.execute_command("AUTH", "first-password")
        operator.config_set("requirepass", current[0])
        operator.execute_command("AUTH", current[0])
        operator.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        with pytest.raises(CountersLost):
            counters.counts("Sample", 0)
    finally:
        server.kill()


def test_a_wrong_password_is_unavailable_and_is_in_no_message(tmp_path: Path) -> None:
    server = Valkey(tmp_path)
    try:
        server.client().config_set("requirepass", "the-right-one")
        counters = RedisCounters(connect("127.0.0.1", server.port, password=lambda: "a-wrong-one"))
        with pytest.raises(Unavailable) as refused:
            counters.counts("Sample", 0)
        assert "a-wrong-one" not in str(refused.value)
    finally:
        server.kill()


def test_a_server_that_takes_connections_and_says_nothing_is_given_up() -> None:
    silent = socket.socket()
    silent.bind(("127.0.0.1", 0))
    silent.listen()
    kept: list[socket.socket] = []

    def accept() -> None:
        while True:
            try:
                kept.append(silent.accept()[0])
            except OSError:
                return

    threading.Thread(target=accept, daemon=True).start()
    counters = RedisCounters(connect("127.0.0.1", silent.getsockname()[1]))
    began = time.monotonic()
    with pytest.raises(Unavailable):
        counters.counts("Sample", 0)
    assert time.monotonic() - began < 20  # API Gateway gives up after 29 s
    silent.close()
    for connection in kept:
        connection.close()
