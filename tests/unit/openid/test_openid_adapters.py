# SPDX-License-Identifier: Apache-2.0
"""The provider's ways to the room and to the secret store."""

from __future__ import annotations

import json
import socket
import threading
from typing import Any

import pytest

from tests.support.openid_room import Reply, serving
from tests.support.servers import closed_port
from waiting_room.adapters.cached_secret import CachedSecret
from waiting_room.adapters.http.public_api import MAX_RESPONSE_BYTES, PublicApi
from waiting_room.adapters.refreshing_value import FIRST_RETRY_AFTER
from waiting_room.domain.errors import (
    Gone,
    InvalidInput,
    NotServedYet,
    RoomError,
    SettingsError,
    Unavailable,
    UnknownRequest,
    WrongClientSecret,
)
from waiting_room.openid.settings import ClientSecrets

GOOD = json.dumps({"access_token": "the-token"})


class Answers:
    """A room that answers what it is told to, and remembers what it was asked."""

    def __init__(self, *replies: Reply) -> None:
        self.replies = list(replies)
        self.asked: list[tuple[str, str, dict[str, str], Any]] = []

    def __call__(self, method: str, path: str, query: Any, headers: Any, body: str) -> Reply:
        self.asked.append((method, path, dict(headers), json.loads(body)))
        return self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]


def test_the_room_is_asked_as_a_browser_would_ask_it() -> None:
    answers = Answers(Reply(200, {}, GOOD))
    with serving(answers) as url:
        room = PublicApi(f"{url}/api", "Sample")
        assert room.access_token("req", "mine") == "the-token"
        assert room.access_token("req", None) == "the-token"
    method, path, headers, body = answers.asked[0]
    assert (method, path) == ("POST", "/api/generate_token")
    assert headers["content-type"] == "application/json"
    assert body == {"event_id": "Sample", "request_id": "req", "client_secret": "mine"}
    assert answers.asked[1][3] == {"event_id": "Sample", "request_id": "req"}


@pytest.mark.parametrize(
    ("status", "error"),
    [(202, NotServedYet), (400, InvalidInput), (403, WrongClientSecret), (404, UnknownRequest),
     (410, Gone), (429, Unavailable), (500, Unavailable), (503, Unavailable), (302, Unavailable)],
)  # fmt: skip
def test_each_refusal_of_the_room_has_its_error(status: int, error: type[RoomError]) -> None:
    body = '{"error": "secret detail"}'
    with serving(Answers(Reply(status, {"Location": "http://127.0.0.1:9/"}, body))) as url:
        with pytest.raises(error) as raised:
            PublicApi(url, "Sample").access_token("req", None)
        assert "secret detail" not in str(raised.value)


@pytest.mark.parametrize("body", ["", "<html>", "[]", '{"access_token": 1}', "{}", "null",
                                  '{"access_token": "%s"}' % ("x" * MAX_RESPONSE_BYTES),
                                  ])  # fmt: skip
def test_an_answer_that_is_no_token_is_unavailable(body: str) -> None:
    with serving(Answers(Reply(200, {}, body))) as url, pytest.raises(Unavailable):
        PublicApi(url, "Sample").access_token("req", None)


def test_a_redirect_is_not_followed_with_the_visitors_secret() -> None:
    elsewhere = Answers(Reply(200, {}, GOOD))
    with serving(elsewhere) as other:
        sends = Answers(Reply(307, {"Location": f"{other}/generate_token"}, "{}"))
        with serving(sends) as url, pytest.raises(Unavailable):
            PublicApi(url, "Sample").access_token("req", "mine")
    assert not elsewhere.asked


def test_a_lost_answer_is_asked_for_once_more() -> None:
    """The room gives the same token for the same request, so asking again is safe."""
    closed_first = socket.socket()
    closed_first.bind(("127.0.0.1", 0))
    closed_first.listen()
    tries: list[int] = []

    def serve() -> None:
        for answer in (b"", b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(GOOD)):
            taken, _ = closed_first.accept()
            taken.recv(65_536)
            tries.append(1)
            if answer:
                taken.sendall(answer + GOOD.encode())
            taken.close()

    thread = threading.Thread(target=serve)
    thread.start()
    address = f"http://127.0.0.1:{closed_first.getsockname()[1]}"
    assert PublicApi(address, "Sample").access_token("req", None) == "the-token"
    thread.join(5)
    closed_first.close()
    assert len(tries) == 2


def test_a_room_that_is_not_there_is_unavailable() -> None:
    with closed_port() as port, pytest.raises(Unavailable):
        PublicApi(f"http://127.0.0.1:{port}", "Sample").access_token("req", None)


class Store:
    """A secret store that can be told to fail."""

    def __init__(self) -> None:
        self.text = '{"client_secret": "first-secret-0123"}'
        self.down = False
        self.reads = 0

    def get_secret_value(self, SecretId: str) -> dict[str, str]:
        from botocore.exceptions import EndpointConnectionError

        self.reads += 1
        if self.down:
            raise EndpointConnectionError(endpoint_url="https://secrets")
        return {"SecretString": self.text}


def test_the_client_secret_is_read_once_a_minute_and_a_rotated_one_is_taken_up() -> None:
    store, now = Store(), [0.0]
    secrets = CachedSecret(store, "id", ClientSecrets.from_json, lambda: now[0], 60)
    for _ in range(10):
        assert secrets.load().client_secret == "first-secret-0123"
    assert store.reads == 1
    store.text = '{"client_secret": "second-secret-0123"}'
    now[0] = 60.0
    assert secrets.load().client_secret == "second-secret-0123"


def test_the_last_good_secret_stays_in_use_while_the_store_is_down() -> None:
    store, now = Store(), [0.0]
    secrets = CachedSecret(store, "id", ClientSecrets.from_json, lambda: now[0], 60)
    store.down = True
    with pytest.raises(Unavailable):
        secrets.load()
    store.down, now[0] = False, FIRST_RETRY_AFTER
    secrets.load()
    store.down, now[0] = True, 62.0
    assert secrets.load().client_secret == "first-secret-0123"


def test_the_error_for_an_invalid_secret_names_the_setting() -> None:
    store = Store()
    store.text = "not json"
    with pytest.raises(SettingsError, match="OPENID_CLIENT_SECRET_ID"):
        CachedSecret(store, "id", ClientSecrets.from_json, lambda: 0.0, 60).load()
