# SPDX-License-Identifier: Apache-2.0
"""What the deployment decided. One frozen dataclass, read from the environment in one place.

Limits carry the reason they have the value they have.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from waiting_room.domain.errors import InvalidInput
from waiting_room.domain.parsing import LARGEST, read_whole

MAX_INCREMENT = 1_000_000  # api-contract: beyond it an operator mistyped
MIN_VALIDITY, MAX_VALIDITY = 1, 86_400  # api-contract: one second to one day
MAX_MESSAGE = 500  # api-contract: characters (code points) of the operators' message
ROW_LIFE = 30 * 86_400  # rows leave by TTL a month after they were written
RATE_WINDOW = 300  # admission rate is measured over the last five minutes
SHORTEST_RATE = 60  # or since the room opened, but over this many seconds at least
LATEST_MOVES = 6  # moves that are never forgotten: five gaps, for pages after a long pause
SETTLE_AFTER = 90  # a reserved position is written by its worker within the worker's 30 s, or never
GENERATION_CACHE = 2.0  # with 3 s at the edge, answers from before a reset are gone in 5 s
REDIS_TIMEOUT = 1.0  # seconds to connect or to answer; three tries still fit into API Gateway's 29
AWS_CONNECT_TIMEOUT, AWS_READ_TIMEOUT, AWS_ATTEMPTS = 1.0, 2.0, 3  # 9 s at most, with pauses
MAX_KNOWN_HOLES = 1_000  # more are left to the audit: the state's row stays small and cheap
CLOCK_STEP = 600  # seconds by which the clock of a function may be believed to be wrong
MAX_STALE_SECONDS = MAX_VALIDITY  # seconds that a copy serves on which cannot be read again
STALE_AFTER = 180  # s without a success of the minute worker that make its figures stale
KEY_CACHE = 60  # seconds a function keeps the signing keys
PUBLIC_KEY_MAX_AGE = 60  # seconds the edge keeps the public keys
LOOPBACK = ("localhost", "127.0.0.1", "::1")
# of an event: its name is a part of keys and addresses, and no route takes a longer one
EVENT_ID = re.compile(r"[A-Za-z0-9_.-]{1,64}", re.ASCII)
SHOWN = 40  # characters of a wrong value that its sentence repeats
KEY_ACTIVATION_DELAY = 300  # a new key is published this long before it signs: longer than caches


class SettingsError(Exception):
    """A setting is missing or cannot be meant; the sentence names it."""


@dataclass(frozen=True, slots=True)
class EventSettings:
    """What holds for one event. Times in seconds."""

    event_id: str
    validity_period: int = 3600
    position_expiry_enabled: bool = True
    position_expiry_period: int = 900
    increment_on_expiry: bool = False
    minute_figures: bool = False  # whether the bus gets the figures each minute
    client_secret_required: bool = False


@dataclass(frozen=True, slots=True)
class RoomSettings:
    """Names and addresses of the deployment's parts, and the settings of its events."""

    events: tuple[EventSettings, ...]
    issuer: str
    redis_host: str
    redis_port: int
    redis_tls: bool
    redis_secret: str
    positions_table: str
    tokens_table: str
    serving_log_table: str
    event_bus: str
    signing_secret: str
    joins_queue: str = ""
    dead_letters: str = ""
    redrive_role_id: str = ""
    unused_position_timeout: int = SETTLE_AFTER
    key_activation_delay: int = KEY_ACTIVATION_DELAY
    signing_key_cache: int = KEY_CACHE
    public_key_max_age: int = PUBLIC_KEY_MAX_AGE
    inlet_role: str = ""  # the name of the role whose calls are the inlet's

    def event(self, event_id: str) -> EventSettings:
        """The settings of an event; the one place that knows which events there are.

        Raises InvalidInput for an event this deployment does not have.
        """
        for event in self.events:
            if event.event_id == event_id:
                return event
        raise InvalidInput("event_id is not an event of this waiting room")

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> RoomSettings:
        """Read the settings; raises SettingsError with one sentence naming what is wrong."""
        event = EventSettings(
            event_id=_event_id(env, "EVENT_ID"),
            validity_period=_number(env, "VALIDITY_PERIOD", 3600, MIN_VALIDITY, MAX_VALIDITY),
            position_expiry_enabled=_flag(env, "ENABLE_QUEUE_POSITION_EXPIRY", True),
            position_expiry_period=_number(
                env, "QUEUE_POSITION_EXPIRY_PERIOD", 900, 1, MAX_VALIDITY
            ),
            increment_on_expiry=_flag(env, "INCR_SVC_ON_QUEUE_POSITION_EXPIRY", False),
            minute_figures=_flag(env, "ENABLE_EVENTS_GENERATION", False),
            client_secret_required=_flag(env, "REQUIRE_CLIENT_SECRET", False),
        )
        return cls(
            events=(event,),
            issuer=_plain(env, "TOKEN_ISSUER"),
            redis_host=_plain(env, "REDIS_HOST"),
            redis_port=_number(env, "REDIS_PORT", 1785, 1, 65_535),
            redis_tls=_flag(env, "REDIS_TLS", True),
            redis_secret=_plain(env, "REDIS_AUTH_SECRET"),
            positions_table=_plain(env, "QUEUE_POSITIONS_TABLE"),
            tokens_table=_plain(env, "TOKENS_TABLE"),
            serving_log_table=_plain(env, "SERVING_LOG_TABLE"),
            event_bus=_plain(env, "EVENT_BUS_NAME"),
            signing_secret=_plain(env, "SIGNING_KEYS_SECRET"),
            joins_queue=_plain(env, "JOINS_QUEUE_URL"),
            dead_letters=_plain(env, "DEAD_LETTERS_URL"),
            redrive_role_id=_plain(env, "REDRIVE_ROLE_ID"),
            unused_position_timeout=_number(env, "SETTLE_AFTER", SETTLE_AFTER, 1, 3600),
            key_activation_delay=_number(
                env, "KEY_ACTIVATION_DELAY", KEY_ACTIVATION_DELAY, 0, MAX_VALIDITY
            ),
            signing_key_cache=_number(env, "SIGNING_KEY_CACHE", KEY_CACHE, 1, 300),
            public_key_max_age=_number(env, "PUBLIC_KEY_MAX_AGE", PUBLIC_KEY_MAX_AGE, 1, 300),
            inlet_role=env.get("INLET_ROLE", ""),
        )


def _text(env: Mapping[str, str], name: str) -> str:
    value = _plain(env, name)
    if not value:
        raise SettingsError(f"The setting {name} is missing.")
    return value


def _plain(env: Mapping[str, str], name: str) -> str:
    """A name or an address, empty when it is not set: printable ASCII, no space within."""
    value = env.get(name, "").strip()
    if not all("!" <= sign <= "~" for sign in value):
        raise SettingsError(f"The setting {name} must be printable ASCII without spaces.")
    return value


def _event_id(env: Mapping[str, str], name: str) -> str:
    value = _text(env, name)
    if not EVENT_ID.fullmatch(value):
        raise SettingsError(
            f"The setting {name} must be 1 to 64 letters, digits, '_', '.' or '-',"
            f" not {value[:SHOWN]!r}."
        )
    return value


def _number(env: Mapping[str, str], name: str, default: int, low: int, high: int) -> int:
    text = env.get(name, "").strip() or str(default)
    value = read_whole(text, -LARGEST, LARGEST)
    if value is None:
        raise SettingsError(f"The setting {name} must be a whole number, not {text[:SHOWN]!r}.")
    if not low <= value <= high:
        raise SettingsError(f"The setting {name} must be between {low} and {high}, not {value}.")
    return value


def _flag(env: Mapping[str, str], name: str, default: bool) -> bool:
    text = env.get(name, "").strip().lower()
    if text not in ("", "true", "false"):
        raise SettingsError(f"The setting {name} must be true or false, not {text[:SHOWN]!r}.")
    return text == "true" if text else default


def check_address(address: str, setting: str) -> str:
    """An https address without query and fragment; plain HTTP only on this machine.

    Without a slash at the end. Raises SettingsError.
    """
    try:
        parts = urlsplit(address)
        plain = parts.scheme == "http" and parts.hostname in LOOPBACK
        known = bool(parts.hostname) and (parts.scheme == "https" or plain) and parts.port != 0
        known = known and parts.username is None and "\\" not in address
    except ValueError:  # a bracket that is not closed, a port that is none
        known = False
    if (
        not known
        or parts.query
        or parts.fragment
        or not all("!" <= sign <= "~" for sign in address)
    ):
        raise SettingsError(
            f"The setting {setting} must be an https address, or an http address of this machine, "
            "with a port up to 65535."
        )
    return address.rstrip("/")
