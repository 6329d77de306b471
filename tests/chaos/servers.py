# SPDX-License-Identifier: Apache-2.0
"""Servers and clocks of the attacks."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from redis.exceptions import ResponseError

from tests.support import servers
from tests.support.real_stores import RealRoom

PATIENCE = 30.0  # seconds until a server without the expected state counts as broken
NO_PORT = 1  # nobody listens there
_tables_at: dict[str, dict[str, str]] = {}  # made once on each server: making tables takes long


@dataclass
class MovedClock:
    """The time of this machine and a step."""

    step: float = 0.0

    def __call__(self) -> float:
        return time.time() + self.step


def room_at(tables_url: str, valkey: Any, **options: Any) -> RealRoom:
    """A room of its own event, set up, whose clock can be moved."""
    names = _tables_at.get(tables_url, {})
    real = RealRoom(tables_url, valkey, options, clock=MovedClock(), names=dict(names))
    _tables_at[tables_url] = real.names
    real.room.workers.setup.run()
    return real


def settle(real: RealRoom) -> None:
    """Let time pass until the holes are known and every row has been compared."""
    clock = real.clock
    assert isinstance(clock, MovedClock)
    for _ in range(3):
        clock.step += 91
        real.new_room().workers.reconciliation.run(real.event_id)
    for _ in range(20):
        if not real.counters().trim(real.event_id, int(clock())).unverified:
            return
        real.new_room().workers.reconciliation.run(real.event_id)


def deliver_stream(real: RealRoom) -> None:
    """Publish the outcomes, as the stream of the tokens table does."""
    state = real.log.read(real.event_id)
    span = (state.event_id, state.generation, 1, max(state.queue, 1))
    real.deliver(list(real.outcomes.in_range(*span)))


def wait_for_link(replica: Any) -> None:
    """Wait until the client's server is in step with its primary; RuntimeError when it never is."""
    deadline = time.monotonic() + PATIENCE
    while replica.info("replication").get("master_link_status") != "up":
        if time.monotonic() > deadline:
            raise RuntimeError("the replica does not follow")
        time.sleep(0.02)


class CounterServers:
    """A primary on one port for good, and a replica; ``fail_over`` puts the replica there."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._made = folder, 0
        self.port = servers.free_port()
        self.primary = self._start(self.port)
        self.replica = self._start(servers.free_port())
        self.follow()

    def _start(self, port: int) -> servers.Valkey:
        self._made += 1
        folder = self._folder / str(self._made)
        folder.mkdir()
        return servers.Valkey(
            folder, port, "--repl-diskless-sync-delay", "0", "--repl-timeout", "5"
        )

    def client(self) -> Any:
        """A plain client of the primary."""
        return self.primary.client()

    def follow(self) -> None:
        """Let the replica copy the primary; wait until it has."""
        replica = self.replica.client()
        replica.replicaof("127.0.0.1", self.primary.port)
        wait_for_link(replica)

    def wait_for_copy(self) -> None:
        """Wait until the replica has everything; RuntimeError when it has not in four seconds."""
        if self.client().execute_command("WAIT", 1, 4_000) < 1:  # the client waits for five
            raise RuntimeError("the replica has no copy")

    def flush(self) -> None:
        """Empty it."""
        self.client().flushall()

    def restart_empty(self, outage: float) -> None:
        """Kill it; start it with nothing."""
        self.primary.kill()
        (self.primary.folder / "dump.rdb").unlink(missing_ok=True)
        time.sleep(outage)
        self.primary.start()

    def keep_snapshot(self) -> None:
        """Write a snapshot to come back from later, as soon as no other save runs.

        The server refuses ``SAVE`` while a child process writes, for a replica or a ``BGSAVE``.
        """
        client = self.client()
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                client.save()
                break
            except ResponseError as error:
                if "in progress" not in str(error) or time.monotonic() > deadline:
                    raise
                time.sleep(0.02)
        shutil.copy(self.primary.folder / "dump.rdb", self.primary.folder / "old.rdb")

    def restart_old(self, outage: float) -> None:
        """Kill it; start it from the snapshot that was kept, or with nothing."""
        self.primary.kill()
        old = self.primary.folder / "old.rdb"
        if old.exists():
            shutil.copy(old, self.primary.folder / "dump.rdb")
        time.sleep(outage)
        self.primary.start()

    def lag(self) -> None:
        """Cut the replica off: it keeps what it has, and gets nothing more."""
        self.replica.client().replicaof("127.0.0.1", NO_PORT)

    def fail_over(self, outage: float) -> None:
        """Kill the primary, promote the lagging replica, and start another replica."""
        self.primary.kill()
        time.sleep(outage)
        chosen = self.replica.client()
        chosen.replicaof("NO", "ONE")
        chosen.config_set("port", self.port)
        self.replica.port = self.port
        self.primary = self.replica
        self.replica = self._start(servers.free_port())
        self.follow()

    def kill(self) -> None:
        """End both."""
        self.primary.kill()
        self.replica.kill()


@contextmanager
def counter_servers() -> Iterator[CounterServers]:
    """A primary and a replica."""
    with tempfile.TemporaryDirectory() as folder:
        made = CounterServers(Path(folder))
        try:
            yield made
        finally:
            made.kill()


@contextmanager
def tables() -> Iterator[str]:
    """The best table server that this machine can run."""
    missing = servers.missing_for_dynamodb_local() and not servers.in_ci()
    with servers.moto_server() if missing else servers.dynamodb_local() as url:
        yield url
