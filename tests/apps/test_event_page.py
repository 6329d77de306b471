# SPDX-License-Identifier: Apache-2.0
"""``GET /page``: what an event adds to its waiting pages."""

from __future__ import annotations

from typing import Any

import pytest

import apps.private_api.app
import apps.public_api.app
from tests.support.in_memory_room import EVENT, InMemoryRoom
from tests.support.lambda_proxy_events import Answer, call

NOTHING = {"brand": {}, "texts": {}, "html": ""}
PAGE = {
    "brand": {"name": "Nordlicht", "colors": {"accent": "#8a1c3b"}},
    "texts": {"en": {"closed": ["Sold out", "Thank you."]}},
    "html": "<p>Doors open at <b>seven</b>.</p>",
}


@pytest.fixture(autouse=True)
def in_memory_room(served_room: InMemoryRoom) -> InMemoryRoom:
    return served_room


def page(event_id: str = EVENT) -> Answer:
    return call(apps.public_api.app.app, "GET", "/page", query={"event_id": event_id})


def status(event_id: str = EVENT) -> Any:
    return call(apps.public_api.app.app, "GET", "/status", query={"event_id": event_id}).json


def put(event_id: str, **members: Any) -> Answer:
    return call(apps.private_api.app.app, "PUT", f"/events/{event_id}", body=members)


def patch(event_id: str, **members: Any) -> Answer:
    return call(apps.private_api.app.app, "PATCH", f"/events/{event_id}", body=members)


def test_an_event_without_a_page_has_none_and_its_status_does_not_grow() -> None:
    assert page().json == {"event_id": EVENT, "title": "", "page": NOTHING, "version": ""}
    assert "page" not in status()
    put("sale")
    assert page("sale").json == {"event_id": "sale", "title": "", "page": NOTHING, "version": ""}
    assert "page" not in status("sale")


def test_the_page_of_an_event_is_returned_for_a_minute_with_its_version() -> None:
    assert put("sale", title="Sale", page=PAGE).status == 201
    found = page("sale")
    assert found.json == {
        "event_id": "sale", "title": "Sale", "page": PAGE, "version": status("sale")["page"],
    }  # fmt: skip
    assert found.headers["cache-control"] == "public, max-age=60, stale-if-error=0"
    assert call(apps.public_api.app.app, "HEAD", "/page", query={"event_id": "sale"}).status == 200


def test_only_a_change_of_title_or_page_is_a_new_version(in_memory_room: InMemoryRoom) -> None:
    put("sale", title="Sale", page=PAGE)
    first = status("sale")["page"]
    patch("sale", admission={"per_minute": 5})
    call(apps.private_api.app.app, "POST", "/events/sale/actions/pause")
    in_memory_room.clock.now += 5
    assert status("sale")["page"] == first
    seen = {first}
    for change in ({"title": "x"}, {"page": {"html": ""}}, {"page": {"brand": {"name": "y"}}}):
        patch("sale", **change)
        in_memory_room.clock.now += 5
        seen.add(status("sale")["page"])
        assert page("sale").json["version"] == status("sale")["page"]
    assert len(seen) == 4
    patch("sale", title="", page=None)
    in_memory_room.clock.now += 5
    assert "page" not in status("sale")


def test_the_html_is_stored_without_what_could_run() -> None:
    made = put("sale", page={"html": "<p onclick='x()'>Hi<script>x()</script></p>"})
    assert made.json["page"]["html"] == "<p>Hi</p>"
    assert page("sale").json["page"]["html"] == "<p>Hi</p>"
    changed = patch("sale", page={"html": "<style>p{}</style><em>Hi</em>"})
    assert changed.json["page"]["html"] == "<em>Hi</em>"
    again = patch("sale", page={"html": "<em onfocus=x>Hi</em>"})
    assert again.json["version"] == changed.json["version"], "nothing was changed"


def test_a_block_that_was_stored_never_locks_its_document() -> None:
    """Cleaning adds attributes to links, so the length of the clean block counts."""
    links = "".join(f'<a href="https://a.example/{n}">x</a>' for n in range(40))
    made = put("sale", page={"html": links})
    assert made.status == 201
    assert len(made.json["page"]["html"]) > len(links)
    again = call(
        apps.private_api.app.app, "PUT", "/events/sale", body={**made.json, "title": "x"},
        headers={"If-Match": '"1"'},
    )  # fmt: skip
    assert (again.status, again.json["page"]) == (200, made.json["page"])
    many = "".join(f'<a href="https://a.example/{n}">x</a>' for n in range(110))
    assert len(many) < 4_000
    refused = patch("sale", page={"html": many})
    assert refused.status == 400
    assert refused.json["error"] == "page.html must have at most 4000 characters"
    assert patch("sale", page={"html": "<script>" + "x" * 5_000 + "</script>"}).status == 200


@pytest.mark.parametrize("event_id", ["", "other", "Sample ", "x" * 65])
def test_the_page_of_an_unknown_event_is_refused(event_id: str) -> None:
    answer = page(event_id)
    assert answer.status == 400
    assert set(answer.json) == {"error"}


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"brand": {"logo": "javascript:x"}}, "page.brand.logo must be an https address"),
        ({"brand": {"colors": {"text": "#999999"}}}, "page.brand.colors.text: text #999999 on"),
        ({"brand": {"colors": {"text": "red"}}}, "page.brand.colors.text must be a colour"),
        ({"brand": {"icon": "x"}}, "page.brand.icon is not a member of an event"),
        ({"texts": {"en": {"entre": "x"}}}, "page.texts.en.entre is not a text"),
        ({"texts": {"en": {"enter": 5}}}, "page.texts.en.enter must be"),
        ({"html": "x" * 4_001}, "page.html must have at most 4000 characters"),
        ({"html": ["<p>"]}, "page.html must be a text"),
        ({"css": "x"}, "page.css is not a member of an event"),
    ],
)
def test_an_invalid_page_is_refused_with_its_member(given: Any, says: str) -> None:
    answer = put("sale", page=given)
    assert answer.status == 400
    assert answer.json["error"].startswith(says)
    assert page("sale").status == 400, "nothing was created"
