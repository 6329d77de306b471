# SPDX-License-Identifier: Apache-2.0
"""Configurations of the events of a site, read again and again; the last ones stay in use."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from waiting_room.adapters.refreshing_value import RefreshingValue
from waiting_room.domain.errors import Unavailable
from waiting_room.domain.gate.configuration import (
    GateConfiguration,
    GateView,
    InvalidConfiguration,
)
from waiting_room.site_gate.settings import SiteGateSettings

LOST_AFTER = 120.0  # s of failed reads after which an event with when_unreachable: open opens
LOST_AFTER_FAILURES = 3  # reads; one failure before a quiet time is not an outage
Read = Callable[[str], Mapping[str, Any]]  # body of GET /events/{id}/gate; raises Unavailable


class Configurations:
    """Cached configurations of a site's events; thread-safe.

    ``read`` returns the body of one event, by default from the private API.
    """

    def __init__(
        self,
        settings: SiteGateSettings,
        read: Read | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        reader = read or _signed_reader(settings)
        self._sources = {
            event_id: _Source(reader, event_id, settings.refresh_seconds, monotonic)
            for event_id in settings.events
        }
        self._view: tuple[tuple[GateConfiguration, ...], GateView] | None = None

    def current(self) -> GateView:
        """Return the configurations. Raises Unavailable while one has never been read."""
        found = tuple(source.value.get() for source in self._sources.values())
        view = self._view
        if view is None or any(new is not old for new, old in zip(found, view[0], strict=True)):
            view = self._view = (found, GateView.of(found))
        return view[1]

    def is_lost(self, event_id: str) -> bool:
        """Return whether the reads of an event have failed for LOST_AFTER seconds."""
        return self._sources[event_id].is_lost()


class _Source:
    """Configuration of one event, read every ``keep`` seconds."""

    def __init__(
        self, read: Read, event_id: str, keep: float, monotonic: Callable[[], float]
    ) -> None:
        self._read, self._event_id, self._monotonic = read, event_id, monotonic
        self._lock = threading.Lock()
        self._failures, self._failing_since = 0, 0.0
        what = f"the gate's configuration of {event_id}"
        self.value = RefreshingValue(self._load, keep, monotonic, what)

    def is_lost(self) -> bool:
        """Return whether the reads have failed for LOST_AFTER seconds."""
        with self._lock:
            lost = self._failures >= LOST_AFTER_FAILURES
            return lost and self._monotonic() - self._failing_since >= LOST_AFTER

    def _load(self) -> GateConfiguration:
        try:
            content = self._read(self._event_id)
            found = GateConfiguration.from_json(self._event_id, content)
        except InvalidConfiguration as error:
            self._count(failed=True)
            raise Unavailable(f"the room returned an invalid configuration: {error}") from None
        except Unavailable:
            self._count(failed=True)
            raise
        self._count(failed=False)
        return found

    def _count(self, *, failed: bool) -> None:
        with self._lock:
            if failed and not self._failures:
                self._failing_since = self._monotonic()
            self._failures = self._failures + 1 if failed else 0


def _signed_reader(settings: SiteGateSettings) -> Read:
    from waiting_room.adapters.http.gate_configuration import GateConfigurationReader

    return GateConfigurationReader(settings.private_api, settings.region)
