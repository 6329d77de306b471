# SPDX-License-Identifier: Apache-2.0
"""Commands to a Redis or Valkey server: a socket, and hiredis for the protocol.

The room sends two commands, EVAL and EVALSHA. redis-py brings three hundred, asyncio, clusters and
sentinels, and takes a third of a second to import, in each new function while a crowd waits; see
docs/decisions/0066.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from queue import Empty, LifoQueue
from typing import Any

from hiredis import ProtocolError, Reader, ReplyError, pack_command

from waiting_room.settings import REDIS_TIMEOUT

TRIES = 2  # a server that failed over, or dropped an idle connection, answers the second time
CHUNK = 65_536  # bytes


class NoAnswer(Exception):
    """The server did not answer in time."""


class Refused(Exception):
    """The server answered with an error; its first word says which."""


class Server:
    """Runs commands, each on a connection that no other thread uses meanwhile.

    A command whose answer was lost is sent once more: the room's scripts may all be repeated.
    """

    def __init__(
        self, host: str, port: int, *, tls: bool = False, password: Callable[[], str] | None = None
    ) -> None:
        self._host, self._port, self._tls, self._password = host, port, tls, password
        self._idle: LifoQueue[_Connection] = LifoQueue()

    def execute_command(self, *command: Any) -> Any:
        """The server's answer: whole numbers, bytes, lists of them. Raises Refused, NoAnswer."""
        sent = _packed(*command)
        for attempt in range(TRIES):
            try:
                return self._ask(sent)
            except (OSError, ProtocolError) as error:
                self.disconnect()
                if attempt == TRIES - 1:
                    raise NoAnswer(type(error).__name__) from None
        raise AssertionError("a command is tried once at least")

    def disconnect(self) -> None:
        """Close the connections that are not in use, so that the next command makes a new one."""
        with suppress(Empty):
            while True:
                self._idle.get_nowait().close()

    def _ask(self, sent: bytes) -> Any:
        try:
            connection = self._idle.get_nowait()
        except Empty:
            connection = self._connect()
        try:
            answer = connection.ask(sent)
        except BaseException:  # an answer may still come, and would be taken for the next one's
            connection.close()
            raise
        self._idle.put(connection)
        if isinstance(answer, ReplyError):
            raise Refused(str(answer))
        return answer

    def _connect(self) -> _Connection:
        connection = _Connection(self._host, self._port, self._tls)
        try:
            if self._password:  # asked for at every new connection: it may have been rotated
                answer = connection.ask(_packed("AUTH", self._password()))
                if isinstance(answer, ReplyError):
                    raise Refused(str(answer))
        except BaseException:
            connection.close()
            raise
        return connection


class _Connection:
    """One connection, with limits."""

    def __init__(self, host: str, port: int, tls: bool) -> None:
        self._socket = socket.create_connection((host, port), REDIS_TIMEOUT)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls:
            context = ssl.create_default_context()
            self._socket = context.wrap_socket(self._socket, server_hostname=host)
        self._reader = Reader()

    def ask(self, sent: bytes) -> Any:
        """Send a command, wait for its answer."""
        self._socket.sendall(sent)
        while (answer := self._reader.gets()) is False:
            received = self._socket.recv(CHUNK)
            if not received:
                raise ConnectionError("the server closed the connection")
            self._reader.feed(received)
        return answer

    def close(self) -> None:
        """Close it; whatever is on its way is lost."""
        self._socket.close()


def _packed(*command: Any) -> bytes:
    packed: bytes = pack_command(command)
    return packed
