# SPDX-License-Identifier: Apache-2.0
"""The inlet's calls: signed, in time, and an increment never twice."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import urllib3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.support import servers
from waiting_room.adapters.cloudwatch_alarm import CloudWatchAlarm
from waiting_room.adapters.http.private_api import PrivateApi
from waiting_room.domain.errors import RoomError, SettingsError, Unavailable
from waiting_room.domain.events.alarms import Alarm
from waiting_room.inlet.strategies import RoomMetrics

CREDENTIALS = Credentials("AKIDEXAMPLE", "not-a-secret", "session-token")
FIGURES = {
    "generation": 3, "serving_counter": 50, "queue_counter": 90, "holes": 1, "total_tokens": 40,
    "positions_expired": 2, "active_tokens": 30,
}  # fmt: skip
DROP, SLOW = "drop", "slow"
IDS = [f"00000000-0000-4000-8000-{number:012d}" for number in range(20)]


class Server(ThreadingHTTPServer):
    """Answers what the script says, in order, then {}; keeps what it was asked."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.script: list[Any] = []
        self.asked: list[tuple[str, str, dict[str, str], bytes]] = []
        self.lock = threading.Lock()
        self.ended = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/api"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        with self.server.lock:
            self.server.asked.append((self.command, self.path, dict(self.headers), body))
            told = self.server.script.pop(0) if self.server.script else (200, {})
        if told == SLOW:
            self.server.ended.wait(20)
        if told in (DROP, SLOW):
            self.close_connection = True
            return
        status, content = told
        sent = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(sent)))
        if status == 302:
            self.send_header("Location", "http://127.0.0.1:9/")
        self.end_headers()
        self.wfile.write(sent)

    do_GET = do_POST = answer

    def log_message(self, *args: Any) -> None:
        """Quiet."""


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as made:
        threading.Thread(target=made.serve_forever, args=(0.02,), daemon=True).start()
        yield made
        made.ended.set()
        made.shutdown()


@contextmanager
def api_of(server: Server, seconds: float) -> Iterator[PrivateApi]:
    """A client that waits so long for an answer."""
    with urllib3.PoolManager(maxsize=8, retries=False, timeout=seconds) as pool:
        yield PrivateApi(
            server.url, "eu-central-1", lambda: CREDENTIALS, pool, pause=lambda _: None
        )


@pytest.fixture
def api(server: Server) -> Iterator[PrivateApi]:
    """A client that no busy machine keeps from its answer."""
    with api_of(server, 20) as made:
        yield made


def test_the_figures_are_read(server: Server, api: PrivateApi) -> None:
    server.script = [(200, FIGURES)]
    assert api.metrics("Sample") == RoomMetrics(3, 50, 90, 1, 40, 2, 30)
    assert server.asked[0][1] == "/api/metrics?event_id=Sample"


def test_requests_are_signed_for_the_api_and_the_region(server: Server, api: PrivateApi) -> None:
    server.script = [(200, {"serving_num": 7})]
    assert api.increment("An event/ü", 7, "call-1") == 7
    method, path, headers, body = server.asked[0]
    assert json.loads(body) == {
        "event_id": "An event/ü",
        "increment_by": 7,
        "call_id": "call-1",
    }
    assert headers["X-Amz-Security-Token"] == "session-token"
    assert "/eu-central-1/execute-api/aws4_request" in headers["Authorization"]
    signed = headers["Authorization"].split("SignedHeaders=")[1].split(",")[0].split(";")
    assert {"host", "x-amz-date", "content-type"} <= set(signed)
    request = AWSRequest(
        method,
        f"http://{headers['Host']}{path}",
        headers={name: text for name, text in headers.items() if name.lower() in signed},
        data=body,
    )
    request.context["timestamp"] = headers["X-Amz-Date"]
    auth = SigV4Auth(CREDENTIALS, "execute-api", "eu-central-1")
    text = auth.string_to_sign(request, auth.canonical_request(request))
    assert headers["Authorization"].endswith(f"Signature={auth.signature(text, request)}")


def test_a_throttled_increment_is_sent_again(server: Server, api: PrivateApi) -> None:
    server.script = [(429, {}), (429, {}), (200, {"serving_num": 5})]
    assert api.increment("Sample", 5, "call-1") == 5
    assert len(server.asked) == 3


@pytest.mark.parametrize("told", [DROP, (500, {}), (502, b"<html>"), (503, {}), (504, {})])
def test_an_increment_that_was_perhaps_done_is_not_sent_again(
    server: Server, api: PrivateApi, told: Any
) -> None:
    server.script = [told]
    with pytest.raises(Unavailable):
        api.increment("Sample", 5, "call-1")
    assert len(server.asked) == 1


@pytest.mark.parametrize("told", [DROP, (500, {}), (503, {}), (429, {})])
def test_reading_is_tried_again(server: Server, api: PrivateApi, told: Any) -> None:
    server.script = [told, told, (200, FIGURES)]
    assert api.metrics("Sample").serving == 50


def test_an_increment_without_an_answer_in_time_is_not_sent_again(server: Server) -> None:
    server.script = [SLOW]
    with api_of(server, 1) as api, pytest.raises(Unavailable):
        api.increment("Sample", 5, "call-1")
    assert len(server.asked) == 1


def test_reading_without_an_answer_in_time_is_tried_again(server: Server) -> None:
    server.script = [SLOW, SLOW, (200, FIGURES)]
    with api_of(server, 2) as api:
        assert api.metrics("Sample").serving == 50


def test_tries_have_an_end(server: Server, api: PrivateApi) -> None:
    server.script = [(503, {})] * 9
    with pytest.raises(Unavailable):
        api.metrics("Sample")
    assert len(server.asked) == 3


def test_no_connection_is_tried_again_even_for_an_increment() -> None:
    waits: list[float] = []
    with (
        servers.closed_port() as port,
        urllib3.PoolManager(retries=False, timeout=0.3) as pool,
    ):
        api = PrivateApi(
            f"http://127.0.0.1:{port}/api", "eu-central-1", lambda: CREDENTIALS,
            pool, waits.append,
        )  # fmt: skip
        with pytest.raises(Unavailable, match="no connection"):
            api.increment("Sample", 1, "call-1")
    assert len(waits) == 2
    assert 0.1 <= waits[0] <= 0.3 < waits[1] + 0.2 <= 0.8


def test_a_refusal_names_the_role_and_is_not_retried(server: Server, api: PrivateApi) -> None:
    server.script = [(403, {"message": "Forbidden"})]
    with pytest.raises(SettingsError, match="role"):
        api.metrics("Sample")
    assert len(server.asked) == 1


@pytest.mark.parametrize("told", [(400, {"error": "x"}), (302, {}), (200, [1]), (200, b"{")])
def test_an_answer_that_cannot_be_meant_is_an_error(
    server: Server, api: PrivateApi, told: Any
) -> None:
    server.script = [told]
    with pytest.raises(RoomError):
        api.increment("Sample", 1, "call-1")
    assert len(server.asked) == 1


def test_metrics_that_lack_figures_are_no_figures(server: Server, api: PrivateApi) -> None:
    server.script = [(200, {"generation": 1})]
    with pytest.raises(Unavailable):
        api.metrics("Sample")


def test_only_sessions_that_had_not_ended_count(server: Server, api: PrivateApi) -> None:
    server.script = [(200, {})] * 13 + [(404, {"error": "x"})] * 6 + [(400, {"error": "x"})]
    assert api.end_sessions("Sample", IDS, -1, "message-1") == 13
    sent = [json.loads(body) for *_, body in server.asked]
    assert sorted(one["request_id"] for one in sent) == IDS
    assert {one["status"] for one in sent} == {-1}
    assert {one["call_id"] for one in sent} == {"message-1"}


@pytest.mark.parametrize("told", [DROP, (503, {})])
def test_a_session_is_ended_again_with_the_same_call_id(
    server: Server, api: PrivateApi, told: Any
) -> None:
    server.script = [told, (200, {})]
    assert api.end_sessions("Sample", IDS[:1], 1, "") == 1
    first, again = (json.loads(body) for *_, body in server.asked)
    assert first == again
    assert first["call_id"]


def test_without_credentials_the_error_states_the_reason(server: Server) -> None:
    api = PrivateApi(server.url, "eu-central-1", lambda: None)
    with pytest.raises(SettingsError, match="no AWS credentials"):
        api.metrics("Sample")


def test_neither_key_nor_signature_is_logged(
    server: Server, api: PrivateApi, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    server.script = [(503, {})] * 3
    with pytest.raises(Unavailable) as told:
        api.metrics("Sample")
    for secret in ("not-a-secret", "session-token", "Signature", "AKIDEXAMPLE"):
        assert secret not in caplog.text + str(told.value)


# --- the alarm --------------------------------------------------------------------------------


@pytest.mark.server
def test_the_alarm_is_read_from_cloudwatch(moto_url: str) -> None:
    client = servers.aws_client("cloudwatch", moto_url)
    client.put_metric_alarm(
        AlarmName="Slow", MetricName="Latency", Namespace="Shop", Period=60, EvaluationPeriods=1,
        Statistic="Average", ComparisonOperator="GreaterThanThreshold", Threshold=1.0,
    )  # fmt: skip
    alarm = CloudWatchAlarm(client, "Slow")
    for state in ("OK", "ALARM", "INSUFFICIENT_DATA"):
        client.set_alarm_state(AlarmName="Slow", StateValue=state, StateReason="test")
        assert alarm() is Alarm(state)
    assert CloudWatchAlarm(client, "Nobody")() is Alarm.MISSING
    assert CloudWatchAlarm(client, "Slo")() is Alarm.MISSING


def test_a_cloudwatch_that_does_not_answer_is_unavailable() -> None:
    with servers.closed_port() as port:
        client = servers.aws_client("cloudwatch", f"http://127.0.0.1:{port}", 1)
        with pytest.raises(Unavailable):
            CloudWatchAlarm(client, "Slow")()
