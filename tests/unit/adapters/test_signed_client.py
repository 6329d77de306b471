# SPDX-License-Identifier: Apache-2.0
"""The signed HTTP client: attempts, pauses, limits, and what a lost response means."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import urllib3
from botocore.credentials import Credentials

from deployment.load_test.operator import Operator, OperatorError
from deployment.load_test.target import RoomUnderTest
from waiting_room.adapters.http import signed_client
from waiting_room.adapters.http.signed_client import (
    NoResponse,
    RetryPolicy,
    SignedClient,
    TimeLimits,
)
from waiting_room.domain.errors import SettingsError

URL = "https://api.example/prod/metrics?event_id=a"
LIMITS = TimeLimits(connect=1.5, read=2.5)
KEYS = Credentials("AKIDEXAMPLE", "not-a-secret")
LOST = urllib3.exceptions.ProtocolError("lost")
TIMED_OUT = urllib3.exceptions.ReadTimeoutError(None, "u", "late")  # type: ignore[arg-type]
REFUSED = urllib3.exceptions.NewConnectionError(None, "refused")  # type: ignore[arg-type]


class Pool:
    """Returns the statuses of its script in order, or raises the errors; records requests."""

    def __init__(self, *script: Any) -> None:
        self.script, self.requests = list(script), list[dict[str, Any]]()

    def request(self, method: str, url: str, **options: Any) -> Any:
        self.requests.append({"method": method, "url": url, **options})
        step = self.script.pop(0)
        if isinstance(step, Exception):
            raise step
        return SimpleNamespace(status=step, read=lambda *_, **__: b"{}", release_conn=lambda: None)


def client(pool: Pool, attempts: int = 1, pauses: list[float] | None = None) -> SignedClient:
    return SignedClient(
        "execute-api", "eu-central-1", lambda: KEYS, LIMITS, RetryPolicy(attempts, 0.5),
        pool=pool, sleep=([] if pauses is None else pauses).append,
    )  # fmt: skip


def test_without_a_policy_a_request_is_sent_once() -> None:
    pool = Pool(429)
    made = SignedClient("sqs", "eu-central-1", lambda: KEYS, LIMITS, pool=pool)
    assert made.send("POST", URL, b"x", repeatable=True).status == 429
    assert len(pool.requests) == 1


@pytest.mark.parametrize("failure", [429, REFUSED, urllib3.exceptions.ConnectTimeoutError()])
def test_a_request_that_was_not_processed_is_sent_again(failure: Any) -> None:
    pool = Pool(failure, 200)
    assert client(pool, attempts=2).send("POST", URL, b"x").status == 200


@pytest.mark.parametrize("failure", [LOST, TIMED_OUT])
def test_only_a_repeatable_request_is_sent_again_after_a_lost_response(failure: Any) -> None:
    assert client(Pool(failure, 200), attempts=2).send("GET", URL, repeatable=True).status == 200
    pool = Pool(failure, 200)
    with pytest.raises(NoResponse) as raised:
        client(pool, attempts=2).send("POST", URL, b"x")
    assert raised.value.sent
    assert len(pool.requests) == 1


@pytest.mark.parametrize("status", [500, 503, 599])
def test_only_a_repeatable_request_is_sent_again_after_a_5xx(status: int) -> None:
    assert client(Pool(status, 200), attempts=2).send("GET", URL, repeatable=True).status == 200
    assert client(Pool(status, 200), attempts=2).send("POST", URL).status == status


@pytest.mark.parametrize("status", [200, 202, 302, 400, 403, 404, 499])
def test_another_status_is_final(status: int) -> None:
    pool = Pool(status)
    assert client(pool, attempts=3).send("GET", URL, repeatable=True).status == status
    assert len(pool.requests) == 1


def test_pauses_double_and_the_last_attempt_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signed_client.random, "uniform", lambda low, high: (low + high) / 2)
    pauses: list[float] = []
    with pytest.raises(NoResponse, match="no connection") as raised:
        client(Pool(REFUSED, REFUSED, REFUSED, REFUSED), attempts=4, pauses=pauses).send("GET", URL)
    assert pauses == [0.5, 1.0, 2.0]
    assert not raised.value.sent


def test_every_attempt_is_signed_and_follows_no_redirect() -> None:
    pool = Pool(429, 200)
    client(pool, attempts=2).send("POST", URL, b"x", {"Content-Type": "text/plain"})
    for request in pool.requests:
        assert request["redirect"] is False
        assert request["preload_content"] is False
        assert "SignedHeaders=content-type;host;x-amz-date" in request["headers"]["Authorization"]


def test_the_pool_keeps_to_the_time_limits() -> None:
    made = SignedClient("sqs", "r", lambda: KEYS, LIMITS, connections=7)
    options = made._pool.connection_pool_kw
    assert (options["timeout"].connect_timeout, options["timeout"].read_timeout) == (1.5, 2.5)
    assert options["maxsize"] == 7
    assert options["retries"].total is False


def test_without_credentials_nothing_is_sent() -> None:
    pool = Pool(200)
    made = SignedClient("sqs", "r", lambda: None, LIMITS, pool=pool)
    with pytest.raises(SettingsError, match="no AWS credentials to sign requests to sqs"):
        made.send("GET", URL)
    assert not pool.requests


# --- the operator of a load test ------------------------------------------------------------------


def operator(pool: Pool) -> Operator:
    target = RoomUnderTest(
        public_api="http://r/api", private_api="http://r/private", store_api="", event_id="a b",
        region="eu-central-1", access_key_id="AKIDEXAMPLE", secret_access_key="not-a-secret",
    )  # fmt: skip
    made = Operator(target)
    made._client._pool = pool
    return made


def test_the_operator_signs_and_names_the_event() -> None:
    pool = Pool(200, 200)
    made = operator(pool)
    assert made.metrics() == {}
    made.reset()
    read, reset = pool.requests
    assert read["url"] == "http://r/private/metrics?event_id=a+b"
    assert reset["body"] == b'{"event_id": "a b"}'
    assert "/eu-central-1/execute-api/aws4_request" in reset["headers"]["Authorization"]


@pytest.mark.parametrize("failure", [429, 503, 403, REFUSED, LOST])
def test_a_failed_call_of_the_operator_is_not_repeated(failure: Any) -> None:
    pool = Pool(failure)
    with pytest.raises(OperatorError, match="/increment_serving_counter"):
        operator(pool).raise_counter(5)
    assert len(pool.requests) == 1
