# SPDX-License-Identifier: Apache-2.0
"""A room and its OpenID provider on real ports, and Apache with OpenID in front of a page."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from apps.openid import app as openid_app
from apps.public_api import app as public_app
from tests.support.openid_room import (
    CLIENT_SECRET,
    OpenId,
    Reply,
    install,
    invoke,
    real_time,
    serving,
)
from tests.support.servers import ROOT, free_port
from waiting_room.adapters.http.public_api import PublicApi

MODULES = Path("/usr/lib/apache2/modules")
APACHE = shutil.which("apache2") or shutil.which("apache2", path="/usr/sbin")

# the least that a waiting page does: it asks whether it is the visitor's turn, then hands over
WAITING_PAGE = """<!doctype html><title>Waiting room</title><h1>You are in line</h1>
<form method="post" action="{issuer}/authorize/continue">
<input name="transaction"><input name="request_id" value="{request_id}"></form>
<script>
const form = document.forms[0];
form.transaction.value = new URLSearchParams(location.search).get("transaction");
async function look() {{
  if ((await (await fetch("/turn")).text()) === "yes") form.submit();
  else setTimeout(look, 100);
}}
look();
</script>"""


@dataclass
class Live:
    """A provider on a real port, with one visitor who has a position."""

    openid: OpenId
    issuer: str
    visitor: str

    def admit(self) -> None:
        """Raise the serving counter past the visitor."""
        self.openid.in_memory_room.serve(1)

    def continue_as_page(self, location: str) -> httpx.Response:
        """Return the request of the waiting page at ``location`` for a served visitor."""
        transaction = httpx.URL(location).params["transaction"]
        return httpx.post(
            f"{self.issuer}/authorize/continue",
            data={"transaction": transaction, "request_id": self.visitor},
        )


@contextmanager
def live(monkeypatch: pytest.MonkeyPatch, *redirect_uris: str) -> Iterator[Live]:
    """Room, provider and waiting page behind real ports; both APIs are the project's own apps."""
    in_memory_room = real_time()
    visitor = in_memory_room.visitors(1)[0]
    monkeypatch.setattr(public_app, "room", lambda: in_memory_room.room)
    issuer_port, page_port = free_port(), free_port()
    issuer, page = f"http://127.0.0.1:{issuer_port}/api", f"http://127.0.0.1:{page_port}/"

    def public(method: str, path: str, query: Any, headers: Any, body: str) -> Reply:
        return invoke(public_app.app, method, path.removeprefix("/api"), query, headers, body)

    def provider(method: str, path: str, query: Any, headers: Any, body: str) -> Reply:
        return invoke(openid_app.app, method, path.removeprefix("/api"), query, headers, body)

    def waiting(method: str, path: str, query: Any, headers: Any, body: str) -> Reply:
        if path == "/turn":
            served = in_memory_room.room.metrics.counts("Sample").serving >= 1
            return Reply(200, {"Content-Type": "text/plain"}, "yes" if served else "no")
        content = WAITING_PAGE.format(issuer=issuer, request_id=visitor)
        return Reply(200, {"Content-Type": "text/html"}, content)

    with ExitStack() as started:
        public_url = started.enter_context(serving(public))
        env = {
            "OPENID_ISSUER": issuer,
            "WAITING_ROOM_URL": page,
            "OPENID_REDIRECT_URIS": " ".join(redirect_uris),
        }
        openid = install(monkeypatch, OpenId(env=env, in_memory_room=in_memory_room))
        openid.provider._room = PublicApi(f"{public_url}/api", "Sample")
        started.enter_context(serving(provider, issuer_port))
        started.enter_context(serving(waiting, page_port))
        yield Live(openid, issuer, visitor)


def missing_for_apache() -> str:
    """Return the missing requirement of Apache with OpenID as a sentence, or an empty text."""
    if APACHE is None or not (MODULES / "mod_auth_openidc.so").exists():
        return (
            "Apache with OpenID is not on this machine: install Debian's apache2 and "
            "libapache2-mod-auth-openidc"
        )
    return ""


def page_blocks() -> tuple[str, str]:
    """Return the two configurations of Apache on ``docs/openid.md``: Apache's and WordPress's."""
    page = (ROOT / "docs" / "openid.md").read_text(encoding="utf-8")
    found = re.findall(r"^```apache\n(.*?)^```$", page, re.M | re.S)
    assert len(found) == 2
    return found[0], found[1]


def configuration(folder: Path, port: int, issuer: str, client_secret: str, staff: str) -> str:
    """Return the configuration of the page with the values that an owner enters.

    With ``staff``, the secret of the staff, it has the locations of WordPress.
    """
    text, locations = page_blocks()
    if staff:
        text = text[: text.index("<Location")] + locations
    (folder / "secret.conf").write_text(f"OIDCClientSecret {client_secret}\n")
    passphrase = folder / "passphrase"
    passphrase.write_text(f"#!/bin/sh\necho {os.urandom(16).hex()}\n")
    passphrase.chmod(0o755)
    for placeholder, value in {
        "<issuer>": issuer,
        "/etc/apache2/openid-secret.conf": f"{folder}/secret.conf",
        "https://shop.example": f"http://127.0.0.1:{port}",
        "/usr/local/bin/print-a-passphrase": str(passphrase),
        **({"<secret>": staff} if staff else {}),
    }.items():
        assert placeholder in text, placeholder
        text = text.replace(placeholder, value)
    return text


@contextmanager
def apache(
    port: int, issuer: str, client_secret: str = CLIENT_SECRET, staff: str = ""
) -> Iterator[str]:
    """Apache in front of one page at ``/protected/``, as the page of OpenID configures it.

    Yields the address. With ``staff`` it has the locations of WordPress and two of its folders.
    """
    folder = Path(tempfile.mkdtemp(prefix="openid-apache-"))
    folder.chmod(0o755)
    for name in ("protected", "wp-admin", "wp-content"):
        (folder / "www" / name).mkdir(parents=True)
        (folder / "www" / name / "index.html").write_text("<h1>The shop</h1>")
    as_root = "User www-data\nGroup www-data" if os.getuid() == 0 else ""
    names = "mpm_event authn_core authz_core authz_user dir headers mime auth_openidc"
    loaded = "\n".join(
        f"LoadModule {name}_module {MODULES}/mod_{name}.so" for name in names.split()
    )
    (folder / "apache.conf").write_text(f"""
ServerRoot {folder}
DefaultRuntimeDir {folder}
Mutex file:{folder}
ServerName 127.0.0.1
PidFile {folder}/pid
Listen 127.0.0.1:{port}
ErrorLog {folder}/error.log
LogLevel warn auth_openidc:info
{loaded}
{as_root}
TypesConfig /dev/null
DocumentRoot {folder}/www
DirectoryIndex index.html
<Directory {folder}/www>
  Require all granted
</Directory>
{configuration(folder, port, issuer, client_secret, staff)}
OIDCSessionInactivityTimeout 3600
<Location /protected>
  Header set X-Visitor "expr=%{{REMOTE_USER}}"
</Location>
""")
    (folder / "error.log").touch()
    (folder / "error.log").chmod(0o666)
    assert APACHE
    started = subprocess.Popen(
        [APACHE, "-DFOREGROUND", "-f", str(folder / "apache.conf")],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    address = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 15
        while True:
            try:
                httpx.get(f"{address}/nothing", timeout=1)
                break
            except httpx.TransportError:
                if started.poll() is not None or time.monotonic() > deadline:
                    started.kill()
                    said = started.communicate()[1] + (folder / "error.log").read_text()
                    raise RuntimeError(f"Apache did not start: {said}") from None
                time.sleep(0.05)
        yield f"{address}/protected/"
    finally:
        started.terminate()
        try:
            started.communicate(timeout=10)
        except subprocess.TimeoutExpired:
            started.kill()
            started.communicate()
        shutil.rmtree(folder, ignore_errors=True)
