# SPDX-License-Identifier: Apache-2.0
"""The AWS emulator of this machine: ``python -m deployment.local.moto.server PORT [STATE_FILE]``.

Runs the patched server of moto on loopback, with keep-alive connections. With a state file, ``PUT
/_local/load`` loads the file after the caller has created tables and queues; SIGTERM writes it. If
standard input is a pipe, the server ends when the pipe closes, so it ends with its parent process.
"""

from __future__ import annotations

import logging
import os
import signal
import stat
import sys
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from deployment.local.moto import (
    fair_queue,
    fixes,
    memory,
    persistence,
    senders,
    speedups,
    tables,
    transactions,
)

LOAD = "/_local/load"
BACKLOG = 1024  # pending connections; the server's default of 128 is too small


def main(port: int, state_file: Path | None) -> None:
    """Serve until SIGTERM or SIGINT."""
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import make_server

    from deployment.local.moto.keep_alive import KeepAlive

    fixes.apply()
    senders.apply()
    speedups.apply()
    fair_queue.apply()
    tables.apply()
    transactions.apply()
    memory.apply()
    logging.getLogger("werkzeug").setLevel(logging.ERROR)

    application = DomainDispatcherApplication(create_backend_app)
    server = make_server(
        "127.0.0.1", port, _with_load(application, state_file), True, request_handler=KeepAlive
    )
    server.daemon_threads = True  # type: ignore[attr-defined]
    server.socket.listen(BACKLOG)

    def end(*_: Any) -> None:
        threading.Thread(target=server.shutdown, daemon=True).start()

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    if stat.S_ISFIFO(os.fstat(0).st_mode):
        threading.Thread(target=_when_input_closes, args=(end,), daemon=True).start()
    server.serve_forever()
    if state_file:
        persistence.save(state_file)


def _when_input_closes(end: Callable[[], None]) -> None:
    sys.stdin.buffer.read()
    end()


def _with_load(application: Any, state_file: Path | None) -> Callable[..., Iterable[bytes]]:
    def serve(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if environ["PATH_INFO"] != LOAD or environ["REQUEST_METHOD"] != "PUT":
            answer: Iterable[bytes] = application(environ, start_response)
            return answer
        if state_file and state_file.exists():
            persistence.load(state_file)
        start_response("204 No Content", [("Content-Length", "0")])
        return []

    return serve


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else None)
