# SPDX-License-Identifier: Apache-2.0
"""The functions beside the gate: requests to the room, and responses of a protected host."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from infrastructure.assets import edge
from infrastructure.blueprint.gate_paths import ENTER, ROOM_PATHS
from tests.sites.test_edge_decision import engine, run, unknown_names
from tests.support.servers import ROOT
from waiting_room.domain.gate.clients import is_prefetch, prefers_json

ACCEPTS = (
    "", "*/*", "text/html", "application/json", "text/html,application/xhtml+xml,*/*;q=0.8",
    "application/json, text/html", "application/json;q=0.9, text/html;q=0.8",
    "application/json;q=0.8, text/html;q=0.9", "application/*", "text/*;q=0.1, application/*;q=0.2",
    "application/json;q=0", "text/html;q=0, */*;q=0.1", "APPLICATION/JSON",
    "application/json ; q = 1.000",
    "application/json;q=2, text/html;q=1", "application/json;q=x, text/html", "image/png",
    "application/json;q=0.5;q=0.9, text/html;q=0.6", "application/json;v=1;q=0.5, text/html;q=0.6",
    "text/html;q=0.5, text/html, application/json;q=0.7", ",,;q=1,", "__proto__;q=1, constructor",
    "application/json;q=0.1234, text/html;q=0.2", "x" * 9_000 + ",application/json",
)  # fmt: skip
NAME = "__Host-waiting-room-sale"


@pytest.fixture(scope="module")
def published() -> dict[str, str]:
    """The functions as they are published."""
    return edge.room_functions(ROOT)


def results(name: str, script: str, folder: Path, events: list[Any]) -> list[Any]:
    """What a function returns for each event."""
    file = folder / "events.json"
    file.write_text(json.dumps(events), encoding="utf-8")
    text = f"{script}\nexport default handler;"
    assert run(engine(name), folder, "edge_room_functions", str(file), gate=text) == "done"
    found: list[Any] = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    return found


def request(headers: dict[str, str], cookies: tuple[str, ...] = (), **more: Any) -> dict[str, Any]:
    return {
        "method": "GET", "uri": "/_waiting-room/session", "querystring": {},
        "headers": {name: {"value": value} for name, value in headers.items()},
        "cookies": {name: {"value": "1"} for name in cookies}, **more,
    }  # fmt: skip


@pytest.mark.parametrize("name", ["node", "njs"])
def test_the_room_gets_its_own_cookies_the_host_and_a_class_of_accept(
    name: str, published: dict[str, str], tmp_path: Path
) -> None:
    forged = {"x-waiting-room-host": "evil.example/", "x-waiting-room-session": "sale:1:1"}
    cookies = (NAME, "__Host-waiting-room_probe-sale", "waiting-room-x", "cart", "aws-waf-token",
               "my-waiting-room-x")  # fmt: skip
    asked = [
        {"request": request({"host": "shop.example", "accept": accept, **forged}, cookies)}
        for accept in ACCEPTS
    ]
    both = {"value": "text/html;q=0.1", "multiValue": [
        {"value": "text/html;q=0.1"}, {"value": "application/json"},
    ]}  # fmt: skip
    asked.append({"request": request({})})
    asked[-1]["request"]["headers"]["accept"] = both
    found = results(name, published["room"], tmp_path, asked)
    expected = [prefers_json(accept) for accept in ACCEPTS]
    assert 5 < sum(expected) < len(ACCEPTS) - 5
    for one, wanted, accept in zip(found, expected, ACCEPTS, strict=False):
        kind = "application/json" if wanted else "text/html"
        assert one["headers"]["accept"]["value"] == kind, accept
        assert one["headers"]["x-waiting-room-host"]["value"] == "shop.example"
        assert "x-waiting-room-session" not in one["headers"]
        assert set(one["cookies"]) == set(cookies[:3]) | {"aws-waf-token"}
        assert one["uri"] == "/session"
    assert found[-1]["headers"]["accept"]["value"] == "application/json"
    assert found[-1]["headers"]["x-waiting-room-host"]["value"] == ""


@pytest.mark.parametrize("name", ["node", "njs"])
def test_a_gate_in_another_web_server_names_the_host_of_its_site(
    name: str, published: dict[str, str], tmp_path: Path
) -> None:
    """Only on paths that no cache shares."""
    given = (
        "site.example",
        "site.example:8443",
        "",
        " ",
        "a b",
        "a/b",
        "a, b",
        "x" * 254,
        "a:123456",
    )
    asked = [
        {"request": request({"host": "room.example", "x-waiting-room-host": one}, uri=path.pattern)}
        for path in ROOM_PATHS
        if "*" not in path.path
        for one in given
    ]
    found = results(name, published["room"], tmp_path, asked)
    named: dict[str, set[str]] = {}
    for sent, one in zip(asked, found, strict=True):
        host = one["headers"]["x-waiting-room-host"]["value"]
        named.setdefault(sent["request"]["uri"].rpartition("/")[2], set()).add(host)
    both = {"room.example", "site.example", "site.example:8443"}
    for route, hosts in named.items():
        private = route in ("join", "wait", "session", "renew", "leave")
        assert hosts == (both if private else {"room.example"}), route


@pytest.mark.parametrize("name", ["node", "njs"])
def test_only_session_routes_get_cookies_of_the_room(
    name: str, published: dict[str, str], tmp_path: Path
) -> None:
    routes = [path for path in ROOM_PATHS if "*" not in path.path]
    cookies = (NAME, "aws-waf-token", "cart")
    asked = [{"request": request({}, cookies, uri=path.pattern)} for path in routes]
    asked.append({"request": request({}, cookies, uri="/x/../_waiting-room/session")})
    found = results(name, published["room"], tmp_path, asked)
    kept = {one["uri"] for one in found if NAME in one["cookies"]}
    assert kept == {"/enter", "/wait", "/session", "/renew", "/leave"}  # of `join`
    assert NAME not in found[0]["cookies"], "GET enter is shared"
    assert all("cart" not in one["cookies"] and "aws-waf-token" in one["cookies"] for one in found)
    paths = [path.path.replace("/join", "/enter") for path in routes]
    assert [one["uri"] for one in found[:-1]] == paths
    assert found[-1]["uri"] == "/x/../_waiting-room/session", "unknown to the room"


@pytest.mark.parametrize("name", ["node", "njs"])
def test_the_room_gets_the_client_address_and_each_kind_of_prefetch(
    name: str, published: dict[str, str], tmp_path: Path
) -> None:
    given = [
        {"purpose": "prefetch"}, {"x-moz": "Prefetch"}, {"sec-purpose": "prefetch;prerender"},
        {"sec-purpose": "prerender"}, {"purpose": "other"}, {"x-client-address": "forged"},
    ]  # fmt: skip
    asked = [{"viewer": {"ip": "2001:db8::7"}, "request": request(one)} for one in given]
    found = results(name, published["room"], tmp_path, asked)
    after = [is_prefetch({"sec-purpose": one["headers"].get("sec-purpose", {}).get("value", "")})
             for one in found]  # fmt: skip
    assert after == [is_prefetch(one) for one in given] == [True] * 4 + [False] * 2
    assert {one["headers"]["x-client-address"]["value"] for one in found} == {"2001:db8:0:0::/64"}


@pytest.mark.parametrize("name", ["node", "njs"])
def test_a_form_that_is_sent_to_enter_goes_on_with_its_body_and_query(
    name: str, published: dict[str, str], tmp_path: Path
) -> None:
    asked = [
        {"request": request({}, (NAME,), uri=ENTER.pattern, method="POST", rawQuery=query)}
        for query in ("event=sale&to=%2Fa%3Fb", "", None)
    ]
    found = results(name, published["room"], tmp_path, asked)
    places = [(one["statusCode"], one["headers"]["location"]["value"]) for one in found]
    assert places == [
        (307, "/_waiting-room/join?event=sale&to=%2Fa%3Fb"),
        (307, "/_waiting-room/join"),
        (307, "/_waiting-room/join"),
    ]
    assert found[0]["headers"]["cache-control"]["value"] == "no-store"


@pytest.mark.parametrize("name", ["node", "njs"])
def test_the_page_that_led_here_names_event_and_destination(
    name: str, published: dict[str, str], tmp_path: Path
) -> None:
    page = "https://shop.example/_waiting-room/?event=sale&to=%2Fcart%3Fa%3D1"
    cases = [
        ("", page, "/_waiting-room/wait?event=sale&to=%2Fcart%3Fa%3D1"),
        (None, page, "/_waiting-room/wait?event=sale&to=%2Fcart%3Fa%3D1"),
        ("event=vip", page, None),
        ("", page.replace("shop.example", "evil.example"), None),
        ("", "https://shop.example/cart?event=sale", None),
        ("", "https://shop.example/_waiting-room/?other=1", None),
        ("", "https://shop.example/_waiting-room/?event=a\r\nx: y", None),
        ("", "", None),
    ]
    asked = [
        {"request": request(
            {"host": "shop.example", **({"referer": referrer} if referrer else {})},
            uri="/_waiting-room/wait", rawQuery=query,
        )}
        for query, referrer, _ in cases
    ]  # fmt: skip
    of_site = request(
        {"host": "room.example", "x-waiting-room-host": "shop.example", "referer": page},
        uri="/_waiting-room/wait",
    )
    asked.append({"request": of_site})
    cases.append(("", page, "/_waiting-room/wait?event=sale&to=%2Fcart%3Fa%3D1"))
    found = results(name, published["room"], tmp_path, asked)
    for one, (query, referrer, location) in zip(found, cases, strict=True):
        if location is None:
            assert one["uri"] == "/wait", (query, referrer)
        else:
            assert (one["statusCode"], one["headers"]["location"]["value"]) == (302, location)


@pytest.mark.parametrize("name", ["node", "njs"])
def test_the_address_of_the_folder_shows_its_index(
    name: str, published: dict[str, str], tmp_path: Path
) -> None:
    given = ("/_waiting-room/", "/_waiting-room/page.js", "/_waiting-room/words/de.json")
    asked = [{"request": request({}, uri=one)} for one in given]
    found = results(name, published["page"], tmp_path, asked)
    assert [one["uri"] for one in found] == ["/_waiting-room/index.html", *given[1:]]


def respond(
    headers: dict[str, str], query: str | None = None, uri: str = "/_waiting-room/enter"
) -> dict[str, Any]:
    sent = request({}, (NAME, "__Host-waiting-room_probe-sale", "cart"), uri=uri)
    if query is not None:
        sent["rawQuery"] = query
    return {
        "request": sent,
        "response": {
            "statusCode": 302, "cookies": {},
            "headers": {name: {"value": value} for name, value in headers.items()},
        },
    }  # fmt: skip


SHARED = {"location": "/_waiting-room/session?event=sale"}


@pytest.mark.parametrize("name", ["node", "njs"])
def test_the_shared_response_leads_back_to_the_address_of_each_visitor(
    name: str, published: dict[str, str], tmp_path: Path
) -> None:
    cases = [
        (respond(SHARED, "event=sale&to=%2Fa%3Fb%3D1%26c"), "&to=%2Fa%3Fb%3D1%26c"),
        (respond(SHARED, "to=%2Fa&event=sale&to=%2Fb"), "&to=%2Fa"),
        (respond(SHARED, "event=sale"), ""),
        (respond(SHARED, "event=sale&xto=%2Fa"), ""),
        (respond(SHARED, ""), ""),
        (respond(SHARED, "to="), ""),
        (respond(SHARED, "to=%2Fa", "/_waiting-room/session"), ""),
        (respond(SHARED, "to=/a\r\nx"), "&to=/a"),
        (respond({"location": "/_waiting-room/"}, "to=%2Fa"), None),
        (respond({}, "to=%2Fa"), None),
    ]
    cases += [
        (respond(SHARED, "event=sale&note=form"), "&note=form"),
        (respond(SHARED, "note=address&to=%2Fa"), "&to=%2Fa&note=address"),
        (respond(SHARED, "event=sale&note=other"), ""),
        (respond(SHARED, "event=sale&note=form&note=address"), "&note=form"),
        (respond(SHARED, "event=sale&note=formx&xnote=form"), ""),
    ]
    parsed = respond(SHARED)
    parsed["request"]["querystring"] = {"to": {"value": "%2Fa"}, "note": {"value": "address"}}
    cases.append((parsed, "&to=%2Fa&note=address"))
    found = results(name, published["response"], tmp_path, [event for event, _ in cases])
    for one, (event, added) in zip(found, cases, strict=True):
        location = one["headers"].get("location", {}).get("value")
        before = event["response"]["headers"].get("location", {}).get("value")
        assert location == (before if added is None else SHARED["location"] + added)


@pytest.mark.parametrize("name", ["node", "njs"])
def test_the_site_ends_a_session_on_responses_for_one_visitor(
    name: str, published: dict[str, str], tmp_path: Path
) -> None:
    cases = [
        ({"waiting-room-session": "end", "cache-control": "no-store"}, True),
        ({"waiting-room-session": " END ", "cache-control": "max-age=0, Private"}, True),
        ({"waiting-room-session": "end", "cache-control": "max-age=60"}, False),
        ({"waiting-room-session": "end", "cache-control": "x-private"}, False),
        ({"waiting-room-session": "end"}, False),
        ({"waiting-room-session": "keep", "cache-control": "no-store"}, False),
        ({"cache-control": "no-store"}, False),
    ]
    events = [respond(headers, None, "/done") for headers, _ in cases]
    found = results(name, published["response"], tmp_path, events)
    for one, (headers, ends) in zip(found, cases, strict=True):
        assert set(one["cookies"]) == ({NAME} if ends else set()), headers
        assert "waiting-room-session" not in one["headers"]
    assert found[0]["cookies"][NAME] == {
        "value": "", "attributes": "Secure; HttpOnly; SameSite=None; Path=/; Max-Age=0",
    }  # fmt: skip


@pytest.mark.parametrize("name", ["node", "njs"])
def test_the_session_header_of_the_gate_names_the_session_that_ends(
    name: str, published: dict[str, str], tmp_path: Path
) -> None:
    event = respond({"waiting-room-session": "end", "cache-control": "private"}, None, "/done")
    event["request"]["cookies"] = {"__Host-waiting-room_renewing-vip": {"value": "1"}}
    event["request"]["headers"] = {"x-waiting-room-session": {"value": "sale:2:17"}}
    (found,) = results(name, published["response"], tmp_path, [event])
    assert set(found["cookies"]) == {NAME, "__Host-waiting-room_renewing-vip"}


def test_the_functions_are_small_and_use_what_the_edge_has(published: dict[str, str]) -> None:
    for name, script in published.items():
        assert len(script.encode()) < 4_000, name
        assert unknown_names(script) == [], name
