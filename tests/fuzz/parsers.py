# SPDX-License-Identifier: Apache-2.0
"""Every parser of text from outside, and the errors that it may raise: those of its own domain."""

from __future__ import annotations

import base64
import io
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import Any
from unittest import mock

import jwt
from chalice.app import MultiDict

from deployment.load_test.target import is_loopback
from deployment.local import config
from deployment.local.signatures import Signatures
from infrastructure.companions import (
    AuthorizerArn,
    AuthorizerConfig,
    InletConfig,
    OpenIdConfig,
    PageConfig,
    SampleConfig,
    StacksConfig,
)
from infrastructure.config import CoreConfig
from infrastructure.parameters import ParameterError, Parameters
from sample_store import app as store
from tests import doors
from tests.inlet_world import InletWorld
from tests.openid_world import ENV, PROVIDER, OpenId
from tests.servers import ROOT
from tests.world import EVENT, START
from waiting_room import inlet, messages, oidc, queue, reading, serving, sessions, tokens, web
from waiting_room.adapters import https_json
from waiting_room.adapters.dynamodb_codes import DynamoCodes
from waiting_room.adapters.https_jwks import HttpsEndedSessions, read_keys
from waiting_room.adapters.private_api import PrivateApi
from waiting_room.adapters.room_http import HttpRoom
from waiting_room.authorizer import Accepted
from waiting_room.authorizer_settings import AuthorizerSettings
from waiting_room.errors import InvalidInput, RoomError, Unavailable
from waiting_room.gate import GateSettings, cookie
from waiting_room.inlet_control import InletControl
from waiting_room.inlet_settings import InletSettings, check_targets
from waiting_room.key_ring import check_rotation
from waiting_room.lookup import read_sought
from waiting_room.oidc_settings import ClientSecrets, OpenIdSettings
from waiting_room.publication import Publication
from waiting_room.settings import Settings, SettingsError
from waiting_room.signing import KeySet

KEY = "transaction-key-0123456789"
INLET = InletWorld()
INLET.inlet.run_periodic({"id": "first"}, lambda: 70.0)
DOOR = doors.verifier()
INLET_ENV = {
    "EVENT_ID": EVENT, "PRIVATE_API_ENDPOINT": "https://p.example", "AWS_REGION": "r",
    "SERVING_LOG_TABLE": "t",
}  # fmt: skip
ROOM_OF_THE_STORE = {
    "PublicAPIEndpoint": "https://r.example", "PrivateAPIEndpoint": "https://p.example",
    "APIGatewayRegion": "eu-central-1", "IssuerURI": "https://i.example",
}  # fmt: skip
DOOR_ENV = {
    "WAITING_ROOM_EVENT_ID": EVENT, "ISSUER": "https://i.example",
    "PUBLIC_API_ENDPOINT": "https://r.example",
}  # fmt: skip


@dataclass(frozen=True)
class Parser:
    """``call`` hands a text to the parser; ``errors`` are all that it may raise."""

    name: str
    modules: tuple[str, ...]
    call: Callable[[str], object]
    errors: tuple[type[Exception], ...] = ()


def raw(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def parsed(text: str) -> Any:
    """The text as JSON where it is some, else itself: a value of any shape."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def spelled(text: str) -> str:
    """A header that carries the text in base64."""
    return base64.b64encode(raw(text)).decode()


def request(text: str) -> Any:
    return mock.Mock(
        raw_body=raw(text), headers={"content-type": ""}, query_params=MultiDict({"x": [text]})
    )


def signed(content: bytes, header: Mapping[str, Any] | None = None) -> str:
    """A transaction with a good signature over any bytes: the client may know the secret."""
    key = oidc._derived(KEY, b"transaction")
    return jwt.PyJWS().encode(content, key, "HS256", headers=dict(header or {}))


def transaction(text: str) -> object:
    whole = {"aud": PROVIDER, "iat": START, "exp": START + 60, "request": {"client_id": "c"}}
    for content in (text, *({**whole, name: parsed(text)} for name in whole)):
        sealed = signed(raw(content if isinstance(content, str) else json.dumps(content)))
        try:
            oidc.open_transaction(sealed, KEY, PROVIDER, START)
        except InvalidInput:
            continue
    return oidc.open_transaction(text, KEY, PROVIDER, START)


def token(text: str) -> None:
    """A header of any text, and a token of the room's own key over any content."""
    DOOR.check(text)
    DOOR.check(f"Bearer {text}")
    key = doors.keys().keys[0]
    from waiting_room.signing import private_key

    header = {"kid": key.key_id}
    made = jwt.PyJWS().encode(raw(text), private_key(key.jwk), "RS256", headers=header)
    decision = DOOR.check(made)
    if isinstance(decision, Accepted):
        oidc.said_by(decision.claims)


class Pool:
    """The transport of a client whose server answers ``text`` with 200."""

    def __init__(self, text: str) -> None:
        self._text = text

    def request(self, *_: Any, **__: Any) -> Any:
        return mock.Mock(status=200, read=lambda *_, **__: raw(self._text))


def answer(text: str) -> None:
    opener = mock.Mock()
    opener.open.return_value.__enter__ = lambda _: mock.Mock(read1=io.BytesIO(raw(text)).read)
    opener.open.return_value.__exit__ = lambda *_: None
    with mock.patch.object(https_json, "_opener", return_value=opener):
        https_json.get_json("https://room.example/", 10**9)


def private(call: Callable[[PrivateApi], object]) -> Callable[[str], object]:
    from botocore.credentials import Credentials

    def made(text: str) -> object:
        api = PrivateApi("https://p.example", "r", lambda: Credentials("k", "s"), Pool(text))
        return call(api)

    return made


def row(text: str) -> object:
    """A row of the codes' table with any value."""
    client = mock.Mock()
    value = parsed(text)
    client.update_item.return_value = {"Attributes": {"position": value, "sealed": {"S": value}}}
    return DynamoCodes(client, "t").redeem("h", EVENT, START)


def notice(text: str) -> None:
    value = parsed(text)
    sns = {"MessageId": value, "Message": value}
    for record in (value, {"Sns": value}, {"Sns": sns}, {"Sns": {"Message": text}}):
        INLET.inlet._departures([record], ())


def stream(text: str) -> None:
    value = parsed(text)
    image = {"event_id": {"S": EVENT}, "generation": {"N": text}, "at": value}
    for record in (value, {"eventName": value}, {"eventName": "INSERT", "dynamodb": value},
                   {"eventName": "INSERT", "dynamodb": {"NewImage": image}}):  # fmt: skip
        messages.read_outcomes({"Records": [record]})


def basic(text: str) -> None:
    provider = OpenId().provider
    form = [("grant_type", "authorization_code"), ("code", text), ("client_id", EVENT)]
    for header in (text, f"Basic {text}", f"Basic {spelled(text)}", f"Basic {spelled('a:' + text)}",
                   f"Basic {spelled(EVENT + ':' + text)}"):  # fmt: skip
        assert provider.token(form[:1], header).status in (400, 401)
    assert provider.token(form, "").status in (400, 401)
    assert provider.user_info(f"Bearer {text}").status == 401


def signature(text: str) -> None:
    """A signed call whose headers, path and query are the text, one after the other."""
    key, region, day = "FUZZ", "eu-central-1", "20261124"
    said = (
        f"AWS4-HMAC-SHA256 Credential={key}/{day}/{region}/execute-api/aws4_request,"
        f" SignedHeaders=host, Signature={'0' * 64}"
    )
    known = {"host": "room", "x-amz-date": f"{day}T100000Z", "authorization": said}
    checker, now = Signatures(key, "secret", region), datetime(2026, 11, 24, 10, tzinfo=UTC)
    for name in known:
        assert checker.refusal("GET", "/api/inlet", "", {**known, name: text}, b"", now)
    assert checker.refusal("GET", text, text, known, raw(text), now)


def message(text: str) -> None:
    from tests.world import World

    World().room.set_message(EVENT, text)


def looked_up(text: str) -> None:
    """The text as each of the three parameters, one after the other; all are tried."""
    refused = None
    for given in ((text, None, None), (None, text, None), (None, None, text)):
        try:
            read_sought(*given)
        except InvalidInput as error:
            refused = error
    if refused:
        raise refused


def named(error: Exception, name: str) -> Exception:
    """The error, which must name what it refuses."""
    if name not in str(error):
        raise AssertionError(f"{error} does not name {name}")
    return error


def env(kind: Any, known: Mapping[str, str], names: tuple[str, ...]) -> Callable[[str], object]:
    """Each setting in turn has the text as its value; whichever is refused, all are tried."""

    def read(text: str) -> None:
        refused = None
        for name in names:
            try:
                kind.from_env({**known, name: text})
            except SettingsError as error:
                refused = named(error, name)
        if refused:
            raise refused

    return read


def context(kind: type[Parameters], known: Mapping[str, str]) -> Callable[[str], object]:
    """Each parameter in turn has the text, or the JSON in it, as its value."""

    def read(text: str) -> None:
        refused = None
        for _, parameter in kind.known():
            for value in (text, parsed(text)):
                try:
                    kind.from_context({**known, parameter.name: value})
                except ParameterError as error:
                    refused = named(error, parameter.name)
        if refused:
            raise refused

    return read


def local(text: str) -> None:
    refused = None
    for name in (*config.DOORS.values(), "REDIS_URL", "AWS_ENDPOINT_URL", "INLET", "BRAND",
                 "MINUTE_SECONDS", "ASSIGN_WORKERS", "KEY_ROTATION_DAYS",
                 "OPENID_REDIRECT_URIS", "SITE_ENTRANCE"):  # fmt: skip
        try:
            config.read({name: text}, ROOT)
        except config.ConfigError as error:
            refused = named(error, name)
    if refused:
        raise refused


GATE = {
    "event_id": EVENT, "issuer": "i", "public_api": "https://room.example/api",
    "waiting_room_url": "https://room.example/", "secret": "s" * 32,
}  # fmt: skip


def gate(text: str) -> None:
    """Each member of a gate's settings in turn has the text, a list of it, or the JSON in it."""
    refused = None
    for member in fields(GateSettings):
        for value in (text, [text], parsed(text)):
            try:
                GateSettings.from_mapping({**GATE, member.name: value})
            except SettingsError as error:
                refused = named(error, member.name)
    if refused:
        raise refused


def values(text: str) -> None:
    """Members of bodies, each checked by the rule that owns it."""
    value = parsed(text)
    refused = None
    for check in (
        serving.check_increment, tokens.check_validity, tokens.check_issuer, sessions.check_status,
        queue.check_request_id, INLET.inlet.report_health,
        lambda one: InletControl(INLET.store, time.time).change(EVENT, one, None),
        lambda one: check_targets(INLET.inlet._settings.strategy, {}, one),
        lambda one: web.text({"x": one}, "x", longest=36),
        lambda one: web.client_secret({"client_secret": one}, 256),
    ):  # fmt: skip
        try:
            check(value)
        except InvalidInput as error:
            refused = error
    if refused:
        raise refused


ROOM = (
    "EVENT_ID", "VALIDITY_PERIOD", "ENABLE_QUEUE_POSITION_EXPIRY", "QUEUE_POSITION_EXPIRY_PERIOD",
    "REDIS_PORT", "REDIS_TLS", "REDIS_HOST", "TOKEN_ISSUER", "SETTLE_AFTER", "KEY_ACTIVATION_DELAY",
    "SIGNING_KEY_CACHE", "PUBLIC_KEY_MAX_AGE", "TOKENS_TABLE", "REQUIRE_CLIENT_SECRET",
)  # fmt: skip
PARSERS = (
    Parser("body", ("web", "reading"), lambda text: web.body(request(text)), (InvalidInput,)),
    Parser("query", ("web",), lambda text: web.query(request(text), "x"), (InvalidInput,)),
    Parser("number in a query", ("web",), lambda text: web.whole_number(text, "x", 1, 9),
           (InvalidInput,)),
    Parser("page mark", ("web",), web.page_mark, (InvalidInput,)),
    Parser("members of bodies", ("web",), values, (InvalidInput,)),
    Parser("operators' message", ("web", "plain_text"), message, (InvalidInput,)),
    Parser("look-up", ("lookup",), looked_up, (InvalidInput,)),
    Parser("JSON", ("reading",), lambda text: reading.json_value(text, "it"), (InvalidInput,)),
    Parser("JSON in bytes", ("reading",), lambda text: reading.json_value(raw(text), "it"),
           (InvalidInput,)),
    Parser("whole number", ("reading",), lambda text: reading.read_whole(text, -10, 10)),
    Parser("form", ("oidc",), lambda text: oidc.single_values(
        oidc.form_pairs(raw(text), "application/x-www-form-urlencoded"), ("a", text)),
        (InvalidInput,)),
    Parser("content type of a form", ("oidc",), lambda text: oidc.form_pairs(b"", text),
           (InvalidInput,)),
    Parser("values of a form", ("oidc",), lambda text: oidc.single_values(
        [("state", text), ("code", text), (text, text)], ("state", "code")), (InvalidInput,)),
    Parser("transaction", ("oidc",), transaction, (InvalidInput,)),
    Parser("code", ("oidc", "adapters.openid_provider", "adapters.authlib_server"), basic),
    Parser("sealed token", ("oidc",), lambda text: oidc.unseal("code", text),
           (oidc.InvalidToken,)),
    Parser("address of a client", ("oidc",), lambda text: oidc.check_redirect_uris([text]),
           (ValueError,)),
    Parser("claims", ("oidc",), lambda text: oidc.said_by(
        dict.fromkeys(("sub", "queue_position", "iat", "exp"), parsed(text))),
        (oidc.InvalidToken,)),
    Parser("row of a code", ("adapters.dynamodb_codes",), row),
    Parser("signature", ("deployment",), signature),
    Parser("token", ("authorizer",), token, (oidc.InvalidToken,)),
    Parser("claim that the gateway passes on", ("sample_store",),
           lambda text: store._count("exp", text), (InvalidInput,)),
    Parser("secret of the client", ("oidc_settings",), ClientSecrets.from_json, (SettingsError,)),
    Parser("secret of the keys", ("signing",), KeySet.from_json, (ValueError,)),
    Parser("published keys", ("publication",),
           lambda text: Publication.from_json(text, 1, "", 0), (ValueError,)),
    Parser("key to revoke", ("key_ring",), lambda text: check_rotation({"revoke": parsed(text)}),
           (InvalidInput,)),
    Parser("departures", ("inlet",), inlet.read_departures, (InvalidInput,)),
    Parser("SNS records", ("inlet_runs",), notice),
    Parser("figures", ("inlet",), lambda text: inlet.Figures.from_metrics(
        dict.fromkeys(inlet.METRICS.values(), parsed(text))), (ValueError,)),
    Parser("tick", ("messages",), lambda text: messages.read_tick({"time": parsed(text)})),
    Parser("stream records", ("messages",), stream),
    Parser("answer over HTTPS", ("adapters.https_json",), answer, (Unavailable,)),
    Parser("key set", ("adapters.https_jwks",), lambda text: read_keys(parsed(text)),
           (Unavailable,)),
    Parser("key", ("adapters.https_jwks",), lambda text: read_keys(
        {"kty": "RSA", "kid": text, "n": parsed(text), "e": text}), (Unavailable,)),
    Parser("ended sessions", ("adapters.https_jwks",), lambda text: HttpsEndedSessions(
        "https://r.example", EVENT, 5.0, get=lambda *_: parsed(text)).has("x"), (Unavailable,)),
    Parser("token of the room", ("adapters.room_http",), lambda text: HttpRoom(
        "https://r.example", EVENT, Pool(text)).access_token("x", None), (RoomError,)),
    Parser("figures of the private API", ("adapters.private_api",),
           private(lambda api: api.figures(EVENT)), (RoomError, SettingsError)),
    Parser("counter of the private API", ("adapters.private_api",),
           private(lambda api: api.increment(EVENT, 1, "a")), (RoomError, SettingsError)),
    Parser("settings of the room", ("settings",), env(Settings, {"EVENT_ID": EVENT}, ROOM),
           (SettingsError,)),
    Parser("settings of a door", ("authorizer_settings",),
           env(AuthorizerSettings, DOOR_ENV,
               (*DOOR_ENV, "KEY_CACHE_SECONDS", "REVOCATION_CHECK", "REVOCATION_CACHE_SECONDS")),
           (SettingsError,)),
    Parser("settings of an inlet", ("inlet_settings",),
           env(InletSettings, INLET_ENV,
               (*INLET_ENV, "INCREMENT_BY", "TICKS_PER_MINUTE", "NO_SHOW_AFTER", "START_TIME",
                "INLET_STRATEGY", "ON_INSUFFICIENT_DATA")), (SettingsError,)),
    Parser("settings of the provider", ("oidc_settings",),
           env(OpenIdSettings, ENV, (
               *ENV, "OPENID_RESTART_AFTER", "OPENID_RESTART_URL", "SIGNING_KEY_CACHE",
               "OPENID_REQUEST_ID_CODES")),
           (SettingsError,)),
    Parser("parameters", ("infrastructure",), context(CoreConfig, {}), (ParameterError,)),
    Parser("parameters of an inlet", ("infrastructure",), context(InletConfig, {}),
           (ParameterError,)),
    Parser("parameters of the store", ("infrastructure",), context(SampleConfig, ROOM_OF_THE_STORE),
           (ParameterError,)),
    Parser("parameters of the provider", ("infrastructure",),
           context(OpenIdConfig, {"OpenIdRedirectUris": "https://a.example/"}), (ParameterError,)),
    Parser("parameters of the authorizer", ("infrastructure",),
           context(AuthorizerConfig, ROOM_OF_THE_STORE), (ParameterError,)),
    Parser("parameters of the page", ("infrastructure",),
           context(PageConfig, {"SiteEntrance": "https://a.example/b"}), (ParameterError,)),
    Parser("settings of a gate", ("gate",), gate, (SettingsError,)),
    Parser("address to come back to", ("gate",), cookie.unpack),
    Parser("ARN", ("infrastructure",),
           context(AuthorizerArn, {}), (ParameterError,)),
    Parser("stacks", ("infrastructure",), context(StacksConfig, {}), (ParameterError,)),
    Parser("settings of make run", ("deployment",), local, (config.ConfigError,)),
    Parser("address of a load test", ("deployment",), is_loopback),
)  # fmt: skip
BY_NAME = {parser.name: parser for parser in PARSERS}

# modules that call one of the functions below, and whose texts are in no parser above
OWN = {
    "queue": "join messages: tests/fuzz/test_events.py",
    "adapters.dynamodb_inlet": "a row that this project alone writes",
    "adapters.dynamodb_serving_log": "rows that this project alone writes",
    "adapters.dynamodb_checkpoints": "rows that this project alone writes",
}
CALLS = {
    "loads", "b64decode", "urlsafe_b64decode", "parse_qs", "parse_qsl", "urlsplit", "unquote",
    "fromisoformat", "strptime", "json_object", "json_value", "read_whole",
    "get_unverified_header", "extract_basic_authorization",
}  # fmt: skip
