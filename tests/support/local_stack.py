# SPDX-License-Identifier: Apache-2.0
"""The whole room as `make run` starts it, in processes of its own, and clients for it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from deployment.local.room import running
from tests.support.servers import ROOT

START_SECONDS = 90
# schedules tick every other second; a key signs after all caches know it, only sooner
FAST = {
    "SCHEDULE_MINUTE_SECONDS": "2",
    "PUBLIC_KEY_CACHE_SECONDS": "1",
    "SIGNING_KEY_CACHE_SECONDS": "1",
    "KEY_CACHE_SECONDS": "1",
    "KEY_ACTIVATION_DELAY": "4",
}


@dataclass(frozen=True)
class RunningRoom:
    """A running stack; ``endpoints`` are those of its ``endpoints.json``."""

    endpoints: Mapping[str, Any]
    folder: Path
    process: subprocess.Popen[str] | None = None

    @property
    def event_id(self) -> str:
        return str(self.endpoints["event_id"])

    def public(self, method: str, path: str, **options: Any) -> httpx.Response:
        """A call of the public API, as a browser makes it."""
        return httpx.request(method, f"{self.endpoints['public_api']}{path}", **options)

    def ask(self, path: str, request_id: str | None = None) -> httpx.Response:
        """A GET with the event, and the request where one is given."""
        params = {"event_id": self.event_id}
        if request_id is not None:
            params["request_id"] = request_id
        return self.public("GET", path, params=params)

    def join(self, **body: Any) -> str:
        """A visitor joins; the request id."""
        answer = self.public("POST", "/assign_queue_num", json={"event_id": self.event_id, **body})
        assert answer.status_code == 200, answer.text
        return str(answer.json()["api_request_id"])

    def position(self, request_id: str, seconds: float = 20) -> int:
        """The visitor's position, once it was given."""
        end = time.monotonic() + seconds
        while (answer := self.ask("/queue_num", request_id)).status_code == 202:
            assert time.monotonic() < end, "no position was given"
            time.sleep(0.2)
        assert answer.status_code == 200, answer.text
        return int(answer.json()["queue_number"])

    def token(self, request_id: str, **body: Any) -> httpx.Response:
        """The visitor asks for the token."""
        asked = {"event_id": self.event_id, "request_id": request_id, **body}
        return self.public("POST", "/generate_token", json=asked)

    def private(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, **params: str
    ) -> httpx.Response:
        """A signed call of the private API; the event is added."""
        url = f"{self.endpoints['private_api']}{path}"
        if method == "GET":
            url = str(httpx.URL(url, params={"event_id": self.event_id, **params}))
        content = json.dumps({"event_id": self.event_id, **(body or {})})
        data = content if method == "POST" else ""
        headers = self.signed(method, url, data)
        return httpx.request(method, url, content=data, headers=headers)

    def signed(
        self, method: str, url: str, data: str, secret: str = "", key_id: str = ""
    ) -> dict[str, str]:
        """The headers of a signed call of the private API."""
        credentials = Credentials(
            key_id or self.endpoints["access_key_id"],
            secret or self.endpoints["secret_access_key"],
        )
        headers = {"Content-Type": "application/json"} if data else {}
        request = AWSRequest(method, url, headers=headers, data=data)
        SigV4Auth(credentials, "execute-api", self.endpoints["region"]).add_auth(request)
        return dict(request.headers.items())

    def call(self, method: str, url: str, body: str = "") -> httpx.Response:
        """A signed call of the private API, without an event in body or query."""
        headers = self.signed(method, url, body)
        return httpx.request(method, url, content=body, headers=headers)

    def serve(self, count: int) -> int:
        """Raise the serving counter; return its new value."""
        answer = self.private("POST", "/increment_serving_counter", {"increment_by": count})
        assert answer.status_code == 200, answer.text
        return int(answer.json()["serving_num"])

    def store(self, path: str, token: str | None = None) -> httpx.Response:
        """A call of the store behind the authorizer."""
        headers = {} if token is None else {"Authorization": token}
        return httpx.get(f"{self.endpoints['store_api']}{path}", headers=headers)

    def invoke(self, function: str) -> Any:
        """Call a worker function by hand, as an operator does."""
        done = subprocess.run(
            [sys.executable, "-m", "deployment.local.invoke", function],
            cwd=ROOT,
            env={**os.environ, **paths(), "LOCAL_DIR": str(self.folder)},
            capture_output=True,
            text=True,
            check=True,
        )
        return json.loads(done.stdout.splitlines()[-1])  # metrics are printed before it

    def logs(self) -> str:
        """Everything its parts wrote."""
        return "".join(path.read_text() for path in sorted((self.folder / "logs").glob("*.log")))

    def bus_events(self) -> list[dict[str, Any]]:
        """Return the bus events so far."""
        file = self.folder / "bus-events.jsonl"
        lines = file.read_text().splitlines() if file.exists() else []
        return [json.loads(line) for line in lines]


def paths() -> dict[str, str]:
    """Where Python finds the project's packages."""
    return {"PYTHONPATH": f"{ROOT / 'source'}{os.pathsep}{ROOT}"}


def ended_run(folder: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    """A `make run` that is expected to end by itself."""
    return subprocess.run(
        [sys.executable, "-m", "deployment.local"],
        cwd=ROOT,
        env={**os.environ, **paths(), "LOCAL_DIR": str(folder), **settings},
        capture_output=True,
        text=True,
        timeout=90,
    )


def start(folder: Path, **settings: str) -> subprocess.Popen[str]:
    """`make run` with these settings, without waiting for it."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "make-run.log").open("w") as output:
        return subprocess.Popen(
            [sys.executable, "-m", "deployment.local"],
            cwd=ROOT,
            env={**clean, **paths(), "LOCAL_DIR": str(folder), **settings},
            stdout=output,
            stderr=subprocess.STDOUT,
            text=True,
        )


@contextmanager
def running_room(folder: Path, **settings: str) -> Iterator[RunningRoom]:
    """A running stack with these settings; ended at the end, as Ctrl-C ends it."""
    process = start(folder, **settings)
    try:
        yield RunningRoom(endpoints_of(folder, process), folder, process)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise


def endpoints_of(folder: Path, process: subprocess.Popen[str]) -> dict[str, Any]:
    end = time.monotonic() + START_SECONDS
    while (found := running(folder)) is None or found["pid"] != process.pid:
        if process.poll() is not None or time.monotonic() > end:
            process.kill()
            raise RuntimeError((folder / "make-run.log").read_text())
        time.sleep(0.1)
    return found
