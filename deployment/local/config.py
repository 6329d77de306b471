# SPDX-License-Identifier: Apache-2.0
"""The configuration of the local stack, and the environment of its functions."""

from __future__ import annotations

import json
import math
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from deployment.local import operator_sign_in
from infrastructure.blueprint.brand import plain_brand
from infrastructure.blueprint.resources import CODES, COUNTERS, MAX_ROTATION_DAYS, TABLES, Table
from waiting_room.domain.errors import InvalidInput, SettingsError
from waiting_room.domain.events.brand import BrandError, checked_brand
from waiting_room.domain.parsing import check_address, json_object, read_whole
from waiting_room.domain.room_settings import CountersStore
from waiting_room.runtime.settings.authorizer import read_authorizer_settings
from waiting_room.runtime.settings.inlet import read_inlet_settings
from waiting_room.runtime.settings.openid import read_openid_settings
from waiting_room.runtime.settings.room import REDIS_SETTINGS, read_room_settings

STAGE = "api"
PREFIX = "waiting-room"  # of the names of tables, queues and other resources
QUEUE, DEAD_LETTERS = f"{PREFIX}-joins", f"{PREFIX}-joins-dead"
EXIT_NOTICES, EXIT_TOPIC = f"{PREFIX}-exit-notices", f"{PREFIX}-exit-topic"  # queue, topic
BUS_EVENTS = f"{PREFIX}-bus-events"  # a queue that receives all bus events, for inspection
OPENID_SECRET, SIGNING_SECRET = f"{PREFIX}-openid", f"{PREFIX}-signing-keys"
GATE_SECRET = f"{PREFIX}-gate-keys"
REDRIVE_ROLE = f"{PREFIX}-redrive"
BUS = f"{PREFIX}-WaitingRoomEventBus"

# The credentials of the inlet's role, as Lambda provides them.
INLET_ROLE, INLET_KEY_ID, INLET_SECRET = (
    f"{PREFIX}-inlet",
    "INLET_ACCESS_KEY_ID",
    "INLET_SECRET_KEY",
)

# Listening sockets of the gateway: name → setting of its port (default: any free port).
LISTENERS = {
    "public_api": "PUBLIC_API_PORT",
    "origin": "ORIGIN_PORT",
    "private_api": "PRIVATE_API_PORT",
    "store_api": "STORE_API_PORT",
    "openid": "OPENID_PORT",
    "waiting_room": "WAITING_ROOM_PORT",
    "console": "CONSOLE_PORT",
    "shop": "SHOP_PORT",
    "identity_pool": "IDENTITY_POOL_PORT",
}
DEFAULTS = {
    "EVENT_ID": "Sample",
    "VALIDITY_PERIOD": "3600",
    "ENABLE_EVENTS_GENERATION": "true",
    "ENABLE_QUEUE_POSITION_EXPIRY": "true",
    "QUEUE_POSITION_EXPIRY_PERIOD": "900",
    "INCR_SVC_ON_QUEUE_POSITION_EXPIRY": "false",
    "UNUSED_POSITION_TIMEOUT": "10",  # seconds; local workers finish within a few
    "EVENT_BUS_NAME": BUS,
    "SIGNING_KEYS_SECRET": SIGNING_SECRET,
    "GATE_KEYS_SECRET": GATE_SECRET,
    "OPENID_CLIENT_SECRET_ID": OPENID_SECRET,
    "OPENID_REDIRECT_URIS": "http://127.0.0.1:8080/callback http://localhost:8080/callback",
    "AWS_REGION": "eu-central-1",
    "POWERTOOLS_SERVICE_NAME": "waiting-room",
    "KEY_ROTATION_DAYS": "0",
    "SCHEDULE_MINUTE_SECONDS": "60",  # of the schedules; tests do not wait that long
    "ASSIGN_WORKERS": "1",  # one keeps the order of joins of the same second, several are faster
    "BRAND": "{}",  # of the waiting page, JSON
    "STORE_DELAY": "31",  # s until the edge of the shop sees a change; shorter in tests only
    "SITE_ENTRANCE": "",  # the URL of the gate that receives the token
    **operator_sign_in.DEFAULTS,
    **{table.setting: f"{PREFIX}-{table.name}" for table in (*TABLES, CODES)},
}
SHORTEST_MINUTE, LONGEST_MINUTE = 0.1, 3600  # seconds
MOST_WORKERS = 64  # processes of this machine
SHOWN = 40  # characters of an invalid value that the message repeats
SERVERLESS = "serverless"
PROFILES = ("standard", "cheap", SERVERLESS)  # the first two are the same here: one Valkey
INLETS = {"periodic": "Periodic", "max-size": "MaxSize"}
AUTOMATIC = "automatic"  # value of INLET: the automatic admission of the event, without an inlet


class ConfigError(Exception):
    """A setting is invalid; the message names it."""


@dataclass(frozen=True)
class Config:
    """The configuration. ``env`` is the environment of functions; port 0 is any free port.

    With ``serverless`` there is no Redis: the counters are in DynamoDB.
    """

    folder: Path
    keep: bool
    serverless: bool
    ports: Mapping[str, int]
    valkey_port: int
    aws_port: int
    redis_url: str
    aws_url: str
    events: str  # file of events, or empty
    env: dict[str, str] = field(default_factory=dict)

    @property
    def kept(self) -> Path:
        """Return the folder of the state that KEEP saves."""
        return self.folder / "kept"


def read(env: Mapping[str, str], root: Path) -> Config:
    """Read and check the configuration; raise ConfigError."""
    serverless = _profile(env) == SERVERLESS
    redis_url, aws_url = env.get("REDIS_URL", ""), env.get("AWS_ENDPOINT_URL", "")
    _check_url("REDIS_URL", redis_url, ("redis", "rediss"))
    _check_url("AWS_ENDPOINT_URL", aws_url, ("http", "https"))
    _check_url(operator_sign_in.ISSUER, env.get(operator_sign_in.ISSUER, ""), ("http", "https"))
    handlers = {name: value for name, value in env.items() if value or name not in DEFAULTS}
    for name, value in DEFAULTS.items():
        handlers.setdefault(name, value)
    _choose_counters(handlers, serverless)
    handlers["INLET_STRATEGY"] = _inlet(env.get("INLET", ""))
    if env.get("INLET") == AUTOMATIC and not env.get("ADMISSION_STRATEGY"):
        handlers["ADMISSION_STRATEGY"] = "both"
    handlers["AWS_DEFAULT_REGION"] = handlers["AWS_REGION"]
    if not (aws_url and env.get("AWS_ACCESS_KEY_ID") and env.get("AWS_SECRET_ACCESS_KEY")):
        # Credentials of a real account are removed: the local stack does not need them.
        for name in ("AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_DEFAULT_PROFILE"):
            handlers.pop(name, None)
        handlers["AWS_ACCESS_KEY_ID"] = "LOCAL" + secrets.token_hex(7).upper()
        handlers["AWS_SECRET_ACCESS_KEY"] = secrets.token_hex(20)
    handlers["INLET_ROLE"] = INLET_ROLE
    handlers[INLET_KEY_ID] = "LOCAL" + secrets.token_hex(7).upper()
    handlers[INLET_SECRET] = secrets.token_hex(20)
    handlers["AWS_EC2_METADATA_DISABLED"] = "true"
    _check_settings(handlers)
    handlers["PAGE_BRAND"] = plain_brand(json.loads(handlers["BRAND"]))
    for name in ("NO_PROXY", "no_proxy"):
        handlers[name] = ",".join(filter(None, (env.get(name, ""), "127.0.0.1,localhost")))
    return Config(
        folder=Path(env.get("LOCAL_DIR") or root / ".local").absolute(),
        keep=env.get("KEEP", "").lower() not in ("", "0", "false", "no"),
        serverless=serverless,
        ports={name: _port(env, setting) for name, setting in LISTENERS.items()},
        valkey_port=0 if redis_url else _port(env, "REDIS_PORT"),
        aws_port=_port(env, "AWS_PORT"),
        redis_url=redis_url,
        aws_url=aws_url,
        events=env.get("EVENTS", ""),
        env=handlers,
    )


def listener_urls(ports: Mapping[str, int]) -> dict[str, str]:
    """The address of each listener; APIs stand under their stage, as on AWS."""
    sites = ("waiting_room", "console", "shop", "identity_pool")
    return {
        name: f"http://127.0.0.1:{port}/{'' if name in sites else STAGE}"
        for name, port in ports.items()
    }


def tables(env: Mapping[str, str]) -> tuple[Table, ...]:
    """Return the tables of a room with this environment."""
    return (*TABLES, CODES, *([COUNTERS] if has_table_counters(env) else []))


def has_table_counters(env: Mapping[str, str]) -> bool:
    """Return whether the functions with this environment have their counters in DynamoDB."""
    return env.get("COUNTERS_STORE") == CountersStore.DYNAMODB.value


def complete(env: dict[str, str], urls: Mapping[str, str], redis_url: str, aws_url: str) -> None:
    """Add the addresses to the environment of functions; values set by the user stay.

    ``redis_url`` is empty without Redis.
    """
    found = {"AWS_ENDPOINT_URL": aws_url}
    if redis_url:
        redis = urlsplit(redis_url)
        found |= {
            "REDIS_HOST": redis.hostname or "",
            "REDIS_PORT": str(redis.port or 6379),
            "REDIS_TLS": "true" if redis.scheme == "rediss" else "false",
        }
    defaults = {
        "TOKEN_ISSUER": urls["public_api"],
        "PUBLIC_API_ENDPOINT": urls["public_api"],
        "PRIVATE_API_ENDPOINT": urls["private_api"],
        "STORE_API_ENDPOINT": urls["store_api"],
        "WAITING_ROOM_EVENT_ID": env["EVENT_ID"],
        "WAITING_ROOM_URL": urls["waiting_room"],
        "OPENID_ISSUER": urls["openid"],
        "IDENTITY_POOL_ENDPOINT": urls["identity_pool"].rstrip("/"),
    }
    env.update(found)
    for name, value in defaults.items():
        env[name] = env.get(name) or value
    env["ISSUER"] = env.get("ISSUER") or env["TOKEN_ISSUER"]


def _profile(env: Mapping[str, str]) -> str:
    profile = env.get("PROFILE", "") or PROFILES[0]
    if profile not in PROFILES:
        raise ConfigError(f"PROFILE must be one of {', '.join(PROFILES)}, not {profile[:SHOWN]!r}.")
    for name in ("REDIS_URL", "REDIS_PORT"):
        if profile == SERVERLESS and env.get(name):
            raise ConfigError(f"{name} must be empty: PROFILE={SERVERLESS} has no Redis.")
    return profile


def _choose_counters(handlers: dict[str, str], serverless: bool) -> None:
    """Set the store of the counters, whatever the user's environment contains."""
    handlers["COUNTERS_STORE"] = (
        CountersStore.DYNAMODB.value if serverless else CountersStore.REDIS.value
    )
    if serverless:
        for name in REDIS_SETTINGS:
            handlers.pop(name, None)
        handlers.setdefault(COUNTERS.setting, f"{PREFIX}-{COUNTERS.name}")


def _port(env: Mapping[str, str], name: str) -> int:
    text = env.get(name, "") or "0"
    port = read_whole(text, 0, 65_535)
    if port is None:
        raise ConfigError(f"{name} must be a port number, not {text[:SHOWN]!r}.")
    return port


def _check_settings(env: Mapping[str, str]) -> None:
    """Check all settings before any process starts."""
    # placeholders for addresses that are known after the start
    later = dict.fromkeys(
        ("TOKEN_ISSUER", "ISSUER", "PUBLIC_API_ENDPOINT", "PRIVATE_API_ENDPOINT",
         "WAITING_ROOM_URL", "OPENID_ISSUER"), "http://127.0.0.1/api"
    )  # fmt: skip
    whole = {**later, "WAITING_ROOM_EVENT_ID": env["EVENT_ID"]}
    whole.update({name: value for name, value in env.items() if value})
    try:
        read_room_settings(whole)
        read_authorizer_settings(whole)
        read_inlet_settings(whole)
        read_openid_settings(whole)
    except SettingsError as error:
        raise ConfigError(str(error)) from None
    try:
        checked_brand(json_object(env["BRAND"], "BRAND"))
    except InvalidInput:
        raise ConfigError("BRAND must be a JSON object.") from None
    except BrandError as error:
        raise ConfigError(f"BRAND: {error}.") from None
    if entrance := env["SITE_ENTRANCE"]:
        try:
            path = urlsplit(check_address(entrance, "SITE_ENTRANCE")).path
        except SettingsError as error:
            raise ConfigError(str(error)) from None
        if not path:
            raise ConfigError("SITE_ENTRANCE must have the path of the gate's entrance.")
    try:
        minute = float(env["SCHEDULE_MINUTE_SECONDS"])
    except ValueError:
        minute = math.nan
    if not SHORTEST_MINUTE <= minute <= LONGEST_MINUTE:  # false for NaN too
        raise ConfigError(
            "SCHEDULE_MINUTE_SECONDS must be a number of seconds"
            f" from {SHORTEST_MINUTE} to {LONGEST_MINUTE}."
        )
    if read_whole(env["KEY_ROTATION_DAYS"], 0, MAX_ROTATION_DAYS) is None:
        raise ConfigError(
            f"KEY_ROTATION_DAYS must be a whole number from 0 to {MAX_ROTATION_DAYS}."
        )
    if read_whole(env["STORE_DELAY"], 0, 60) is None:
        raise ConfigError("STORE_DELAY must be a whole number of seconds from 0 to 60.")
    if read_whole(env["ASSIGN_WORKERS"], 1, MOST_WORKERS) is None:
        raise ConfigError(f"ASSIGN_WORKERS must be a whole number from 1 to {MOST_WORKERS}.")


def _inlet(name: str) -> str:
    names = (*INLETS, AUTOMATIC)
    if name and name not in names:
        raise ConfigError(f"INLET must be one of {', '.join(names)}, not {name[:SHOWN]!r}.")
    return INLETS.get(name, "")


def _check_url(name: str, url: str, schemes: tuple[str, ...]) -> None:
    try:
        parts = urlsplit(url)
        known = parts.scheme in schemes and bool(parts.hostname) and parts.port != 0
    except ValueError:  # an unclosed bracket or an invalid port
        known = False
    if url and not known:
        raise ConfigError(
            f"{name} must be an address with {' or '.join(schemes)}, not {url[:SHOWN]!r}."
        )
