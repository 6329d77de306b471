# SPDX-License-Identifier: Apache-2.0
"""``POST /assign_queue_num`` as API Gateway does it: model, mapping template, SQS. No function."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote_plus, urlsplit

import airspeed
import urllib3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.session import Session
from jsonschema import Draft4Validator

from deployment.local.config import QUEUE
from deployment.local.proxy_events import Answer, Call
from infrastructure import enqueue
from infrastructure.gateway_answers import NOT_A_JOIN, NOT_JSON_TYPE
from waiting_room.web import CORS, NO_STORE

TIMEOUT = urllib3.Timeout(connect=1.0, read=5.0)
SECONDS_WITHOUT_RETRY = urllib3.Retry(total=0, connect=2)  # a sent join is never sent again


class _Util:
    """``$util`` of API Gateway, as far as the template uses it."""

    @staticmethod
    def urlEncode(text: str) -> str:
        return quote_plus(text)


def render(template: airspeed.Template, body: str, request_id: str) -> str:
    """A mapping template with a request."""
    rendered: str = template.merge(
        {"util": _Util(), "input": {"body": body}, "context": {"requestId": request_id}}
    )
    return rendered


class Enqueue:
    """Checks a join and writes it to the queue."""

    def __init__(self, event_id: str, attempts: int = 50, secret_required: bool = False) -> None:
        self._model = Draft4Validator(enqueue.request_model((event_id,), secret_required))
        self._request = airspeed.Template(enqueue.REQUEST_TEMPLATE)
        self._response = airspeed.Template(enqueue.RESPONSE_TEMPLATE)
        self._session: Any = Session()
        self._pool = urllib3.PoolManager(
            maxsize=attempts, timeout=TIMEOUT, retries=SECONDS_WITHOUT_RETRY
        )
        self._url = ""
        self._signer: SigV4Auth | None = None

    def __call__(self, call: Call) -> Answer:
        """The answer to a join."""
        kind = call.headers.get("content-type", "application/json").split(";")[0].strip().lower()
        if kind != "application/json":
            return _answer(400, _error(NOT_JSON_TYPE))
        try:
            body = call.body.decode("utf-8")
            content = json.loads(body, parse_constant=_no_constant)
        except (ValueError, RecursionError):
            return _answer(400, _error(NOT_A_JOIN))
        if not self._model.is_valid(content):
            return _answer(400, _error(NOT_A_JOIN))
        status = self._send(render(self._request, body, call.request_id))
        if 400 <= status < 500:
            return _answer(400, enqueue.REFUSAL_TEMPLATE)
        if status != 200:
            return _answer(503, enqueue.FAILURE_TEMPLATE, enqueue.FAILURE_HEADERS)
        return _answer(200, render(self._response, body, call.request_id))

    def _send(self, form: str) -> int:
        """Post the form to the queue; the status, 0 without an answer."""
        if self._signer is None:
            sqs = self._session.create_client("sqs")
            found = urlsplit(sqs.get_queue_url(QueueName=QUEUE)["QueueUrl"])
            self._url = sqs.meta.endpoint_url.rstrip("/") + found.path
            self._signer = SigV4Auth(self._session.get_credentials(), "sqs", sqs.meta.region_name)
        request = AWSRequest("POST", self._url, headers={"Content-Type": enqueue.FORM}, data=form)
        self._signer.add_auth(request)
        try:
            answer = self._pool.request(
                "POST", self._url, body=form.encode(), headers=dict(request.headers.items())
            )
        except urllib3.exceptions.HTTPError:
            return 0
        return int(answer.status)


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _error(sentence: str) -> str:
    return json.dumps({"error": sentence})


def _answer(status: int, body: str, more: Mapping[str, str] | None = None) -> Answer:
    headers = {
        "Content-Type": "application/json",
        "Cache-Control": NO_STORE,
        **CORS,
        **(more or {}),
    }
    return Answer(status, tuple(headers.items()), body.encode())
