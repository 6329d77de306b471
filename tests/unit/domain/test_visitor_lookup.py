# SPDX-License-Identifier: Apache-2.0
"""An operator finds a visitor by request id, queue number or reference, of the line that stands."""

from __future__ import annotations

import json
import subprocess
import sys
import uuid
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import apps.private_api.app
from tests.support.in_memory_room import EVENT, InMemoryRoom
from tests.support.lambda_proxy_events import Answer, call
from tests.support.servers import ROOT
from waiting_room.domain.errors import InvalidInput, UnknownRequest
from waiting_room.domain.visitor_lookup import (
    VisitorQuery,
    check_of,
    parse_visitor_query,
    reference_of,
)

SITES = ROOT / "source" / "sites"
ID = "0f6c3b9e-6d5c-4b0a-9a3e-2f0d1c7b8a90"  # its CRC-32 is ACCCA4CC


@pytest.fixture
def in_memory_room(monkeypatch: pytest.MonkeyPatch) -> InMemoryRoom:
    made = InMemoryRoom()
    made.room.workers.setup.run()
    monkeypatch.setattr(apps.private_api.app, "room", lambda: made.room)
    return made


def find(**query: str | list[str]) -> Answer:
    return call(
        apps.private_api.app.app, "GET", "/request_status", query={"event_id": EVENT, **query}
    )


def test_a_reference_is_the_number_and_the_end_of_a_check_sum() -> None:
    assert f"{zlib.crc32(ID.encode()):08X}" == "ACCCA4CC"
    assert (check_of(ID), reference_of(1042, ID)) == ("A4CC", "1042-A4CC")


@given(st.uuids(version=4), st.integers(1, 10**15 - 1))
def test_every_reference_is_read_as_it_was_made(request_id: object, number: int) -> None:
    reference = reference_of(number, str(request_id))
    sought = VisitorQuery(number=number, check=check_of(str(request_id)))
    assert parse_visitor_query(None, None, reference) == sought
    assert parse_visitor_query(None, None, reference.lower()) == sought


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("queue_number", one) for one in ("", "0", "-1", "1.0", "٣", "1e3", "9" * 16, " 1")),
        *(
            ("reference", one)
            for one in (
                "", "1042", "1042-", "1042-A4C", "1042-A4CCC", "1042-A4CG", "0-A4CC", "01-A4CC",
                "ACCC-A4CC", "-1-A4CC", "1042 A4CC", "1042\N{EN DASH}A4CC", "1042-A4CC\n",
                "9" * 16 + "-A4CC", "\uff11-A4CC",
            )
        ),
        *(("request_id", one) for one in ("", "1042", ID[:-1], ID + " ", ID.replace("-", ""))),
    ],
)  # fmt: skip
def test_what_can_mean_nobody_is_refused_by_name(
    in_memory_room: InMemoryRoom, name: str, value: str
) -> None:
    answer = find(**{name: value})
    assert (answer.status, answer.json["error"].split()[0]) == (400, name)
    assert value not in answer.json["error"] or len(value) < 5


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"request_id": ID, "queue_number": "1"},
        {"queue_number": "1", "reference": "1-A4CC"},
        {"request_id": ID, "reference": "1-A4CC", "queue_number": "1"},
    ],
)
def test_exactly_one_is_given(in_memory_room: InMemoryRoom, query: dict[str, str]) -> None:
    answer = find(**query)
    assert answer.status == 400
    assert "exactly one of request_id, queue_number and reference" in answer.json["error"]
    assert find(queue_number=["1", "1"]).status == 400


def test_the_three_ways_find_the_same_visitor(in_memory_room: InMemoryRoom) -> None:
    visitors = in_memory_room.visitors(30)
    in_memory_room.serve(9)
    for number in (1, 9, 10, 30):
        request_id = visitors[number - 1]
        by_id = find(request_id=request_id)
        assert by_id.status == 200
        assert by_id.json["queue_number"] == number
        assert by_id.json["reference"] == reference_of(number, request_id)
        assert find(request_id=request_id.upper()).json == by_id.json
        assert find(queue_number=str(number)).json == by_id.json
        assert find(reference=by_id.json["reference"].lower()).json == by_id.json


def test_a_number_that_nobody_has_and_a_wrong_check_are_404(in_memory_room: InMemoryRoom) -> None:
    (visitor,) = in_memory_room.visitors(1)
    in_memory_room.serve(100)
    right = check_of(visitor)
    wrong = f"{(int(right, 16) + 1) % 65_536:04X}"
    assert find(reference=f"1-{right}").status == 200
    for query in ({"queue_number": "2"}, {"reference": f"1-{wrong}"}, {"reference": f"2-{right}"}):
        answer = find(**query)
        assert answer.status == 404
        assert visitor not in answer.text
    one, other = find(reference=f"1-{wrong}").json, find(reference=f"2-{right}").json
    assert one == other  # who guesses learns nothing of who has the number


def test_a_number_is_of_the_line_that_stands(in_memory_room: InMemoryRoom) -> None:
    before = in_memory_room.visitors(3)
    in_memory_room.room.control.reset(EVENT)
    assert find(queue_number="2").status == 404
    assert find(reference=reference_of(2, before[1])).status == 404
    assert find(request_id=before[1]).status == 410
    in_memory_room.clock.now += 1
    after = in_memory_room.visitors(2)
    assert find(queue_number="2").json["request_id"] == after[1]


def test_the_room_takes_what_the_api_takes() -> None:
    in_memory_room = InMemoryRoom()
    (visitor,) = in_memory_room.visitors(1)
    assert (
        in_memory_room.room.sessions.request_status(EVENT, VisitorQuery(number=1))["request_id"]
        == visitor
    )
    with pytest.raises(UnknownRequest):
        in_memory_room.room.sessions.request_status(
            EVENT, VisitorQuery(number=1, check="0000" + check_of(visitor))
        )
    with pytest.raises(InvalidInput):
        in_memory_room.room.sessions.request_status("Other", VisitorQuery(number=1))


def test_the_page_shows_the_reference_that_the_api_reads() -> None:
    """The page computes it by itself, in JavaScript."""
    ids = [str(uuid.UUID(int=number * 0x9E3779B97F4A7C15F39CC0605CEDC835 % 2**128, version=4))
           for number in range(1, 101)]  # fmt: skip
    script = f"""
        import {{ reference }} from {json.dumps((SITES / "waiting_room" / "view.js").as_uri())};
        const ids = {json.dumps(ids)};
        const both = (id, at) => [reference(id, at + 1), reference(id, null)];
        console.log(JSON.stringify(ids.map(both)));
    """
    node = Path(sys.executable).with_name("node")
    done = subprocess.run(
        [str(node), "--input-type=module", "-e", script],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    for at, (request_id, (with_number, without)) in enumerate(
        zip(ids, json.loads(done.stdout), strict=True)
    ):
        assert with_number == reference_of(at + 1, request_id)
        whole = f"{zlib.crc32(request_id.encode()):08X}"
        assert without == f"{whole[:4]}-{whole[4:]}"
