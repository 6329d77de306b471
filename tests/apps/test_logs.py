# SPDX-License-Identifier: Apache-2.0
"""Invariant 9: a whole journey with every logger at its loudest shows no secret and no event."""

from __future__ import annotations

import hashlib
import json
import logging
import time
import uuid
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

import apps.inlet.app
import apps.private_api.app
import apps.public_api.app
import apps.sample_store.app
import apps.token_authorizer.app
import apps.workers.app
from apps.openid import app as openid_app
from infrastructure.blueprint.resources import CODES
from tests.fuzz.apis import SignV4
from tests.support.lambda_proxy_events import call, proxy_event
from tests.support.openid_room import CLIENT_SECRET, Reply, invoke, serving
from tests.support.servers import Valkey, aws_client, create_table, create_tables
from tests.support.templates.lambda_process import ENV
from waiting_room.adapters import aws
from waiting_room.runtime import wiring

pytestmark = pytest.mark.server
ARN = "arn:aws:execute-api:eu-central-1:123456789012:abc/api/GET/checkout"
MINE = "what-only-this-browser-knows"
ADDRESS = "203.0.113.77"
CACHES = (
    wiring.room, wiring.settings, aws.client, aws.session, openid_app.provider,
    apps.token_authorizer.app.verifier, apps.inlet.app.inlet, apps.inlet.app.settings,
)  # fmt: skip


def deploy(aws_url: str) -> dict[str, str]:
    """Make what the functions need; answers their settings."""
    prefix = f"logs-{uuid.uuid4().hex[:8]}"
    dynamodb, secrets = aws_client("dynamodb", aws_url), aws_client("secretsmanager", aws_url)
    names = {
        **create_tables(dynamodb, prefix),
        CODES.setting: f"{prefix}-codes",
        "SIGNING_KEYS_SECRET": f"{prefix}-keys",
        "GATE_KEYS_SECRET": f"{prefix}-gate-keys",
        "OPENID_CLIENT_SECRET_ID": f"{prefix}-client",
        "EVENT_BUS_NAME": f"{prefix}-bus",
    }
    create_table(dynamodb, CODES, names[CODES.setting])
    client = json.dumps({"client_secret": CLIENT_SECRET})
    for setting in ("SIGNING_KEYS_SECRET", "GATE_KEYS_SECRET"):
        secrets.create_secret(Name=names[setting], SecretString="{}")
    secrets.create_secret(Name=names["OPENID_CLIENT_SECRET_ID"], SecretString=client)
    aws_client("events", aws_url).create_event_bus(Name=names["EVENT_BUS_NAME"])
    return {**names, "EVENT_ID": prefix, "WAITING_ROOM_EVENT_ID": prefix}


class Journey:
    """The functions of one deployment in this process, and everything that nobody may read."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self.event_id, self.env = env["EVENT_ID"], env
        self.signature = _signature()
        self.secrets = {CLIENT_SECRET, MINE, self.signature.split("Signature=")[1]}
        self.headers: list[str] = []

    def answer(
        self, method: str, path: str, query: Any, headers: Mapping[str, str], body: str
    ) -> Reply:
        """The public and private APIs behind a port, for the parts that call them."""
        self.headers.append(headers.get("authorization", ""))
        _, name, route = path.split("/", 2)
        app = {"public": apps.public_api.app.app, "private": apps.private_api.app.app}[name]
        return invoke(app, method, f"/{route}", query, headers, body)

    def who(self, request_id: str) -> dict[str, str]:
        return {"event_id": self.event_id, "request_id": request_id}

    def post(self, app: Any, path: str, body: Any, headers: Mapping[str, str]) -> Any:
        return call(app, "POST", path, body=body, headers=headers)


@pytest.fixture
def journey(monkeypatch: pytest.MonkeyPatch, moto_url: str, valkey: Valkey) -> Iterator[Journey]:
    env = {
        **ENV, **deploy(moto_url), "AWS_ENDPOINT_URL": moto_url, "REDIS_PORT": str(valkey.port),
        "START_TIME": "0", "ENABLE_EVENTS_GENERATION": "true", "KEY_ACTIVATION_DELAY": "0",
        "INLET_STRATEGY": "Periodic",
    }  # fmt: skip
    made = Journey(env)
    with serving(made.answer) as address:
        env["PUBLIC_API_ENDPOINT"] = f"{address}/public"
        env["PRIVATE_API_ENDPOINT"] = f"{address}/private"
        for name, value in env.items():
            monkeypatch.setenv(name, value)
        for name in ("authlib", "botocore", "urllib3"):  # as if nobody had hushed them yet
            monkeypatch.setattr(logging.getLogger(name), "level", logging.NOTSET)
            logging.getLogger(name).manager._clear_cache()  # type: ignore[attr-defined]
        for cached in CACHES:
            cached.cache_clear()
        yield made
        for cached in CACHES:
            cached.cache_clear()


def travel(journey: Journey) -> None:
    """Join, wait, be served, take a token, shop, log in, leave; with mistakes on the way."""
    signed = {"Authorization": journey.signature, "X-Amz-Date": "20261124T100000Z", "Cookie": "a=b",
              "X-Forwarded-For": ADDRESS, "X-Client-Address": ADDRESS}  # fmt: skip
    journey.secrets.add(ADDRESS)
    apps.workers.app.set_up({}, None)
    ids = [str(uuid.uuid4()) for _ in range(3)]
    journey.secrets.update(ids)  # whoever reads a log must not be able to take a place
    hashed = hashlib.sha256(MINE.encode()).hexdigest()
    bodies = [{"event_id": journey.event_id, "client_secret_hash": hashed}] * 2 + [{"junk": MINE}]
    apps.workers.app.assign_positions(
        {"Records": [_message(rid, body) for rid, body in zip(ids, bodies, strict=True)]}, None
    )
    public, private = apps.public_api.app.app, apps.private_api.app.app
    for path in public.routes:
        call(public, "GET" if path != "/generate_token" else "POST", path,
             query=journey.who(ids[0]), headers=signed)  # fmt: skip
    apps.inlet.app.periodic_inlet({"id": "one"}, None)
    up = {"event_id": journey.event_id, "increment_by": 5}
    assert journey.post(private, "/increment_serving_counter", up, signed).status == 200
    asked = {**journey.who(ids[0]), "client_secret": "wrong-" + MINE}
    assert journey.post(public, "/generate_token", asked, signed).status == 403
    asked["client_secret"] = MINE
    tokens = journey.post(public, "/generate_token", asked, signed).json
    for name in ("access_token", "refresh_token", "id_token"):
        journey.secrets.update({tokens[name], tokens[name].split(".")[2]})
    for header in (f"Bearer {tokens['access_token']}", tokens["id_token"], "junk." + MINE):
        _enter(header)
    _log_in(journey, ids[1])
    image = _image(journey, ids[0])
    change = {"eventName": "INSERT", "dynamodb": {"NewImage": image}}
    apps.workers.app.publish_events({"Records": [change, {"eventName": "INSERT"}]}, None)
    done = {**journey.who(ids[0]), "status": 1}
    assert journey.post(private, "/update_session", done, signed).status == 200
    assert journey.post(public, "/generate_token", asked, signed).status == 410
    for name in ("sweep_positions", "report_metrics", "rotate_keys"):
        getattr(apps.workers.app, name)({}, None)
    apps.public_api.app.room().metrics.status_page = _broken
    try:
        assert (
            call(public, "GET", "/status", query=journey.who(ids[0]), headers=signed).status == 500
        )
    finally:
        del apps.public_api.app.room().metrics.status_page
    assert journey.post(private, "/reset_initial_state", done, signed).status == 200


def _broken(*_: object) -> None:
    raise RuntimeError("broken on purpose: " + MINE)


def _signature() -> str:
    import requests

    asked = requests.Request("POST", "http://room/api/inlet", data="{}").prepare()
    return str(SignV4()(asked).headers["Authorization"])


def _message(request_id: str, body: object) -> dict[str, Any]:
    return {
        "messageId": request_id,
        "body": json.dumps(body),
        "attributes": {"SentTimestamp": str(int(time.time() * 1000))},
    }


def _image(journey: Journey, request_id: str) -> dict[str, Any]:
    return {
        "event_id": {"S": journey.event_id}, "generation": {"N": "1"}, "position": {"N": "1"},
        "request_id": {"S": request_id}, "kind": {"S": "token"}, "at": {"N": "1"},
        "expires_at": {"N": str(int(time.time()) + 3600)}, "session_status": {"S": "open"},
    }  # fmt: skip


def _enter(header: str) -> None:
    event = {"type": "TOKEN", "methodArn": ARN, "authorizationToken": header}
    try:
        policy = apps.token_authorizer.app.token_authorizer(event, None)
    except apps.token_authorizer.app.Unauthorized:
        return
    if policy["context"]:
        event = proxy_event("GET", "/checkout", authorizer=policy["context"])
        assert apps.sample_store.app.app(event, None)["statusCode"] == 200


def _log_in(journey: Journey, request_id: str) -> None:
    form = {"content-type": "application/x-www-form-urlencoded"}
    callback = journey.env["OPENID_REDIRECT_URIS"]
    asked = [("client_id", journey.event_id), ("redirect_uri", callback), ("state", MINE),
             ("response_type", "code"), ("scope", "openid"), ("nonce", MINE)]  # fmt: skip
    begun = invoke(openid_app.app, "GET", "/authorize", asked)
    transaction = begun.sent["transaction"]
    sent = f"transaction={transaction}&request_id={request_id}&client_secret={MINE}"
    back = invoke(openid_app.app, "POST", "/authorize/continue", None, form, sent)
    code = back.sent["code"]
    journey.secrets.update({code, transaction})
    redeem = (
        f"grant_type=authorization_code&code={code}&client_id={journey.event_id}"
        f"&redirect_uri={callback}&client_secret="
    )
    for secret in ("wrong-" + CLIENT_SECRET, CLIENT_SECRET):
        last = invoke(openid_app.app, "POST", "/token", None, form, redeem + secret)
    for name in ("access_token", "id_token"):
        journey.secrets.update({last.json[name], last.json[name].split(".")[2]})
    assert (
        invoke(openid_app.app, "POST", "/token", None, form, redeem + CLIENT_SECRET).status == 400
    )
    user = {"authorization": "Bearer " + last.json["access_token"]}
    assert invoke(openid_app.app, "GET", "/userInfo", None, user).status == 200
    user = {"authorization": "Bearer " + transaction}
    assert invoke(openid_app.app, "GET", "/userInfo", None, user).status == 401


def private_parts(journey: Journey, aws_url: str) -> set[str]:
    """The signing keys' private members, as Secrets Manager holds them."""
    store = aws_client("secretsmanager", aws_url)
    name = journey.env["SIGNING_KEYS_SECRET"]
    text = store.get_secret_value(SecretId=name, VersionStage="AWSCURRENT")["SecretString"]
    found = [part.split('"')[0] for name in "dpq" for part in text.split(f'"{name}": "')[1:]]
    assert len(found) >= 3
    return set(found)


def test_the_loudest_log_of_a_journey_has_no_secret_and_no_event(
    journey: Journey,
    moto_url: str,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    with caplog.at_level(logging.DEBUG):
        travel(journey)
    said = caplog.text + "".join(capfd.readouterr())
    assert "status: unexpected RuntimeError\n" in said  # it is the log that we look at
    assert "test_logs.py" in said  # and it says where
    assert "refused" in said
    used = [header.split("Signature=")[1] for header in journey.headers if "Signature=" in header]
    assert used, "the inlet signs its calls"
    for secret in {*journey.secrets, *private_parts(journey, moto_url), *used}:
        assert secret not in said, f"{secret[:6]}…, {len(secret)} characters"
    for part in ("requestContext", "multiValueHeaders", "messageAttributes", "AWS4-HMAC", "Bearer ",
                 "NewImage", "Cookie", "SecretString"):  # fmt: skip
        assert part not in said, part
