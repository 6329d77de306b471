# SPDX-License-Identifier: Apache-2.0
"""Connections that outlast their request end when the session ends."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.gate_sites import Site, TurnedClock
from tests.support.in_memory_room import START
from tests.support.tokens import token
from waiting_room.gate import AsgiGate, WsgiGate, connections
from waiting_room.gate.connections import GRACE, SessionOver, sleep_until

END = START + 3600
CLOSE = {"type": "websocket.close", "code": 1008, "reason": "the session has expired"}


class Line:
    """A WebSocket's server: what the visitor sends goes in, what the gate sends comes out."""

    def __init__(self, site: Any, made: Site | None = None, **scope: Any) -> None:
        self.made = made or Site()
        self.clock = self.made.clock
        self.sent: list[Any] = []
        self.error: Exception | None = None
        self.incoming: asyncio.Queue[Any] = asyncio.Queue()
        self.incoming.put_nowait({"type": "websocket.connect"})
        headers = [(b"authorization", token().encode())]
        self.scope = {"type": "websocket", "path": "/live", "headers": headers, **scope}
        gate = AsgiGate(site, self.made.gate, self.clock.wait)
        self.task = asyncio.ensure_future(gate(self.scope, self.incoming.get, self.send))

    async def send(self, message: Any) -> None:
        if self.error:
            raise self.error
        self.sent.append(message)

    async def until(self, condition: Callable[[], object]) -> None:
        """Let the others run until something is so; bounded."""
        async with asyncio.timeout(10):
            while not condition():
                await asyncio.sleep(0)

    async def ended(self) -> None:
        """Wait for the gate; raises what it raises."""
        async with asyncio.timeout(10):
            await self.task

    async def open(self) -> None:
        await self.until(lambda: {"type": "websocket.accept"} in self.sent)


async def accept(receive: Any, send: Any) -> None:
    await receive()
    await send({"type": "websocket.accept"})


async def echo(_scope: Any, receive: Any, send: Any) -> None:
    await accept(receive, send)
    while (message := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "text": message["text"]})


def test_nothing_passes_after_the_end_in_either_direction() -> None:
    got: list[Any] = []

    async def site(_scope: Any, receive: Any, send: Any) -> None:
        await accept(receive, send)
        while True:
            got.append(await receive())
            if got[-1]["type"] == "websocket.disconnect":
                with pytest.raises(SessionOver):
                    await send({"type": "websocket.send", "text": "late"})
                return

    async def run() -> None:
        line = Line(site)
        await line.open()
        line.incoming.put_nowait({"type": "websocket.receive", "text": "in time"})
        await line.until(lambda: got)
        line.clock.now = END  # the clock is there, the wait has not noticed yet
        line.incoming.put_nowait({"type": "websocket.receive", "text": "too late"})
        await line.ended()
        assert line.sent[1:] == [CLOSE]

    asyncio.run(run())
    assert [one.get("text") for one in got] == ["in time", None]
    assert got[-1] == {"type": "websocket.disconnect", "code": 1008, "reason": CLOSE["reason"]}


def test_a_quiet_connection_is_closed_too() -> None:
    async def run() -> None:
        line = Line(echo)
        await line.open()
        line.clock.turn(END - 1)
        for _ in range(20):
            await asyncio.sleep(0)
        assert not line.task.done()
        line.clock.turn(END)
        await line.ended()
        assert line.sent == [{"type": "websocket.accept"}, CLOSE]

    asyncio.run(run())


def test_a_site_that_only_sends_gets_the_error_from_send(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")

    async def site(_scope: Any, receive: Any, send: Any) -> None:
        await accept(receive, send)
        while True:
            await send({"type": "websocket.send", "text": "news"})
            await asyncio.sleep(0)

    async def run() -> None:
        line = Line(site)
        await line.until(lambda: len(line.sent) > 3)
        line.clock.turn(END)
        await line.ended()
        assert line.sent[-1] == CLOSE

    asyncio.run(run())
    assert caplog.messages == ["site raised SessionOver after the session of the visitor"]


def test_a_site_that_does_not_end_is_stopped_after_a_grace() -> None:
    stopped: list[bool] = []

    async def site(_scope: Any, receive: Any, send: Any) -> None:
        await accept(receive, send)
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            stopped.append(True)
            raise

    async def run() -> None:
        line = Line(site)
        await line.open()
        line.clock.turn(END)
        await line.until(lambda: CLOSE in line.sent)
        line.clock.turn(END + GRACE - 0.1)
        for _ in range(20):
            await asyncio.sleep(0)
        assert not line.task.done()
        line.clock.turn(END + GRACE)
        await line.ended()

    asyncio.run(run())
    assert stopped == [True]


def test_a_connection_that_was_not_accepted_in_time_is_refused() -> None:
    async def site(_scope: Any, receive: Any, _send: Any) -> None:
        while (await receive())["type"] != "websocket.disconnect":
            pass

    async def run() -> None:
        line = Line(site)
        await line.until(line.incoming.empty)
        line.clock.turn(END)
        await line.ended()
        assert line.sent == [CLOSE]

    asyncio.run(run())


def test_what_the_site_closed_is_not_closed_again() -> None:
    async def site(_scope: Any, receive: Any, send: Any) -> None:
        await accept(receive, send)
        await send({"type": "websocket.close", "code": 1000})
        while (await receive())["type"] != "websocket.disconnect":
            pass

    async def run() -> None:
        line = Line(site)
        await line.until(lambda: len(line.sent) == 2)
        line.clock.turn(END)
        await line.ended()
        assert [one.get("code") for one in line.sent] == [None, 1000]

    asyncio.run(run())


@pytest.mark.parametrize("error", [OSError, RuntimeError])
def test_a_line_that_is_gone_already_is_no_error(error: type[Exception]) -> None:
    async def run() -> None:
        line = Line(echo)
        await line.open()
        line.error = error("Unexpected ASGI message 'websocket.close'")
        line.clock.turn(END)
        await line.ended()
        assert CLOSE not in line.sent

    asyncio.run(run())


def test_a_site_that_ends_or_fails_in_time_does_so_as_without_a_gate() -> None:
    async def fails(_scope: Any, receive: Any, send: Any) -> None:
        await accept(receive, send)
        raise LookupError("the site's own")

    async def run() -> None:
        line = Line(fails)
        with pytest.raises(LookupError, match="the site's own"):
            await line.ended()
        line = Line(echo)
        line.incoming.put_nowait({"type": "websocket.disconnect", "code": 1001})
        await line.ended()
        assert CLOSE not in line.sent
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(run())


def test_a_server_that_stops_stops_the_site() -> None:
    async def run() -> None:
        line = Line(echo)
        await line.open()
        line.task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await line.ended()
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(run())


def test_a_site_that_gives_up_waiting_loses_no_message() -> None:
    got: list[str] = []

    async def site(_scope: Any, receive: Any, send: Any) -> None:
        await accept(receive, send)
        waiting = asyncio.ensure_future(receive())
        await asyncio.sleep(0)
        waiting.cancel()
        await send({"type": "websocket.send", "text": "gave up"})
        got.extend([(await receive())["text"], (await receive())["text"]])

    async def run() -> None:
        line = Line(site)
        await line.until(lambda: len(line.sent) == 2)
        for text in ("one", "two"):
            line.incoming.put_nowait({"type": "websocket.receive", "text": text})
        await line.ended()

    asyncio.run(run())
    assert got == ["one", "two"]


def test_a_connection_that_was_allowed_unchecked_ends_soon() -> None:
    async def run() -> None:
        made = Site(fail_open=True)
        made.keys.out_of_reach = made.keys.empty = True
        line = Line(echo, made)
        await line.open()
        line.clock.turn(START + 5 + 60)
        await line.ended()
        assert line.sent[-1] == CLOSE

    asyncio.run(run())


def test_a_connection_to_an_open_path_has_no_end() -> None:
    async def run() -> None:
        line = Line(echo, path="/static/live", headers=[])
        await line.open()
        line.clock.turn(END + 10**6)
        line.incoming.put_nowait({"type": "websocket.receive", "text": "open"})
        await line.until(lambda: {"type": "websocket.send", "text": "open"} in line.sent)
        line.incoming.put_nowait({"type": "websocket.disconnect", "code": 1000})
        await line.ended()

    asyncio.run(run())


def test_the_wait_follows_a_clock_that_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, slept = TurnedClock(100.0), list[float]()

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        clock.now += seconds
        if len(slept) == 2:
            clock.now -= 90  # somebody set it back

    monkeypatch.setattr(connections.asyncio, "sleep", sleep)
    asyncio.run(sleep_until(clock)(230.0))
    assert slept == [60.0, 60.0, 60.0, 40.0]
    assert clock.now == 230.0


# --- WSGI ----------------------------------------------------------------------------------------

SOCKETS: list[dict[str, Any]] = [
    {"HTTP_UPGRADE": "websocket"}, {"HTTP_UPGRADE": "h2c, WebSocket"},
    {"HTTP_SEC_WEBSOCKET_KEY": "x"}, {"wsgi.websocket": object()},
]  # fmt: skip


@pytest.mark.parametrize("asked", SOCKETS)
def test_a_wsgi_site_gets_a_websocket_on_an_open_path_only(asked: dict[str, Any]) -> None:
    made, said = Site(), list[str]()
    gate: Any = WsgiGate(made.wsgi, made.gate)
    common = {"REQUEST_METHOD": "GET", "HTTP_AUTHORIZATION": token(), **asked}
    for path in ("/live", "/static/live"):
        gate({**common, "PATH_INFO": path}, lambda status, *_: said.append(status[:3]))
    assert said == ["403", "200"]
    assert made.reached == [("GET", "/static/live")]


def test_a_form_without_a_length_is_not_waited_for() -> None:
    class Endless:
        def read(self, *_size: int) -> bytes:
            raise AssertionError("a server would wait here for ever")

    environ = {
        "REQUEST_METHOD": "POST", "PATH_INFO": "/waiting-room/enter", "wsgi.input": Endless(),
        "HTTP_ORIGIN": "https://room.example", "CONTENT_TYPE": "application/x-www-form-urlencoded",
    }  # fmt: skip
    for length, status in ((None, "403"), ("", "403"), ("0", "403"), ("x", "400"), ("-1", "400")):
        said: list[str] = []
        sent = environ if length is None else {**environ, "CONTENT_LENGTH": length}
        gate: Any = WsgiGate(Site().wsgi, Site().gate)
        gate(sent, lambda line, *_, said=said: said.append(line[:3]))
        assert said == [status]


# --- event streams -------------------------------------------------------------------------------

TYPES = {
    "text/event-stream": True, "Text/Event-Stream; charset=utf-8": True,
    "multipart/x-mixed-replace; boundary=x": True, "text/plain": False, "": False,
    "application/octet-stream": False,
}  # fmt: skip


@pytest.mark.parametrize("kind", TYPES)
def test_of_responses_an_event_stream_alone_ends_with_the_session_asgi(kind: str) -> None:
    made, sent = Site(), list[Any]()

    async def site(_scope: Any, _receive: Any, send: Any) -> None:
        headers = [(b"content-type", kind.encode())] if kind else []
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        for number, now in enumerate((START + 5, END - 1, END, END + 1)):
            made.clock.now = now
            try:
                await send(
                    {"type": "http.response.body", "body": b"%d" % number, "more_body": True}
                )
            except OSError:  # as Starlette does
                raise LookupError("the client left") from None
        await send({"type": "http.response.body", "body": b""})

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    scope = {
        "type": "http", "method": "GET", "path": "/feed", "query_string": b"",
        "headers": [(b"authorization", token().encode())],
    }  # fmt: skip
    asyncio.run(AsgiGate(site, made.gate, made.clock.wait)(scope, receive, send))
    bodies = [message["body"] for message in sent[1:]]
    assert bodies == ([b"0", b"1", b""] if TYPES[kind] else [b"0", b"1", b"2", b"3", b""])
    assert [message.get("more_body", False) for message in sent].count(False) == 2


@pytest.mark.parametrize("lazy", [False, True])
@pytest.mark.parametrize("kind", TYPES)
def test_of_responses_an_event_stream_alone_ends_with_the_session_wsgi(
    kind: str, lazy: bool
) -> None:
    made, closed = Site(), list[bool]()

    class Chunks:
        def __init__(self, start_response: Any) -> None:
            self.start = lambda: start_response("200 OK", [("Content-Type", kind)])
            if not lazy:
                self.start()

        def __iter__(self) -> Any:
            if lazy:
                self.start()
            for number, now in enumerate((START + 5, END - 1, END, END + 1)):
                made.clock.now = now
                yield b"%d" % number

        def close(self) -> None:
            closed.append(True)

    def site(_environ: Any, start_response: Any) -> Any:
        return Chunks(start_response)

    environ = {
        "REQUEST_METHOD": "GET", "PATH_INFO": "/feed", "HTTP_AUTHORIZATION": token(),
        "HTTP_UPGRADE": "h2c", "HTTP_HTTP2_SETTINGS": "x",
    }  # fmt: skip
    answer: Any = WsgiGate(site, made.gate)(environ, lambda *_args: None)  # type: ignore[arg-type]
    assert list(answer) == [b"0", b"1"] + ([] if TYPES[kind] else [b"2", b"3"])
    answer.close()
    assert closed == [True]
    assert not [name for name in environ if "UPGRADE" in name or "HTTP2" in name]
