# SPDX-License-Identifier: Apache-2.0
"""The inlet's calls, without a network: which are repeated, when, and what each answer means."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest
import urllib3
from botocore.credentials import Credentials

from waiting_room.adapters.http import signed_client
from waiting_room.adapters.http.private_api import PrivateApi
from waiting_room.adapters.http.signed_client import MAX_RESPONSE_BYTES
from waiting_room.domain.errors import RoomError, SettingsError, Unavailable

CREDENTIALS = Credentials("AKIDEXAMPLE", "not-a-secret")
LOST = urllib3.exceptions.ProtocolError("lost")
NEVER_SENT = urllib3.exceptions.ConnectTimeoutError()
FIGURES = {
    "generation": 3, "serving_counter": 50, "queue_counter": 90, "holes": 1, "total_tokens": 40,
    "positions_expired": 2, "active_tokens": 30,
}  # fmt: skip


class Pool:
    """Answers its script in order; keeps requests, reads and connections given back."""

    def __init__(self, *script: Any) -> None:
        self.script, self.asked = list(script), list[tuple[str, str, dict[str, Any]]]()
        self.reads: list[tuple[Any, ...]] = []
        self.given_back = 0

    def request(self, method: str, address: str, **more: Any) -> Any:
        self.asked.append((method, address, more))
        told = self.script.pop(0)
        if isinstance(told, Exception):
            raise told
        status, content = told
        text = content if isinstance(content, bytes) else json.dumps(content).encode()

        def read(longest: int, *, decode_content: bool) -> bytes:
            self.reads.append((longest, decode_content))
            return text

        return SimpleNamespace(status=status, read=read, release_conn=self._back)

    def _back(self) -> None:
        self.given_back += 1


class Api:
    """An API with a script, and the pauses it makes; chance is always 1."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *script: Any) -> None:
        self.pool, self.pauses = Pool(*script), list[float]()
        self.shares: list[tuple[float, float]] = []
        monkeypatch.setattr(signed_client.random, "uniform", self._chance)
        self.made = PrivateApi(
            "https://api.example/prod/", "eu-central-1", lambda: CREDENTIALS, self.pool,
            self.pauses.append,
        )  # fmt: skip

    def _chance(self, low: float, high: float) -> float:
        self.shares.append((low, high))
        return 1.0


BUSY = [(429, {}), (500, {}), (503, {}), (599, b"")]


@pytest.mark.parametrize("told", [*BUSY, LOST, NEVER_SENT])
def test_a_read_is_repeated_twice_with_growing_pauses(
    told: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    api = Api(monkeypatch, told, told, (200, FIGURES))
    assert api.made.metrics("a b").serving == 50
    assert api.pauses == [0.2, 0.4]
    assert api.shares == [(0.5, 1.5)] * 2
    assert {address for _, address, _ in api.pool.asked} == {
        "https://api.example/prod/metrics?event_id=a+b"
    }


@pytest.mark.parametrize("told", [*BUSY, LOST, NEVER_SENT])
def test_the_third_failure_is_raised_without_a_pause(
    told: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    api = Api(monkeypatch, told, told, told)
    with pytest.raises(Unavailable, match="the private API call /metrics failed: ") as raised:
        api.made.metrics("Sample")
    assert len(api.pauses) == 2
    assert "Sample" not in str(raised.value)


@pytest.mark.parametrize("told", [(429, {}), NEVER_SENT])
def test_an_increment_that_was_surely_not_done_is_repeated(
    told: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    api = Api(monkeypatch, told, (200, {"serving_num": 0}))
    assert api.made.increment("Sample", 5, "call") == 0
    assert len(api.pauses) == 1


@pytest.mark.parametrize("told", [(500, {}), (502, {}), LOST])
def test_an_increment_that_was_perhaps_done_is_not_repeated(
    told: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    api = Api(monkeypatch, told)
    with pytest.raises(Unavailable):
        api.made.increment("Sample", 5, "call")
    assert api.pauses == []


@pytest.mark.parametrize("status", [400, 404, 409, 499])
def test_a_refusal_is_an_error_of_the_deployment_at_once(
    status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    api = Api(monkeypatch, (status, {"error": "x"}))
    with pytest.raises(RoomError, match=f"returned status {status}") as raised:
        api.made.metrics("Sample")
    assert type(raised.value) is RoomError


@pytest.mark.parametrize("status", [401, 403])
def test_a_call_without_permission_names_the_role(
    status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SettingsError, match="role and region"):
        Api(monkeypatch, (status, {})).made.metrics("Sample")


@pytest.mark.parametrize("number", ["5", None, True, 5.5])
def test_an_increment_that_answers_no_number_perhaps_moved(
    number: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(Unavailable, match="may have been raised"):
        Api(monkeypatch, (200, {"serving_num": number})).made.increment("Sample", 5, "call")


@pytest.mark.parametrize("status", [400, 404, 410])
def test_a_session_that_cannot_be_ended_is_not_counted(
    status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    api = Api(monkeypatch, (status, {}))
    assert api.made.end_sessions("Sample", ["r"], 1, "call") == 0


def test_a_session_whose_end_is_answered_oddly_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    for told in ((409, {}), (200, []), (204, {})):
        with pytest.raises(RoomError):
            Api(monkeypatch, told).made.end_sessions("Sample", ["r"], 1, "call")


def test_no_session_needs_no_call(monkeypatch: pytest.MonkeyPatch) -> None:
    api = Api(monkeypatch)
    assert api.made.end_sessions("Sample", [], 1, "call") == 0
    assert api.pool.asked == []


def test_no_answer_is_followed_or_read_beyond_its_limit_and_connections_go_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    api = Api(monkeypatch, (200, FIGURES), (200, {"serving_num": 7}))
    api.made.metrics("Sample")
    api.made.increment("Sample", 7, "call")
    for method, _, more in api.pool.asked:
        assert more["redirect"] is False
        assert more["preload_content"] is False
        assert (more["body"] is None) is (method == "GET")
        assert ("Content-Type" in more["headers"]) is (method == "POST")
    assert api.pool.reads == [(MAX_RESPONSE_BYTES, True)] * 2
    assert api.pool.given_back == 2


def test_the_pool_of_its_own_gives_up_in_time_and_repeats_nothing() -> None:
    made = PrivateApi("https://api.example", "eu-central-1", lambda: CREDENTIALS)
    kept = made._client._pool.connection_pool_kw
    assert kept["retries"].total is False
    assert kept["maxsize"] == 32
    assert (kept["timeout"].connect_timeout, kept["timeout"].read_timeout) == (1.0, 5.0)
