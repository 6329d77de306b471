# SPDX-License-Identifier: Apache-2.0
"""What the counters' adapter sends to its server, and what it makes of each kind of failure."""

from __future__ import annotations

import hashlib
from types import SimpleNamespace
from typing import Any

import pytest
from redis import exceptions
from redis._parsers import Encoder
from redis.commands.core import Script

from tests.support.in_memory_room import EVENT
from waiting_room.adapters.redis.counters import RedisCounters, connect, short_id
from waiting_room.domain.counter_snapshot import CounterUpkeepRequest, LiveToken, Snapshot
from waiting_room.domain.errors import CountersLost, Unavailable
from waiting_room.domain.ports.counters import JoinLease, RebuildLease
from waiting_room.domain.records import (
    EventState,
    Segment,
    ServingMove,
    SessionStatus,
    StateDetails,
)

NOW = 1_800_000_000
KEYS = 9  # of an event


class Server:
    """Answers what it is told, or raises it; notes keys and arguments of each script."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, list[Any], list[Any]]] = []
        self.dropped = 0
        self.connection_pool = SimpleNamespace(disconnect=self.drop)

    def drop(self) -> None:
        self.dropped += 1

    def _run(self, kind: str, count: int, rest: tuple[Any, ...]) -> Any:
        self.asked.append((kind, list(rest[:count]), list(rest[count:])))
        answer = self.answers.pop(0) if self.answers else None
        if isinstance(answer, Exception):
            raise answer
        return answer

    def register_script(self, source: str) -> Script:
        return Script(self, source)  # type: ignore[arg-type]

    def get_encoder(self) -> Encoder:
        return Encoder("utf-8", "strict", False)

    def script_load(self, source: str) -> str:
        self.asked.append(("load", [], []))
        return hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest()

    def evalsha(self, known: str, count: int, *rest: Any) -> Any:
        assert len(known) == len(hashlib.sha1(b"", usedforsecurity=False).hexdigest())
        return self._run("evalsha", count, rest)


def test_counts_of_another_length_than_its_record_are_an_error() -> None:
    adapter, _ = counters([0] * 8)
    text = r"counts\.lua returns 8 values instead of 9"
    with pytest.raises(TypeError, match=text):
        adapter.counts(EVENT, NOW)


def counters(*answers: Any) -> tuple[RedisCounters, Server]:
    server = Server(*answers)
    return RedisCounters(server), server  # type: ignore[arg-type]


def arguments(server: Server) -> list[Any]:
    return server.asked[-1][2]


@pytest.mark.parametrize(
    ("error", "raised", "dropped"),
    [
        (exceptions.ReadOnlyError(), Unavailable, 1),
        (exceptions.BusyLoadingError(), Unavailable, 1),
        (exceptions.ResponseError("LOST"), CountersLost, 0),
        (exceptions.ResponseError("LOST it is behind"), CountersLost, 0),
        (exceptions.ClusterDownError("x"), Unavailable, 0),
        (exceptions.MasterDownError("x"), Unavailable, 0),
        (exceptions.OutOfMemoryError(), Unavailable, 0),
        (exceptions.TryAgainError("x"), Unavailable, 0),
        *((exceptions.ResponseError(f"{code} x"), Unavailable, 0)
          for code in ("BUSY", "LOADING", "MISCONF", "NOREPLICAS", "UNBLOCKED")),
        (exceptions.ResponseError("WRONGTYPE x"), exceptions.ResponseError, 0),
        (exceptions.ResponseError("A"), exceptions.ResponseError, 0),
        (exceptions.ConnectionError(), Unavailable, 0),
        (exceptions.TimeoutError(), Unavailable, 0),
        (exceptions.AuthenticationError(), Unavailable, 0),
        (ValueError(), ValueError, 0),
    ],
)  # fmt: skip
def test_each_failure_of_the_server_is_told_for_what_it_is(
    error: Exception, raised: type[Exception], dropped: int
) -> None:
    made, server = counters(error)
    with pytest.raises(raised) as found:
        made.position_status(EVENT, 1)
    assert type(found.value) is raised
    assert server.dropped == dropped, "a new connection finds the server that leads now"


def test_a_script_is_sent_to_a_server_that_does_not_know_it() -> None:
    answer = [1, 0, 0, -1, 0, 0, 0]
    made, server = counters(exceptions.NoScriptError(), answer, answer)
    for _ in range(2):
        made.position_status(EVENT, 1)
    assert [kind for kind, *_ in server.asked] == ["evalsha", "load", "evalsha", "evalsha"]


def test_all_keys_of_an_event_are_in_one_slot() -> None:
    made, server = counters([1, 0, 0, -1, 0, 0, 0])
    made.position_status(EVENT, 5)
    keys = server.asked[0][1]
    assert len(keys) == len(set(keys)) == KEYS
    assert all(key.startswith(f"waiting_room:{{{EVENT}}}:") for key in keys)
    assert arguments(server) == [5]


@pytest.mark.parametrize(("at", "served_at"), [(-1, None), (0, 0), (NOW, NOW)])
def test_a_position_is_served_since_a_time_or_not_yet(at: int, served_at: int | None) -> None:
    made, _ = counters([2, 9, 3, at, 1, 7, 8])
    found = made.position_status(EVENT, 5)
    assert (found.generation, found.serving, found.expired_through, found.served_at) == (
        2,
        9,
        3,
        served_at,
    )
    assert (found.counted, found.version, found.lowering) == (True, 7, 8)


def test_figures_are_read_in_their_order() -> None:
    summary = b"1 2 3 4 6 12 13 14 15 18\nhi"
    made, server = counters([summary, b"11 4:9:70 1:3:60", 5, 7, 8, 9, 19, 10, 17])
    found = made.counts(EVENT, NOW)
    assert (found.generation, found.queue, found.admitting_since) == (1, 2, 11)
    assert (found.message, found.version, found.lowering) == ("hi", 12, 13)
    assert (found.reconciled_at, found.swept_at, found.admitted_at) == (14, 15, 70)
    assert (found.admitted_shortly, found.first_moved_at) == (17, 18)
    assert found.sessions == 19
    assert found.latest == (Segment(1, 3, 60), Segment(4, 9, 70))
    assert arguments(server) == [NOW, 300, 60]


def test_a_claim_names_this_hour_and_the_one_before() -> None:
    for now, hour in ((7199, 1), (7200, 2)):
        made, server = counters([0, 1, 2])
        found = made.acquire_join_leases(EVENT, ["a", "b", "c"], now)
        assert found == [JoinLease(0), JoinLease(1), JoinLease(2)]
        assert [key.rpartition(":")[2] for key in server.asked[0][1][KEYS:]] == [
            str(hour), str(hour - 1)
        ]  # fmt: skip
        moment, life, worker, *ids = arguments(server)
        assert (moment, life, ids) == (now, 60, [short_id(one) for one in "abc"])
        assert len(worker) == 3
        made, server = counters(None)
        made.release_join_leases(EVENT, ["a"], now)
        assert server.asked[0][1][KEYS:] == [f"waiting_room:{{{EVENT}}}:leases:{hour}"]


@pytest.mark.parametrize("force", [True, False])
def test_a_rebuild_is_asked_for_by_ticket(force: bool) -> None:
    made, server = counters(2)
    assert made.acquire_rebuild_lease(EVENT, "t", force=force) is RebuildLease.HELD
    assert arguments(server) == ["t", 3000, int(force)]
    assert len(server.asked[0][1]) == KEYS + 2
    made, server = counters(1)
    assert made.acquire_rebuild_lease(EVENT, "t") is RebuildLease.ACQUIRED
    assert arguments(server)[2] == 0


def test_a_state_is_told_with_its_moves() -> None:
    moves = [ServingMove(1, 0, 3, NOW, "operator"), ServingMove(2, 3, 5, NOW + 1, "operator")]
    state = EventState(EVENT, 1, queue=9, serving=5, version=2, move=moves[1], lowering=4)
    made, server = counters(None)
    made.apply(state, moves, StateDetails("m", 1.5, (7, 8)))
    told = arguments(server)
    assert told[9:13] == ["1.5", f"3:5:{NOW + 1}", 1, 4]
    assert told[13:] == [6, 300, 2, f"1:3:{NOW}", f"4:5:{NOW + 1}", 7, 8]
    made, server = counters(None)
    made.apply(EventState(EVENT))
    assert arguments(server)[9:] == ["0.0", "", 0, 0, 6, 300, 0]


def test_a_snapshot_is_told_whole() -> None:
    rows = (
        LiveToken(3, NOW, SessionStatus.OPEN, NOW + 9),
        LiveToken(4, NOW, SessionStatus.COMPLETED),
    )
    state = EventState(
        EVENT,
        queue=9,
        settled_through=2,
        settled_tokens=1,
        reconciled_through=5,
    )
    details = StateDetails("m", 1.5, unused_positions=(5, 6))
    made, server = counters(1)
    assert made.restore(Snapshot(state, (), rows, None, 77, details), "ticket") is True
    ticket, _taken, _ended, fields, parts, live, sessions, latest, _window, *rest = arguments(
        server
    )
    named = dict(zip(rest[: 2 * fields : 2], rest[1 : 2 * fields : 2], strict=True))
    assert (ticket, fields, parts, live, sessions) == ("ticket", len(named), 0, 1, 1)
    assert (latest, named["session_changes"]) == (6, 1)
    assert (named["tokens"], named["live"], named["completed"], named["abandoned"]) == (3, 1, 1, 0)
    assert (named["settled_through"], named["unverified"]) == (2, 77)
    assert (named["message"], named["message_at"]) == ("m", "1.5")
    assert rest[2 * fields :] == [NOW, 1, NOW + 9, 3, 6], "5 is passed by the audit"
    made, _ = counters(0)
    assert made.restore(Snapshot(state, (), ()), "ticket") is False


def test_rows_are_recounted_with_their_end() -> None:
    made, server = counters(None)
    rows = [LiveToken(3, 60, SessionStatus.OPEN, 9), LiveToken(4, 61, SessionStatus.ABANDONED)]
    made.recount(EVENT, 2, rows, 9)
    assert arguments(server) == [2, 9, 3, 60, "", 9, 4, 61, "abandoned", 0]


def test_what_no_answer_needs_any_more_is_forgotten() -> None:
    made, server = counters([1, 5])
    assert made.trim(EVENT, NOW) == CounterUpkeepRequest(True, 5)
    assert arguments(server) == [NOW - 600, NOW - 300, 0, 0, 6, NOW, 300]
    made, server = counters([0, 0])
    assert made.trim(EVENT, NOW, reconciled_at=7, swept_at=8) == CounterUpkeepRequest(False, 0)
    assert arguments(server)[2:4] == [7, 8]


def test_a_checkpoint_is_read_in_its_order() -> None:
    made, _ = counters([1, 2, 3, 4, 5, 6, b"t", b"e", [b"1:4:9", b"5:6:10"],
                        [b"20", b"2", b"10", b"1"], [b"7", b"90", b"6", b"99"]])  # fmt: skip
    found = made.checkpoint(EVENT, NOW)
    assert (found.generation, found.version, found.at) == (1, 2, NOW)
    assert [(one.first, one.last, one.at) for one in found.segments] == [(1, 4, 9), (5, 6, 10)]
    tally = found.tally
    assert (tally.base, tally.tokens, tally.completed, tally.abandoned) == (3, 4, 5, 6)
    assert (tally.taken, tally.ended, tally.live) == (b"t", b"e", ((10, 1), (20, 2)))
    assert tally.sessions == ((6, 99), (7, 90))


@pytest.mark.parametrize("answer", [1, 0])
def test_what_was_counted_is_told(answer: int) -> None:
    made, server = counters(answer, answer, answer)
    assert made.count_token(EVENT, 1, 2, 3) is bool(answer)
    assert arguments(server) == [1, 2, 3, 0]
    assert made.count_session(EVENT, 1, 2, 3, SessionStatus.COMPLETED) is bool(answer)
    assert arguments(server) == [1, 2, 3, "completed"]
    assert made.revoke_rebuild_leases(EVENT) is bool(answer)


def test_a_connection_gives_up_in_time_and_asks_for_the_password_each_time() -> None:
    options = connect("h", 1785).connection_pool.connection_kwargs
    assert (options["socket_timeout"], options["socket_connect_timeout"]) == (1.0, 1.0)
    assert options["credential_provider"] is None
    assert options["retry"].get_retries() == 1
    assert options["health_check_interval"] == 0
    passwords = ["second", "first"]
    asked = connect("h", 1785, tls=True, password=passwords.pop).connection_pool
    provider = asked.connection_kwargs["credential_provider"]
    assert [provider.get_credentials() for _ in range(2)] == [("first",), ("second",)]
    assert "SSL" in asked.connection_class.__name__
    assert "SSL" not in connect("h", 1785).connection_pool.connection_class.__name__
