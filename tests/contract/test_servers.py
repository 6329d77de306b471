# SPDX-License-Identifier: Apache-2.0
"""The servers that tests start are their own."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from tests.support import servers

pytestmark = pytest.mark.server


def test_a_server_on_a_port_that_another_has_is_an_error(tmp_path: Path) -> None:
    first = servers.Valkey(tmp_path)
    try:
        with pytest.raises(RuntimeError, match=f"another server has port {first.port}"):
            servers.Valkey(tmp_path, first.port)
    finally:
        first.kill()


def test_no_port_is_given_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[int] = []
    for worker in ("gw0", "gw1", "gw1"):
        monkeypatch.setenv("PYTEST_XDIST_WORKER", worker)
        given += [servers.free_port() for _ in range(300)]  # of 1,375
    assert len(set(given)) == 900


def test_a_closed_port_refuses_and_nobody_else_can_have_it() -> None:
    with servers.closed_port() as port:
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port))
        with pytest.raises(OSError, match="in use"):
            socket.create_server(("127.0.0.1", port))
