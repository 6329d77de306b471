# SPDX-License-Identifier: Apache-2.0
"""Hosts with https for a browser, in front of servers of this machine; a protocol of its visits.

``__Host-`` cookies and hand-over tickets need https and the default port. Each host has a listener
with a self-made certificate, which passes all bytes on to a server. No name is in the DNS.
"""

from __future__ import annotations

import asyncio
import datetime
import re
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from playwright.sync_api import BrowserContext, Response

SECONDS = 10.0
CHUNK = 65_536  # bytes


@dataclass(frozen=True)
class HttpsHosts:
    """Names with their ports, and the file of the certificate."""

    ports: Mapping[str, int]
    certificate: Path

    @property
    def rule(self) -> str:
        """The argument with which Chromium finds the hosts."""
        rules = [f"MAP {name} 127.0.0.1:{port}" for name, port in self.ports.items()]
        return f"--host-resolver-rules={','.join(rules)}"


def make_certificate(file: Path, names: list[str]) -> None:
    """Write the key and the certificate of these names to a file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    now, day = datetime.datetime.now(datetime.UTC), datetime.timedelta(days=1)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - day)
        .not_valid_after(now + day)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(one) for one in names]), False)
        .sign(key, hashes.SHA256())
    )
    pem, pkcs8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    private = key.private_bytes(pem, pkcs8, serialization.NoEncryption())
    file.write_bytes(private + made.public_bytes(pem))


@contextmanager
def https_hosts(folder: Path, targets: Mapping[str, int]) -> Iterator[HttpsHosts]:
    """Serve each host on https in front of a port of this machine."""
    file = folder / "hosts.pem"
    make_certificate(file, list(targets))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    async def listen(target: int) -> asyncio.Server:
        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await _join(reader, writer, target)

        return await asyncio.start_server(connected, "127.0.0.1", 0, ssl=context)

    servers = {
        name: asyncio.run_coroutine_threadsafe(listen(target), loop).result(SECONDS)
        for name, target in targets.items()
    }
    try:
        ports = {name: one.sockets[0].getsockname()[1] for name, one in servers.items()}
        yield HttpsHosts(ports, file)
    finally:
        asyncio.run_coroutine_threadsafe(_stop(list(servers.values())), loop).result(SECONDS)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(SECONDS)
        loop.close()


async def _join(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, target: int) -> None:
    """Pass the bytes of a connection on, in both directions."""
    try:
        there, back = await asyncio.open_connection("127.0.0.1", target)
    except OSError:
        writer.close()
        return

    async def copy(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        try:
            while chunk := await source.read(CHUNK):
                sink.write(chunk)
                await sink.drain()
        except OSError:  # the other side has ended the connection
            pass
        finally:
            sink.close()

    await asyncio.gather(copy(reader, back), copy(there, writer))


async def _stop(servers: list[asyncio.Server]) -> None:
    for server in servers:
        server.close()
    current = asyncio.current_task()
    tasks = [task for task in asyncio.all_tasks() if task is not current]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@dataclass(frozen=True)
class Step:
    """A response to a navigation; ``cookies`` are the attributes by name."""

    method: str
    url: str
    status: int
    location: str
    cookies: Mapping[str, str]


@dataclass
class Protocol:
    """The navigations of a browser profile, in their order."""

    steps: list[Step] = field(default_factory=list)

    @classmethod
    def of(cls, context: BrowserContext) -> Protocol:
        """Begin the protocol of a profile."""
        made = cls()
        context.on("response", made._note)
        return made

    def _note(self, response: Response) -> None:
        if not response.request.is_navigation_request():
            return
        cookies = {}
        for one in response.headers_array():
            if one["name"].lower() == "set-cookie":
                pair, _, attributes = one["value"].partition(";")
                cookies[pair.partition("=")[0]] = attributes.strip()
        request, location = response.request, response.headers.get("location", "")
        self.steps.append(Step(request.method, request.url, response.status, location, cookies))

    @property
    def tickets(self) -> list[str]:
        """The addresses with a hand-over ticket to which a response led."""
        return [one.location for one in self.steps if "/_waiting-room/handover?" in one.location]

    def text(self) -> str:
        """Return the protocol as lines; it shows no whole ticket, token or cookie."""
        lines = []
        for one in self.steps:
            lines.append(f"{one.method:4} {one.status} {_cut(one.url)}")
            if one.location:
                lines.append(f"         -> {_cut(one.location)}")
            for name, attributes in one.cookies.items():
                sign = "-" if "Max-Age=0" in attributes else "+"
                lines.append(f"         {sign} {name}; {attributes}")
        return "\n".join(lines)


def _cut(address: str) -> str:
    return re.sub("((?:ticket|token)=[^&]{12})[^&]*", r"\1…", address)
