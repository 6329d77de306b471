# SPDX-License-Identifier: Apache-2.0
"""The local edge does what AWS documents of CloudFront."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from deployment.local.gateway import edge_cache
from deployment.local.gateway.edge_cache import EdgeCache, lifetime
from deployment.local.gateway.proxy_events import Answer, Call
from infrastructure.blueprint.resources import CACHE_RULES, ERROR_TTLS, CacheRule
from waiting_room.runtime.http_api import LONGEST_STALE, cached

STATUS = CacheRule("/status", ("event_id",), 5, 1)
MINE = CacheRule("/queue_num", ("event_id", "request_id"), 5)
RULES = (STATUS, MINE)
CALL = Call("GET", "/status", "/api/status", "event_id=Sample", {}, {}, b"", "127.0.0.1")


class EdgeHarness:
    """An edge, its origin and a clock."""

    def __init__(
        self,
        cache_control: str = "public, max-age=2",
        status: int = 200,
        error_ttls: Mapping[int, int] = ERROR_TTLS,
    ) -> None:
        self.now, self.asked = 100.0, []  # type: ignore[var-annotated]
        self.said, self.status = cache_control, status
        self.edge = EdgeCache(self.origin, "the-key", RULES, lambda: self.now, error_ttls)

    async def origin(self, call: Call) -> Answer:
        self.asked.append(call)
        await asyncio.sleep(0)
        return Answer(self.status, (("Cache-Control", self.said),), str(len(self.asked)).encode())

    def ask(self, **changes: object) -> Answer:
        return asyncio.run(self.edge.answer(replace(CALL, **changes)))  # type: ignore[arg-type]


def test_an_answer_is_kept_for_as_long_as_it_says() -> None:
    harness = EdgeHarness()
    assert harness.ask().body == b"1"
    harness.now += 1.9
    kept = harness.ask()
    assert (kept.body, kept.header("x-cache"), kept.header("age")) == (b"1", "Hit from edge", "1")
    harness.now += 0.2
    assert harness.ask().body == b"2"


def test_no_answer_is_kept_longer_than_its_rule() -> None:
    harness = EdgeHarness("public, max-age=3600")
    harness.ask()
    harness.now += 5.1
    assert harness.ask().body == b"2"


FORBIDDEN = ["no-store", "private, max-age=9", "no-cache", "", "max-age=x"]


@pytest.mark.parametrize("said", FORBIDDEN)
def test_an_answer_that_may_not_be_kept_is_not_where_the_shortest_time_is_none(said: str) -> None:
    harness = EdgeHarness(said)
    harness.ask(path="/queue_num")
    assert harness.ask(path="/queue_num").body == b"2"


@pytest.mark.parametrize("said", FORBIDDEN)
def test_even_an_answer_that_may_not_be_kept_is_for_the_shortest_time(said: str) -> None:
    harness = EdgeHarness(said)
    harness.ask()
    harness.now += 0.9
    assert harness.ask().body == b"1"
    harness.now += 0.2
    assert harness.ask().body == b"2"


def test_other_events_are_other_answers_and_other_parameters_are_not() -> None:
    harness = EdgeHarness()
    harness.ask()
    assert harness.ask(query="event_id=Sample&junk=1").body == b"1"
    assert harness.ask(query="event_id=Other").body == b"2"
    assert harness.asked[-1].query == "event_id=Other"


def test_a_head_request_is_answered_from_what_a_get_left() -> None:
    harness = EdgeHarness()
    harness.ask()
    assert harness.ask(method="HEAD").header("x-cache") == "Hit from edge"


def test_a_post_is_passed_on_each_time_with_the_edges_key() -> None:
    harness = EdgeHarness()
    for _ in range(2):
        harness.ask(method="POST", headers={"x-api-key": "forged"})
    assert [call.headers["x-api-key"] for call in harness.asked] == ["the-key"] * 2


def send_at_once(harness: EdgeHarness, calls: Sequence[Call]) -> list[Answer]:
    """What callers get that ask together."""

    async def together() -> list[Answer]:
        return await asyncio.gather(*(harness.edge.answer(call) for call in calls))

    return asyncio.run(together())


def test_those_who_miss_together_ask_the_origin_once() -> None:
    harness = EdgeHarness()
    assert {answer.body for answer in send_at_once(harness, [CALL] * 100)} == {b"1"}
    assert len(harness.asked) == 1


def test_two_hundred_origins_are_one_call_to_the_origin() -> None:
    harness = EdgeHarness()
    calls = [
        replace(CALL, query=f"event_id=Sample&x={n}", headers={"origin": f"https://{n}.example"})
        for n in range(200)
    ]
    assert {answer.body for answer in send_at_once(harness, calls)} == {b"1"}
    assert {answer.body for answer in (send_at_once(harness, [call])[0] for call in calls)} == {
        b"1"
    }
    assert len(harness.asked) == 1


def test_nobody_waits_for_others_where_cloudfront_does_not_promise_it() -> None:
    harness = EdgeHarness()
    send_at_once(harness, [replace(CALL, path="/queue_num")] * 10)
    assert len(harness.asked) == 10


@pytest.mark.parametrize(
    ("said", "seconds"),
    [("public, max-age=3", 3), ("max-age=9, s-maxage=2", 2), ("s-maxage=0, max-age=5", 0)],
)
def test_the_lifetime_is_the_edges_own_where_one_is_given(said: str, seconds: int) -> None:
    assert lifetime(Answer(200, (("Cache-Control", said),), b""), MINE) == seconds
    assert lifetime(Answer(200, (("Cache-Control", said),), b""), STATUS) == max(1, seconds)


def test_no_position_or_figure_outlives_a_reset_by_five_seconds() -> None:
    longest = {rule.path: rule.longest for rule in CACHE_RULES}
    for path in ("/serving_num", "/waiting_num", "/status", "/queue_pos_expiry", "/queue_num"):
        assert longest[path] <= 5


def test_only_the_listed_headers_and_cookies_reach_the_origin() -> None:
    sent = {
        "content-type": "application/json",
        "accept": "*/*",
        "x-amzn-requestid": "chosen-by-the-caller",
        "x-api-key": "forged",
        "x-anything": "1",
        "x-client-address": "203.0.113.9",
        "authorization": "Bearer x",
        "host": "elsewhere.example",
        "cookie": "session=secret; aws-waf-token=proof; x-aws-waf-token",
    }
    many = {name: [value] for name, value in sent.items()}
    wanted = {
        "content-type": "application/json",
        "accept": "*/*",
        "x-api-key": "the-key",
        "host": "origin",
        "x-client-address": "127.0.0.1",
        "cookie": "aws-waf-token=proof",
    }
    harness = EdgeHarness()
    asks = "access-control-request-headers"
    harness.ask(method="POST", path="/generate_token", headers=sent, many_headers=many)
    harness.ask(path="/status", headers=sent, many_headers=many)
    harness.ask(method="OPTIONS", path="/status", headers={**sent, asks: "x-a"}, many_headers=many)
    posted, asked, preflight = harness.asked
    assert posted.headers == wanted
    assert posted.many_headers == {name: [value] for name, value in wanted.items()}
    assert set(asked.headers) == {"host", "x-api-key", "x-client-address"}, (
        "only the cache's key, as CloudFront does"
    )
    assert set(preflight.headers) == {*asked.headers, asks}, "what its answer depends on"


def test_what_is_the_same_for_every_caller_is_asked_for_once() -> None:
    """A 202 of one visitor is never kept; every other kept path collapses."""
    personal = {rule.path for rule in CACHE_RULES if "request_id" in rule.key}
    assert {rule.path for rule in CACHE_RULES if rule.shortest == 0} == personal
    assert {rule.shortest for rule in CACHE_RULES if rule.path not in personal} == {1}
    assert {"/status", "/serving_num", "/waiting_num"}.isdisjoint(personal)


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_an_error_of_a_shared_path_is_asked_for_again_within_a_second(status: int) -> None:
    harness = EdgeHarness("no-store", status)
    assert harness.ask().status == status
    harness.status, harness.said = 200, "public, max-age=1"
    harness.now += 1
    assert harness.ask().status == 200


@pytest.mark.parametrize("path", ["/status", "/elsewhere"])
def test_an_edge_caches_errors_for_ten_seconds_by_default(path: str) -> None:
    harness = EdgeHarness("no-store", 503, error_ttls={})
    harness.ask(path=path)
    harness.status = 200
    harness.now += 9.9
    assert harness.ask(path=path).status == 503
    harness.now += 0.2
    assert harness.ask(path=path).status == 200


@pytest.mark.parametrize("status", [202, 400, 403, 404, 410, 429])
def test_no_store_is_obeyed_for_what_is_no_failure(status: int) -> None:
    harness = EdgeHarness("no-store", status, error_ttls={})
    harness.ask(path="/queue_num")
    harness.status = 200
    assert harness.ask(path="/queue_num").status == 200


def test_an_expired_answer_stands_for_an_origin_that_is_away_within_its_limit() -> None:
    harness = EdgeHarness(cached(1))
    harness.ask()
    harness.status, harness.said = 503, "no-store"
    harness.now += LONGEST_STALE - 0.1
    assert (harness.ask().status, harness.ask().body) == (200, b"1")
    harness.now += 0.2
    assert harness.ask().status == 503


def test_without_a_limit_an_expired_answer_stands_for_longer() -> None:
    harness = EdgeHarness("public, max-age=1")
    harness.ask()
    harness.status = 503
    harness.now += 60
    assert harness.ask().status == 200


def test_of_many_answers_those_that_are_no_more_use_are_forgotten() -> None:
    harness = EdgeHarness(cached(3))
    for number in range(1000):
        harness.ask(path="/queue_num", query=f"event_id=Sample&request_id={number}")
        harness.now += 0.1
    assert len(harness.edge._kept) < 150  # 50 of them are of use


@pytest.mark.parametrize("path", ["/queue_num", "/made-up"])
def test_an_answer_that_is_never_fresh_is_not_kept_to_be_served_stale(path: str) -> None:
    harness = EdgeHarness("no-store", status=202)
    harness.ask(path=path)
    assert not harness.edge._kept
    harness.status = 503
    assert harness.ask(path=path).status == 503


def test_no_more_than_so_many_answers_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(edge_cache, "MAX_RESPONSES", 10)
    harness = EdgeHarness()
    for number in range(50):
        harness.ask(query=f"event_id={number}")
    assert len(harness.edge._kept) == 10


def test_paths_that_callers_make_up_are_counted_together() -> None:
    harness = EdgeHarness()
    for number in range(50):
        harness.ask(path=f"/{number}")
    harness.ask()
    counts = {path: dict(found) for path, found in harness.edge.counts.items() if found}
    assert counts == {"/status": {"misses": 1, "origin_calls": 1}, "other": {"passed": 50}}
