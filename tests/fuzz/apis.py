# SPDX-License-Identifier: Apache-2.0
"""The APIs as the gateway serves them, on a room in memory; each signs what must be signed."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest import mock
from urllib.parse import parse_qs

import requests.auth
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

import apps.inlet.app
import apps.private_api.app
import apps.public_api.app
import apps.token_authorizer.app
from apps.openid import app as openid_app
from deployment.local.gateway.chalice_apps import load
from deployment.local.gateway.join_integration import JoinIntegration
from deployment.local.gateway.rest_api import RestApi, document
from deployment.local.gateway.sigv4 import SERVICE, Signatures
from deployment.local.gateway.token_authorizer import TokenAuthorizer
from infrastructure.blueprint import discovery, join_integration
from tests.support.fakes.admission import MemoryAdmissionStates, MemoryAlarms
from tests.support.in_memory_room import EVENT, ISSUER, InMemoryRoom, settings
from tests.support.inlet_room import InletHarness
from tests.support.openid_room import OpenId
from tests.support.real_stores import RealRoom
from waiting_room.authorizer.verifier import Expected, Verifier
from waiting_room.inlet.control import InletControl
from waiting_room.runtime.lambda_events import read_joins
from waiting_room.use_cases import change_log
from waiting_room.use_cases.events.room_alarms import RoomAlarms

REGION, KEY_ID, SECRET = "eu-central-1", "FUZZ", "fuzz-secret"
EDGE_KEY = "the-edge-alone-knows"


class SignV4(requests.auth.AuthBase):
    """Signs a request as an operator does."""

    def __init__(self, key_id: str = KEY_ID, secret: str = SECRET) -> None:
        self._signer = SigV4Auth(Credentials(key_id, secret), SERVICE, REGION)

    def __call__(self, request: Any) -> Any:
        kept = {
            name: value
            for name, value in request.headers.items()
            if name.lower() in ("content-type", "host")
        }
        signed = AWSRequest(request.method, request.url, headers=kept, data=request.body or b"")
        self._signer.add_auth(signed)
        for name in ("Authorization", "X-Amz-Date"):
            request.headers[name] = signed.headers[name]
        return request


@dataclass
class Apis:
    """The APIs by the name of their document, over one room whose visitors stand everywhere."""

    in_memory_room: InMemoryRoom = field(default_factory=InMemoryRoom)

    def __post_init__(self) -> None:
        self.in_memory_room.room.workers.setup.run()
        self.openid = OpenId(in_memory_room=self.in_memory_room)
        self.inlet = InletHarness()
        self.inlet.inlet.run_periodic({"id": "first"}, lambda: 70.0)
        self.ids = self._visitors()
        self.token = self._token()
        self.transactions: list[str] = []
        self.codes: list[str] = []
        self.apps: dict[str, RestApi] = {}

    def _visitors(self) -> list[str]:
        """Request ids: done, gone, inside, at their turn, waiting, protected, unknown."""
        visitors = self.in_memory_room.visitors(12)
        self.in_memory_room.serve(6)
        for number, visitor in enumerate(visitors[:4]):
            self.in_memory_room.token(visitor)
            if number < 2:
                self.in_memory_room.room.sessions.end(EVENT, visitor, 1 - 2 * number)
        protected = self.in_memory_room.join(secret_hash="0" * 64)
        self.in_memory_room.room.workers.assignment.assign(EVENT, [protected])
        return [*visitors, protected.request_id, str(uuid.UUID(int=7 << 76))]

    def _token(self) -> str:
        """An access token of a room of its own, for the store."""
        room = InMemoryRoom(clock=self.in_memory_room.clock)
        room.keys = self.in_memory_room.keys
        room.room = room.new_room()
        visitor = room.visitors(1)[0]
        room.serve(1)
        token: str = room.token(visitor)["access_token"]
        return token

    def joined(self, form: str) -> tuple[int, str]:
        """The queue and its worker at once: what the gateway wrote becomes a place."""
        sent = {name: values[0] for name, values in parse_qs(form, strict_parsing=True).items()}
        if "MessageBody" not in sent:
            return 400, ""
        message = {
            "messageId": str(uuid.uuid4()),
            "body": sent["MessageBody"],
            "attributes": {"SentTimestamp": str(int(self.in_memory_room.clock.now * 1000))},
        }
        joins, dead = read_joins({"Records": [message]}, json.loads(message["body"])["event_id"])
        assert not dead, f"a join was accepted and cannot become a place: {message['body']!r}"
        if sent["MessageGroupId"] == EVENT:
            self.in_memory_room.room.workers.assignment.assign(EVENT, joins)
        return 200, sqs_answer(message["messageId"])


def sqs_answer(message_id: object) -> str:
    """Return the body of the SQS response in JSON to ``SendMessage``."""
    return json.dumps({"SendMessageResponse": {"SendMessageResult": {"MessageId": message_id}}})


def room_on_real_stores(real: RealRoom) -> InMemoryRoom:
    """Return a room on real stores; its clock is the one of the tests."""
    made = InMemoryRoom()
    made.counters, made.log = real.counters(), real.log
    made.positions, made.outcomes = real.positions, real.outcomes
    made.room = made.new_room()
    return made


@contextmanager
def apis(in_memory_room: InMemoryRoom | None = None) -> Iterator[Apis]:
    """The APIs, served while the context lasts."""
    made = Apis(in_memory_room or InMemoryRoom())
    signatures = Signatures(KEY_ID, SECRET, REGION)
    join = JoinIntegration(EVENT)
    join._send = made.joined  # type: ignore[method-assign]
    keys = made.openid.provider._verifier.keys
    verifier = Verifier(Expected(EVENT, ISSUER), keys, made.in_memory_room.clock)
    control = InletControl(made.inlet.store, time.time, change_log.record)
    chosen = settings(**made.in_memory_room.options)
    alarms = RoomAlarms(
        MemoryAlarms(), MemoryAlarms(), MemoryAdmissionStates(), "WaitingRoom", time.monotonic
    )
    with ExitStack() as stack:
        for module, name, value in (
            (apps.public_api.app, "room", lambda: made.in_memory_room.room),
            (apps.private_api.app, "room", lambda: made.in_memory_room.room),
            (apps.private_api.app, "settings", lambda: chosen),
            (apps.private_api.app, "_inlet", lambda: control),
            (
                apps.private_api.app,
                "event_documents",
                lambda: made.in_memory_room.event_documents,
            ),
            (apps.private_api.app, "event_records", lambda: made.in_memory_room.event_records),
            (apps.private_api.app, "room_alarms", lambda: alarms),
            (apps.private_api.app, "gate_sources", lambda: made.in_memory_room.gate_sources),
            (openid_app, "provider", lambda: made.openid.provider),
            (apps.inlet.app, "settings", lambda: mock.Mock(event_id=EVENT)),
            (apps.inlet.app, "inlet", lambda: made.inlet.inlet),
            (apps.token_authorizer.app, "verifier", lambda: verifier),
        ):
            stack.enter_context(mock.patch.object(module, name, value))
        made.transactions = [made.openid.authorize().sent["transaction"]]
        inside = made.ids[2:5]
        turns = [made.openid.resume(made.transactions[0], visitor) for visitor in inside]
        made.codes = [*(turn.sent["code"] for turn in turns), "unknown"]
        arn = f"arn:aws:execute-api:{REGION}:123456789012:store"
        found = document(discovery.document(ISSUER, ISSUER), discovery.HEADERS)
        door = TokenAuthorizer(apps.token_authorizer.app.token_authorizer, arn)
        made.apps = {
            "public": RestApi(
                "public", load("public_api"), threads=1, api_key=EDGE_KEY,
                integrations={
                    ("POST", join_integration.PATH): join,
                    ("GET", discovery.PATH): found, ("HEAD", discovery.PATH): found,
                },
                keyless=[discovery.PATH],
            ),
            "private": RestApi("private", load("private_api"), threads=1, signatures=signatures),
            "openid": RestApi("openid", load("openid"), threads=1, cors=False),
            "store": RestApi("store", load("sample_store"), threads=1, plain=True, authorizer=door),
        }  # fmt: skip
        yield made
        for app in made.apps.values():
            app.close()
