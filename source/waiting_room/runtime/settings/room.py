# SPDX-License-Identifier: Apache-2.0
"""Settings of the room from the environment."""

from __future__ import annotations

from collections.abc import Mapping

from waiting_room.domain.errors import SettingsError
from waiting_room.domain.limits import MAX_INCREMENT, MAX_VALIDITY, MIN_VALIDITY
from waiting_room.domain.room_settings import (
    KEY_ACTIVATION_DELAY,
    KEY_CACHE,
    PUBLIC_KEY_CACHE_SECONDS,
    UNUSED_POSITION_TIMEOUT,
    CountersStore,
    EventSettings,
    FirstAdmission,
    RoomSettings,
)
from waiting_room.runtime.settings.environment import (
    event_id,
    flag,
    number,
    optional_text,
    raw,
    stack_name,
)

STRATEGIES = ("manual", "rate", "active", "both")
REDIS_SETTINGS = ("REDIS_HOST", "REDIS_PORT", "REDIS_TLS", "REDIS_AUTH_SECRET")


def read_room_settings(env: Mapping[str, str]) -> RoomSettings:
    """Read the settings of the room. Raises SettingsError, which names the wrong setting."""
    event = EventSettings(
        event_id=event_id(env, "EVENT_ID"),
        validity_period=number(env, "VALIDITY_PERIOD", 3600, MIN_VALIDITY, MAX_VALIDITY),
        position_expiry_enabled=flag(env, "ENABLE_QUEUE_POSITION_EXPIRY", default=True),
        position_expiry_period=number(env, "QUEUE_POSITION_EXPIRY_PERIOD", 900, 1, MAX_VALIDITY),
        increment_on_expiry=flag(env, "INCR_SVC_ON_QUEUE_POSITION_EXPIRY"),
        minute_metrics=flag(env, "ENABLE_EVENTS_GENERATION"),
        client_secret_required=flag(env, "REQUIRE_CLIENT_SECRET"),
        admission=_first_admission(env),
    )
    return RoomSettings(
        events=(event,),
        issuer=optional_text(env, "TOKEN_ISSUER"),
        redis_host=optional_text(env, "REDIS_HOST"),
        redis_port=number(env, "REDIS_PORT", 1785, 1, 65_535),
        redis_tls=flag(env, "REDIS_TLS", default=True),
        redis_secret=optional_text(env, "REDIS_AUTH_SECRET"),
        positions_table=optional_text(env, "QUEUE_POSITIONS_TABLE"),
        tokens_table=optional_text(env, "TOKENS_TABLE"),
        serving_log_table=optional_text(env, "SERVING_LOG_TABLE"),
        events_table=optional_text(env, "EVENTS_TABLE"),
        event_bus=optional_text(env, "EVENT_BUS_NAME"),
        signing_secret=optional_text(env, "SIGNING_KEYS_SECRET"),
        gate_secret=optional_text(env, "GATE_KEYS_SECRET"),
        joins_queue=optional_text(env, "JOIN_QUEUE_URL"),
        dead_letters=optional_text(env, "JOIN_DEAD_LETTER_QUEUE_URL"),
        metrics_per_event=flag(env, "METRICS_PER_EVENT"),
        outbox_table=optional_text(env, "OUTBOX_TABLE"),
        redrive_role_id=optional_text(env, "REDRIVE_ROLE_ID"),
        unused_position_timeout=number(
            env, "UNUSED_POSITION_TIMEOUT", UNUSED_POSITION_TIMEOUT, 1, 3600
        ),
        key_activation_delay=number(
            env, "KEY_ACTIVATION_DELAY", KEY_ACTIVATION_DELAY, 0, MAX_VALIDITY
        ),
        signing_key_cache=number(env, "SIGNING_KEY_CACHE_SECONDS", KEY_CACHE, 1, 300),
        public_key_max_age=number(
            env, "PUBLIC_KEY_CACHE_SECONDS", PUBLIC_KEY_CACHE_SECONDS, 1, 300
        ),
        inlet_role=env.get("INLET_ROLE", ""),
        counters_store=_counters_store(env),
        counters_table=optional_text(env, "COUNTERS_TABLE"),
        stack_name=stack_name(env),
    )


def _counters_store(env: Mapping[str, str]) -> CountersStore:
    """Return the store of the counters; a deployment has settings of one store only."""
    chosen = raw(env, "COUNTERS_STORE") or CountersStore.REDIS.value
    if chosen not in set(CountersStore):
        raise SettingsError(
            f"The setting COUNTERS_STORE must be one of {', '.join(CountersStore)}."
        )
    store = CountersStore(chosen)
    if store is CountersStore.DYNAMODB:
        for name in REDIS_SETTINGS:
            if raw(env, name):
                raise SettingsError(
                    f"The setting {name} must be empty: COUNTERS_STORE=dynamodb has no Redis."
                )
        if not raw(env, "COUNTERS_TABLE"):
            raise SettingsError(
                "The setting COUNTERS_TABLE is missing: COUNTERS_STORE=dynamodb needs it."
            )
    return store


def _first_admission(env: Mapping[str, str]) -> FirstAdmission:
    strategy = optional_text(env, "ADMISSION_STRATEGY") or "manual"
    if strategy not in STRATEGIES:
        raise SettingsError(
            f"The setting ADMISSION_STRATEGY must be one of {', '.join(STRATEGIES)}."
        )
    highest = number(env, "TARGET_PER_MINUTE", 600, 0, MAX_INCREMENT)
    lowest = number(env, "MIN_PER_MINUTE", 0, 0, MAX_INCREMENT)
    if lowest > highest:
        raise SettingsError("The setting MIN_PER_MINUTE must not be above TARGET_PER_MINUTE.")
    return FirstAdmission(
        strategy=strategy,
        max_active=number(env, "TARGET_ACTIVE", 1000, 0, MAX_INCREMENT),
        per_minute=highest,
        min_per_minute=lowest,
        no_show_after=number(env, "NO_SHOW_AFTER", 90, 10, 3600),
        alarm=optional_text(env, "ADMISSION_ALARM_NAME") or None,
    )
