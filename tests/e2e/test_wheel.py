# SPDX-License-Identifier: Apache-2.0
"""The wheel of the gate and the authorizer, installed into environments of its own."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
import tomllib
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from deployment.release import wheel
from tests.support import tokens
from tests.support.gate_sites import ask, status
from tests.support.in_memory_room import EVENT, ISSUER
from tests.support.servers import ROOT, free_port, in_ci, process
from tests.support.tokens import RoomOverHttp, room_over_http, token
from waiting_room.gate.decision import FORM

pytestmark = pytest.mark.server
UV = Path(sys.executable).with_name("uv")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
OLDEST = tuple(text.replace(">=", "==") for text in PROJECT["optional-dependencies"]["gate"])
SITE = """
import json, os
from waiting_room.gate import AsgiGate, GateSettings, WsgiGate

SETTINGS = GateSettings.from_mapping(json.loads(os.environ["GATE"]))

def shop(environ, start_response):
    start_response("200 OK", [("Content-Length", "4")])
    return [b"site"]

async def service(scope, receive, send):
    headers = [(b"content-length", b"4")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"site"})

wsgi, asgi = WsgiGate(shop, SETTINGS), AsgiGate(service, SETTINGS)
"""
VISITS = """
import asyncio, importlib.metadata, json, os, sys
import jwt, waiting_room
from site_of_the_test import asgi, wsgi
from waiting_room.runtime.lambda_authorizer import Unauthorized, handler

def by_wsgi(sent):
    answers = []
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/", "HTTP_AUTHORIZATION": sent}
    list(wsgi(environ, lambda status, headers: answers.append(int(status[:3]))))
    return answers[0]

def by_asgi(sent):
    messages = []
    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}
    async def send(message):
        messages.append(message)
    headers = [(b"authorization", sent.encode())]
    scope = {"type": "http", "method": "GET", "path": "/", "headers": headers}
    asyncio.run(asgi(scope, receive, send))
    return messages[0]["status"]

def by_lambda(sent):
    arn = "arn:aws:execute-api:eu-central-1:123456789012:api/stage/GET/path"
    try:
        said = handler({"authorizationToken": sent, "methodArn": arn}, None)
    except Unauthorized:
        return "Unauthorized"
    return said["policyDocument"]["Statement"][0]["Effect"]

tokens = json.loads(sys.stdin.read())
print(json.dumps({
    "versions": [importlib.metadata.version(name) for name in ("PyJWT", "cryptography")],
    "from": waiting_room.__file__,
    "heavy": [name for name in ("boto3", "chalice", "redis") if name in sys.modules],
    "said": {name: [by_wsgi(one), by_asgi(one), by_lambda(one)] for name, one in tokens.items()},
}))
"""


@dataclass
class Installed:
    """An environment with the wheel and nothing of this checkout."""

    folder: Path

    def env(self, room: RoomOverHttp) -> dict[str, str]:
        """Settings of a gate and of an authorizer of this room."""
        members = {
            "event_id": EVENT, "issuer": ISSUER, "public_api": room.url, "secret": "s" * 32,
            "waiting_room_url": "http://localhost:1/", "secure_cookie": False,
        }  # fmt: skip
        told = {
            "WAITING_ROOM_EVENT_ID": EVENT, "ISSUER": ISSUER, "PUBLIC_API_ENDPOINT": room.url,
        }  # fmt: skip
        kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        return {**kept, **told, "GATE": json.dumps(members), "PYTHONPATH": str(self.folder)}

    @property
    def python(self) -> Path:
        return self.folder / "env" / "bin" / "python"


def install(folder: Path, built: Path, age: str, *requirements: str) -> Installed:
    """Install the wheel with its extras and more, from the oldest or the newest kept wheels."""
    kept = ROOT / ".venv" / "wheels" / age
    if not kept.exists():
        missing = "the wheels that this is tested with are not here: run `make install`"
        if in_ci():
            pytest.fail(missing)
        pytest.skip(missing)

    def run(*command: str) -> None:
        done = subprocess.run(
            [str(UV), *command], capture_output=True, text=True, timeout=120, cwd=folder
        )
        assert done.returncode == 0, done.stderr

    run("venv", "--quiet", "--python", sys.executable, "env")
    extras = f"virtual-waiting-room[gate,authorizer] @ {built.as_uri()}"
    offline = ("--offline", "--no-index", "--find-links", str(kept))
    run("pip", "install", "--quiet", *offline, "--python", "env/bin/python", extras, *requirements)
    (folder / "site_of_the_test.py").write_text(SITE)
    return Installed(folder)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return wheel.build(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def newest(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    return install(tmp_path_factory.mktemp("newest"), built, "newest", "gunicorn", "uvicorn")


def names(built: Path) -> set[str]:
    with zipfile.ZipFile(built) as opened:
        return set(opened.namelist())


def test_the_wheel_has_the_gate_and_the_authorizer_and_what_they_import(built: Path) -> None:
    modules = {name for name in names(built) if not name.partition("/")[0].endswith(".dist-info")}
    source = ROOT / "source"
    assert modules == {path.relative_to(source).as_posix() for path in wheel.files()}
    assert {
        "waiting_room/py.typed",
        "waiting_room/gate/asgi.py",
        "waiting_room/site_gate/asgi.py",
    } <= modules
    clients = {name for name in modules if re.search("aws|redis|dynamodb|chalice|room_http", name)}
    assert clients == {"waiting_room/adapters/aws.py"}, "of the gate of a site"
    for text in ("LICENSE", "NOTICE"):
        assert any(name.endswith(f"licenses/{text}") for name in names(built))


def test_the_wheel_says_what_it_needs(built: Path) -> None:
    with zipfile.ZipFile(built) as opened:
        (name,) = (name for name in names(built) if name.endswith(".dist-info/METADATA"))
        said = opened.read(name).decode()
    for extra in ("gate", "authorizer", "site-gate"):
        assert f"Provides-Extra: {extra}" in said
        for needed in PROJECT["optional-dependencies"][extra]:
            assert f'Requires-Dist: {needed}; extra == "{extra}"' in said
    assert len(re.findall("^Requires-Dist: ", said, re.M)) == 6


def test_two_builds_are_equal_to_the_byte(built: Path, tmp_path: Path) -> None:
    assert wheel.build(tmp_path).read_bytes() == built.read_bytes()


def test_the_backend_is_the_one_that_is_pinned_by_hash() -> None:
    whole = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    (backend,) = whole["build-system"]["requires"]
    assert f"\n{backend} \\\n" in (ROOT / "requirements" / "local.txt").read_text("utf-8")


def test_the_oldest_and_the_newest_dependencies_check_tokens(
    built: Path, newest: Installed, tmp_path: Path
) -> None:
    now = int(time.time())
    sent = {
        "good": token(at=now - 5), "ahead": token(at=now + 50), "expired": token(at=now - 4000),
        "refresh": token(at=now - 5, use="refresh"), "none": "",
        "forged": token(tokens.keys(2).keys[1], at=now - 5),
    }  # fmt: skip
    want = {
        "good": [200, 200, "Allow"], "ahead": [200, 200, "Deny"], "expired": [403, 403, "Deny"],
        "refresh": [403, 403, "Deny"], "none": [403, 403, "Unauthorized"],
        "forged": [403, 403, "Deny"],
    }  # fmt: skip
    found = {}
    for where in (install(tmp_path, built, "oldest", *OLDEST), newest):
        with room_over_http() as room:
            room.publish(tokens.keys())
            done = subprocess.run(
                [str(where.python), "-c", VISITS], input=json.dumps(sent), capture_output=True,
                text=True, timeout=60, env=where.env(room), cwd=where.folder,
            )  # fmt: skip
        assert done.returncode == 0, done.stderr
        said = json.loads(done.stdout)
        assert said["said"] == want
        assert said["from"].startswith(str(where.folder))
        assert said["heavy"] == []
        found[where.folder] = said["versions"]
    assert found[tmp_path] == [text.partition("==")[2] for text in OLDEST]
    assert found[newest.folder] != found[tmp_path]


def test_the_package_is_typed(newest: Installed) -> None:
    code = newest.folder / "typed.py"
    code.write_text(
        "from waiting_room.gate import AsgiGate, GateSettings, WsgiGate\n"
        'made = GateSettings(event_id=5, issuer="i", public_api="p", waiting_room_url="w",'
        ' secret="s")\n'
        "reveal_type(WsgiGate)\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--config-file=", "--python-executable",
         str(newest.python), "--cache-dir", str(newest.folder / "cache"), code.name],
        capture_output=True, text=True, timeout=120, cwd=newest.folder,
    )  # fmt: skip
    found = [line for line in done.stdout.splitlines() if ": error:" in line]
    assert len(found) == 1, done.stdout
    assert 'Argument "event_id" to "GateSettings" has incompatible type "int"' in found[0]
    assert "waiting_room.gate.wsgi.WsgiGate" in done.stdout


@contextmanager
def served(where: Installed, room: RoomOverHttp, *command: str) -> Iterator[int]:
    """The site on a server of that environment; gives the port."""
    port = free_port()
    chosen = [text.replace("PORT", str(port)) for text in command]
    words = (str(where.python), "-m", *chosen)
    with process(*words, port=port, cwd=where.folder, env=where.env(room)):
        yield port


@pytest.mark.parametrize(
    "command",
    [("gunicorn", "-b", "127.0.0.1:PORT", "--threads", "2", "site_of_the_test:wsgi"),
     ("uvicorn", "--port", "PORT", "site_of_the_test:asgi")],
    ids=lambda command: command[0],
)  # fmt: skip
def test_a_form_in_chunks_is_taken(newest: Installed, command: tuple[str, ...]) -> None:
    form = f"token={token(at=int(time.time()) - 5)}".encode()
    half = len(form) // 2
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(one), one) for one in (form[:half], form[half:]))
    page: dict[str, Any] = {"Origin": "http://localhost:1", "Content-Type": FORM}
    with room_over_http() as room:
        room.publish(tokens.keys())
        with served(newest, room, *command) as port:
            enter = "/waiting-room/enter"
            sent = {**page, "Transfer-Encoding": "chunked"}
            answer = ask(port, "POST", enter, sent, chunks + b"0\r\n\r\n")
            assert status(answer) == 303, answer
            assert b"waiting-room-Sample=" in answer
            plain = ask(port, "POST", enter, {**page, "Content-Length": str(len(form))}, form)
            assert status(plain) == 303
            assert status(ask(port, "POST", enter, sent, b"0\r\n\r\n")) == 403
