# SPDX-License-Identifier: Apache-2.0
"""``POST /assign_queue_num`` as in API Gateway: model, mapping template, SQS; no function."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote_plus, urlsplit

import airspeed
import xmltodict
from botocore.session import Session
from jsonschema import Draft4Validator

from deployment.local.config import QUEUE
from deployment.local.gateway.proxy_events import Answer, Call
from infrastructure.blueprint import join_integration
from infrastructure.blueprint.gateway_responses import NOT_A_JOIN, NOT_JSON_TYPE
from waiting_room.adapters.http.signed_client import NoResponse, SignedClient, TimeLimits
from waiting_room.runtime.http_api import CORS, NO_STORE

LIMITS = TimeLimits(connect=1.0, read=5.0)


# Like Java's String.matches: the whole text, returns a Boolean. That of airspeed differs.
airspeed.__additional_methods__[str]["matches"] = lambda text, pattern: (
    re.fullmatch(pattern, text) is not None
)
Reading = Callable[[str], Any]


class _Util:
    """``$util`` of API Gateway: the functions that the templates use."""

    @staticmethod
    def urlEncode(text: str) -> str:
        return quote_plus(text, errors="replace")


@dataclass(frozen=True)
class _Input:
    """``$input`` of API Gateway: the functions that the templates use."""

    body: str
    content: Any

    def path(self, expression: str) -> Any:
        """Return the value at a path of names; None if it does not exist."""
        found = self.content
        for name in expression.removeprefix("$.").split("."):
            found = found.get(name) if isinstance(found, dict) else None
        return found


def read_last(body: str) -> Any:
    """Parse the first JSON value of a text leniently; of equal members the last counts.

    The parsers of API Gateway are not documented. So text after the value, a byte order mark,
    control characters, NaN and numbers of any length are accepted here. Raises ValueError.
    """
    return _read(body, dict)


def read_first(body: str) -> Any:
    """Parse like ``read_last``, but of equal members the first counts."""
    return _read(body, lambda pairs: dict(reversed(pairs)))


def _read(body: str, members: Callable[[list[tuple[str, Any]]], dict[str, Any]]) -> Any:
    decoder = json.JSONDecoder(strict=False, object_pairs_hook=members, parse_int=float)
    try:
        return decoder.raw_decode(body.lstrip("\ufeff \t\r\n"))[0]
    except RecursionError as error:
        raise ValueError("nested too deep") from error


def render(template: airspeed.Template, body: str, content: Any = None, context: Any = None) -> str:
    """Render a mapping template with a body and its parsed content."""
    given = {"util": _Util(), "input": _Input(body, content), "context": context or {}}
    rendered: str = template.merge(given)
    return rendered


class JoinIntegration:
    """Checks a join and writes it to the queue.

    ``checked`` is the parser of the request model, ``mapped`` that of the mapping template. The two
    parsers of API Gateway can differ.
    """

    def __init__(
        self,
        event_id: str,
        connections: int = 50,
        secret_required: bool = False,
        checked: Reading = read_last,
        mapped: Reading = read_last,
    ) -> None:
        self._model = Draft4Validator(join_integration.request_model(event_id, secret_required))
        self._checked, self._mapped = checked, mapped
        template = join_integration.request_template(event_id, secret_required)
        self._request = airspeed.Template(template)
        self._response = airspeed.Template(join_integration.RESPONSE_TEMPLATE)
        self._session: Any = Session()
        self._connections = connections
        self._url = ""
        self._client: SignedClient | None = None

    def __call__(self, call: Call) -> Answer:
        """Return the response to a join."""
        kind = call.headers.get("content-type", "application/json").split(";")[0].strip().lower()
        if kind != "application/json":
            return _answer(400, _error(NOT_JSON_TYPE))
        body = call.body.decode("utf-8", "replace")
        try:
            accepted = self._model.is_valid(self._checked(body))
            content = self._mapped(body)
        except ValueError:
            accepted = False
        if not accepted:
            return _answer(400, _error(NOT_A_JOIN))
        override: dict[str, int] = {}
        context = {"requestId": call.request_id, "responseOverride": override}
        status, reply = self._send(render(self._request, body, content, context))
        if 400 <= status < 500:
            return _answer(400, join_integration.REFUSAL_TEMPLATE)
        if status != 200:
            return _answer(503, join_integration.FAILURE_TEMPLATE, join_integration.FAILURE_HEADERS)
        answer = render(self._response, reply, _json_or_nothing(reply), context)
        return _answer(override.get("status", 200), answer)

    def _send(self, form: str) -> tuple[int, str]:
        """Post the form to the queue, once; return status and body, 0 without a response."""
        if self._client is None:
            sqs = self._session.create_client("sqs")
            found = urlsplit(sqs.get_queue_url(QueueName=QUEUE)["QueueUrl"])
            self._url = sqs.meta.endpoint_url.rstrip("/") + found.path
            self._client = SignedClient(
                "sqs", sqs.meta.region_name, self._session.get_credentials, LIMITS,
                connections=self._connections,
            )  # fmt: skip
        headers = join_integration.REQUEST_HEADERS
        try:
            response = self._client.send("POST", self._url, form.encode(), headers)
        except NoResponse:
            return 0, ""
        text = response.body.decode("utf-8", "replace")
        wanted = headers.get("Accept") == "application/json"
        return response.status, as_json(text) if wanted and response.status == 200 else text


def as_json(xml: str) -> str:
    """Convert the XML response of moto to the JSON response of SQS."""
    return json.dumps(xmltodict.parse(xml, xml_attribs=False))


def _json_or_nothing(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


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
