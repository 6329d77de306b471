# SPDX-License-Identifier: Apache-2.0
"""A value that is read over the network now and then; the last good one serves on in an outage."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from waiting_room.domain.errors import Unavailable
from waiting_room.domain.limits import MAX_STALE_SECONDS

RETRY_AFTER = 5.0  # seconds between tries while the last good value serves: most calls stay quick
FIRST_RETRY_AFTER = 1.0  # seconds between tries while there is none: nobody can be let in

logger = logging.getLogger("waiting_room")
T = TypeVar("T")


class RefreshingValue(Generic[T]):
    """Reads with ``load`` (raises Unavailable) and keeps what it gave for ``keep`` seconds.

    Safe for threads. One of them reads again while the others go on with the value there is;
    callers of ``refresh`` at the same time share a read that began after each of them had called.
    """

    def __init__(
        self, load: Callable[[], T], keep: float, monotonic: Callable[[], float], what: str
    ) -> None:
        self._load, self._keep, self._monotonic, self._what = load, keep, monotonic, what
        self._lock = threading.Lock()
        self._value: tuple[T] | None = None
        self._begun = 0  # reads
        self._failure: Unavailable | None = None  # of the last read
        self._read_at = 0.0
        self._failed_at: float | None = None

    def get(self) -> T:
        """The value, at most ``keep`` seconds old while the source can be read.

        Raises Unavailable when nothing was ever read, or nothing within MAX_STALE_SECONDS.
        """
        # Only at the very start is there something to wait for: a value, or that there is none.
        first = self._value is None and self._failed_at is None
        if self._due() and self._lock.acquire(blocking=first):
            try:
                if self._due():
                    self._try()
            finally:
                self._lock.release()
        return self._standing()

    def renew(self, wanted: Callable[[T], bool]) -> None:
        """Read now if ``wanted`` says so of the value that stands once other readers are done."""
        with self._lock:
            if self._value is not None and wanted(self._value[0]):
                self._try()

    def refresh(self) -> T:
        """Read now; raises what ``load`` raises, and the value that stands is kept then."""
        called = self._begun
        with self._lock:
            if self._begun == called:  # no other read began after this call
                return self._read()
            if self._failure:
                raise self._failure
            return self._standing()

    def hold(self, value: T) -> None:
        """Keep a value that the caller has just written."""
        with self._lock:
            self._hold(value)

    @property
    def reachable(self) -> bool:
        """Whether the last try was answered."""
        return self._failed_at is None

    def _due(self) -> bool:
        now = self._monotonic()
        if self._failed_at is not None:
            pause = FIRST_RETRY_AFTER if self._value is None else RETRY_AFTER
            return now - self._failed_at >= pause
        return self._value is None or now - self._read_at >= self._keep

    def _try(self) -> None:
        try:
            self._read()
        except Unavailable as error:
            self._failed_at = self._monotonic()
            logger.warning("%s could not be read: %s", self._what, error)

    def _read(self) -> T:
        self._begun += 1
        try:
            return self._hold(self._load())
        except Unavailable as error:
            self._failure = error
            raise

    def _hold(self, value: T) -> T:
        self._value = (value,)
        self._read_at, self._failed_at, self._failure = self._monotonic(), None, None
        return value

    def _standing(self) -> T:
        value = self._value
        if value is None or self._monotonic() - self._read_at > MAX_STALE_SECONDS:
            raise Unavailable(f"{self._what} cannot be known")
        return value[0]
