# SPDX-License-Identifier: Apache-2.0
"""The watchdog's requests on real connections: killed, slow and broken rooms."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from waiting_room.adapters.http import room_probes
from waiting_room.adapters.http.room_probes import MAX_RESPONSE, HttpRoomProbes
from waiting_room.domain.errors import Unavailable
from waiting_room.domain.gate.watchdog import Reading

STATUS = {"event_id": "sale", "serving_counter": 1, "waiting_num": 0, "queue_counter": 1}
ENTER = {"decision": "wait", "retry_after": 10}


class Room:
    """What the handlers of a server send: status, headers and body by path, or raw bytes."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.raw: dict[str, bytes] = {}
        self.status = {"/api/status": 200, "/api/enter": 200}
        self.content: dict[str, Any] = {"/api/status": STATUS, "/api/enter": ENTER}
        self.silent: set[str] = set()
        self.ended = threading.Event()


@contextmanager
def serving(room: Room) -> Iterator[str]:
    """The address of a server of the room."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            room.requests.append((self.path, {k.lower(): v for k, v in self.headers.items()}))
            if path in room.silent:
                room.ended.wait(30)
            elif path in room.raw:
                self.wfile.write(room.raw[path])
            else:
                body = json.dumps(room.content[path]).encode()
                self.send_response(room.status[path])
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/api"
    finally:
        room.ended.set()
        server.shutdown()
        thread.join()
        server.server_close()


def probes(address: str) -> HttpRoomProbes:
    return HttpRoomProbes(address, address, lambda: "secret")


@pytest.fixture
def room() -> Room:
    return Room()


def test_both_apis_are_asked_as_the_edge_asks_for_visitors_and_without_effect(room: Room) -> None:
    with serving(room) as address:
        assert probes(address)(["sale"]) == {"sale": Reading.HEALTHY}
    asked = dict(room.requests)
    assert set(asked) == {"/api/status?event_id=sale", "/api/enter?event=sale"}
    for headers in asked.values():
        assert headers["x-api-key"] == "secret"
        assert headers["accept"] == "application/json"
        assert headers["host"] == address.split("/")[2]
    assert asked["/api/enter?event=sale"]["sec-purpose"] == "prefetch", "no visitor waits"


def test_each_event_has_a_reading(room: Room) -> None:
    with serving(room) as address:
        found = probes(address)([f"sale-{at}" for at in range(30)] + ["sale"])
    assert found.pop("sale") is Reading.HEALTHY
    assert set(found.values()) == {Reading.FAULT}, "a status of another event"
    assert len(room.requests) == 62


@pytest.mark.parametrize("path", ["/api/status", "/api/enter"])
@pytest.mark.parametrize(
    ("raw", "reading"),
    [
        (b"HTTP/1.1 500 x\r\ncontent-length: 2\r\n\r\n{}", Reading.FAULT),
        (b"HTTP/1.1 503 x\r\nretry-after: 1\r\n\r\n", Reading.FAULT),
        (b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\n\r\n<title>Sorry</title>", Reading.FAULT),
        (b'HTTP/1.1 200 OK\r\ncontent-length: 90\r\n\r\n{"event_id": "sale"', Reading.FAULT),
        (b'HTTP/1.1 200 OK\r\n\r\n{"event_id": "vip"}', Reading.FAULT),
        (b"HTTP/1.1 302 Found\r\nlocation: /\r\n\r\n", Reading.FAULT),
        (b"HTTP/1.1 200", Reading.FAULT),
        (b"", Reading.FAULT),
        (b"\x16\x03\x01\x00", Reading.FAULT),
        (b"HTTP/1.1 200 OK\r\n\r\n" + b" " * MAX_RESPONSE, Reading.FAULT),
        (b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 200 + b"\r\n{}", Reading.FAULT),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{}", Reading.FAULT),
        (b"HTTP/1.1 429 x\r\nretry-after: 5\r\n\r\n{}", Reading.BUSY),
        (b"HTTP/1.1 403 x\r\n\r\n<title>Forbidden</title>", Reading.REFUSED),
    ],
)
def test_a_broken_response_is_a_fault(room: Room, path: str, raw: bytes, reading: Reading) -> None:
    room.raw[path] = raw
    with serving(room) as address:
        assert probes(address)(["sale"]) == {"sale": reading}


def test_a_chunked_response_is_read(room: Room) -> None:
    body = json.dumps(STATUS).encode()
    head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
    room.raw["/api/status"] = head + b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
    with serving(room) as address:
        assert probes(address)(["sale"]) == {"sale": Reading.HEALTHY}


def test_a_room_that_was_killed_is_a_fault() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    assert probes(f"http://127.0.0.1:{port}/api")(["sale"]) == {"sale": Reading.FAULT}
    assert probes(f"https://127.0.0.1:{port}/api")(["sale"]) == {"sale": Reading.FAULT}


def test_a_room_without_tls_is_a_fault(room: Room) -> None:
    with serving(room) as address:
        found = probes(address.replace("http:", "https:"))(["sale"])
    assert found == {"sale": Reading.FAULT}


@pytest.mark.parametrize("path", ["/api/status", "/api/enter"])
def test_a_room_that_does_not_respond_in_time_is_a_fault(
    room: Room, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room_probes, "DEADLINE", 0.05)
    room.silent.add(path)
    with serving(room) as address:
        assert probes(address)(["sale"]) == {"sale": Reading.FAULT}


def test_the_deadline_ends_a_request_to_a_healthy_room_too(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room_probes, "DEADLINE", 0)
    with serving(room) as address:
        assert probes(address)(["sale"]) == {"sale": Reading.FAULT}


def test_single_bytes_give_a_response_no_more_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """The deadline is that of the whole response, not of each part."""
    sent = 0

    async def drip(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        try:
            while sent < 10**6:
                writer.write(b"x")
                await writer.drain()
                sent += 1
                await asyncio.sleep(0)
        except ConnectionError:
            pass

    async def run() -> Reading:
        server = await asyncio.start_server(drip, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        found = await room_probes.ask(
            f"http://127.0.0.1:{port}", room_probes.STATUS, "sale", "secret", room_probes.get
        )
        server.close()
        return found

    monkeypatch.setattr(room_probes, "DEADLINE", 0.05)
    monkeypatch.setattr(room_probes, "MAX_RESPONSE", 10**9)
    assert asyncio.run(run()) is Reading.FAULT
    assert 0 < sent < 10**6


def test_without_the_key_there_is_no_probe() -> None:
    def no_key() -> str:
        raise Unavailable("the secret cannot be read")

    with pytest.raises(Unavailable):
        HttpRoomProbes("http://127.0.0.1:1", "http://127.0.0.1:1", no_key)(["sale"])


def test_the_log_has_no_address_and_no_key(room: Room, caplog: pytest.LogCaptureFixture) -> None:
    room.status["/api/enter"] = 500
    with serving(room) as address:
        probes(address)(["sale"])
    assert "GET /enter of sale returned status 500: fault" in caplog.text
    assert "secret" not in caplog.text
    assert "127.0.0.1" not in caplog.text
