# SPDX-License-Identifier: Apache-2.0
"""Cached value of a remote source; the last value stays in use while the source is unavailable."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from waiting_room.domain.errors import Unavailable
from waiting_room.domain.limits import MAX_STALE_SECONDS

RETRY_AFTER = 5.0  # seconds between reads while an old value is in use, so most calls stay fast
FIRST_RETRY_AFTER = 1.0  # seconds between reads while there is no value: no visitor is admitted

logger = logging.getLogger("waiting_room")
T = TypeVar("T")


class RefreshingValue(Generic[T]):
    """Reads a value with ``load`` (raises Unavailable) and caches it for ``keep`` seconds.

    Thread-safe. One thread reads again while the others use the cached value. Concurrent callers
    of ``refresh`` share one read, which began after each of them called.
    """

    def __init__(
        self, load: Callable[[], T], keep: float, monotonic: Callable[[], float], what: str
    ) -> None:
        self._load, self._keep, self._monotonic, self._what = load, keep, monotonic, what
        self._lock = threading.Lock()
        self._value: tuple[T] | None = None
        self._begun = 0  # number of reads
        self._failure: Unavailable | None = None  # of the last read
        self._read_at = 0.0
        self._failed_at: float | None = None

    def get(self) -> T:
        """Return the value, at most ``keep`` seconds old while the source is available.

        Raises Unavailable when no read has succeeded within MAX_STALE_SECONDS.
        """
        # Only the first read blocks the other threads: before it there is no value to use.
        first = self._value is None and self._failed_at is None
        if self._due() and self._lock.acquire(blocking=first):
            try:
                if self._due():
                    self._try()
            finally:
                self._lock.release()
        return self._cached()

    def renew(self, wanted: Callable[[T], bool]) -> None:
        """Read now if ``wanted`` returns true for the cached value, after other reads ended."""
        with self._lock:
            if self._value is not None and wanted(self._value[0]):
                self._try()

    def refresh(self) -> T:
        """Read now; raises what ``load`` raises, and then keeps the cached value."""
        called = self._begun
        with self._lock:
            if self._begun == called:  # no other read began after this call
                return self._read()
            if self._failure:
                raise self._failure
            return self._cached()

    def hold(self, value: T) -> None:
        """Cache a value that the caller has just written."""
        with self._lock:
            self._hold(value)

    @property
    def reachable(self) -> bool:
        """Return whether the last read succeeded."""
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

    def _cached(self) -> T:
        value = self._value
        if value is None or self._monotonic() - self._read_at > MAX_STALE_SECONDS:
            raise Unavailable(f"{self._what} cannot be read")
        return value[0]
