# SPDX-License-Identifier: Apache-2.0
"""Routes of the entrance for sessions: begin with a token, renew, leave."""

from __future__ import annotations

import json
import logging
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.entrance import app as module
from tests.apps.entrance_client import EntranceClient, Reply
from tests.apps.gate_room import LIFE, SALE, GateRoom, request_id_of
from waiting_room.domain.gate import credentials
from waiting_room.domain.gate.clients import has_probe
from waiting_room.domain.gate.decision import Respond, cookie_name, hand_over
from waiting_room.domain.gate.request import GateRequest
from waiting_room.domain.records import SessionStatus
from waiting_room.runtime import session_views
from waiting_room.runtime.room_words import words_of
from waiting_room.runtime.settings.entrance import EntranceSettings

COOKIE, MARKER, PROBE = (cookie_name(kind, SALE, secure=True) for kind in ("", "renewing", "probe"))
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
JSON = "application/json"
SAME = {"Sec-Fetch-Site": "same-origin"}


@pytest.fixture
def room(monkeypatch: pytest.MonkeyPatch) -> GateRoom:
    made = GateRoom()
    monkeypatch.setattr(session_views, "gate_sessions", lambda: made.sessions)
    monkeypatch.setattr(session_views, "entrance_settings", EntranceSettings)
    return made


def post(client: EntranceClient, route: str, content: dict[str, Any], **options: Any) -> Reply:
    return client.call(route, method="POST", raw=json.dumps(content), **options)


def send_form(client: EntranceClient, route: str, content: dict[str, str], **options: Any) -> Reply:
    headers = {**FORM, **options.pop("headers", {})}
    return client.call(route, method="POST", raw=urlencode(content), headers=headers, **options)


def visitor(room: GateRoom, **options: Any) -> EntranceClient:
    """A visitor with a session."""
    client = EntranceClient(**options)
    content = {"event": SALE, "to": "/a", "token": room.enter()[0]}
    assert post(client, "session", content).status == 200
    return client


def test_a_form_leads_to_the_site_with_a_session(room: GateRoom) -> None:
    client = EntranceClient()
    found = send_form(client, "session", {"event": SALE, "to": "/a?b=c", "token": room.enter()[0]})
    assert (found.status, found.location) == (303, "/a?b=c")
    assert found.headers["Cache-Control"] == "no-store"
    value, _, attributes = found.cookies[COOKIE].partition(";")
    assert attributes == f" Secure; HttpOnly; SameSite=None; Path=/; Max-Age={LIFE + 86_400}"
    session = credentials.decode_session(value, room.gate_keys.keys(SALE))
    assert session
    assert (session.session_id, session.expires) == (f"{SALE}:1:1", int(room.clock.now) + LIFE)


def test_a_script_gets_the_end_of_its_session(room: GateRoom) -> None:
    client = EntranceClient()
    found = post(client, "session", {"event": SALE, "to": "/a", "token": room.enter()[0]})
    assert (found.status, found.json) == (200, {"expires_at": int(room.clock.now) + LIFE})
    assert COOKIE in client.jar


@pytest.mark.parametrize("to", ["", "//evil.example", "https://evil.example/", "/\\evil.example"])
def test_no_destination_is_another_site(room: GateRoom, to: str) -> None:
    content = {"event": SALE, "to": to, "token": room.enter()[0]}
    assert send_form(EntranceClient(), "session", content).location == "/"


@pytest.mark.parametrize("accept", ["text/html", JSON])
def test_the_session_is_handed_over_to_another_host_of_the_site(
    room: GateRoom, accept: str
) -> None:
    content = {"event": SALE, "to": "https://pay.example/x?y=z", "token": room.enter()[0]}
    found = send_form(EntranceClient(), "session", content, accept=accept)
    location = found.location if accept == "text/html" else found.json["location"]
    parts = urlsplit(location)
    assert (parts.netloc, parts.path) == ("pay.example", "/_waiting-room/handover")
    keys, now = room.gate_keys.keys(SALE), int(room.clock.now)
    for host, status in (("pay.example", "handover"), ("evil.example", "no_ticket")):
        request = GateRequest("GET", host, parts.path, parts.query)
        handed = hand_over(request, keys, now, secure=True)
        assert isinstance(handed, Respond)
        assert (handed.reason, handed.headers["location"]) == (status, "/x?y=z")
    assert parse_qs(parts.query)["event"] == [SALE]


@pytest.mark.parametrize(
    ("content", "error"),
    [
        ({}, "event must be a text"),
        ({"event": SALE}, "token must be a text"),
        ({"event": SALE, "token": 7}, "token must be a text"),
        ({"event": SALE, "token": "x" * 8193}, "token must be a text"),
        ({"event": SALE, "token": "x", "to": 7}, "to must be a text"),
        ({"event": ["x"], "token": "x"}, "event must be a text"),
    ],
)
def test_an_invalid_body_is_named(room: GateRoom, content: dict[str, Any], error: str) -> None:
    found = post(EntranceClient(), "session", content, accept=JSON)
    assert found.status == 400
    assert error in found.json["error"].lower()


@pytest.mark.parametrize("raw", ["event=a&event=b", "&".join("abcdefghijklmnopqrstuvwxyz")])
def test_an_invalid_form_is_named(room: GateRoom, raw: str) -> None:
    found = EntranceClient().call("session", method="POST", raw=raw, headers=FORM, accept=JSON)
    assert found.status == 400
    assert "form" in found.json["error"]


@given(
    raw=st.text(max_size=60)
    | st.sampled_from(["event=sale&token=%ff", "event=sale&token=a&to=%00"]),
    kind=st.sampled_from([JSON, *FORM.values(), "text/plain", "multipart/form-data", ""]),
    cookie=st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=90),
    method=st.sampled_from(["GET", "POST", "HEAD"]),
)
def test_no_request_is_an_internal_error(raw: str, kind: str, cookie: str, method: str) -> None:
    made = GateRoom()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(session_views, "gate_sessions", lambda: made.sessions)
        patch.setattr(session_views, "entrance_settings", EntranceSettings)
        for route in ("session", "leave") if method == "POST" else ("renew",):
            client = EntranceClient(jar={COOKIE: cookie})
            headers = {"Content-Type": kind, **SAME}
            found = client.call(route, method=method, raw=raw, headers=headers, event=SALE, to=raw)
            assert found.status in (204, 302, 303, 400, 403, 404)


def test_a_refusal_has_its_reason(room: GateRoom) -> None:
    content = {"event": SALE, "to": "/", "token": "secret-token"}
    found = post(EntranceClient(), "session", content, accept=JSON)
    assert (found.status, found.json["reason"]) == (403, "invalid_token")
    page = send_form(EntranceClient(), "session", content)
    assert page.status == 403
    assert "secret-token" not in page.body + found.body
    unknown = post(EntranceClient(), "session", {**content, "event": "x"}, accept=JSON)
    assert unknown.status == 404


def test_a_navigation_is_renewed(room: GateRoom) -> None:
    client = visitor(room)
    client.jar[MARKER] = "marker"
    before = client.jar[COOKIE]
    room.clock.now += 300
    found = client.call("renew", event=SALE, to="/a")
    assert (found.status, found.location) == (302, "/a")
    assert MARKER not in client.jar
    session = credentials.decode_session(client.jar[COOKIE], room.gate_keys.keys(SALE))
    assert client.jar[COOKIE] != before
    assert session
    assert session.expires == int(room.clock.now) + LIFE == session.issued + LIFE


def test_a_renewal_shows_that_the_address_is_not_whole(
    room: GateRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = visitor(room)
    room.clock.now += 300
    before = client.jar[COOKIE]
    found = client.call("renew", event=SALE, to="/a", note="address")
    assert (found.status, '<a href="/a">' in found.body) == (200, True)
    assert words_of("en")["note_address"] in found.body
    assert client.jar[COOKIE] != before
    room.clock.now += 300
    room.outcomes.fail("extend_session", "before")
    found = client.call("renew", event=SALE, to="/a", note="address")
    assert words_of("en")["note_address"] in found.body, "also while the room cannot renew"
    ended = client.call("renew", event="sale", to="/a", note="address", accept=JSON)
    assert "note" not in ended.body


def test_a_script_is_renewed(room: GateRoom) -> None:
    client = visitor(room)
    room.clock.now += 300
    found = client.call("renew", event=SALE, accept=JSON)
    assert (found.status, found.json) == (200, {"expires_at": int(room.clock.now) + LIFE})


def test_a_renewal_hands_over_to_another_host(room: GateRoom) -> None:
    client = visitor(room)
    found = client.call("renew", event=SALE, to="https://pay.example/x")
    assert found.location.startswith("https://pay.example/_waiting-room/handover?event=sale&")


def test_an_ended_session_leads_to_the_entrance_and_is_removed(room: GateRoom) -> None:
    """The cookie of a thief stops working for navigations at the next renewal."""
    client, thief = visitor(room), EntranceClient()
    client.jar[PROBE] = "probe"
    thief.jar.update(client.jar)
    room.room.sessions.end_by_session(SALE, f"{SALE}:1:1", -1)
    room.clock.now += 300
    for one in (client, thief):
        found = one.call("renew", event=SALE, to="/a?b")
        assert found.status == 302
        assert found.location == "/_waiting-room/enter?event=sale&to=%2Fa%3Fb"
        assert set(one.jar) == {PROBE}, "the entrance needs the probe"
    found = thief.call("renew", event=SALE, accept=JSON)
    assert (found.status, found.json["reason"]) == (403, "no_session")


def test_a_visitor_whose_probe_has_expired_gets_another_one(room: GateRoom) -> None:
    """A session outlives its probe; without one, the entrance would ask for cookies."""
    client = visitor(room)
    client.jar.pop(PROBE, None)
    room.clock.now += LIFE + 7_200
    for one in (client, EntranceClient()):
        found = one.call("renew", event=SALE, to="/a")
        assert found.location == "/_waiting-room/enter?event=sale&to=%2Fa"
        keys, now = room.gate_keys.keys(SALE), int(room.clock.now)
        assert has_probe({PROBE: [one.jar[PROBE]]}, SALE, keys, now, secure=True)


def test_a_script_learns_why_its_session_is_not_renewed(room: GateRoom) -> None:
    client = visitor(room)
    room.clock.now += LIFE
    found = client.call("renew", event=SALE, accept=JSON)
    assert (found.status, found.json["reason"]) == (403, "session_over")
    assert COOKIE not in client.jar


def test_a_prefetch_renews_nothing(room: GateRoom) -> None:
    client = visitor(room)
    room.clock.now += 300
    found = client.call("renew", event=SALE, to="/a", headers={"Sec-Purpose": "prefetch"})
    assert (found.status, found.json["reason"], found.cookies) == (403, "prefetch", {})


def test_no_other_site_keeps_a_session_alive(room: GateRoom) -> None:
    client = visitor(room)
    room.clock.now += 300
    for dest in ("image", "iframe", "script", "empty"):
        sent = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Dest": dest}
        found = client.call("renew", event=SALE, headers=sent, accept=JSON)
        assert (found.status, found.json["reason"], found.cookies) == (403, "not_of_site", {})
    for site, dest in (
        ("cross-site", "document"),
        ("same-origin", "empty"),
        ("same-site", "empty"),
    ):
        sent = {"Sec-Fetch-Site": site, "Sec-Fetch-Dest": dest}
        assert client.call("renew", event=SALE, headers=sent, accept=JSON).status == 200


def test_while_the_room_cannot_renew_a_visitor_goes_on(
    room: GateRoom, caplog: pytest.LogCaptureFixture
) -> None:
    """The marker that the gate has set lets navigations pass until the session's own end."""
    client = visitor(room)
    room.clock.now += LIFE - 1
    room.outcomes.fail("extend_session", "before")
    found = client.call("renew", event=SALE, to="/a")
    assert (found.status, found.location, found.cookies) == (302, "/a", {})
    room.outcomes.fail("extend_session", "before")
    assert client.call("renew", event=SALE, to="/a", accept=JSON).status == 429
    room.clock.now += 1
    room.outcomes.fail("extend_session", "before")
    found = client.call("renew", event=SALE, to="/a")
    assert (found.status, found.headers["Retry-After"]) == (429, "1")
    assert client.jar[COOKIE] not in caplog.text


def test_a_script_of_the_site_leaves(room: GateRoom) -> None:
    client = visitor(room)
    found = client.call("leave", method="POST", event=SALE, headers=SAME, accept=JSON)
    assert (found.status, found.body) == (204, "")
    assert not client.jar
    assert room.outcomes.get(SALE, 1, 1).status is SessionStatus.COMPLETED


def test_a_form_of_the_site_leaves(room: GateRoom) -> None:
    client = visitor(room)
    sent = {"Origin": "https://shop.example", "Sec-Fetch-Site": "same-site"}
    found = send_form(client, "leave", {"event": SALE}, headers=sent)
    assert (found.status, found.location) == (303, "/")
    assert room.outcomes.get(SALE, 1, 1).status is SessionStatus.COMPLETED


@pytest.mark.parametrize(
    "headers",
    [
        {}, {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "none"}, {"Origin": "null"},
        {"Origin": "https://evil.example"}, {"Origin": "http://shop.example"},
        {"Origin": "https://shop.example.evil.example"}, {"Origin": "shop.example"},
        {"Sec-Fetch-Site": "same-site", "Origin": "https://evil.shop.example"},
    ],
)  # fmt: skip
def test_no_other_site_ends_a_session(room: GateRoom, headers: dict[str, str]) -> None:
    client = visitor(room)
    found = client.call("leave", method="POST", event=SALE, headers=headers, accept=JSON)
    assert (found.status, found.json["reason"]) == (403, "not_of_site")
    assert COOKIE in client.jar
    assert room.outcomes.get(SALE, 1, 1).status is SessionStatus.OPEN


def test_another_host_of_the_site_may_end_a_session(room: GateRoom) -> None:
    client = visitor(room)
    sent = {"Origin": "https://pay.example", "Sec-Fetch-Site": "cross-site"}
    assert client.call("leave", method="POST", event=SALE, headers=sent).status == 204


def test_leaving_twice_or_without_a_session_is_no_error(room: GateRoom) -> None:
    client = visitor(room)
    jar = dict(client.jar)
    for _ in range(2):
        client.jar = dict(jar)
        assert client.call("leave", method="POST", event=SALE, headers=SAME).status == 204
    assert client.call("leave", method="POST", event=SALE, headers=SAME).status == 204


def test_other_methods_and_preflights_do_nothing(room: GateRoom) -> None:
    client = visitor(room)
    for method, route in (("GET", "leave"), ("POST", "renew"), ("OPTIONS", "leave")):
        found = client.call(route, method=method, event=SALE, headers=SAME)
        assert found.status in (403, 405)
        assert "access-control-allow-origin" not in {name.lower() for name in found.headers}
    assert room.outcomes.get(SALE, 1, 1).status is SessionStatus.OPEN


def test_an_unexpected_error_shows_and_logs_no_secret(
    room: GateRoom, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    client = visitor(room)
    monkeypatch.setattr(session_views, "gate_sessions", lambda: 1 / 0)
    with caplog.at_level(logging.DEBUG):
        found = client.call("renew", event=SALE, to="/secret")
    assert found.status == 500
    for secret in (client.jar[COOKIE], "/secret", "ZeroDivision"):
        assert secret not in found.body
    assert client.jar[COOKIE] not in caplog.text
    assert module.app.app_name == "waiting-room-entrance"


def test_the_loudest_log_of_a_session_has_no_secret(
    room: GateRoom, caplog: pytest.LogCaptureFixture
) -> None:
    token = room.enter()[0]
    client, elsewhere = EntranceClient(), "https://pay.example/secret-page"
    with caplog.at_level(logging.DEBUG):
        content = {"event": SALE, "to": elsewhere, "token": token}
        handed = send_form(client, "session", content).location
        first = client.jar[COOKIE]
        room.clock.now += 300
        client.call("renew", event=SALE, to="/secret-page")
        second = client.jar[COOKIE]
        client.call("leave", method="POST", event=SALE, headers=SAME)
        post(client, "session", content)
    ticket = parse_qs(urlsplit(handed).query)["ticket"][0]
    for secret in (token, ticket, first, second, request_id_of(token), "secret-page"):
        assert secret not in caplog.text
