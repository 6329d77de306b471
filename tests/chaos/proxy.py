# SPDX-License-Identifier: Apache-2.0
"""A small TCP proxy that is slow, hangs, refuses or cuts on command."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

MODES = ("pass", "slow", "hang", "refuse", "cut")


class Proxy:
    """Proxy of a server on loopback. ``slow`` adds ``delay`` seconds to each response."""

    def __init__(self, target: int, delay: float = 2.0) -> None:
        self.target, self.delay = target, delay
        self.mode = "pass"
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._over = False
        self._listener = self._listen(0)
        self.port = int(self._listener.getsockname()[1])
        self._start()

    def _listen(self, port: int) -> socket.socket:
        made = socket.socket()
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind(("127.0.0.1", port))
        made.listen(200)
        return made

    def _start(self) -> None:
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def set(self, mode: str) -> None:
        """Set the mode, also of existing connections."""
        assert mode in MODES
        before, self.mode = self.mode, mode
        if mode == "refuse":
            self._stop_listening()
        elif before == "refuse":
            self._listener = self._listen(self.port)
            self._start()
        if mode in ("refuse", "cut"):
            self._cut()

    @property
    def connections(self) -> int:
        """Connections of clients that are open."""
        with self._lock:
            return len(self._open)

    def close(self) -> None:
        """End it."""
        self._over = True
        self._stop_listening()
        self._cut()

    def _stop_listening(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _cut(self) -> None:
        with self._lock:
            held = list(self._open)
        for client in held:
            with contextlib.suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            with self._lock:
                self._open.add(client)
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        try:
            if self.mode == "cut":
                return
            with socket.create_connection(("127.0.0.1", self.target), 5) as server:
                server.settimeout(None)
                back = threading.Thread(target=self._pump, args=(server, client, True), daemon=True)
                back.start()
                self._pump(client, server, False)
                back.join(10)
        except OSError:
            pass
        finally:
            with self._lock:
                self._open.discard(client)
            client.close()

    def _pump(self, source: socket.socket, sink: socket.socket, responses: bool) -> None:
        try:
            while data := source.recv(65_536):
                if responses and self.mode == "slow":
                    time.sleep(self.delay)
                if responses and self.mode == "hang":
                    self._swallow(source)
                    break
                sink.sendall(data)
        except OSError:
            pass
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _swallow(self, source: socket.socket) -> None:
        while self.mode == "hang" and not self._over:
            time.sleep(0.02)


@contextmanager
def proxy(target: int) -> Iterator[Proxy]:
    """A proxy before a port."""
    made = Proxy(target)
    try:
        yield made
    finally:
        made.close()
