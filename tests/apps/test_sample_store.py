# SPDX-License-Identifier: Apache-2.0
"""The sample store: what a visitor gets who came through the authorizer."""

from __future__ import annotations

from typing import Any

import pytest
from chalice import CustomAuthorizer

import apps.sample_store.app as store
from tests.support.lambda_proxy_events import Answer, call
from tests.support.tokens import VISITOR

# API Gateway hands the authorizer's context on as texts
CLAIMS = {
    "sub": VISITOR, "aud": "Sample", "queue_position": "7", "token_use": "access",
    "iat": "1800000000", "nbf": "1800000000", "exp": "1800003600", "principalId": VISITOR,
}  # fmt: skip
WHO = {"request_id": VISITOR, "queue_position": 7, "admitted_until": 1_800_003_600}
ROUTES = ("/checkout", "/layaway", "/search")


def get(path: str, claims: Any = CLAIMS, **query: Any) -> Answer:
    return call(store.app, "GET", path, query=query, authorizer=claims)


def test_every_route_stands_behind_the_authorizer() -> None:
    routes = {path: methods["GET"] for path, methods in store.app.routes.items()}
    assert sorted(routes) == list(ROUTES)
    for route in routes.values():
        assert isinstance(route.authorizer, CustomAuthorizer)
        swagger = route.authorizer.to_swagger()
        assert (swagger["name"], route.authorizer.name) == (
            "Authorization",
            "WaitingRoomAuthorizer",
        )


def test_checkout_gives_the_visitor_an_order() -> None:
    answer = get("/checkout", item_id="poster")
    assert answer.status == 200
    order = answer.json
    assert (order["visitor"], order["status"], order["total_cents"]) == (WHO, "confirmed", 1500)
    assert [item["item_id"] for item in order["items"]] == ["poster"]


def test_the_same_visitor_gets_the_same_order_and_another_one_another() -> None:
    first = get("/checkout").json["order_id"]
    assert get("/checkout").json["order_id"] == first
    assert get("/checkout", {**CLAIMS, "sub": "another"}).json["order_id"] != first
    assert VISITOR not in first


def test_search_finds_by_name() -> None:
    assert get("/search").json["found"] == len(store.CATALOGUE)
    found = get("/search", q="TICKET").json
    assert {item["item_id"] for item in found["items"]} == {"concert-standing", "concert-seated"}
    assert get("/search", q="nothing of ours").json["items"] == []


def test_layaway_splits_the_price() -> None:
    answer = get("/layaway", item_id="concert-seated").json
    assert (answer["deposit_cents"], answer["remaining_cents"]) == (1780, 7120)
    assert answer["status"] == "reserved"


@pytest.mark.parametrize("path", ROUTES)
def test_answers_may_be_read_by_the_waiting_page_and_are_kept_by_no_cache(path: str) -> None:
    headers = get(path).headers
    assert headers["access-control-allow-origin"] == "*"
    assert "Authorization" in headers["access-control-allow-headers"]
    assert headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/checkout", {"item_id": "yacht"}), ("/layaway", {"item_id": ["poster", "poster"]}),
        ("/search", {"q": "x" * 101}), ("/search", {"q": ["a", "b"]}),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_a_clear_400(path: str, query: dict[str, Any]) -> None:
    answer = get(path, **query)
    assert answer.status == 400
    assert set(answer.json) == {"error"}


def test_a_token_without_a_position_is_served_too() -> None:
    claims = {name: value for name, value in CLAIMS.items() if name != "queue_position"}
    assert get("/checkout", claims).json["visitor"]["queue_position"] is None


@pytest.mark.parametrize("path", ROUTES)
def test_without_an_authorizer_in_front_nobody_is_served(path: str) -> None:
    assert get(path, None).status == 500
