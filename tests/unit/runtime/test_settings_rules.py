# SPDX-License-Identifier: Apache-2.0
"""The limits and defaults of every setting, each at its edge."""

from __future__ import annotations

import json
from typing import Any

import pytest

from waiting_room.authorizer.settings import AuthorizerSettings
from waiting_room.authorizer.verifier import Expected
from waiting_room.domain.errors import InvalidInput, SettingsError
from waiting_room.domain.limits import ROW_LIFE, SHOWN
from waiting_room.domain.parsing import LARGEST, check_address
from waiting_room.domain.room_settings import CountersStore, EventSettings, RoomSettings
from waiting_room.openid.settings import ClientSecrets, OpenIdSettings
from waiting_room.runtime.settings.authorizer import read_authorizer_settings
from waiting_room.runtime.settings.openid import read_openid_settings
from waiting_room.runtime.settings.room import read_room_settings

LEAST = {"EVENT_ID": "Sample"}
NUMBERS = [
    ("VALIDITY_PERIOD", 1, 86_400),
    ("QUEUE_POSITION_EXPIRY_PERIOD", 1, 86_400),
    ("REDIS_PORT", 1, 65_535),
    ("UNUSED_POSITION_TIMEOUT", 1, 3_600),
    ("KEY_ACTIVATION_DELAY", 0, 86_400),
    ("SIGNING_KEY_CACHE_SECONDS", 1, 300),
    ("PUBLIC_KEY_CACHE_SECONDS", 1, 300),
]
FLAGS = [
    ("ENABLE_QUEUE_POSITION_EXPIRY", "position_expiry_enabled"),
    ("INCR_SVC_ON_QUEUE_POSITION_EXPIRY", "increment_on_expiry"),
    ("ENABLE_EVENTS_GENERATION", "minute_metrics"),
    ("REQUIRE_CLIENT_SECRET", "client_secret_required"),
]


def read(**more: str) -> RoomSettings:
    return read_room_settings({**LEAST, **more})


def value_of(made: RoomSettings, name: str) -> Any:
    """The number that a setting of the environment became."""
    event = made.events[0]
    return {
        "VALIDITY_PERIOD": event.validity_period,
        "QUEUE_POSITION_EXPIRY_PERIOD": event.position_expiry_period,
        "REDIS_PORT": made.redis_port,
        "UNUSED_POSITION_TIMEOUT": made.unused_position_timeout,
        "KEY_ACTIVATION_DELAY": made.key_activation_delay,
        "SIGNING_KEY_CACHE_SECONDS": made.signing_key_cache,
        "PUBLIC_KEY_CACHE_SECONDS": made.public_key_max_age,
    }[name]


def test_an_empty_environment_has_the_defaults_of_the_code() -> None:
    made = read()
    assert made.events == (EventSettings("Sample"),)
    bare = RoomSettings(
        events=(EventSettings("Sample"),),
        issuer="",
        redis_host="",
        redis_port=1785,
        redis_tls=True,
        redis_secret="",
        positions_table="",
        tokens_table="",
        serving_log_table="",
        events_table="",
        event_bus="",
        signing_secret="",
    )
    assert made == bare
    assert bare.events[0] == EventSettings("Sample", 3600, True, 900, False, False, False)


@pytest.mark.parametrize(("name", "low", "high"), NUMBERS)
def test_a_number_is_taken_from_its_lowest_to_its_highest(name: str, low: int, high: int) -> None:
    for value in (low, high):
        assert value_of(read(**{name: f" {value} "}), name) == value
    for value in (low - 1, high + 1):
        with pytest.raises(SettingsError, match=f"{name} must be between {low} and {high}"):
            read(**{name: str(value)})


@pytest.mark.parametrize("value", [str(LARGEST), str(-LARGEST)])
def test_the_error_of_a_number_beyond_its_limits_names_them(value: str) -> None:
    with pytest.raises(SettingsError, match="between"):
        read(VALIDITY_PERIOD=value)


@pytest.mark.parametrize(("name", "member"), FLAGS)
@pytest.mark.parametrize(("text", "meant"), [(" TRUE ", True), ("False", False), ("true", True)])
def test_a_flag_is_true_or_false_in_any_case(
    name: str, member: str, text: str, meant: bool
) -> None:
    assert getattr(read(**{name: text}).events[0], member) is meant


def test_redis_is_asked_over_tls_unless_the_setting_says_false() -> None:
    assert read().redis_tls is True
    assert read(REDIS_TLS="false").redis_tls is False


@pytest.mark.parametrize("name", ["TOKEN_ISSUER", "REDIS_HOST", "EVENT_BUS_NAME"])
def test_a_name_is_printable_ascii_without_spaces(name: str) -> None:
    assert read(**{name: " !~ "})
    for sign in (" ", "\x1f", "\x7f", "é", "\n"):
        with pytest.raises(SettingsError, match=f"{name} must be printable"):
            read(**{name: f"a{sign}b"})


def test_an_event_id_has_64_characters_at_most() -> None:
    assert read_room_settings({"EVENT_ID": "e" * 64}).events[0].event_id == "e" * 64
    for wrong in ("e" * 65, "a/b", "a#b"):
        with pytest.raises(SettingsError, match="1 to 64"):
            read_room_settings({"EVENT_ID": wrong})


def test_a_wrong_value_is_repeated_up_to_a_limit() -> None:
    wrong = "x" * (SHOWN + 1)
    for name in ("EVENT_ID", "VALIDITY_PERIOD", "REDIS_TLS"):
        value = f"/{wrong}" if name == "EVENT_ID" else wrong
        with pytest.raises(SettingsError) as told:
            read(**{name: value * 2})
        assert repr((value * 2)[:SHOWN]) in str(told.value)
        assert (value * 2)[: SHOWN + 1] not in str(told.value)


def test_only_the_events_of_the_deployment_are_known() -> None:
    made = read()
    assert made.event("Sample") == made.events[0]
    for other in ("sample", "", "Sampl", "Z"):
        with pytest.raises(InvalidInput, match="event_id"):
            made.event(other)


def test_a_row_lives_for_a_month() -> None:
    assert ROW_LIFE == 2_592_000


@pytest.mark.parametrize(
    ("address", "kept"),
    [
        ("https://room.example", "https://room.example"),
        ("https://room.example/api/", "https://room.example/api"),
        ("https://room.example:8443/a", "https://room.example:8443/a"),
        ("http://localhost:8080/", "http://localhost:8080"),
        ("http://127.0.0.1/x", "http://127.0.0.1/x"),
        ("http://[::1]:1/", "http://[::1]:1"),
    ],
)
def test_an_address_is_https_or_of_this_machine(address: str, kept: str) -> None:
    assert check_address(address, "ISSUER") == kept


@pytest.mark.parametrize(
    "address",
    [
        "", "https://", "https:///path", "http://room.example", "ftp://localhost", "//room.example",
        "https://room.example?q", "https://room.example#f", "https://room.example:0",
        "https://room.example:x", "https://[::1", "https://room.example/a b",
        "https://room.example/\x7f", "https://room.example/é", "http://localhost:0",
        "https://room.example:65536",
    ],
)  # fmt: skip
def test_any_other_address_is_refused_by_the_name_of_its_setting(address: str) -> None:
    with pytest.raises(SettingsError, match="The setting ISSUER must be an https address"):
        check_address(address, "ISSUER")


OPENID = {
    "EVENT_ID": "Sample", "PUBLIC_API_ENDPOINT": "https://room.example/api/",
    "OPENID_ISSUER": "https://openid.example/", "WAITING_ROOM_URL": "https://wait.example/",
    "OPENID_CLIENT_SECRET_ID": "client", "OPENID_REDIRECT_URIS": "https://a.example/cb",
    "OPENID_CODES_TABLE": "codes", "SIGNING_KEYS_SECRET": "keys", "TOKEN_ISSUER": "i",
}  # fmt: skip
DOOR = {
    "WAITING_ROOM_EVENT_ID": "Sample", "ISSUER": "i", "PUBLIC_API_ENDPOINT": "https://r.example/",
}  # fmt: skip


@pytest.mark.parametrize(
    ("read_from", "env", "name", "member", "low", "high"),
    [
        (read_openid_settings, OPENID, "OPENID_RESTART_AFTER", "restart_after", 60, 86_400),
        (read_openid_settings, OPENID, "SIGNING_KEY_CACHE_SECONDS", "signing_key_cache", 1, 300),
        (read_authorizer_settings, DOOR, "KEY_CACHE_SECONDS", "key_cache", 1, 180),
        (read_authorizer_settings, DOOR, "REVOCATION_CACHE_SECONDS", "revocation_cache", 1, 60),
    ],
)  # fmt: skip
def test_numbers_of_the_provider_and_of_the_authorizer_have_limits(
    read_from: Any, env: dict[str, str], name: str, member: str, low: int, high: int
) -> None:
    for value in (low, high):
        assert getattr(read_from({**env, name: str(value)}), member) == value
    for value in (low - 1, high + 1):
        with pytest.raises(SettingsError, match=name):
            read_from({**env, name: str(value)})


def test_the_provider_and_the_authorizer_have_the_defaults_of_the_code() -> None:
    provider = read_openid_settings(OPENID)
    assert provider == OpenIdSettings(
        "Sample", "https://room.example/api", "https://openid.example", "https://wait.example/",
        "client", ("https://a.example/cb",), "codes", "keys", "i",
    )  # fmt: skip
    assert (provider.restart_url, provider.restart_after) == ("", 150)
    authorizer = read_authorizer_settings(DOOR)
    assert authorizer == AuthorizerSettings(Expected("Sample", "i"), "https://r.example")
    assert read_authorizer_settings({**DOOR, "REVOCATION_CHECK": "true"}).revocation_check


def test_of_several_restart_addresses_the_first_counts() -> None:
    two = "https://a.example/login https://b.example/login"
    assert read_openid_settings({**OPENID, "OPENID_RESTART_URL": two}).restart_url == (
        "https://a.example/login"
    )
    for wrong in ("", " "):
        with pytest.raises(SettingsError, match="OPENID_REDIRECT_URIS is missing"):
            read_openid_settings({**OPENID, "OPENID_REDIRECT_URIS": wrong})


def test_each_secret_of_a_client_has_16_characters() -> None:
    def kept(secret: Any, key: Any) -> ClientSecrets:
        return ClientSecrets.from_json(
            json.dumps({"client_secret": secret, "transaction_key": key})
        )

    assert kept("s" * 16, "k" * 16) == ClientSecrets("s" * 16, "k" * 16)
    assert kept("s" * 16, None).transaction_key == kept("s" * 16, "").transaction_key == "s" * 16
    for secret, key in (("s" * 15, "k" * 16), ("s" * 16, "k" * 15), (5, "k" * 16), ("s" * 16, 5)):
        with pytest.raises(SettingsError, match="16 characters or more"):
            kept(secret, key)
    made = repr(kept("s" * 16, "k" * 16))
    assert "sss" not in made
    assert "kkk" not in made


IN_TABLE = {"COUNTERS_STORE": "dynamodb", "COUNTERS_TABLE": "Counters"}


def test_counters_are_in_redis_unless_the_setting_says_dynamodb() -> None:
    assert read().counters_store is CountersStore.REDIS
    assert read(COUNTERS_STORE=" redis ", REDIS_HOST="r").counters_store is CountersStore.REDIS
    made = read(**IN_TABLE)
    assert (made.counters_store, made.counters_table) == (CountersStore.DYNAMODB, "Counters")
    for other in ("Redis", "valkey", "DYNAMODB"):
        with pytest.raises(SettingsError, match="COUNTERS_STORE must be one of redis, dynamodb"):
            read(COUNTERS_STORE=other)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("REDIS_HOST", "localhost"),
        ("REDIS_PORT", "6379"),
        ("REDIS_TLS", "false"),
        ("REDIS_AUTH_SECRET", "password"),
    ],
)
def test_counters_in_dynamodb_reject_each_setting_of_redis(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=f"{name} must be empty: COUNTERS_STORE=dynamodb"):
        read(**IN_TABLE, **{name: value})


def test_counters_in_dynamodb_need_their_table() -> None:
    with pytest.raises(SettingsError, match="COUNTERS_TABLE is missing"):
        read(COUNTERS_STORE="dynamodb")
