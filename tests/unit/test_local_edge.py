# SPDX-License-Identifier: Apache-2.0
"""The local edge obeys what CloudFront would obey."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from deployment.local.edge import Edge, lifetime
from deployment.local.proxy_events import Answer, Call
from infrastructure.resources import CACHE_RULES, CacheRule

RULES = (CacheRule("/status", ("event_id",), 5),)
CALL = Call("GET", "/status", "/api/status", "event_id=Sample", {}, {}, b"", "127.0.0.1")


class World:
    """An edge, its origin and a clock."""

    def __init__(self, cache_control: str = "public, max-age=2", status: int = 200) -> None:
        self.now, self.asked = 100.0, []  # type: ignore[var-annotated]
        self.said, self.status = cache_control, status
        self.slow = asyncio.Event()
        self.edge = Edge(self.origin, "the-key", RULES, lambda: self.now)

    async def origin(self, call: Call) -> Answer:
        self.asked.append(call)
        await asyncio.sleep(0)
        return Answer(self.status, (("Cache-Control", self.said),), str(len(self.asked)).encode())

    def ask(self, **changes: object) -> Answer:
        return asyncio.run(self.edge.answer(replace(CALL, **changes)))  # type: ignore[arg-type]


def test_an_answer_is_kept_for_as_long_as_it_says() -> None:
    world = World()
    assert world.ask().body == b"1"
    world.now += 1.9
    kept = world.ask()
    assert (kept.body, kept.header("x-cache"), kept.header("age")) == (b"1", "Hit from edge", "1")
    world.now += 0.2
    assert world.ask().body == b"2"


def test_no_answer_is_kept_longer_than_its_rule() -> None:
    world = World("public, max-age=3600")
    world.ask()
    world.now += 5.1
    assert world.ask().body == b"2"


@pytest.mark.parametrize("said", ["no-store", "private, max-age=9", "no-cache", "", "max-age=x"])
def test_an_answer_that_may_not_be_kept_is_not(said: str) -> None:
    world = World(said)
    world.ask()
    assert world.ask().body == b"2"


def test_other_events_are_other_answers_and_other_parameters_are_not() -> None:
    world = World()
    world.ask()
    assert world.ask(query="event_id=Sample&junk=1").body == b"1"
    assert world.ask(query="event_id=Other").body == b"2"
    assert world.asked[-1].query == "event_id=Other"


def test_a_head_request_is_answered_from_what_a_get_left() -> None:
    world = World()
    world.ask()
    assert world.ask(method="HEAD").header("x-cache") == "Hit from edge"


def test_a_post_is_passed_on_each_time_with_the_edges_key() -> None:
    world = World()
    for _ in range(2):
        world.ask(method="POST", headers={"x-api-key": "forged"})
    assert [call.headers["x-api-key"] for call in world.asked] == ["the-key"] * 2


def test_those_who_miss_together_ask_the_origin_once() -> None:
    world = World()

    async def crowd() -> list[Answer]:
        return await asyncio.gather(*(world.edge.answer(CALL) for _ in range(100)))

    assert {answer.body for answer in asyncio.run(crowd())} == {b"1"}
    assert len(world.asked) == 1


@pytest.mark.parametrize(
    ("said", "seconds"),
    [("public, max-age=3", 3), ("max-age=9, s-maxage=2", 2), ("s-maxage=0, max-age=5", 0)],
)
def test_the_lifetime_is_the_edges_own_where_one_is_given(said: str, seconds: int) -> None:
    assert lifetime(Answer(200, (("Cache-Control", said),), b"")) == seconds


def test_no_position_or_figure_outlives_a_reset_by_five_seconds() -> None:
    longest = {rule.path: rule.longest for rule in CACHE_RULES}
    for path in ("/serving_num", "/waiting_num", "/status", "/queue_pos_expiry"):
        assert longest[path] <= 5


def test_only_the_listed_headers_and_cookies_reach_the_origin() -> None:
    sent = {
        "content-type": "application/json",
        "accept": "*/*",
        "x-amzn-requestid": "chosen-by-the-caller",
        "x-api-key": "forged",
        "x-anything": "1",
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
        "cookie": "aws-waf-token=proof",
    }
    world = World()
    world.ask(method="POST", headers=sent, many_headers=many)
    world.ask(path="/status", headers=sent, many_headers=many)
    posted, asked = world.asked
    assert posted.headers == wanted
    assert posted.many_headers == {name: [value] for name, value in wanted.items()}
    assert set(asked.headers) == {"host", "x-api-key"}, "only the cache's key, as CloudFront does"
