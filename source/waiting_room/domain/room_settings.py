# SPDX-License-Identifier: Apache-2.0
"""Settings of the room and of its events, as values.

``runtime/settings/room.py`` reads them from the environment.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from waiting_room.domain.errors import InvalidInput

UNUSED_POSITION_TIMEOUT = 90  # s; above the 30 s in which a worker writes reserved positions
KEY_ACTIVATION_DELAY = 300  # s; a new key is public this long before it signs; exceeds cache times
KEY_CACHE = 60  # seconds for which a function caches the signing keys
PUBLIC_KEY_CACHE_SECONDS = 60  # seconds for which the edge caches the public keys


class CountersStore(StrEnum):
    """Store of the counters of a deployment."""

    REDIS = "redis"
    DYNAMODB = "dynamodb"


@dataclass(frozen=True, slots=True)
class FirstAdmission:
    """Admission of the first version of the event of the deployment, as in its document."""

    strategy: str = "manual"
    max_active: int = 1000
    per_minute: int = 600
    min_per_minute: int = 0
    no_show_after: int = 90
    alarm: str | None = None


@dataclass(frozen=True, slots=True)
class EventSettings:
    """Settings of one event. Times are in seconds."""

    event_id: str
    validity_period: int = 3600
    position_expiry_enabled: bool = True
    position_expiry_period: int = 900
    increment_on_expiry: bool = False
    minute_metrics: bool = False  # whether metrics go to the event bus each minute
    client_secret_required: bool = False
    session_life: int = 0  # from the token to the end of the session at the gate; 0: no gate
    admission: FirstAdmission = FirstAdmission()


@dataclass(frozen=True, slots=True)
class RoomSettings:
    """Names and addresses of the deployment's resources, and the settings of its events."""

    events: tuple[EventSettings, ...]
    issuer: str
    redis_host: str
    redis_port: int
    redis_tls: bool
    redis_secret: str
    positions_table: str
    tokens_table: str
    serving_log_table: str
    events_table: str
    event_bus: str
    signing_secret: str
    joins_queue: str = ""
    dead_letters: str = ""
    redrive_role_id: str = ""
    unused_position_timeout: int = UNUSED_POSITION_TIMEOUT
    key_activation_delay: int = KEY_ACTIVATION_DELAY
    signing_key_cache: int = KEY_CACHE
    public_key_max_age: int = PUBLIC_KEY_CACHE_SECONDS
    gate_secret: str = ""
    stack_name: str = "local"  # a dimension of the metrics
    outbox_table: str = ""  # inside a VPC: the table for messages that another function sends
    metrics_per_event: bool = False  # whether CloudWatch gets the metrics of each event
    inlet_role: str = ""  # name of the IAM role with which the inlet calls the private API
    counters_store: CountersStore = CountersStore.REDIS
    counters_table: str = ""  # only for CountersStore.DYNAMODB

    def event(self, event_id: str) -> EventSettings:
        """Return the settings of an event.

        Raises InvalidInput for an event that this deployment does not have.
        """
        for event in self.events:
            if event.event_id == event_id:
                return event
        raise InvalidInput("event_id is not an event of this waiting room")
