# SPDX-License-Identifier: Apache-2.0
"""Every parser of text from outside, and the errors that it may raise: those of its own domain.

The module has more than 300 lines because it is one table.
"""

from __future__ import annotations

import base64
import contextlib
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

from apps.sample_store import app as store
from deployment.load_test.target import is_loopback
from deployment.local import config
from deployment.local.gateway.sigv4 import Signatures
from infrastructure.parameters.core import CoreConfig
from infrastructure.parameters.optional_stacks import (
    AuthorizerArn,
    AuthorizerConfig,
    InletConfig,
    OpenIdConfig,
    PageConfig,
    SampleConfig,
    StacksConfig,
)
from infrastructure.parameters.parameter import ParameterError, Parameters
from tests.support.in_memory_room import EVENT, START
from tests.support.inlet_room import InletHarness
from tests.support.openid_room import ENV, PROVIDER, OpenId
from tests.support.servers import ROOT
from tests.support.tokens import keys, verifier
from waiting_room.adapters.dynamodb.openid_codes import DynamoCodes
from waiting_room.adapters.http import json_get, room_probes
from waiting_room.adapters.http.private_api import PrivateApi
from waiting_room.adapters.http.public_api import PublicApi
from waiting_room.adapters.http.room_keys import HttpsEndedSessions, read_keys
from waiting_room.authorizer.verifier import Accepted
from waiting_room.domain import joins, parsing, serving_counter, sessions, tokens
from waiting_room.domain.errors import InvalidInput, RoomError, SettingsError, Unavailable
from waiting_room.domain.events.brand import BrandError, checked_brand
from waiting_room.domain.gate import opening, watchdog
from waiting_room.domain.gate import request as gate_request
from waiting_room.domain.published_keys import Publication
from waiting_room.domain.signing_keys import KeySet
from waiting_room.domain.visitor_lookup import parse_visitor_query
from waiting_room.gate import GateSettings, cookie
from waiting_room.inlet import strategies
from waiting_room.inlet.control import InletControl
from waiting_room.inlet.exit_notices import new_exit_notices, parse_exit_notice
from waiting_room.inlet.settings import check_targets
from waiting_room.openid import protocol
from waiting_room.openid.settings import ClientSecrets
from waiting_room.runtime import http_api, lambda_events, session_views
from waiting_room.runtime.settings.authorizer import read_authorizer_settings
from waiting_room.runtime.settings.inlet import read_inlet_settings
from waiting_room.runtime.settings.openid import read_openid_settings
from waiting_room.runtime.settings.room import read_room_settings
from waiting_room.use_cases import change_log
from waiting_room.use_cases.key_rotation import check_rotation

KEY = "transaction-key-0123456789"
INLET = InletHarness()
INLET.inlet.run_periodic({"id": "first"}, lambda: 70.0)
DOOR = verifier()
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


def brand(text: str) -> None:
    """The text as each member of a brand, and in each place of one."""
    for member in ("name", "logo", "colors", "colors_dark", "texts", "currency"):
        for value in (text, parsed(text), {text: text}, {"en": {text: text}}, {"en": parsed(text)}):
            with contextlib.suppress(BrandError):
                checked_brand({member: value})
    checked_brand({text: text})


def spelled(text: str) -> str:
    """A header that carries the text in base64."""
    return base64.b64encode(raw(text)).decode()


def request(text: str) -> Any:
    return mock.Mock(
        raw_body=raw(text), headers={"content-type": ""}, query_params=MultiDict({"x": [text]})
    )


def entrance_form(text: str) -> object:
    headers = {"content-type": session_views.FORM}
    return session_views.read_content(mock.Mock(raw_body=raw(text), headers=headers))


def signed(content: bytes, header: Mapping[str, Any] | None = None) -> str:
    """A transaction with a good signature over any bytes: the client may know the secret."""
    key = protocol._derive_key(KEY, b"transaction")
    return jwt.PyJWS().encode(content, key, "HS256", headers=dict(header or {}))


def transaction(text: str) -> object:
    whole = {"aud": PROVIDER, "iat": START, "exp": START + 60, "request": {"client_id": "c"}}
    for content in (text, *({**whole, name: parsed(text)} for name in whole)):
        sealed = signed(raw(content if isinstance(content, str) else json.dumps(content)))
        try:
            protocol.open_transaction(sealed, KEY, PROVIDER, START)
        except InvalidInput:
            continue
    return protocol.open_transaction(text, KEY, PROVIDER, START)


def token(text: str) -> None:
    """A header of any text, and a token of the room's own key over any content."""
    DOOR.check(text)
    DOOR.check(f"Bearer {text}")
    key = keys().keys[0]
    from waiting_room.domain.signing_keys import private_key

    header = {"kid": key.key_id}
    made = jwt.PyJWS().encode(raw(text), private_key(key.jwk), "RS256", headers=header)
    decision = DOOR.check(made)
    if isinstance(decision, Accepted):
        protocol.parse_access_token(decision.claims)


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
    with mock.patch.object(json_get, "_opener", return_value=opener):
        json_get.get_json("https://room.example/", 10**9)


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
        new_exit_notices([record], ())


def stream(text: str) -> None:
    value = parsed(text)
    image = {"event_id": {"S": EVENT}, "generation": {"N": text}, "at": value}
    for record in (value, {"eventName": value}, {"eventName": "INSERT", "dynamodb": value},
                   {"eventName": "INSERT", "dynamodb": {"NewImage": image}}):  # fmt: skip
        lambda_events.read_outcomes({"Records": [record]})


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
    from tests.support.in_memory_room import InMemoryRoom

    InMemoryRoom().room.control.set_message(EVENT, text)


def looked_up(text: str) -> None:
    """The text as each of the three parameters, one after the other; all are tried."""
    refused = None
    for given in ((text, None, None), (None, text, None), (None, None, text)):
        try:
            parse_visitor_query(*given)
        except InvalidInput as error:
            refused = error
    if refused:
        raise refused


def named(error: Exception, name: str) -> Exception:
    """The error, which must name what it refuses."""
    if name not in str(error):
        raise AssertionError(f"{error} does not name {name}")
    return error


def env(reader: Any, known: Mapping[str, str], names: tuple[str, ...]) -> Callable[[str], object]:
    """Each setting in turn has the text as its value; whichever is refused, all are tried."""

    def read(text: str) -> None:
        refused = None
        for name in names:
            try:
                reader({**known, name: text})
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
    for name in (*config.LISTENERS.values(), "REDIS_URL", "AWS_ENDPOINT_URL", "INLET", "BRAND",
                 "SCHEDULE_MINUTE_SECONDS", "ASSIGN_WORKERS", "KEY_ROTATION_DAYS",
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
        serving_counter.check_increment, tokens.check_validity, tokens.check_issuer,
        sessions.check_status,
        joins.check_request_id,
        lambda one: InletControl(INLET.store, time.time, change_log.record).change(
            EVENT, one, None),
        lambda one: check_targets(INLET.inlet._settings.strategy, {}, one),
        lambda one: http_api.text({"x": one}, "x", longest=36),
        lambda one: http_api.client_secret({"client_secret": one}, 256),
    ):  # fmt: skip
        try:
            check(value)
        except InvalidInput as error:
            refused = error
    if refused:
        raise refused


ROOM = (
    "EVENT_ID", "VALIDITY_PERIOD", "ENABLE_QUEUE_POSITION_EXPIRY", "QUEUE_POSITION_EXPIRY_PERIOD",
    "REDIS_PORT", "REDIS_TLS", "REDIS_HOST", "TOKEN_ISSUER", "UNUSED_POSITION_TIMEOUT",
    "KEY_ACTIVATION_DELAY", "SIGNING_KEY_CACHE_SECONDS", "PUBLIC_KEY_CACHE_SECONDS",
    "TOKENS_TABLE", "REQUIRE_CLIENT_SECRET",
)  # fmt: skip
PARSERS = (
    Parser("brand", ("domain.events.brand",), brand, (BrandError,)),
    Parser("body", ("runtime.http_api", "domain.parsing"),
           lambda text: http_api.body(request(text)), (InvalidInput,)),
    Parser("query", ("runtime.http_api",),
           lambda text: http_api.query(request(text), "x"), (InvalidInput,)),
    Parser("number in a query", ("runtime.http_api",),
           lambda text: http_api.whole_number(text, "x", 1, 9),
           (InvalidInput,)),
    Parser("query of a gate's request", ("domain.gate.request",), gate_request.parameters),
    Parser("page mark", ("runtime.http_api",), http_api.decode_page_token, (InvalidInput,)),
    Parser("members of bodies", ("runtime.http_api",), values, (InvalidInput,)),
    Parser("operators' message", ("runtime.http_api", "domain.operator_message"),
           message, (InvalidInput,)),
    Parser("look-up", ("domain.visitor_lookup",), looked_up, (InvalidInput,)),
    Parser("JSON", ("domain.parsing",),
           lambda text: parsing.json_value(text, "it"), (InvalidInput,)),
    Parser("JSON in bytes", ("domain.parsing",), lambda text: parsing.json_value(raw(text), "it"),
           (InvalidInput,)),
    Parser("whole number", ("domain.parsing",), lambda text: parsing.read_whole(text, -10, 10)),
    Parser("form", ("openid.protocol",), lambda text: protocol.single_values(
        protocol.form_pairs(raw(text), "application/x-www-form-urlencoded"), ("a", text)),
        (InvalidInput,)),
    Parser("form of the entrance", ("runtime.session_views",), entrance_form, (InvalidInput,)),
    Parser("content type of a form", ("openid.protocol",),
           lambda text: protocol.form_pairs(b"", text),
           (InvalidInput,)),
    Parser("values of a form", ("openid.protocol",), lambda text: protocol.single_values(
        [("state", text), ("code", text), (text, text)], ("state", "code")), (InvalidInput,)),
    Parser("transaction", ("openid.protocol",), transaction, (InvalidInput,)),
    Parser("code", ("openid.protocol", "openid.provider", "openid.authlib_server"), basic),
    Parser("sealed token", ("openid.protocol",), lambda text: protocol.unseal("code", text),
           (protocol.InvalidToken,)),
    Parser("address of a client", ("openid.protocol",),
           lambda text: protocol.check_redirect_uris([text]),
           (ValueError,)),
    Parser("claims", ("openid.protocol",), lambda text: protocol.parse_access_token(
        dict.fromkeys(("sub", "queue_position", "iat", "exp"), parsed(text))),
        (protocol.InvalidToken,)),
    Parser("row of a code", ("adapters.dynamodb.openid_codes",), row),
    Parser("signature", ("deployment",), signature),
    Parser("token", ("authorizer.verifier",), token, (protocol.InvalidToken,)),
    Parser("claim that the gateway passes on", ("apps.sample_store",),
           lambda text: store._count("exp", text), (InvalidInput,)),
    Parser("secret of the client", ("openid.settings",), ClientSecrets.from_json, (SettingsError,)),
    Parser("secret of the keys", ("domain.signing_keys",), KeySet.from_json, (ValueError,)),
    Parser("published keys", ("domain.published_keys",),
           lambda text: Publication.from_json(text, 1, "", 0), (ValueError,)),
    Parser("key to revoke", ("use_cases.key_rotation",),
           lambda text: check_rotation({"revoke": parsed(text)}),
           (InvalidInput,)),
    Parser("exit notices", ("inlet.exit_notices",), parse_exit_notice, (InvalidInput,)),
    Parser("SNS records", ("inlet.exit_notices",), notice),
    Parser("figures", ("inlet.strategies",), lambda text: strategies.RoomMetrics.from_metrics(
        dict.fromkeys(strategies.METRICS.values(), parsed(text))), (ValueError,)),
    Parser("tick", ("runtime.lambda_events",),
           lambda text: lambda_events.read_tick({"time": parsed(text)})),
    Parser("stream records", ("runtime.lambda_events",), stream),
    Parser("answer over HTTPS", ("adapters.http.json_get",), answer, (Unavailable,)),
    Parser("response to the watchdog", ("adapters.http.room_probes",),
           lambda text: room_probes.parse_response(raw(text)), (room_probes.InvalidResponse,)),
    Parser("head of a response to the watchdog", ("adapters.http.room_probes",),
           lambda text: room_probes.parse_response(b"HTTP/1.1 200 OK\r\n" + raw(text)),
           (room_probes.InvalidResponse,)),
    Parser("body of a response to the watchdog", ("domain.gate.watchdog",),
           lambda text: [watchdog.read_response(one, EVENT, 200, raw(text))
                         for one in (watchdog.STATUS, watchdog.ENTER)]),
    Parser("state in the edge's store", ("domain.gate.opening",),
           lambda text: [opening.opened({"e:a": text}, START),
                         opening.opening_changes({"e:a": text}, ["a"], START),
                         opening.with_openings({"e:a": text}, {"e:a": text}, START)]),
    Parser("key set", ("adapters.http.room_keys",), lambda text: read_keys(parsed(text)),
           (Unavailable,)),
    Parser("key", ("adapters.http.room_keys",), lambda text: read_keys(
        {"kty": "RSA", "kid": text, "n": parsed(text), "e": text}), (Unavailable,)),
    Parser("ended sessions", ("adapters.http.room_keys",), lambda text: HttpsEndedSessions(
        "https://r.example", EVENT, 5.0, get=lambda *_: parsed(text)).has("x"), (Unavailable,)),
    Parser("token of the room", ("adapters.http.public_api",), lambda text: PublicApi(
        "https://r.example", EVENT, Pool(text)).access_token("x", None), (RoomError,)),
    Parser("figures of the private API", ("adapters.http.private_api",),
           private(lambda api: api.metrics(EVENT)), (RoomError, SettingsError)),
    Parser("counter of the private API", ("adapters.http.private_api",),
           private(lambda api: api.increment(EVENT, 1, "a")), (RoomError, SettingsError)),
    Parser("settings of the room", ("runtime.settings.room", "runtime.settings.environment"),
           env(read_room_settings, {"EVENT_ID": EVENT}, ROOM),
           (SettingsError,)),
    Parser("settings of a door", ("runtime.settings.authorizer",),
           env(read_authorizer_settings, DOOR_ENV,
               (*DOOR_ENV, "KEY_CACHE_SECONDS", "REVOCATION_CHECK", "REVOCATION_CACHE_SECONDS")),
           (SettingsError,)),
    Parser("settings of an inlet", ("runtime.settings.inlet",),
           env(read_inlet_settings, INLET_ENV,
               (*INLET_ENV, "INCREMENT_BY", "TICKS_PER_MINUTE", "NO_SHOW_AFTER", "START_TIME",
                "INLET_STRATEGY", "ON_INSUFFICIENT_DATA")), (SettingsError,)),
    Parser("settings of the provider", ("runtime.settings.openid",),
           env(read_openid_settings, ENV, (
               *ENV, "OPENID_RESTART_AFTER", "OPENID_RESTART_URL", "SIGNING_KEY_CACHE_SECONDS",
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
    "domain.joins": "join messages: tests/fuzz/test_events.py",
    "apps.command_line": "responses of the room's own API: tests/unit/command_line",
    "adapters.dynamodb.admission": "an item that this project alone writes",
    "adapters.dynamodb.audit_items": "items that this project alone writes",
    "adapters.dynamodb.history": "items that this project alone writes",
    "adapters.dynamodb.events": "items that this project alone writes",
    "domain.events.registry": "entries that this project alone writes",
    "adapters.dynamodb.inlet": "a row that this project alone writes",
    "adapters.dynamodb.packed_moves": "rows that this project alone writes: test_packed_moves.py",
    "adapters.dynamodb.serving_log": "rows that this project alone writes",
    "adapters.dynamodb.checkpoints": "rows that this project alone writes",
    "adapters.outbox": "rows that this project alone writes: tests/contract/test_outbox.py",
    "adapters.http.gate_configuration": "the room's own response: tests/unit/site_gate",
    "runtime.room_words": "the texts of the waiting page, files of this project",
    "domain.gate.explanation": "an operator's own address: test_explanation.py",
    "domain.gate.root_keys": "a secret that this project alone writes: test_root_keys.py",
    "runtime.settings.entrance": "a setting of the deployment: test_entrance.py",
    "site_gate.asgi": "paths of requests: tests/unit/site_gate",
}
CALLS = {
    "loads", "b64decode", "urlsafe_b64decode", "parse_qs", "parse_qsl", "urlsplit", "unquote",
    "fromisoformat", "strptime", "json_object", "json_value", "read_whole",
    "get_unverified_header", "extract_basic_authorization",
}  # fmt: skip
