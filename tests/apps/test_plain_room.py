# SPDX-License-Identifier: Apache-2.0
"""The waiting room for clients without scripts, on stores in memory."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.apps.entrance_client import EntranceClient, Reply
from tests.apps.gate_room import SALE, GateRoom
from tests.support.fakes.join_sender import MemoryJoinSender
from tests.support.in_memory_room import ISSUER
from waiting_room.domain.gate.credentials import decode_session, encode_join, encode_probe
from waiting_room.domain.gate.decision import NOTES
from waiting_room.domain.records import Join
from waiting_room.runtime import plain_views
from waiting_room.runtime.room_page import language_of
from waiting_room.runtime.room_words import words_of
from waiting_room.runtime.settings.entrance import EntranceSettings, PageBrand
from waiting_room.use_cases.gate.entrance import GatedEvents
from waiting_room.use_cases.gate.plain_room import PlainRoom
from waiting_room.use_cases.gate.session_issuing import SessionIssuer

PROBE, PLACE = "__Host-waiting-room_probe-sale", "__Host-waiting-room_place-sale"
SESSION = "__Host-waiting-room-sale"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
JSON = {"Content-Type": "application/json"}


@dataclass
class PlainGate:
    """A room with an event behind a gate, and its waiting room without scripts."""

    room: GateRoom
    joins: MemoryJoinSender

    def client(self) -> EntranceClient:
        """A browser that the gate has sent here."""
        keys = self.room.gate_keys.keys(SALE)
        return EntranceClient(jar={PROBE: encode_probe(SALE, int(self.room.clock()), keys)})

    def joined(self, to: str = "/checkout") -> EntranceClient:
        """A client that has joined and has no position yet."""
        client = self.client()
        assert join(client, event=SALE, to=to).status == 303
        return client

    def assign(self) -> None:
        """Let the join worker process every join that was sent."""
        self.room.clock.now += 1
        joins = [
            Join(request_id, self.room.clock.now - 1 + index / 1000, request_id, secret or None)
            for index, (request_id, _, secret) in enumerate(self.joins.sent)
        ]
        self.joins.sent.clear()
        assert not self.room.room.workers.assignment.assign(SALE, joins).retry

    def serve(self, count: int) -> None:
        """Raise the serving counter."""
        self.room.room.control.increment(SALE, count)


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[PlainGate]:
    room, joins = GateRoom(), MemoryJoinSender()
    made = PlainRoom(
        GatedEvents(room.documents, room.clock), room.gate_keys, joins, room.positions, room.log,
        SessionIssuer(room.outcomes, ISSUER, lambda _: "key", room.clock), room.clock,
    )  # fmt: skip
    monkeypatch.setattr(plain_views, "plain_room", lambda: made)
    monkeypatch.setattr(plain_views, "entrance_settings", EntranceSettings)
    return PlainGate(room, joins)


def join(client: EntranceClient, **members: str) -> Reply:
    return client.call("enter", method="POST", headers=FORM, raw=urlencode(members))


def wait(client: EntranceClient, *, accept: str = "", **query: str) -> Reply:
    given: dict[str, Any] = {"accept": accept} if accept else {}
    return client.call("wait", **given, **(query or {"event": SALE, "to": "/checkout"}))


def test_the_page_has_the_name_and_the_colours_of_the_site_owner(
    gate: PlainGate, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = gate.client().call("wait", event=SALE).body
    brand = PageBrand("Night & <Day>", "main{background:#101010}")
    monkeypatch.setattr(plain_views, "entrance_settings", lambda: EntranceSettings(brand=brand))
    found = gate.client().call("wait", event=SALE).body
    assert "<strong>Night &amp; &lt;Day&gt;</strong>" in found
    assert "Night &amp; &lt;Day&gt;</title>" in found
    assert "main{background:#101010}</style>" in found
    assert "<strong>" not in plain


@pytest.mark.parametrize("note", NOTES)
def test_a_visitor_reads_what_was_lost_until_the_turn(gate: PlainGate, note: str) -> None:
    client = gate.client()
    outside = wait(client, event=SALE, to="/a", note=note)
    assert words_of("en")[f"note_{note}"] in outside.body
    assert f'name="note" value="{note}"' in outside.body
    sent = join(client, event=SALE, to="/a", note=note)
    assert sent.location == f"/_waiting-room/wait?event=sale&to=%2Fa&note={note}"
    gate.assign()
    assert words_of("en")[f"note_{note}"] in wait(client, event=SALE, to="/a", note=note).body
    gate.serve(1)
    reached = wait(client, event=SALE, to="/a", note=note)
    assert (reached.status, reached.location) == (302, "/a")


def test_a_note_of_another_text_is_not_shown(gate: PlainGate) -> None:
    found = wait(gate.client(), event=SALE, to="/a", note="title")
    assert "note" not in found.body
    assert join(gate.client(), event=SALE, to="/a", note="x").location.endswith("&to=%2Fa")


def test_a_visitor_without_scripts_joins_waits_and_reaches_the_page(gate: PlainGate) -> None:
    client = gate.client()
    outside = wait(client)
    assert outside.status == 200
    assert '<form method="post" action="join">' in outside.body
    assert 'name="to" value="/checkout"' in outside.body
    sent = join(client, event=SALE, to="/checkout?a=1&b=2")
    assert (sent.status, sent.location) == (
        303, "/_waiting-room/wait?event=sale&to=%2Fcheckout%3Fa%3D1%26b%3D2",
    )  # fmt: skip
    joining = wait(client)
    assert words_of("en")["placing"] in joining.body
    assert joining.headers["Refresh"] == "3"
    gate.assign()
    waiting = wait(client)
    assert words_of("en")["next"] in waiting.body
    assert int(waiting.headers["Refresh"]) >= 2
    assert SESSION not in client.jar
    gate.serve(1)
    reached = wait(client, event=SALE, to="/checkout?a=1&b=2")
    assert (reached.status, reached.location) == (302, "/checkout?a=1&b=2")
    session = decode_session(client.jar[SESSION], gate.room.gate_keys.keys(SALE))
    assert session is not None
    assert (session.generation, session.position) == (gate.room.generation, 1)
    assert PLACE not in client.jar


def test_the_session_of_the_plain_room_is_that_of_the_token_once(gate: PlainGate) -> None:
    client = gate.joined()
    gate.assign()
    gate.serve(1)
    copy = EntranceClient(jar=dict(client.jar))
    first, second = wait(client), wait(copy)
    assert first.status == second.status == 302
    outcomes = list(gate.room.outcomes.in_range(SALE, gate.room.generation, 1, 9))
    assert [row.position for row in outcomes] == [1]
    gate.room.stream()
    assert gate.room.counted() == 1


def test_a_token_of_the_public_api_gets_its_session_here(gate: PlainGate) -> None:
    client = gate.joined()
    request_id = gate.joins.sent[0][0]
    gate.assign()
    gate.serve(1)
    gate.room.access_token(request_id)
    assert wait(client).status == 302
    assert SESSION in client.jar


def test_a_token_that_is_older_than_the_gate_gets_its_session_here(gate: PlainGate) -> None:
    client, room = gate.joined(), gate.room
    request_id = gate.joins.sent[0][0]
    gate.assign()
    gate.serve(1)
    room.put(protect=[])
    room.access_token(request_id)
    (outcome,) = room.outcomes.in_range(SALE, room.generation, 1, 9)
    assert outcome.session_until is None
    room.put(protect=[{"path": "/checkout"}])
    room.clock.now += 2  # the entrance's copy of the document is old
    assert wait(client).status == 302
    assert SESSION in client.jar


def test_positions_and_visitors_ahead_are_shown_in_order(gate: PlainGate) -> None:
    clients = [gate.joined() for _ in range(3)]
    gate.assign()
    shown = [json_of(wait(client, accept="application/json")) for client in clients]
    assert [(one["position"], one["ahead"]) for one in shown] == [(1, 0), (2, 1), (3, 2)]
    gate.serve(1)
    assert json_of(wait(clients[2], accept="application/json"))["ahead"] == 1
    body = wait(clients[2]).body
    assert "People ahead of you: 1" in body


def json_of(reply: Reply) -> dict[str, Any]:
    assert reply.headers["Content-Type"] == "application/json"
    found: dict[str, Any] = reply.json
    return found


def test_a_program_gets_everything_that_the_page_shows(gate: PlainGate) -> None:
    gate.room.put(title="Spring sale")
    gate.room.room.control.set_message(SALE, "Bring <b>your</b> ticket")
    client = gate.client()
    body = json.dumps({"event": SALE, "to": "/a"})
    sent = client.call("enter", method="POST", headers=JSON, raw=body, accept="application/json")
    assert (sent.status, sent.json) == (202, {"decision": "wait", "retry_after": 3})
    gate.assign()
    found = json_of(wait(client, accept="application/json"))
    assert found == {
        "decision": "wait", "retry_after": found["retry_after"], "stage": "waiting",
        "phase": "open", "position": 1, "ahead": 0, "message": "Bring <b>your</b> ticket",
        "title": "Spring sale",
    }  # fmt: skip
    page = wait(client).body
    assert "Spring sale" in page
    assert "Bring &lt;b&gt;your&lt;/b&gt; ticket" in page
    gate.serve(1)
    assert json_of(wait(client, accept="application/json"))["decision"] == "go"


def test_a_client_without_cookies_joins_nothing(gate: PlainGate) -> None:
    for _ in range(3):
        found = join(EntranceClient(), event=SALE, to="/a")
        assert found.status == 403
        assert "Allow cookies" in found.body
    program = EntranceClient().call(
        "enter", method="POST", headers=JSON, raw='{"event": "sale"}', accept="application/json"
    )
    assert (program.status, program.json["reason"]) == (403, "no_cookies")
    assert gate.joins.sent == []
    keeps = EntranceClient()
    join(keeps, event=SALE)
    assert join(keeps, event=SALE).status == 303  # it has kept the probe


def test_a_second_join_keeps_the_position(gate: PlainGate) -> None:
    client = gate.joined()
    assert join(client, event=SALE, to="/a").status == 303
    assert len(gate.joins.sent) == 1
    gate.assign()
    assert join(client, event=SALE, to="/a").status == 303
    assert gate.joins.sent == []


def test_the_request_id_of_another_visitor_is_no_place(gate: PlainGate) -> None:
    gate.joined()
    request_id = gate.joins.sent[0][0]
    gate.assign()
    gate.serve(1)
    keys = gate.room.gate_keys.keys(SALE)
    right = encode_join(SALE, request_id, keys)
    flipped = right[:-1] + ("E" if right.endswith("A") else "A")
    for value in (request_id, right[:-1], flipped, right.replace(":sale:", ":vip:"), "x"):
        thief = gate.client()
        thief.jar[PLACE] = value
        assert wait(thief).status == 200, value
        assert SESSION not in thief.jar
    other = encode_join(SALE, request_id, gate.room.gate_keys.keys("vip"))
    thief = gate.client()
    thief.jar[PLACE] = other
    assert words_of("en")["enter_title"] in wait(thief).body


def test_head_and_prefetch_take_no_turn(gate: PlainGate) -> None:
    client = gate.joined()
    gate.assign()
    gate.serve(1)
    assert client.call("wait", method="HEAD", event=SALE, to="/").status == 200
    found = client.call("wait", event=SALE, headers={"Sec-Purpose": "prefetch"})
    assert (found.status, found.json["reason"]) == (403, "prefetch")
    assert list(gate.room.outcomes.in_range(SALE, gate.room.generation, 1, 9)) == []


@pytest.mark.parametrize("dest", ["image", "iframe", "script", "empty"])
def test_a_page_of_another_site_takes_no_turn_and_makes_no_join(gate: PlainGate, dest: str) -> None:
    client = gate.joined()
    gate.assign()
    gate.serve(1)
    elsewhere = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Dest": dest}
    assert client.call("wait", event=SALE, headers=elsewhere).status == 403
    assert list(gate.room.outcomes.in_range(SALE, gate.room.generation, 1, 9)) == []
    other = gate.client()
    form = {**FORM, "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Dest": "document"}
    found = other.call("enter", method="POST", headers=form, raw="event=sale")
    assert found.status == 403
    assert gate.joins.sent == []
    assert wait(client).status == 302


def test_an_event_with_client_secrets_accepts_joins_without_scripts(gate: PlainGate) -> None:
    gate.room.put(join={"client_secret": "required"})
    client = gate.joined()
    assert re.fullmatch("[0-9a-f]{64}", gate.joins.sent[0][2])
    gate.assign()
    gate.serve(1)
    assert wait(client).status == 302


def test_a_position_that_is_over_says_so_and_lets_the_visitor_join_again(gate: PlainGate) -> None:
    client = gate.joined()
    gate.assign()
    gate.serve(1)
    gate.room.clock.now += 901  # turn.expires_after of the default document is 900 s
    found = wait(client)
    assert found.status == 410
    assert words_of("en")["expired"][0] in found.body
    assert words_of("en")["again"] in found.body
    assert "Refresh" not in found.headers
    assert PLACE not in client.jar
    reset = gate.joined()
    gate.assign()
    gate.room.room.control.reset(SALE)
    found = json_of(wait(reset, accept="application/json"))
    assert found["reason"] == "reset"


def test_a_closed_event_and_one_that_is_not_open_have_their_reasons(gate: PlainGate) -> None:
    client = gate.joined()
    gate.assign()
    gate.room.put(schedule={"closes_at": int(gate.room.clock()) - 1})
    found = wait(client)
    assert found.status == 410
    assert words_of("en")["closed"][1] in found.body
    assert "<form" not in found.body
    gate.room.put(schedule={"closes_at": None, "opens_at": int(gate.room.clock()) + 900})
    assert "<form" not in wait(gate.client()).body


def test_while_the_gate_is_open_to_all_the_room_leads_to_the_site(gate: PlainGate) -> None:
    client = gate.joined()
    gate.assign()
    gate.room.put(mode="pass_through")
    assert wait(client).location == "/checkout"


def test_without_an_event_the_only_probe_names_it(gate: PlainGate) -> None:
    client = gate.client()
    found = client.call("wait")
    assert 'name="event" value="sale"' in found.body
    assert 'name="to" value="/"' in found.body
    client.jar["__Host-waiting-room_probe-vip"] = "x"
    assert client.call("wait").status == 400
    without = EntranceClient().call("wait")
    assert without.status == 400


@pytest.mark.parametrize("to", ["//evil.example", "https://evil.example/", "/\\evil", "\n/x"])
def test_the_destination_stays_on_the_site(gate: PlainGate, to: str) -> None:
    assert join(gate.client(), event=SALE, to=to).location.endswith("&to=%2F")


def test_the_page_has_no_scripts_and_escapes_what_it_shows(gate: PlainGate) -> None:
    gate.room.put(title="<script>alert(1)</script>")
    client = gate.client()
    found = wait(client, event=SALE, to='/"><script>x</script>')
    assert "<script" not in found.body
    policy = found.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'")
    assert "script-src" not in policy
    assert found.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        ("", "en"), ("de", "de"), ("de-AT,en;q=0.9", "de"), ("nl, fr;q=0.5, es;q=0.7", "es"),
        ("xx", "en"), ("ja;q=0", "en"), ("KO-kr", "ko"), ("de;q=x", "en"), ("*", "en"),
    ],
)  # fmt: skip
def test_the_page_has_the_language_of_the_browser(accepted: str, language: str) -> None:
    assert language_of(accepted) == language


def test_each_phase_is_shown_without_scripts_and_offers_no_refused_join(gate: PlainGate) -> None:
    words, now = words_of("en"), int(gate.room.clock())
    gate.room.put(schedule={"pre_queue_at": now + 30, "opens_at": now + 3_700})
    found = wait(gate.client())
    assert words["scheduled"][0] in found.body
    assert "Opens in 0:30" in found.body
    assert "<form" not in found.body
    assert found.headers["Refresh"] == "31"
    gate.room.clock.now += 30
    found = wait(gate.client())
    assert "Admission begins in 1:01:10" in found.body
    assert "<form" in found.body
    joined = gate.joined()
    gate.assign()
    assert "Admission begins in 1:01:09" in wait(joined).body


def test_a_language_from_right_to_left_says_so(gate: PlainGate) -> None:
    client = gate.client()
    found = client.call("wait", headers={"Accept-Language": "ar-EG"}, event=SALE)
    assert '<html lang="ar" dir="rtl">' in found.body
