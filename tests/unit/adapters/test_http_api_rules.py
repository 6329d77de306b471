# SPDX-License-Identifier: Apache-2.0
"""Each rule of the clients of the room's APIs by itself."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest
import urllib3
from botocore.credentials import Credentials

from tests.support.in_memory_room import EVENT
from tests.support.openid_room import Reply, serving
from waiting_room.adapters.http.private_api import PrivateApi
from waiting_room.adapters.http.public_api import PublicApi
from waiting_room.domain.errors import (
    PositionExpired,
    RoomError,
    Unavailable,
)


@pytest.mark.parametrize(
    ("status", "reason", "error"),
    [
        (410, "position_expired", "PositionExpired"), (410, "room_reset", "Gone"),
        (410, "other", "Gone"), (410, 5, "Gone"), (404, "position_expired", "UnknownRequest"),
        (202, "position_expired", "NotServedYet"), (403, "session_ended", "WrongClientSecret"),
    ],
)  # fmt: skip
def test_only_a_410_says_by_its_reason_why(status: int, reason: object, error: str) -> None:
    body = json.dumps({"error": "x", "reason": reason})
    with serving(lambda *_: Reply(status, {}, body)) as url, pytest.raises(RoomError) as raised:
        PublicApi(url, EVENT).access_token("req", None)
    kinds = [kind.__name__ for kind in type(raised.value).__mro__]
    assert error in kinds
    assert ("PositionExpired" in kinds) is (error == "PositionExpired")
    assert PositionExpired.__name__ == "PositionExpired"


def test_the_private_api_follows_no_redirect_with_a_signed_call() -> None:
    asked: list[str] = []

    def answer(method: str, path: str, *_: Any) -> Reply:
        asked.append(path)
        return Reply(307, {"Location": "/elsewhere"}, "{}")

    with serving(answer) as url, urllib3.PoolManager() as pool:
        api = PrivateApi(url, "eu-central-1", lambda: Credentials("a", "b"), pool, lambda _: None)
        with pytest.raises(RoomError):
            api.increment(EVENT, 1, "call")
    assert len(asked) == 1


@pytest.mark.parametrize(
    ("status", "answer", "error"),
    [
        (200, {"serving_num": True}, Unavailable), (200, {"serving_num": "5"}, Unavailable),
        (200, {}, Unavailable), (201, {"serving_num": 5}, RoomError), (199, {}, RoomError),
        (200, [5], RoomError), (404, {"serving_num": 5}, RoomError), (500, {}, Unavailable),
        (499, {}, RoomError), (599, {}, Unavailable),
    ],
)  # fmt: skip
def test_an_answer_of_the_private_api_that_is_not_a_good_200_is_an_error(
    status: int, answer: Any, error: type[Exception]
) -> None:
    class Pool:
        def request(self, *_: Any, **options: Any) -> Any:
            assert options["redirect"] is False
            return SimpleNamespace(
                status=status, read=lambda *_, **__: json.dumps(answer).encode(),
                release_conn=lambda: None,
            )  # fmt: skip

    api = PrivateApi("https://x", "r", lambda: Credentials("a", "b"), Pool(), lambda _: None)
    with pytest.raises(error) as raised:
        api.increment(EVENT, 1, "call")
    assert isinstance(raised.value, Unavailable) is (error is Unavailable)


@pytest.mark.parametrize(("code", "counts"), [(200, 1), (400, 0), (404, 0), (410, 0)])
def test_a_session_that_cannot_be_ended_any_more_is_not_counted(code: int, counts: int) -> None:
    with serving(lambda *_: Reply(code, {}, "{}")) as url:
        api = PrivateApi(url, "r", lambda: Credentials("a", "b"), None, lambda _: None)
        assert api.end_sessions(EVENT, ["r"], 1, "call") == counts
