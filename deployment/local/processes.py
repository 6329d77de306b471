# SPDX-License-Identifier: Apache-2.0
"""Child processes that end with this process, even if it is killed."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

PR_SET_PDEATHSIG = 1
SECONDS_TO_END = 15  # s; after that it is killed


class Child:
    """A process with a log file, and a pipe on which it reports that it is ready.

    Its standard input is a pipe that closes with this process; Python children monitor it. On
    Linux the kernel also sends SIGTERM to every child whose parent has ended.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        log: Path,
        env: Mapping[str, str] | None = None,
        sockets: Sequence[int] = (),
    ) -> None:
        self.name, self.log = name, log
        reading, writing = os.pipe()
        self.ready_pipe = open(reading, encoding="utf-8")  # noqa: SIM115 - closed in stop
        words = [str(writing) if word == "{ready}" else word for word in command]
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                words,
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                env=None if env is None else dict(env),
                pass_fds=(writing, *sockets),
                preexec_fn=_die_with_parent(),
                start_new_session=True,  # Ctrl-C reaches only this process, which ends them
            )
        os.close(writing)

    @property
    def ended(self) -> bool:
        """Return whether the process has ended."""
        return self._process.poll() is not None

    def why(self) -> str:
        """Return the reason of an unexpected end, with the last line of the log."""
        text = self.log.read_text(errors="replace").strip()
        last = text.splitlines()[-1] if text else "its log is empty"
        return f"{self.name} ended by itself: {last} (the whole log is in {self.log})"

    def wait_ended(self, seconds: float) -> None:
        """Wait at most ``seconds`` for the process to end."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(seconds)

    def signal(self) -> None:
        """Send SIGTERM."""
        if not self.ended:
            self._process.send_signal(signal.SIGTERM)

    def wait(self) -> None:
        """Wait until the process has ended; kill it after SECONDS_TO_END."""
        try:
            self._process.wait(SECONDS_TO_END)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdin:
            self._process.stdin.close()
        self.ready_pipe.close()


def _die_with_parent() -> Callable[[], None] | None:
    if not sys.platform.startswith("linux"):
        return None
    prctl = ctypes.CDLL(None).prctl
    parent = os.getpid()

    def ask() -> None:
        prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:  # the parent ended before prctl
            os._exit(1)

    return ask
