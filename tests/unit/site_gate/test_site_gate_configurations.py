# SPDX-License-Identifier: Apache-2.0
"""Configurations of a site's gate: their form, refreshes, and a room that cannot be reached."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.fakes.gate_keys import MemoryGateKeys
from tests.support.gate_vectors import PAGE, SALE
from tests.unit.site_gate.site import NOW, SECURE, Fixed
from waiting_room.adapters.http.gate_configuration import GateConfigurationReader
from waiting_room.adapters.operator_access import static_credentials
from waiting_room.domain.errors import SettingsError, Unavailable
from waiting_room.domain.events.schema import defaults
from waiting_room.domain.gate.configuration import GateConfiguration, GateView, InvalidConfiguration
from waiting_room.domain.gate.credentials import GateKeys, GateSession, encode_session
from waiting_room.domain.gate.decision import GateEvent, Pass
from waiting_room.domain.gate.request import GateRequest
from waiting_room.domain.gate.rules import RULE_MEMBERS, sort_rules
from waiting_room.domain.gate.store import GatedEvent, gate_event, store_items
from waiting_room.site_gate import SiteGate, SiteGateSettings
from waiting_room.site_gate.configurations import LOST_AFTER, Configurations
from waiting_room.site_gate.gate import Response

KEYS = GateKeys("a", {"a": "5" * 64, "b": "6" * 64})
RULES: Any = [("sale", False, {"path": "/checkout"}), ("sale", True, {"header": "X-Staff: yes"})]
CONFIGURATION = GateConfiguration("sale", 7, sort_rules(RULES), SALE, KEYS)
BODY = CONFIGURATION.to_json()
PAGE_REQUEST = GateRequest("GET", "shop.example", "/checkout", headers=PAGE)


def test_the_body_is_read_as_it_was_written() -> None:
    assert GateConfiguration.from_json("sale", json.loads(json.dumps(BODY))) == CONFIGURATION
    opened = GateConfiguration("sale", 7, [], GateEvent(closed=True), KEYS, open_unreachable=True)
    assert GateConfiguration.from_json("sale", opened.to_json()) == opened


TEXT = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=9)
RULE = st.fixed_dictionaries(
    {},
    optional={
        name: st.lists(TEXT, min_size=1, max_size=2) if name == "methods" else TEXT
        for name in RULE_MEMBERS
    },
)


@given(
    protect=st.lists(RULE, max_size=4), bypass=st.lists(RULE, max_size=4),
    unreachable=st.sampled_from(["open", "closed"]), opens_at=st.none() | st.integers(0, NOW),
    paused_at=st.none() | st.just(NOW),
)  # fmt: skip
def test_a_gate_outside_the_edge_has_what_the_edge_has(
    protect: list[Any],
    bypass: list[Any],
    unreachable: str,
    opens_at: int | None,
    paused_at: int | None,
) -> None:
    document = defaults()
    document |= {"protect": protect, "bypass": bypass}
    document["session"] = {**document["session"], "when_unreachable": unreachable}
    document["schedule"] = {**document["schedule"], "opens_at": opens_at}
    document["control"] = {**document["control"], "paused_at": paused_at}
    event = GatedEvent("sale", document, 3, NOW)
    source = MemoryGateKeys()
    found = GateConfiguration.of_event(event, 1, source.keys("sale"))
    assert found.state == gate_event(event)
    body = found.to_json()
    stored = json.loads(store_items([event], source)["e:sale"])
    assert {**body["state"], "k": body["keys"]} == stored
    assert GateConfiguration.from_json("sale", json.loads(json.dumps(body))) == found


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"version": None}, "version"), ({"version": True}, "version"), ({"state": []}, "state"),
        ({"state": {"g": 1}}, "state has an invalid r"),
        ({"state": {"g": 1, "r": -1}}, "invalid r"), ({"state": {"g": "1", "r": 1}}, "invalid g"),
        ({"state": {"g": 1, "r": 1, "c": [1]}}, "invalid c"), ({"rules": {}}, "rules"),
        ({"rules": [["vip", 0]]}, "rules"), ({"rules": [["sale", 2]]}, "rules"),
        ({"rules": [["sale", True]]}, "rules"), ({"rules": [["sale"]]}, "rules"),
        ({"rules": [["sale", 0, 5]]}, "invalid path"),
        ({"rules": [["sale", 0, 0, 0, "GET"]]}, "invalid methods"),
        ({"rules": [["sale", 0, *"abcdefg"]]}, "rules"), ({"keys": None}, "keys"),
        ({"keys": {"signing": "x", "keys": {"a": "5" * 64}}}, "keys"),
        ({"keys": {"signing": "a", "keys": {"a": "5" * 31}}}, "keys"),
        ({"keys": {"signing": "a:", "keys": {"a:": "5" * 64}}}, "keys"),
    ],
)  # fmt: skip
def test_an_invalid_body_is_named(change: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidConfiguration, match=message):
        GateConfiguration.from_json("sale", {**BODY, **change})


def test_keys_are_not_shown() -> None:
    assert "5" * 32 not in repr(CONFIGURATION)
    assert "5" * 32 not in repr(GateView.of([CONFIGURATION]))


class Room:
    """A private API that fails when told to; ``at`` is the clock."""

    def __init__(self) -> None:
        self.at, self.reads = 0.0, 0
        self.body: Mapping[str, Any] | None = BODY
        self.read: Callable[[str], Mapping[str, Any]] | None = None

    def __call__(self, event_id: str) -> Mapping[str, Any]:
        self.reads += 1
        if self.read:
            return self.read(event_id)
        if self.body is None:
            raise Unavailable("down")
        return self.body


def site(room: Room, unreachable: str = "closed", **changes: Any) -> SiteGate:
    settings = SiteGateSettings(
        events=("sale",), private_api="https://room.example", region="x", **changes
    )
    if unreachable == "open" and room.body is not None:
        room.body = {**BODY, "state": {**BODY["state"], "u": 1}}
    configurations = Configurations(settings, room, lambda: room.at)
    return SiteGate(settings, configurations, lambda: NOW)


def test_a_change_reaches_the_gate_within_the_refresh() -> None:
    room = Room()
    gate = site(room)
    assert isinstance(gate.decide(PAGE_REQUEST), Response)
    room.body = {**BODY, "version": 8, "rules": []}
    room.at = 9.9
    assert isinstance(gate.decide(PAGE_REQUEST), Response)
    assert room.reads == 1
    room.at = 10.0
    assert isinstance(gate.decide(PAGE_REQUEST), Pass)
    assert room.reads == 2


@pytest.mark.parametrize("opens", [False, True])
def test_without_any_configuration_the_setting_decides(
    opens: bool, caplog: pytest.LogCaptureFixture
) -> None:
    room = Room()
    room.body = None
    gate = site(room, open_without_configuration=opens)
    for path in ("/", "/checkout"):
        found = gate.decide(GateRequest("GET", "a", path))
        if opens:
            assert found == Pass("unreachable")
        else:
            assert isinstance(found, Response)
            assert found.status == 503
            assert json.loads(found.body)["reason"] == "unavailable"
    assert gate.decide(GateRequest("GET", "a", "/_waiting-room/x")) == Pass("room")
    assert "no configuration" in caplog.text


@pytest.mark.parametrize("unreachable", ["closed", "open"])
def test_a_room_that_fails_opens_only_an_event_that_wants_it(unreachable: str) -> None:
    """The last configuration stays in use; after two minutes ``open`` lets requests pass."""
    room = Room()
    gate = site(room, unreachable)
    good = room.body
    assert isinstance(gate.decide(PAGE_REQUEST), Response)
    room.body = None
    found: Any = None
    for seconds in range(10, int(LOST_AFTER) + 10, 5):
        room.at = seconds
        found = gate.decide(PAGE_REQUEST)
        assert isinstance(found, Response), seconds
    room.at = LOST_AFTER + 10
    found = gate.decide(PAGE_REQUEST)
    assert (found == Pass("unreachable")) == (unreachable == "open")
    assert gate.decide(GateRequest("GET", "a", "/")) == Pass("no_rule")
    room.body, room.at = good, LOST_AFTER + 20
    assert isinstance(gate.decide(PAGE_REQUEST), Response), "closed again by itself"


@pytest.mark.parametrize(
    ("members", "opens"),
    [
        ({}, True), ({"x": 1}, False), ({"z": NOW}, False), ({"z": NOW + 1}, True),
        ({"a": NOW + 1}, False), ({"a": NOW}, True), ({"h": 1}, False),
    ],
)  # fmt: skip
def test_a_fault_opens_no_event_that_is_scheduled_paused_or_closed(
    members: dict[str, int], opens: bool
) -> None:
    room = Room()
    room.body = {**BODY, "state": {**BODY["state"], "u": 1, **members}}
    gate = site(room)
    gate.decide(PAGE_REQUEST)
    room.body = None
    for seconds in range(10, int(LOST_AFTER) + 30, 5):
        room.at = seconds
        found = gate.decide(PAGE_REQUEST)
    assert (found == Pass("unreachable")) == opens


@pytest.mark.parametrize("unreachable", ["closed", "open"])
@pytest.mark.parametrize(
    ("status", "body"),
    [
        (500, b"{}"), (503, b""), (200, b"<title>Sorry</title>"), (200, b'{"version": 7, "ru'),
        (200, b'{"message": "OK"}'), (200, b"[]"), (302, b""), (429, b"{}"),
    ],
)  # fmt: skip
def test_invalid_responses_of_the_room_are_as_none(
    unreachable: str, status: int, body: bytes
) -> None:
    """The reader of the private API is real. A visitor with a session passes in both modes."""
    room = Room()
    gate = site(room, unreachable)
    gate.decide(PAGE_REQUEST)
    pool = Pool(status, body)
    access = static_credentials("key", "secret")
    reader = GateConfigurationReader("https://room.example", "x", access, pool)
    room.read = reader
    session = GateSession("sale", 2, 7, NOW, NOW + 900)
    cookies = {"__Host-waiting-room-sale": [encode_session(session, KEYS)]}
    admitted = replace(PAGE_REQUEST, cookies=cookies)
    for seconds in range(10, int(LOST_AFTER) + 30, 5):
        room.at = seconds
        assert gate.decide(admitted) == Pass("session", "sale:2:7")
        found = gate.decide(PAGE_REQUEST)
        opened = found == Pass("unreachable")
        assert opened == (unreachable == "open" and seconds >= LOST_AFTER + 10)
    assert len(pool.calls) > 9


def test_one_failure_before_a_quiet_time_opens_nothing() -> None:
    room = Room()
    gate = site(room, "open")
    gate.decide(PAGE_REQUEST)
    room.body, room.at = None, 10.0
    gate.decide(PAGE_REQUEST)
    room.at = 1_000.0
    assert isinstance(gate.decide(PAGE_REQUEST), Response)


def test_an_invalid_body_keeps_the_last_configuration() -> None:
    room = Room()
    gate = site(room)
    gate.decide(PAGE_REQUEST)
    room.body, room.at = {**BODY, "rules": None}, 10.0
    assert isinstance(gate.decide(PAGE_REQUEST), Response)


@pytest.mark.parametrize("opens", [False, True])
def test_an_unforeseen_error_is_decided_by_the_event(
    opens: bool, caplog: pytest.LogCaptureFixture
) -> None:
    broken = GateKeys("gone", {"a": "5" * 64})  # signs with a key that is not there
    view = GateView.of([GateConfiguration("sale", 1, RULES, SALE, broken, open_unreachable=opens)])
    gate = SiteGate(SECURE, Fixed(view), lambda: NOW)  # type: ignore[arg-type]
    found = gate.decide(PAGE_REQUEST)
    assert found == Pass("unreachable") if opens else found.status == 503  # type: ignore[union-attr]
    assert "when_unreachable of the event decides: KeyError" in caplog.text
    unreadable = GateView([("sale", False, {"path": 5})], view.events)
    found = SiteGate(SECURE, Fixed(unreadable), lambda: NOW).decide(PAGE_REQUEST)  # type: ignore[arg-type]
    assert isinstance(found, Response)
    assert found.status == 503, "an event is not known"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"events": ()}, "events"), ({"events": ("a b",)}, "events"),
        ({"events": ("a", "a")}, "twice"), ({"events": "sale"}, "events"),
        ({"private_api": "http://room.example"}, "private_api"), ({"private_api": ""}, "address"),
        ({"room": "ftp://x"}, "room"), ({"region": ""}, "region"), ({"region": "A"}, "region"),
        ({"refresh_seconds": 0}, "refresh_seconds"), ({"refresh_seconds": 61}, "refresh_seconds"),
        ({"refresh_seconds": True}, "refresh_seconds"), ({"secure_cookie": 1}, "secure_cookie"),
    ],
)  # fmt: skip
def test_an_invalid_setting_is_named(changes: dict[str, Any], message: str) -> None:
    right: dict[str, Any] = {
        "events": ("sale",), "private_api": "https://room.example", "region": "eu-central-1",
    }  # fmt: skip
    with pytest.raises(SettingsError, match=message):
        SiteGateSettings(**{**right, **changes})


def test_the_region_comes_from_the_host_of_the_api() -> None:
    api = "https://abc.execute-api.eu-west-3.amazonaws.com/api/"
    found = SiteGateSettings(events=["sale"], private_api=api)  # type: ignore[arg-type]
    assert (found.region, found.private_api) == ("eu-west-3", api[:-1])


class Pool:
    """Returns one response and records the call."""

    def __init__(self, status: int, body: bytes) -> None:
        self.status, self.body = status, body
        self.calls: list[Any] = []

    def request(self, method: str, url: str, **sent: Any) -> Any:
        self.calls.append((method, url, sent["headers"]))
        return self

    def read(self, *_: Any, **__: Any) -> bytes:
        return self.body

    def release_conn(self) -> None:
        return None


def test_the_reader_signs_its_call_and_shows_no_key(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    pool = Pool(200, json.dumps(BODY).encode())
    access = static_credentials("key", "secret")
    read = GateConfigurationReader("https://room.example/api/", "eu-west-3", access, pool)
    assert read("sale") == BODY
    method, url, headers = pool.calls[0]
    assert (method, url) == ("GET", "https://room.example/api/events/sale/gate")
    assert "eu-west-3/execute-api" in headers["Authorization"]
    assert "5" * 32 not in caplog.text
    for status, body in ((404, b"{}"), (403, b"{}"), (500, b"{}"), (200, b"[]"), (200, b"{")):
        broken = GateConfigurationReader("https://r", "x", access, Pool(status, body))
        with pytest.raises(Unavailable):
            broken("sale")
    with pytest.raises(Unavailable, match="credentials"):
        GateConfigurationReader("https://r", "x", lambda: None, pool)("sale")
