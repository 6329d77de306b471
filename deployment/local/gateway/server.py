# SPDX-License-Identifier: Apache-2.0
"""Edge, API Gateway and sites: ``python -m deployment.local.gateway.server READY_FD LISTENERS``.

``LISTENERS`` is JSON: name of a listener → (file descriptor of its socket, port). One process and
one event loop serve all listeners; handlers run in threads.
"""

from __future__ import annotations

import json
import logging
import os
import secrets
import socket
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import uvicorn

from deployment.local import config, operator_sign_in
from deployment.local.gateway import chalice_apps
from deployment.local.gateway.edge_cache import EdgeCache
from deployment.local.gateway.identity_pool import IdentityPool
from deployment.local.gateway.join_integration import JoinIntegration
from deployment.local.gateway.rest_api import RestApi, document
from deployment.local.gateway.sigv4 import ACCOUNT, Signatures
from deployment.local.gateway.static_site import Site
from deployment.local.gateway.token_authorizer import TokenAuthorizer
from deployment.local.site_edge.shop_edge import ShopEdge
from deployment.local.site_edge.store_writing import StoreWriting
from deployment.local.site_edge.watching import Watching
from deployment.local.workers.schedules import Schedule
from infrastructure.blueprint import discovery, join_integration
from infrastructure.blueprint.resources import WATCH_ROOM
from infrastructure.blueprint.site_config import (
    console_config,
    login_forms,
    waiting_room_config,
)
from waiting_room.adapters.aws import share_clients
from waiting_room.adapters.dynamodb.items import MAX_CONCURRENT_REQUESTS
from waiting_room.domain.gate.rules import OWN_PATHS
from waiting_room.runtime import wiring
from waiting_room.runtime.settings.room import read_room_settings
from waiting_room.use_cases.gate.gate_sources import GateSources

THREADS = 20  # for each route; a handler that waits for a store blocks one
DRAIN = 3  # s; time for open connections to end


class PortRouter:
    """Routes an ASGI connection to an app by the port of the connection."""

    def __init__(self, parts: Mapping[int, Any]) -> None:
        self._parts = parts

    async def __call__(self, scope: Mapping[str, Any], receive: Any, send: Any) -> None:
        """Serve an ASGI connection."""
        if scope["type"] == "http":
            await self._parts[scope["server"][1]](scope, receive, send)


class ReadyServer(uvicorn.Server):
    """A server that writes to a pipe when it listens."""

    ready_fd: int

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, then write to the pipe."""
        await super().startup(sockets)
        with os.fdopen(self.ready_fd, "w") as pipe:
            pipe.write("ready\n")


def main(ready_fd: int, listeners: Mapping[str, tuple[int, int]]) -> None:
    """Serve until SIGTERM."""
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")
    store = _store(os.environ)
    parts = build(os.environ, store)
    server = ReadyServer(
        uvicorn.Config(
            PortRouter(
                {port: parts[name] for name, (_, port) in listeners.items() if name in parts}
            ),
            access_log=False,
            log_config=None,
            lifespan="off",
            proxy_headers=False,
            server_header=False,
            date_header=True,
            timeout_keep_alive=30,
            timeout_graceful_shutdown=DRAIN,
            backlog=2048,
        )
    )
    server.ready_fd = ready_fd
    stop = threading.Event()
    writing = threading.Thread(target=store.run, args=(stop,))
    writing.start()
    watching = Watching(
        wiring.stores(wiring.settings()).documents, store.store, parts["shop"].origins
    )
    minute = float(os.environ["SCHEDULE_MINUTE_SECONDS"])
    schedule = Schedule(WATCH_ROOM, watching.handle, minute)
    server.run(sockets=[socket.socket(fileno=number) for number, _ in listeners.values()])
    stop.set()
    schedule.stop()
    writing.join()
    for part in parts.values():
        if isinstance(part, RestApi):
            part.close()


def build(env: Mapping[str, str], store: StoreWriting) -> dict[str, Any]:
    """Build the ASGI app of each listener; ``store`` is that of the shop's edge."""
    key = secrets.token_hex(20)  # the API key of the edge, new at each start
    signatures = Signatures(
        env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"], env["AWS_REGION"]
    )
    role = f"arn:aws:sts::{ACCOUNT}:assumed-role/{env['INLET_ROLE']}/inlet"
    signatures.add(env[config.INLET_KEY_ID], env[config.INLET_SECRET], role)
    from apps.token_authorizer.app import token_authorizer

    arn = f"arn:aws:execute-api:{env['AWS_REGION']}:123456789012:store"
    found = document(
        discovery.document(env["TOKEN_ISSUER"], env["PUBLIC_API_ENDPOINT"]), discovery.HEADERS
    )
    public = RestApi(
        "public",
        chalice_apps.load("public_api"),
        threads=THREADS,
        api_key=key,
        integrations={
            ("POST", join_integration.PATH): _join(env),
            ("GET", discovery.PATH): found,
            ("HEAD", discovery.PATH): found,
        },
        keyless=[discovery.PATH],
    )
    parts: dict[str, Any] = {
        "public_api": EdgeCache(public.answer, key),
        "origin": public,
        "private_api": RestApi(
            "private", chalice_apps.load("private_api"), threads=THREADS, signatures=signatures
        ),
        "store_api": RestApi(
            "store",
            chalice_apps.load("sample_store"),
            threads=THREADS,
            plain=True,
            authorizer=TokenAuthorizer(token_authorizer, arn),
        ),
        "openid": RestApi("openid", chalice_apps.load("openid"), threads=THREADS, cors=False),
        "identity_pool": IdentityPool(
            operator_sign_in.pool_settings(env), signatures, env["AWS_REGION"]
        ),
    }
    entrance = RestApi("entrance", chalice_apps.load("entrance"), threads=THREADS, cors=False)
    apis = [entrance, *(one for one in parts.values() if isinstance(one, RestApi))]
    share_clients(MAX_CONCURRENT_REQUESTS * sum(one.callers for one in apis))
    whole = parts | sites(env)
    whole["shop"] = ShopEdge(
        Path(env["EDGE_FUNCTIONS"]),
        store.seen,
        page=whole.pop("shop_room"),
        entrance=entrance,
        public_api=public,
        api_key=key,
    )
    return whole


def _store(env: Mapping[str, str]) -> StoreWriting:
    stores = wiring.stores(wiring.settings())
    sources = GateSources(stores.documents, stores.documents.registry, stores.log, stores.gate_keys)
    return StoreWriting(sources, int(env["STORE_DELAY"]))


def _join(env: Mapping[str, str]) -> JoinIntegration:
    event = read_room_settings(env).events[0]
    return JoinIntegration(event.event_id, secret_required=event.client_secret_required)


def sites(env: Mapping[str, str]) -> dict[str, Site]:
    """Return the waiting page, the same page on the shop's host, and the console."""
    folder, event_id = Path(env["SITES_DIR"]), env["EVENT_ID"]
    public, store, private = (
        env[name] for name in ("PUBLIC_API_ENDPOINT", "STORE_API_ENDPOINT", "PRIVATE_API_ENDPOINT")
    )
    waiting = waiting_room_config(
        event_id=event_id,
        public_api=public,
        store_api=store,
        openid=env["OPENID_ISSUER"],
        entrance=env["SITE_ENTRANCE"],
        brand=json.loads(env["BRAND"]),
    )
    sign_in = operator_sign_in.sign_in(env)
    panel = console_config(
        event_id=event_id,
        region=env["AWS_REGION"],
        public_api=public,
        private_api=private,
        page=env["WAITING_ROOM_URL"],
        sign_in=sign_in,
    )
    called = [public, private]
    called += [sign_in["issuer"], sign_in["identity_api"]] if sign_in else []
    logins = [
        env["OPENID_ISSUER"], *env["OPENID_REDIRECT_URIS"].split(), *env["SITE_ENTRANCE"].split()
    ]  # fmt: skip
    on_the_shop = {**waiting, "public_api": OWN_PATHS, "entrance": f"{OWN_PATHS}/session"}
    return {
        "shop_room": Site(
            folder / "waiting_room",
            "waiting_room",
            on_the_shop,
            [],
            login_forms([env["OPENID_ISSUER"]]),
            plain_room=True,
        ),
        "waiting_room": Site(
            folder / "waiting_room",
            "waiting_room",
            waiting,
            [public, store],
            login_forms(logins),
        ),
        "console": Site(folder / "console", "console", panel, called),
    }


if __name__ == "__main__":
    main(int(sys.argv[1]), json.loads(sys.argv[2]))
