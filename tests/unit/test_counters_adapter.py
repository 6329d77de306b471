# SPDX-License-Identifier: Apache-2.0
"""The counters' adapter against a client that answers what a test says: errors, keys, scripts."""

from __future__ import annotations

import dataclasses
import hashlib
from types import SimpleNamespace
from typing import Any

import pytest
import redis
from redis import exceptions

from waiting_room.adapters import redis_counters
from waiting_room.adapters.redis_counters import KEYS, RedisCounters, connect
from waiting_room.errors import CountersLost, Unavailable
from waiting_room.ports import Claim, Rebuild
from waiting_room.records import Counts, EventState, LiveToken, ServingMove, SessionStatus
from waiting_room.settings import REDIS_TIMEOUT

EVENT, NOW = "Sample", 1_800_000_000


class Server:
    """Answers one thing; keeps every call as keys and arguments."""

    def __init__(self, answer: Any) -> None:
        self.answer, self.closed = answer, 0
        self.calls: list[tuple[str, list[str], list[Any]]] = []
        self.connection_pool = SimpleNamespace(disconnect=self._close)
        self.forgets = False

    def _close(self) -> None:
        self.closed += 1

    def _said(self, kind: str, count: int, rest: tuple[Any, ...]) -> Any:
        self.calls.append((kind, list(rest[:count]), list(rest[count:])))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def eval(self, source: str, count: int, *rest: Any) -> Any:
        return self._said("eval", count, rest)

    def evalsha(self, known: str, count: int, *rest: Any) -> Any:
        if self.forgets:
            raise exceptions.NoScriptError
        return self._said("evalsha", count, rest)


def counters(answer: Any) -> tuple[RedisCounters, Server]:
    server = Server(answer)
    return RedisCounters(server), server  # type: ignore[arg-type]


def asked(server: Server) -> list[Any]:
    return server.calls[-1][2]


@pytest.mark.parametrize(
    "error",
    [
        exceptions.ClusterDownError("CLUSTERDOWN"), exceptions.MasterDownError("MASTERDOWN"),
        exceptions.OutOfMemoryError(), exceptions.TryAgainError("TRYAGAIN"),
        exceptions.ResponseError("BUSY a script"),
        exceptions.ResponseError("LOADING"), exceptions.ResponseError("MISCONF no snapshot"),
        exceptions.ResponseError("NOREPLICAS"), exceptions.ResponseError("UNBLOCKED"),
        exceptions.TimeoutError(), exceptions.ConnectionError(), exceptions.RedisError(),
        exceptions.AuthenticationError("wrong"),
    ],
)  # fmt: skip
def test_a_server_that_cannot_answer_now_is_unavailable(error: Exception) -> None:
    made, server = counters(error)
    with pytest.raises(Unavailable):
        made.look(EVENT, NOW)
    assert server.closed == 0


@pytest.mark.parametrize("error", [exceptions.ReadOnlyError(), exceptions.BusyLoadingError()])
def test_a_server_that_moves_is_left_so_that_the_next_call_finds_the_new_one(
    error: Exception,
) -> None:
    made, server = counters(error)
    with pytest.raises(Unavailable, match="moving"):
        made.look(EVENT, NOW)
    assert server.closed == 1


def test_lost_counters_are_told_apart_and_a_fault_of_the_script_stays_one() -> None:
    with pytest.raises(CountersLost):
        counters(exceptions.ResponseError("LOST"))[0].look(EVENT, NOW)
    with pytest.raises(exceptions.ResponseError):
        counters(exceptions.ResponseError("ERR in a script"))[0].look(EVENT, NOW)


def test_a_script_is_sent_once_and_again_to_a_server_that_forgot_it() -> None:
    made, server = counters(0)
    made.count_token(EVENT, 1, 7, NOW)
    made.count_token(EVENT, 1, 7, NOW)
    server.forgets = True
    made.count_token(EVENT, 1, 7, NOW)
    server.forgets = False
    made.count_token(EVENT, 1, 7, NOW)
    assert [kind for kind, _, _ in server.calls] == ["eval", "evalsha", "eval", "evalsha"]


def test_all_keys_of_an_event_share_a_slot() -> None:
    made, server = counters([0])
    made.claim(EVENT, ["r"], NOW)
    keys = server.calls[0][1]
    assert len(keys) == len(KEYS) + 2
    assert all(key.startswith("waiting_room:{Sample}:") for key in keys)


def test_a_claim_is_known_in_its_hour_and_the_one_before() -> None:
    made, server = counters([next(iter(Claim)).value] * 2)
    assert made.claim(EVENT, ["a", "b"], NOW) == [next(iter(Claim))] * 2
    hour = NOW // 3600
    assert server.calls[0][1][-2:] == [
        f"waiting_room:{{Sample}}:seen:{hour}", f"waiting_room:{{Sample}}:seen:{hour - 1}",
    ]  # fmt: skip
    now, life, token, *ids = asked(server)
    assert (now, life, ids) == (NOW, 60, ["a", "b"])
    made.claim(EVENT, ["a"], NOW)
    assert asked(server)[2] != token
    made.unclaim(EVENT, ["a"], NOW)
    assert server.calls[-1][1][-1] == f"waiting_room:{{Sample}}:seen:{hour}"
    assert asked(server) == ["a"]


def test_the_figures_are_read_by_name() -> None:
    tail = [b"hello", 11, 12, 13, 14, 15]
    named = ("message", "version", "lowering", "reconciled_at", "swept_at", "admitted_at")
    first = [one.name for one in dataclasses.fields(Counts) if one.name not in named]
    made, server = counters([*range(1, len(first) + 1), *tail])
    found = made.look(EVENT, NOW)
    assert [getattr(found, name) for name in first] == list(range(1, len(first) + 1))
    assert [getattr(found, name) for name in named] == ["hello", 11, 12, 13, 14, 15]
    assert asked(server) == [NOW, 300]


def test_a_position_that_was_never_served_has_no_time() -> None:
    for at, served_at in ((-1, None), (0, 0), (9, 9)):
        found = counters([3, 50, 2, at, 1, 8, 4])[0].admission(EVENT, 7)
        assert found.served_at == served_at
        assert (found.generation, found.counted, found.version, found.lowering) == (3, True, 8, 4)
    assert counters([3, 50, 2, 0, 0, 8, 4])[0].admission(EVENT, 7).counted is False


def test_the_copy_is_told_the_last_move_and_whether_moves_follow() -> None:
    made, server = counters(0)
    bare = EventState(EVENT, generation=2, queue=9, known_holes=(3, 4))
    made.apply(bare)
    assert asked(server)[:1] == [2]
    assert asked(server)[10:12] == ["", 0]
    assert asked(server)[-3:] == [0, 3, 4]
    move = ServingMove(1, 0, 5, NOW, "increment", "m", "")
    made.apply(EventState(EVENT, version=1, serving=5, move=move), [move])
    assert asked(server)[10:12] == [f"0:5:{NOW}", 1]


def test_answers_of_a_script_are_yes_or_no() -> None:
    for answer, meant in ((0, False), (1, True), (None, False)):
        made, _ = counters(answer)
        assert made.count_token(EVENT, 1, 7, NOW) is meant
        status = SessionStatus.COMPLETED
        assert made.count_session(EVENT, 1, 7, NOW, status) is meant
        assert made.end_rebuilds(EVENT) is meant


def test_a_rebuild_says_whether_it_is_forced_and_how_long_it_holds_its_turn() -> None:
    made, server = counters(next(iter(Rebuild)).value)
    for force in (False, True):
        assert made.begin_rebuild(EVENT, "t", force=force) is next(iter(Rebuild))
        assert asked(server) == ["t", 3_000, int(force)]
    made.begin_rebuild(EVENT, "t")
    assert asked(server)[-1] == 0
    made.prolong_rebuild(EVENT, "t")
    assert asked(server) == ["t", 3_000]


def test_rows_are_counted_with_the_end_of_their_session() -> None:
    made, server = counters(0)
    rows = [
        LiveToken(7, NOW, SessionStatus.OPEN), LiveToken(8, NOW + 1, SessionStatus.ABANDONED),
    ]  # fmt: skip
    made.recount(EVENT, 2, rows, 70)
    assert asked(server) == [2, 70, 7, NOW, "", 8, NOW + 1, "abandoned"]


def test_what_no_answer_needs_is_forgotten_by_its_age() -> None:
    made, server = counters([1, 40])
    kept = made.trim(EVENT, NOW, reconciled_at=3, swept_at=4)
    assert (kept.changed, kept.unverified) == (True, 40)
    assert asked(server) == [NOW - 600, NOW - 300, 3, 4]
    made.trim(EVENT, NOW)
    assert asked(server)[2:] == [0, 0]


def test_a_checkpoint_has_its_segments_and_its_live_tokens_in_order() -> None:
    answer = [2, 5, 10, 6, 1, 2, b"t", b"e", [b"1:5:9", b"6:9:12"], [b"20", b"3", b"10", b"4"]]
    found = counters(answer)[0].checkpoint(EVENT, NOW)
    assert (found.generation, found.version, found.at) == (2, 5, NOW)
    assert [(one.first, one.last, one.at) for one in found.segments] == [(1, 5, 9), (6, 9, 12)]
    tally = found.account
    assert tally.live == ((10, 4), (20, 3))
    assert (tally.base, tally.tokens, tally.completed, tally.abandoned) == (10, 6, 1, 2)
    assert (tally.taken, tally.ended) == (b"t", b"e")


def test_a_client_gives_up_in_time_and_tries_a_lost_connection_once_more() -> None:
    made = connect("127.0.0.1", 7, password=lambda: "now")
    told = made.connection_pool.connection_kwargs
    assert told["socket_timeout"] == told["socket_connect_timeout"] == REDIS_TIMEOUT
    assert told["retry"]._retries == 1
    assert told["protocol"] == 2
    assert told["health_check_interval"] == 0
    assert told["credential_provider"].get_credentials() == ("now",)
    assert made.connection_pool.connection_class is redis.Connection
    safe = connect("127.0.0.1", 7, tls=True)
    assert safe.connection_pool.connection_class is redis.SSLConnection
    assert safe.connection_pool.connection_kwargs["credential_provider"] is None


def test_a_script_is_known_by_its_sha1() -> None:
    made, _ = counters(0)
    made.count_token(EVENT, 1, 7, NOW)
    source = redis_counters._source("count_token")
    assert made._hashes["count_token"] == hashlib.sha1(source.encode()).hexdigest()
