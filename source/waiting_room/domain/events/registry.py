# SPDX-License-Identifier: Apache-2.0
"""Registry of the events of a deployment: version and deciding members of each event, compactly.

One item of the Events table holds the registry. Its size decides what a read costs, so an entry is
a JSON list. With MAX_EVENTS events of the largest entries it stays below 400 kB.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from waiting_room.domain.events.phase import Phase, phase_of
from waiting_room.domain.room_settings import EventSettings

SETTLING = 3_600  # s that the minute worker continues after the last token of a closed event
MAX_PAST = 2  # earlier states of the deciding members that an entry keeps
AFTER = ("closed", "pass_through")
STRATEGIES = ("manual", "rate", "active", "both")


@dataclass(frozen=True, slots=True)
class Deciding:
    """Members that decide the phase. They applied until ``until`` (epoch s)."""

    mode: str
    schedule: Mapping[str, Any]
    control: Mapping[str, Any]
    until: float = 0.0

    def __getitem__(self, name: str) -> Any:
        return getattr(self, name)

    def phase(self, at: float) -> Phase:
        """Return the phase at ``at`` (epoch s)."""
        return phase_of({"mode": self.mode, "schedule": self.schedule, "control": self.control}, at)


@dataclass(frozen=True, slots=True)
class RegistryEntry:
    """Entry of one event. ``past`` are earlier deciding members, latest first.

    ``session_life`` is the length (s) of a session at the gate; 0 without a gate. ``page`` is the
    version of the event's own title and page; empty for an event without them.
    """

    version: int
    now: Deciding
    expires_after: int
    increment_on_expiry: bool
    valid_for: int
    client_secret_required: bool
    strategy: str
    past: tuple[Deciding, ...] = ()
    session_life: int = 0
    page: str = ""

    @property
    def gated(self) -> bool:
        """True if the event is behind a gate."""
        return self.session_life > 0

    def phase(self, now: float) -> Phase:
        """Return the phase at ``now`` (epoch s) by the current document."""
        return self.now.phase(now)

    def phase_when(self, sent_at: float) -> Phase:
        """Return the phase that applied to a join which the join queue accepted at ``sent_at``.

        An event that changed MAX_PAST times since is judged by the earliest document known.
        """
        applied = self.now
        for earlier in self.past:
            if sent_at >= earlier.until:
                break
            applied = earlier
        return applied.phase(sent_at)

    def has_minute_work(self, now: float) -> bool:
        """Return whether positions or tokens of the event can still change at ``now`` (epoch s)."""
        phase = self.phase(now)
        if phase is Phase.SCHEDULED:
            return bool(self.past)
        if phase is not Phase.CLOSED:
            return True
        times = (self.now.control["closed_at"], self.now.schedule["closes_at"])
        closed_at: int = min(time for time in times if time is not None)
        longest = max(self.valid_for, self.session_life)
        return now - closed_at < self.expires_after + longest + SETTLING

    def settings(self, event_id: str, now: float, *, minute_metrics: bool = False) -> EventSettings:
        """Return the settings of the event at ``now`` (epoch s), for tokens and expiry.

        Expired positions raise the serving counter only with strategy ``manual``, and only in a
        phase that serves.
        """
        return EventSettings(
            event_id=event_id,
            validity_period=self.valid_for,
            position_expiry_enabled=self.expires_after > 0,
            position_expiry_period=self.expires_after or 1,
            increment_on_expiry=self.increment_on_expiry
            and self.strategy == "manual"
            and self.phase(now).serves,
            minute_metrics=minute_metrics,
            client_secret_required=self.client_secret_required,
            session_life=self.session_life,
        )


def entry_of(
    version: int,
    document: Mapping[str, Any],
    before: RegistryEntry | None = None,
    now: float = 0.0,
) -> RegistryEntry:
    """Return the entry of a document that replaces ``before``'s at ``now`` (epoch s)."""
    from waiting_room.domain.events.document import is_gated  # only writers need them
    from waiting_room.domain.events.page import page_version

    session = document["session"]
    deciding = Deciding(document["mode"], document["schedule"], document["control"])
    past: tuple[Deciding, ...] = ()
    if before:
        past = before.past
        if before.now != deciding:
            ended = Deciding(before.now.mode, before.now.schedule, before.now.control, now)
            past = (ended, *past)[:MAX_PAST]
    return RegistryEntry(
        version=version,
        now=deciding,
        expires_after=document["turn"]["expires_after"],
        increment_on_expiry=document["turn"]["increment_on_expiry"],
        valid_for=document["token"]["valid_for"],
        client_secret_required=document["join"]["client_secret"] == "required",  # noqa: S105
        strategy=document["admission"]["strategy"],
        past=past,
        session_life=session["valid_for"] + session["renew_every"] if is_gated(document) else 0,
        page=page_version(document),
    )


def encode(entry: RegistryEntry) -> str:
    """Return the entry as compact JSON."""
    return json.dumps(
        [
            entry.version,
            encode_deciding(entry.now),
            entry.expires_after,
            int(entry.increment_on_expiry),
            entry.valid_for,
            int(entry.client_secret_required),
            STRATEGIES.index(entry.strategy),
            [[round(one.until, 3), *encode_deciding(one)] for one in entry.past],
            entry.session_life,
            entry.page,
        ],
        separators=(",", ":"),
    )


def decode(text: str) -> RegistryEntry:
    """Return the entry that ``encode`` wrote."""
    values = json.loads(text)
    version, now, expires_after, increment, valid_for, secret, strategy, past = values[:8]
    return RegistryEntry(
        version=version,
        now=decode_deciding(now),
        expires_after=expires_after,
        increment_on_expiry=bool(increment),
        valid_for=valid_for,
        client_secret_required=bool(secret),
        strategy=STRATEGIES[strategy],
        past=tuple(decode_deciding(one[1:], one[0]) for one in past),
        session_life=sum(values[8:9]),  # entries of earlier releases lack it and the next
        page="".join(values[9:10]),
    )


def encode_deciding(one: Deciding) -> list[int | None]:
    """Return the deciding members as a list of numbers, without ``until``."""
    schedule, control = one.schedule, one.control
    return [
        int(one.mode == "pass_through"),
        schedule["pre_queue_at"], schedule["opens_at"], schedule["closes_at"],
        AFTER.index(schedule["after"]),
        control["paused_at"], control["draining_since"], control["closed_at"],
    ]  # fmt: skip


def decode_deciding(values: list[Any], until: float = 0.0) -> Deciding:
    """Return the deciding members that ``encode_deciding`` returned."""
    mode, pre_queue_at, opens_at, closes_at, after, paused_at, draining_since, closed_at = values
    return Deciding(
        mode="pass_through" if mode else "queue",
        schedule={
            "pre_queue_at": pre_queue_at,
            "opens_at": opens_at,
            "closes_at": closes_at,
            "after": AFTER[after],
        },
        control={
            "paused_at": paused_at,
            "draining_since": draining_since,
            "closed_at": closed_at,
        },
        until=until,
    )


class Registry(Mapping[str, RegistryEntry]):
    """All events of a deployment by id. An entry is decoded when it is first read."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        self._texts = texts
        self._decoded: dict[str, RegistryEntry] = {}

    def changed(self, event_id: str, entry: RegistryEntry | None) -> Registry:
        """Return the registry with another entry of an event, or without it (None)."""
        texts = {one: text for one, text in self._texts.items() if one != event_id}
        return Registry(texts if entry is None else {**texts, event_id: encode(entry)})

    def __getitem__(self, event_id: str) -> RegistryEntry:
        if event_id not in self._decoded:
            self._decoded[event_id] = decode(self._texts[event_id])
        return self._decoded[event_id]

    def __iter__(self) -> Iterator[str]:
        return iter(self._texts)

    def __len__(self) -> int:
        return len(self._texts)
