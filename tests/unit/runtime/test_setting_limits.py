# SPDX-License-Identifier: Apache-2.0
"""Every setting: its default, the lowest and the highest value that is taken, and none beyond."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.in_memory_room import COMPLETE, EVENT, ISSUER
from waiting_room.domain.errors import SettingsError
from waiting_room.domain.parsing import check_address
from waiting_room.gate import GateSettings
from waiting_room.inlet.strategies import Strategy
from waiting_room.runtime.settings.authorizer import read_authorizer_settings
from waiting_room.runtime.settings.inlet import read_inlet_settings
from waiting_room.runtime.settings.openid import read_openid_settings
from waiting_room.runtime.settings.room import read_room_settings

NUMBERS: list[tuple[Any, str, str, int, int, int]] = [
    (read_room_settings, "VALIDITY_PERIOD", "validity_period", 3600, 1, 86_400),
    (read_room_settings, "QUEUE_POSITION_EXPIRY_PERIOD", "position_expiry_period", 900, 1, 86_400),
    (read_room_settings, "REDIS_PORT", "redis_port", 1785, 1, 65_535),
    (read_room_settings, "UNUSED_POSITION_TIMEOUT", "unused_position_timeout", 90, 1, 3600),
    (read_room_settings, "KEY_ACTIVATION_DELAY", "key_activation_delay", 300, 0, 86_400),
    (read_room_settings, "SIGNING_KEY_CACHE_SECONDS", "signing_key_cache", 60, 1, 300),
    (read_room_settings, "PUBLIC_KEY_CACHE_SECONDS", "public_key_max_age", 60, 1, 300),
    (read_authorizer_settings, "KEY_CACHE_SECONDS", "key_cache", 120, 1, 180),
    (read_authorizer_settings, "REVOCATION_CACHE_SECONDS", "revocation_cache", 5, 1, 60),
    (read_openid_settings, "OPENID_RESTART_AFTER", "restart_after", 150, 60, 86_400),
    (read_openid_settings, "SIGNING_KEY_CACHE_SECONDS", "signing_key_cache", 60, 1, 300),
    (read_inlet_settings, "TICKS_PER_MINUTE", "ticks_per_minute", 1, 1, 20),
    (read_room_settings, "NO_SHOW_AFTER", "no_show_after", 90, 10, 3600),
    (read_room_settings, "TARGET_ACTIVE", "max_active", 1000, 0, 1_000_000),
    (read_room_settings, "TARGET_PER_MINUTE", "per_minute", 600, 0, 1_000_000),
]
FLAGS: list[tuple[Any, str, str, bool]] = [
    (read_room_settings, "ENABLE_QUEUE_POSITION_EXPIRY", "position_expiry_enabled", True),
    (read_room_settings, "INCR_SVC_ON_QUEUE_POSITION_EXPIRY", "increment_on_expiry", False),
    (read_room_settings, "ENABLE_EVENTS_GENERATION", "minute_metrics", False),
    (read_room_settings, "REQUIRE_CLIENT_SECRET", "client_secret_required", False),
    (read_room_settings, "REDIS_TLS", "redis_tls", True),
    (read_authorizer_settings, "REVOCATION_CHECK", "revocation_check", False),
]


def gate_settings(**changes: Any) -> GateSettings:
    made: dict[str, Any] = {
        "event_id": EVENT, "issuer": ISSUER, "public_api": "https://room.example/api",
        "waiting_room_url": "https://room.example/", "secret": "s" * 32, **changes,
    }  # fmt: skip
    return GateSettings(**made)


def read(reader: Any, name: str, **changes: str) -> Any:
    """A setting as it is read, of the deployment, of its event, or of the event's admission."""
    found = reader({**COMPLETE, **changes})
    if not hasattr(found, name):
        found = found.events[0]
    return getattr(found, name) if hasattr(found, name) else getattr(found.admission, name)


@pytest.mark.parametrize(("reader", "setting", "name", "default", "low", "high"), NUMBERS)
def test_a_number_has_a_default_and_limits_that_are_within_it(
    reader: Any, setting: str, name: str, default: int, low: int, high: int
) -> None:
    assert read(reader, name) == read(reader, name, **{setting: " "}) == default
    for value in (low, high):
        assert read(reader, name, **{setting: f" {value} "}) == value
    for wrong in (low - 1, high + 1):
        with pytest.raises(SettingsError, match=f"{setting} must be between {low} and {high}"):
            read(reader, name, **{setting: str(wrong)})
    with pytest.raises(SettingsError, match=f"{setting} must be a whole number"):
        read(reader, name, **{setting: "1.5"})


@pytest.mark.parametrize(("reader", "setting", "name", "default"), FLAGS)
def test_a_flag_has_a_default_and_is_true_or_false(
    reader: Any, setting: str, name: str, default: bool
) -> None:
    assert read(reader, name) is read(reader, name, **{setting: " "}) is default
    for text, value in (("true", True), ("false", False), (" TRUE ", True), ("False", False)):
        assert read(reader, name, **{setting: text}) is value
    for wrong in ("yes", "1", "a", "z"):
        with pytest.raises(SettingsError, match=f"{setting} must be true or false"):
            read(reader, name, **{setting: wrong})


def test_the_defaults_of_an_event_are_those_of_a_deployment_that_sets_nothing() -> None:
    from waiting_room.domain.room_settings import EventSettings

    assert read_room_settings(COMPLETE).events == (EventSettings("Sample"),)


@pytest.mark.parametrize(
    ("strategy", "targets", "ticks"),
    [
        (Strategy.PERIODIC, {"increment_by": 10}, 1),
        (Strategy.MAX_SIZE, {"max_size": 100}, 1),
    ],
)
def test_each_inlet_has_its_own_defaults(
    strategy: Strategy, targets: dict[str, int], ticks: int
) -> None:
    found = read_inlet_settings({**COMPLETE, "INLET_STRATEGY": strategy.value})
    assert (found.strategy, found.targets, found.ticks_per_minute) == (strategy, targets, ticks)
    assert (found.window.start, found.window.end) == (0, 0)
    assert (found.alarm, found.go_on_insufficient_data) == ("", True)
    for name in targets:
        setting = {"increment_by": "INCREMENT_BY", "max_size": "MAX_SIZE"}[name]
        env = {**COMPLETE, "INLET_STRATEGY": strategy.value}
        for value in (1, 1_000_000):
            read_targets = read_inlet_settings({**env, setting: str(value)}).targets
            assert read_targets[name] == value
        for wrong in (0, 1_000_001):
            with pytest.raises(SettingsError, match=setting):
                read_inlet_settings({**env, setting: str(wrong)})


def test_a_window_of_the_inlet_is_in_seconds_and_in_order() -> None:
    def window(start: int, end: int) -> Any:
        env = {**COMPLETE, "START_TIME": str(start), "END_TIME": str(end)}
        return read_inlet_settings(env).window

    assert (window(5, 6).start, window(5, 6).end) == (5, 6)
    assert window(99_999_999_999, 0).end == 0
    assert window(0, 99_999_999_999).end == 99_999_999_999
    for start, end in ((5, 5), (6, 5), (-1, 0), (0, -1), (100_000_000_000, 0),
                       (0, 100_000_000_000)):  # fmt: skip
        with pytest.raises(SettingsError, match="_TIME"):
            window(start, end)


@pytest.mark.parametrize(
    ("name", "low", "high", "default"),
    [("clock_skew", 0, 60, 60), ("key_cache", 1, 180, 120), ("revocation_cache", 1, 60, 5)],
)
def test_a_number_of_the_gate_has_limits(name: str, low: int, high: int, default: int) -> None:
    assert getattr(gate_settings(), name) == default
    for value in (low, high):
        assert getattr(gate_settings(**{name: value}), name) == value
    for wrong in (low - 1, high + 1):
        with pytest.raises(SettingsError, match=f"{name} must be whole seconds"):
            gate_settings(**{name: wrong})


def test_the_gate_is_strict_by_default_and_takes_what_it_can_mean() -> None:
    bare = gate_settings()
    assert (bare.fail_open, bare.revocation_check, bare.secure_cookie) == (False, False, True)
    assert (bare.include, bare.exclude, bare.entrance) == (("/",), (), "/waiting-room/enter")
    assert bare.cookie_name == "__Host-waiting-room-Sample"
    assert gate_settings(secure_cookie=False).cookie_name == "waiting-room-Sample"
    assert gate_settings(event_id="a b").cookie_name == "__Host-waiting-room-a%20b"
    assert gate_settings(secret="é" * 16).secret == "é" * 16, "32 bytes"
    assert len(gate_settings(old_secrets=["o" * 32]).old_secrets) == 1
    assert gate_settings(event_id="é", issuer="é")
    assert gate_settings(entrance="/a")
    assert gate_settings(waiting_room_url="/wait", exclude=("/wait",))
    for name, value in (("secret", "é" * 15), ("secret", "s" * 31), ("entrance", "/"),
                        ("waiting_room_url", "/waiting-room/enter"),
                        ("public_api", "https://é.example")):  # fmt: skip
        with pytest.raises(SettingsError, match=f"The setting {name} "):
            gate_settings(**{name: value}, exclude=("/waiting-room",))


def test_the_settings_of_the_gate_reach_its_verifier() -> None:
    chosen = gate_settings(
        public_api="https://room.example/api/", revocation_check=True, clock_skew=7, key_cache=9,
        revocation_cache=8,
    ).authorizer  # fmt: skip
    assert chosen.public_api == "https://room.example/api"
    assert chosen.revocation_check is True
    assert (chosen.expected.clock_skew, chosen.key_cache, chosen.revocation_cache) == (7, 9, 8)


@pytest.mark.parametrize("version", ["2.4", "2.4.0", "2.10.1", "3.0", "odd"])
def test_the_gate_takes_every_pyjwt_from_2_4_on(
    version: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jwt.__version__", version)
    assert gate_settings()


@pytest.mark.parametrize(
    ("address", "good"),
    [
        ("https://a.example/api/", True), ("https://a.example:8443", True),
        ("http://localhost:8080/x", True), ("http://127.0.0.1:9", True), ("http://[::1]:9", True),
        ("http://a.example", False), ("https://", False), ("ftp://a.example", False),
        ("https://a.example?b=c", False), ("https://a.example#b", False),
        ("https://a.example:0", False), ("https://a.example:x", False), ("https://[a", False),
        ("https://a b", False), ("https://é.example", False), ("ftp://localhost", False),
        ("zttp://localhost", False), ("", False),
    ],
)  # fmt: skip
def test_an_address_is_https_or_on_this_machine(address: str, good: bool) -> None:
    if good:
        assert check_address(address, "NAME") == address.rstrip("/")
        return
    with pytest.raises(SettingsError, match="NAME must be an https address"):
        check_address(address, "NAME")


@pytest.mark.parametrize(
    ("name", "good"),
    [("a" * 64, True), ("A_.-9", True), ("a" * 65, False), ("a/b", False), ("é", False),
     ("a b", False), ("", False)],
)  # fmt: skip
def test_the_name_of_an_event_is_short_and_plain(name: str, good: bool) -> None:
    if good:
        assert read_room_settings({**COMPLETE, "EVENT_ID": name}).event(name).event_id == name
        return
    with pytest.raises(SettingsError, match="EVENT_ID"):
        read_room_settings({**COMPLETE, "EVENT_ID": name})


@pytest.mark.parametrize("value", ["a b", "a\x7fb", "é", "a\tb"])
def test_a_name_of_a_part_is_printable_ascii(value: str) -> None:
    assert read_room_settings({**COMPLETE, "EVENT_BUS_NAME": "!~"}).event_bus == "!~"
    with pytest.raises(SettingsError, match="EVENT_BUS_NAME must be printable ASCII"):
        read_room_settings({**COMPLETE, "EVENT_BUS_NAME": value})


def test_the_first_admission_of_the_event_is_read() -> None:
    env = {"ADMISSION_STRATEGY": "both", "MIN_PER_MINUTE": "7", "ADMISSION_ALARM_NAME": "slow"}
    found = read_room_settings({**COMPLETE, **env}).events[0].admission
    assert (found.strategy, found.min_per_minute, found.alarm) == ("both", 7, "slow")
    assert read_room_settings(COMPLETE).events[0].admission.alarm is None
    with pytest.raises(SettingsError, match="ADMISSION_STRATEGY must be one of manual, rate"):
        read_room_settings({**COMPLETE, "ADMISSION_STRATEGY": "fast"})
    with pytest.raises(SettingsError, match="MIN_PER_MINUTE must not be above TARGET_PER_MINUTE"):
        read_room_settings({**COMPLETE, "MIN_PER_MINUTE": "9", "TARGET_PER_MINUTE": "8"})
