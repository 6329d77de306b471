# SPDX-License-Identifier: Apache-2.0
"""Routes of the entrance behind a gate, on stores in memory."""

from __future__ import annotations

import logging

import pytest

from apps.entrance import app as module
from tests.apps.entrance_client import EntranceClient
from tests.apps.gate_room import GateRoom
from tests.support.fakes.entrance import entrance_of
from tests.support.fakes.gate_keys import MemoryGateKeys
from tests.support.faults import FaultInjector
from tests.support.in_memory_room import START, Clock, InMemoryRoom
from waiting_room.domain.actors import Actor, ActorKind
from waiting_room.domain.errors import SettingsError, Throttled
from waiting_room.domain.gate.credentials import decode_session, encode_probe
from waiting_room.domain.gate.decision import NOTES
from waiting_room.domain.gate.watchdog import ENTER, Reading, read_response
from waiting_room.runtime import session_views
from waiting_room.runtime.room_words import words_of
from waiting_room.runtime.settings.entrance import (
    EntranceSettings,
    PageBrand,
    read_entrance_settings,
)

ADA = Actor(ActorKind.PERSON, "arn:aws:iam::1:user/ada")
PROBE = "__Host-waiting-room_probe-sale"


@pytest.fixture
def room(monkeypatch: pytest.MonkeyPatch) -> InMemoryRoom:
    """A room with an event behind a gate, and an event without a gate."""
    made = GateRoom()
    made.event_documents.put("api", {}, None, actor=ADA)
    door = entrance_of(made.stores, made.clock)
    monkeypatch.setattr(module, "entrance", lambda: door)
    monkeypatch.setattr(session_views, "gate_sessions", lambda: made.sessions)
    for views in (module, session_views):
        monkeypatch.setattr(views, "entrance_settings", EntranceSettings)
    made.documents.calls.clear()
    return made


@pytest.fixture
def clock(room: InMemoryRoom) -> Clock:
    return room.clock


@pytest.fixture
def documents(room: InMemoryRoom) -> FaultInjector:
    return room.documents


def with_probe(clock: Clock) -> EntranceClient:
    keys = MemoryGateKeys(clock=clock).keys("sale")
    return EntranceClient(jar={PROBE: encode_probe("sale", int(clock()), keys)})


def test_enter_has_one_response_for_all(documents: FaultInjector) -> None:
    first = EntranceClient().call("enter", event="sale", to="/a")
    other = EntranceClient(jar={"a": "b"}).call("enter", event="sale", to="/b")
    assert first == other
    assert (first.status, first.location) == (302, "/_waiting-room/?event=sale")
    assert first.headers["Cache-Control"] == "public, max-age=1"
    assert not first.cookies


def test_enter_returns_json_to_programs(documents: FaultInjector) -> None:
    found = EntranceClient().call("enter", event="sale", accept="application/json")
    assert (found.status, found.json) == (200, {"decision": "wait", "retry_after": 10})


@pytest.mark.parametrize("event", ["api", "unknown", "#registry", "x" * 65])
def test_events_without_a_gate_have_no_entrance(documents: FaultInjector, event: str) -> None:
    for route in ("enter", "session"):
        found = EntranceClient().call(route, event=event, accept="application/json")
        assert found.status == 404
        assert "no event behind a gate" in found.json["error"]


def test_an_event_is_needed_once(documents: FaultInjector) -> None:
    found = EntranceClient().call("enter")
    assert found.status == 400
    assert "event must be given exactly once" in found.body.lower()


def test_without_a_probe_the_page_says_that_cookies_are_needed(documents: FaultInjector) -> None:
    client = EntranceClient()
    found = client.call("session", event="sale", to="/a?b=<script>")
    assert found.status == 403
    assert "Allow cookies" in found.body
    assert "<script>" not in found.body
    assert 'href="/_waiting-room/session?event=sale&amp;to=%2Fa%3Fb%3D%3Cscript%3E"' in found.body
    assert found.headers["Cache-Control"] == "no-store"
    again = client.call("session", event="sale", to="/a")  # it has kept the probe
    assert again.status == 302


def test_a_program_without_cookies_gets_the_reason(documents: FaultInjector) -> None:
    found = EntranceClient().call("session", event="sale", accept="application/json")
    assert (found.status, found.json["reason"]) == (403, "no_cookies")


def test_the_page_keeps_the_destination(documents: FaultInjector, clock: Clock) -> None:
    for to, kept in (
        ("/a?b", "%2Fa%3Fb"),
        ("https://pay.example/x", "https%3A%2F%2Fpay.example%2Fx"),
        ("https://evil.example/x", "%2F"),
        ("//evil.example", "%2F"),
    ):
        found = with_probe(clock).call("session", event="sale", to=to)
        assert found.location == f"/_waiting-room/?event=sale&to={kept}"


def test_prefetch_and_head_get_no_session(documents: FaultInjector, clock: Clock) -> None:
    client = with_probe(clock)
    found = client.call("session", event="sale", headers={"Sec-Purpose": "prefetch"})
    assert (found.status, found.json["reason"]) == (403, "prefetch")
    head = client.call("session", method="HEAD", event="sale")
    assert (head.status, head.location) == (302, "/_waiting-room/?event=sale&to=%2F")


@pytest.mark.parametrize("dest", ["image", "iframe", "script", "empty"])
def test_a_page_of_another_site_takes_no_position(
    room: InMemoryRoom, clock: Clock, monkeypatch: pytest.MonkeyPatch, dest: str
) -> None:
    client, calls = with_probe(clock), []
    door = module.entrance()
    monkeypatch.setattr(door, "go", calls.append)
    sent = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Dest": dest}
    found = client.call("session", event="sale", headers=sent, accept="application/json")
    assert (found.status, found.json["reason"], found.cookies) == (403, "not_of_site", {})
    assert calls == []


def test_a_document_is_read_once_a_second(documents: FaultInjector, clock: Clock) -> None:
    for seconds in (0, 0.5, 0.4):
        clock.now += seconds
        EntranceClient().call("enter", event="sale")
        EntranceClient().call("enter", event="unknown")
    assert documents.calls == ["read", "read"]
    clock.now += 0.2
    EntranceClient().call("enter", event="sale")
    assert documents.calls == ["read"] * 3


def test_a_busy_store_is_429_which_no_cache_keeps(
    documents: FaultInjector, caplog: pytest.LogCaptureFixture
) -> None:
    documents.fail("read", "before")
    found = EntranceClient().call("enter", event="sale", to="/secret", accept="application/json")
    assert (found.status, found.headers["Retry-After"]) == (429, "1")
    assert found.headers["Cache-Control"] == "no-store"
    assert "secret" not in caplog.text
    assert read_response(ENTER, "sale", 429, found.body.encode()) is Reading.FAULT


def test_a_store_that_throttles_is_no_fault_to_the_watchdog(
    documents: FaultInjector, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Many requests make a store throttle: no flood may open the gate."""

    def throttle(_: str) -> None:
        raise Throttled("the table is busy")

    monkeypatch.setattr(documents.store, "read", throttle)
    found = EntranceClient().call("enter", event="sale", accept="application/json")
    assert found.status == 429
    assert read_response(ENTER, "sale", 429, found.body.encode()) is Reading.BUSY


def test_an_unexpected_error_is_a_page_without_details(
    documents: FaultInjector, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "entrance", lambda: 1 / 0)
    with caplog.at_level(logging.ERROR):
        found = EntranceClient().call("enter", event="sale")
    assert found.status == 500
    assert "ZeroDivision" not in found.body
    assert "enter: unexpected" in caplog.text


def test_the_setting_for_plain_http() -> None:
    assert read_entrance_settings({}).secure
    assert not read_entrance_settings({"GATE_HTTPS": "false"}).secure


def test_the_setting_of_the_brand() -> None:
    assert read_entrance_settings({}).brand == PageBrand()
    brand = '{"name": "Night & Day", "style": "main{background:#111111}"}'
    found = read_entrance_settings({"PAGE_BRAND": brand}).brand
    assert found == PageBrand("Night & Day", "main{background:#111111}")


@pytest.mark.parametrize(
    "value",
    ["Night", "[]", '"x"', '{"logo": "x"}', '{"name": 7}', '{"style": "</style><script>"}', "7"],
)
def test_a_brand_of_another_form_is_rejected_with_the_settings_name(value: str) -> None:
    with pytest.raises(SettingsError, match="The setting PAGE_BRAND must be JSON with the texts"):
        read_entrance_settings({"PAGE_BRAND": value})


def test_a_visitor_goes_straight_through_to_the_destination(room: InMemoryRoom) -> None:
    room.room.control.increment("sale", 1, actor=ADA)
    client = with_probe(room.clock)
    first = client.call("enter", event="sale")
    assert (first.status, first.location) == (302, "/_waiting-room/session?event=sale")
    found = client.call("session", event="sale", to="/a?b=1")
    assert (found.status, found.location) == (302, "/a?b=1")
    assert found.headers["Cache-Control"] == "no-store"
    value = client.jar["__Host-waiting-room-sale"]
    session = decode_session(value, MemoryGateKeys(clock=room.clock).keys("sale"))
    assert session is not None
    assert (session.position, session.expires) == (1, START + 900)
    assert "SameSite=None" in found.cookies["__Host-waiting-room-sale"]


def test_a_program_gets_the_end_of_its_session(room: InMemoryRoom) -> None:
    room.room.control.increment("sale", 1, actor=ADA)
    client = with_probe(room.clock)
    found = client.call("session", event="sale", accept="application/json")
    assert (found.status, found.json) == (200, {"expires_at": START + 900})
    later = with_probe(room.clock).call("session", event="sale", accept="application/json")
    assert later.json == {"decision": "wait", "retry_after": 10}


def test_another_host_of_the_site_gets_a_ticket(room: InMemoryRoom) -> None:
    room.room.control.increment("sale", 1, actor=ADA)
    found = with_probe(room.clock).call("session", event="sale", to="https://pay.example/x")
    start = "https://pay.example/_waiting-room/handover?event=sale&to=%2Fx&ticket="
    assert found.location.startswith(start)


@pytest.mark.parametrize("note", NOTES)
def test_a_visitor_who_goes_straight_through_reads_the_note_first(
    room: InMemoryRoom, note: str
) -> None:
    room.room.control.increment("sale", 2, actor=ADA)
    client = with_probe(room.clock)
    found = client.call(
        "session", event="sale", to="/a", note=note, headers={"Accept-Language": "de"}
    )
    assert (found.status, "Location" in found.headers) == (200, False)
    assert words_of("de")[f"note_{note}"] in found.body
    assert '<a href="/a">' in found.body
    assert "__Host-waiting-room-sale" in client.jar
    assert found.headers["Cache-Control"] == "no-store"
    other = with_probe(room.clock)
    found = other.call("session", event="sale", to="https://pay.example/x", note=note)
    link = "/_waiting-room/renew?event=sale&amp;to=https%3A%2F%2Fpay.example%2Fx"
    assert f'<a href="{link}">' in found.body, "a ticket would expire while the visitor reads"


def test_a_note_stays_in_the_address_of_a_visitor_who_waits(room: InMemoryRoom) -> None:
    found = with_probe(room.clock).call("session", event="sale", to="/a", note="form")
    assert found.location == "/_waiting-room/?event=sale&to=%2Fa&note=form"
    found = EntranceClient().call("session", event="sale", to="/a", note="address")
    assert "session?event=sale&amp;to=%2Fa&amp;note=address" in found.body
    other = with_probe(room.clock).call("session", event="sale", to="/a", note="<script>")
    assert other.location == "/_waiting-room/?event=sale&to=%2Fa"
    shared = [EntranceClient().call("enter", event="sale", note=one) for one in ("form", "x")]
    assert shared[0] == shared[1], "the response of a second is one for all"


def test_no_request_without_a_visitor_takes_a_position(room: InMemoryRoom) -> None:
    room.room.control.increment("sale", 9, actor=ADA)
    for _ in range(30):  # a client without cookies, as often as it comes
        assert EntranceClient().call("session", event="sale").status == 403
    client = with_probe(room.clock)
    client.call("session", method="HEAD", event="sale")
    client.call("session", event="sale", headers={"Sec-Purpose": "prefetch;prerender"})
    client.call("session", event="sale", headers={"Purpose": "prefetch"})
    assert room.log.store.read("sale").queue == 0


def test_a_visitor_with_a_session_takes_no_second_position(room: InMemoryRoom) -> None:
    room.room.control.increment("sale", 9, actor=ADA)
    client = with_probe(room.clock)
    client.call("session", event="sale")
    again = client.call("session", event="sale", to="/a")
    assert again.location == "/a"  # renewed
    assert room.log.store.read("sale").queue == 1
    room.clock.now += 901  # the session is over
    client.jar |= with_probe(room.clock).jar
    assert client.call("session", event="sale").location == "/"
    assert room.log.store.read("sale").queue == 2
