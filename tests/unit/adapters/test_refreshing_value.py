# SPDX-License-Identifier: Apache-2.0
"""A kept value: when it is read again, and how long it serves without its source."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from threading import Lock, Semaphore

import pytest

from waiting_room.adapters.refreshing_value import FIRST_RETRY_AFTER, RETRY_AFTER, RefreshingValue
from waiting_room.domain.errors import Unavailable
from waiting_room.domain.limits import MAX_STALE_SECONDS

KEEP = 60.0


class Source:
    """Answers 1, 2, 3 …; ``down`` makes it fail. The clock is the test's."""

    def __init__(self) -> None:
        self.now, self.reads, self.down = 1_000.0, 0, False
        self.kept = RefreshingValue(self._load, KEEP, lambda: self.now, "the source")

    def _load(self) -> int:
        self.reads += 1
        if self.down:
            raise Unavailable("away")
        return self.reads

    def get_after(self, seconds: float) -> int:
        self.now += seconds
        return self.kept.get()


def test_a_value_is_read_again_once_it_is_as_old_as_it_may_be() -> None:
    source = Source()
    assert source.kept.get() == 1
    assert source.get_after(KEEP - 0.001) == 1
    assert source.get_after(0.001) == 2
    assert source.get_after(KEEP - 0.001) == 2


def test_the_last_value_serves_and_the_source_is_tried_every_few_seconds() -> None:
    source = Source()
    source.kept.get()
    source.down = True
    assert source.get_after(KEEP) == 1
    assert source.reads == 2
    assert not source.kept.reachable
    assert source.get_after(RETRY_AFTER - 0.001) == 1
    assert source.reads == 2
    assert source.get_after(0.001) == 1
    assert source.reads == 3
    source.down = False
    assert source.get_after(RETRY_AFTER) == 4
    assert source.kept.reachable


def test_without_any_value_the_source_is_tried_every_second() -> None:
    source = Source()
    source.down = True
    for wait, reads in ((0.0, 1), (FIRST_RETRY_AFTER - 0.001, 1), (0.001, 2)):
        with pytest.raises(Unavailable, match="the source cannot be read"):
            source.get_after(wait)
        assert source.reads == reads
    source.down = False
    assert source.get_after(FIRST_RETRY_AFTER) == 3


def test_a_value_serves_as_long_as_the_longest_outage_and_no_second_longer() -> None:
    source = Source()
    source.kept.get()
    source.down = True
    assert source.get_after(MAX_STALE_SECONDS) == 1
    with pytest.raises(Unavailable):
        source.get_after(0.001)


def test_while_one_caller_reads_the_others_go_on_with_the_value_there_is() -> None:
    now, seen = [0.0], []

    def load() -> int:
        if seen:  # a second caller, while the first one reads
            seen.append(kept.get())
        return len(seen)

    kept = RefreshingValue(load, KEEP, lambda: now[0], "the source")
    seen.append(kept.refresh())
    now[0] = KEEP
    assert kept.get() == 2
    assert seen == [0, 0]


def test_renew_reads_only_a_value_that_is_there_and_unwanted() -> None:
    source = Source()
    source.kept.renew(lambda _: True)
    assert source.reads == 0
    source.kept.get()
    source.kept.renew(lambda value: value != 1)
    assert source.reads == 1
    source.kept.renew(lambda value: value == 1)
    assert source.kept.get() == 2
    source.down = True
    source.kept.renew(lambda _: True)
    assert not source.kept.reachable
    assert source.kept.get() == 2


def test_a_value_that_was_written_counts_as_read() -> None:
    source = Source()
    source.kept.hold(70)
    assert source.get_after(KEEP - 0.001) == 70
    assert source.get_after(0.001) == 1
    source.down = True
    with pytest.raises(Unavailable, match="away"):
        source.kept.refresh()
    assert source.kept.reachable
    assert source.kept.get() == 1


class CountingLock:
    """A lock that counts its callers."""

    def __init__(self) -> None:
        self._lock, self.arrived = Lock(), Semaphore(0)

    def __enter__(self) -> None:
        self.arrived.release()
        assert self._lock.acquire(timeout=10)

    def __exit__(self, *_: object) -> None:
        self._lock.release()


class Gated:
    """A source whose reads wait until the test lets each of them end."""

    def __init__(self) -> None:
        self.began, self.ends = Semaphore(0), Semaphore(0)
        self.reads, self.down = 0, False
        self.kept = RefreshingValue(self._load, KEEP, lambda: 0.0, "the source")
        self.lock = self.kept._lock = CountingLock()  # type: ignore[assignment]

    def _load(self) -> int:
        self.reads += 1
        mine = self.reads
        self.began.release()
        assert self.ends.acquire(timeout=10)
        if self.down:
            raise Unavailable("away")
        return mine

    def refreshes(self, pool: ThreadPoolExecutor, calls: int) -> list[Future[int]]:
        """So many callers of ``refresh``, all of them at the lock."""
        asked = [pool.submit(self.kept.refresh) for _ in range(calls)]
        for _ in asked:
            assert self.lock.arrived.acquire(timeout=10)
        return asked


@pytest.mark.parametrize("down", [False, True])
def test_callers_of_refresh_at_the_same_time_share_a_read(down: bool) -> None:
    source = Gated()
    with ThreadPoolExecutor(9) as pool:
        (first,) = source.refreshes(pool, 1)
        assert source.began.acquire(timeout=10)
        others = source.refreshes(pool, 8)
        source.down = down
        source.ends.release(9)
        if down:
            assert all(isinstance(one.exception(10), Unavailable) for one in (first, *others))
        else:
            assert first.result(10) == 1
            assert {one.result(10) for one in others} == {2}
    assert source.reads == 2


def test_no_caller_gets_a_read_that_began_before_its_call() -> None:
    source = Gated()
    with ThreadPoolExecutor(2) as pool:
        (first,) = source.refreshes(pool, 1)
        assert source.began.acquire(timeout=10)
        (later,) = source.refreshes(pool, 1)
        source.ends.release(2)
        assert (first.result(10), later.result(10)) == (1, 2)
