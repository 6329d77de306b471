# SPDX-License-Identifier: Apache-2.0
"""The console and its private API on loopback ports, over a room in memory.

The API is the project's own handlers behind the local gateway, so signatures, statuses and words
are the real ones; only the stores are in memory, and time can be turned.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import uvicorn

import apps.private_api.app
import apps.public_api.app
from deployment.local.gateway.identity_pool import IdentityPool, PoolSettings
from deployment.local.gateway.rest_api import RestApi
from deployment.local.gateway.sigv4 import Signatures
from deployment.local.gateway.static_site import Site
from infrastructure.assets import sites
from infrastructure.blueprint.operator_sign_in import provider_settings
from infrastructure.blueprint.site_config import console_config
from tests.support.fakes.inlet import MemoryInlet
from tests.support.in_memory_room import EVENT, InMemoryRoom
from tests.support.in_memory_room import settings as room_settings
from tests.support.servers import ROOT
from waiting_room.inlet.control import InletControl
from waiting_room.inlet.strategies import InletRecord, Strategy
from waiting_room.use_cases import change_log
from waiting_room.use_cases.events.room_alarms import RoomAlarms

KEY, SECRET, REGION = (
    "AKIAPANELTESTKEY0001",
    "s3cret/of+the=operator/0123456789abcdef",
    "eu-central-1",
)


STACK = "Room"
POOL = f"{REGION}:00000000-0000-4000-8000-000000000000"
CLIENT, CLAIM, PREFIX = "console", "groups", "waiting-room-"


class RunningClock:
    """Time that passes by itself; tests may turn it forward."""

    def __init__(self) -> None:
        self._turned = 0.0

    @property
    def now(self) -> float:
        return time.time() + self._turned

    @now.setter
    def now(self, moment: float) -> None:
        self._turned = moment - time.time()

    def __call__(self) -> float:
        return self.now


@dataclass
class ConsoleRoom:
    """The addresses, the room behind them, and what was called."""

    panel: str = ""
    private: str = ""
    public: str = ""
    identity_api: str = ""
    signatures: Signatures = field(default_factory=lambda: Signatures(KEY, SECRET, REGION))
    pool: IdentityPool = field(init=False)
    in_memory_room: InMemoryRoom = field(init=False)
    inlets: MemoryInlet = field(init=False)
    alarms: RoomAlarms = field(init=False)
    calls: list[str] = field(default_factory=list)
    down: bool = False

    def __post_init__(self) -> None:
        self.begin()

    def begin(self, **options: Any) -> None:
        """Another room behind the same addresses, in which nothing happened yet."""
        self.in_memory_room = InMemoryRoom(options, RunningClock())  # type: ignore[arg-type]
        self.in_memory_room.room.workers.setup.run()
        self.in_memory_room.room.workers.minute_jobs.run(EVENT)
        self.inlets = MemoryInlet()
        made = self.in_memory_room
        self.alarms = RoomAlarms(
            made.alarms, made.edge_alarms, made.admission, STACK, time.monotonic
        )
        self.calls.clear()
        self.down = False

    def admit(self, count: int) -> list[str]:
        """Visitors who joined, were called, and took their tokens; request ids."""
        joined = self.in_memory_room.visitors(count)
        behind = (
            self.in_memory_room.position(joined[-1])
            - self.in_memory_room.room.metrics.counts(EVENT).serving
        )
        if behind > 0:
            self.in_memory_room.serve(behind)
        for request_id in joined:
            self.in_memory_room.token(request_id)
        return joined

    def run_inlet(self, strategy: Strategy, targets: Mapping[str, int], **more: Any) -> None:
        """An inlet has run."""
        record = InletRecord(EVENT, strategy, dict(targets), dict(targets), **more)
        self.inlets.write(None, record)


class Doorkeeper:
    """Counts calls; no response while the API is down."""

    def __init__(self, panel: ConsoleRoom, api: RestApi) -> None:
        self._panel, self._api = panel, api

    async def __call__(self, scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        if self._panel.down:
            raise ConnectionResetError("down")  # uvicorn closes the connection with a 500
        if scope["method"] != "OPTIONS":
            self._panel.calls.append(f"{scope['method']} {scope['path'].removeprefix('/api')}")
        await self._api(scope, receive, send)


@contextmanager
def console_room(built: Path, issuer: str = "") -> Iterator[ConsoleRoom]:
    """Everything, listening; ``built`` is the folder that ``build`` filled.

    With the ``issuer`` of a provider, operators can sign in at it.
    """
    panel = ConsoleRoom()
    private = RestApi("private", apps.private_api.app.app, threads=4, signatures=panel.signatures)
    panel.pool = IdentityPool(
        PoolSettings(
            issuer=issuer,
            client_id=CLIENT,
            groups_claim=CLAIM,
            group_prefix=PREFIX,
            pool_id=POOL,
        ),
        panel.signatures,
        REGION,
    )
    public = RestApi("public", apps.public_api.app.app, threads=2)
    with (
        pytest.MonkeyPatch.context() as patch,
        served(Doorkeeper(panel, private)) as private_address,
        served(public) as public_address,
        served(panel.pool) as panel.identity_api,
    ):
        for module in (apps.private_api.app, apps.public_api.app):
            patch.setattr(module, "room", lambda: panel.in_memory_room.room)
        patch.setattr(apps.private_api.app, "settings", room_settings)
        patch.setattr(
            apps.private_api.app,
            "event_documents",
            lambda: panel.in_memory_room.event_documents,
        )
        patch.setattr(
            apps.private_api.app, "event_records", lambda: panel.in_memory_room.event_records
        )
        patch.setattr(apps.private_api.app, "room_alarms", lambda: panel.alarms)
        patch.setattr(
            apps.private_api.app,
            "_inlet",
            lambda: InletControl(panel.inlets, time.time, change_log.record),
        )
        panel.private, panel.public = f"{private_address}/api", f"{public_address}/api"
        settings = console_config(
            event_id=EVENT,
            region=REGION,
            public_api=panel.public,
            private_api=panel.private,
            page="https://page.example/",
            sign_in=_sign_in(panel, issuer) if issuer else None,
        )
        called = [panel.public, panel.private, *([panel.identity_api, issuer] if issuer else [])]
        with served(Site(built, "console", settings, called)) as panel.panel:
            yield panel
    private.close()
    public.close()


def _sign_in(panel: ConsoleRoom, issuer: str) -> dict[str, Any]:
    return provider_settings(
        issuer=issuer,
        client_id=CLIENT,
        scopes="openid offline_access",
        groups_claim=CLAIM,
        group_prefix=PREFIX,
        identity_pool=POOL,
        identity_api=panel.identity_api,
    )


@contextmanager
def served(app: Any) -> Iterator[str]:
    """An ASGI application in a thread; its address."""
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    listening.listen(100)  # who comes before the thread runs waits
    server = uvicorn.Server(
        uvicorn.Config(app, log_config=None, log_level="critical", lifespan="off")
    )
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        server.force_exit = True
        thread.join(10)
        listening.close()


def build(folder: Path) -> Path:
    """The console as it is served."""
    return sites.build(ROOT, folder)["console"]
