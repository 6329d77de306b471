# SPDX-License-Identifier: Apache-2.0
"""The connection to the counters' server, against a server that misbehaves on demand."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests import servers
from waiting_room.adapters import redis_wire
from waiting_room.adapters.redis_wire import NoAnswer, Refused, Server

HANG_UP = b""


class Peer:
    """Accepts connections; each chunk it receives is answered by the next of ``plan``."""

    def __init__(self) -> None:
        self.plan: list[bytes | None] = []
        self.got: list[bytes] = []
        self.connections = 0
        self.wrap: Callable[[socket.socket], socket.socket] = lambda plain: plain
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._socket.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._socket.close()

    def _accept(self) -> None:
        while True:
            try:
                plain, _ = self._socket.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(plain,), daemon=True).start()

    def _serve(self, plain: socket.socket) -> None:
        try:
            with self.wrap(plain) as connection:
                while received := connection.recv(65_536):
                    self.got.append(received)
                    answer = self.plan.pop(0) if self.plan else b"+OK\r\n"
                    if answer == HANG_UP:
                        return
                    if answer is not None:
                        connection.sendall(answer)
        except OSError:
            return


@pytest.fixture
def peer() -> Iterator[Peer]:
    peer = Peer()
    yield peer
    peer.close()


def test_a_command_and_its_answer(peer: Peer) -> None:
    peer.plan = [b"*3\r\n:1\r\n$2\r\nab\r\n*1\r\n:-2\r\n"]
    assert Server("127.0.0.1", peer.port).execute_command("EVAL", "s", 0) == [1, b"ab", [-2]]
    assert peer.got == [b"*3\r\n$4\r\nEVAL\r\n$1\r\ns\r\n$1\r\n0\r\n"]


def test_commands_one_after_the_other_share_a_connection(peer: Peer) -> None:
    server = Server("127.0.0.1", peer.port)
    for _ in range(5):
        server.execute_command("PING")
    assert peer.connections == 1


def test_commands_of_threads_at_once_do_not(peer: Peer) -> None:
    server = Server("127.0.0.1", peer.port)
    peer.plan = [None, b"+second\r\n"]
    answers: list[bytes] = []
    first = threading.Thread(target=lambda: answers.append(_or_none(server)))
    first.start()
    while not peer.got:
        time.sleep(0.001)
    assert server.execute_command("SECOND") == b"second"
    peer.plan = [b"+again\r\n"]
    first.join()
    assert answers == [b"again"]
    assert peer.connections == 3


def _or_none(server: Server) -> bytes:
    return bytes(server.execute_command("FIRST"))


def test_a_connection_that_was_dropped_while_idle_is_made_again(peer: Peer) -> None:
    server = Server("127.0.0.1", peer.port)
    peer.plan = [b"+1\r\n", HANG_UP, b"+2\r\n"]
    assert server.execute_command("PING") == b"1"
    assert server.execute_command("PING") == b"2"


def test_a_server_that_says_nothing_is_given_up_after_two_tries(
    peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_wire, "REDIS_TIMEOUT", 0.1)
    peer.plan = [None, None]
    with pytest.raises(NoAnswer, match="TimeoutError"):
        Server("127.0.0.1", peer.port).execute_command("PING")
    assert len(peer.got) == 2


def test_an_answer_that_comes_too_late_is_never_taken_for_the_next_one(
    peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_wire, "REDIS_TIMEOUT", 0.1)
    server = Server("127.0.0.1", peer.port)
    peer.plan = [b"$4\r\nla", None]
    with pytest.raises(NoAnswer):
        server.execute_command("FIRST")
    peer.plan = [b"+mine\r\n"]
    assert server.execute_command("SECOND") == b"mine"


def test_no_server_is_no_answer() -> None:
    with pytest.raises(NoAnswer, match="ConnectionRefusedError"):
        Server("127.0.0.1", servers.free_port()).execute_command("PING")


def test_junk_is_no_answer(peer: Peer) -> None:
    peer.plan = [b"HTTP/1.1 400\r\n"] * 2
    with pytest.raises(NoAnswer, match="ProtocolError"):
        Server("127.0.0.1", peer.port).execute_command("PING")


def test_a_refusal_is_not_repeated_and_keeps_the_connection(peer: Peer) -> None:
    server = Server("127.0.0.1", peer.port)
    peer.plan = [b"-LOST the counters are not whole\r\n"]
    with pytest.raises(Refused, match=r"^LOST "):
        server.execute_command("EVAL")
    server.execute_command("PING")
    assert (peer.connections, len(peer.got)) == (1, 2)


def test_the_password_is_asked_for_at_every_new_connection(peer: Peer) -> None:
    passwords = iter(["old", "new"])
    server = Server("127.0.0.1", peer.port, password=lambda: next(passwords))
    server.execute_command("PING")
    server.disconnect()
    server.execute_command("PING")
    sent = [got for got in peer.got if b"AUTH" in got]
    assert [b"old" in got for got in sent] == [True, False]
    assert b"new" in sent[1]


def test_a_wrong_password_is_a_refusal(peer: Peer) -> None:
    peer.plan = [b"-WRONGPASS invalid password\r\n"]
    with pytest.raises(Refused, match="WRONGPASS"):
        Server("127.0.0.1", peer.port, password=lambda: "x").execute_command("PING")


def test_tls_takes_only_a_certificate_that_the_machine_trusts_for_the_host(
    peer: Peer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate = tmp_path / "server.pem"
    certificate.write_bytes(_certificate("localhost"))
    served = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    served.load_cert_chain(certificate)
    peer.wrap = lambda plain: served.wrap_socket(plain, server_side=True)
    with pytest.raises(NoAnswer, match="SSLCertVerificationError"):
        Server("localhost", peer.port, tls=True).execute_command("PING")
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    assert Server("localhost", peer.port, tls=True).execute_command("PING") == b"OK"
    with pytest.raises(NoAnswer, match="SSLCertVerificationError"):
        Server("127.0.0.1", peer.port, tls=True).execute_command("PING")


def _certificate(host: str) -> bytes:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, host)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.PEM) + key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
