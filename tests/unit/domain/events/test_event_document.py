# SPDX-License-Identifier: Apache-2.0
"""Event documents: validation, default values, patches, size of the registry."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.servers import ROOT
from waiting_room.domain.errors import InvalidInput
from waiting_room.domain.events.document import (
    StoredEvent,
    changed_members,
    complete,
    merge_patch,
    without_defaults,
)
from waiting_room.domain.events.registry import AFTER, STRATEGIES, encode, entry_of
from waiting_room.domain.events.schema import EVENT_SCHEMA, MAX_EVENTS, MAX_TIME, defaults
from waiting_room.domain.events.validation import check_event_id, patch_document, replace_document

WRONG = [
    ({"x": 1}, "x is not a member of an event"),
    ({"schedule": {"x": 1}}, "schedule.x is not a member of an event"),
    ({"<script>": 1}, "a member is not a member of an event"),
    ({"title": 5}, "title must be a text"),
    ({"title": None}, "title must be a text"),
    ({"title": "t" * 101}, "title must have at most 100 characters"),
    ({"mode": "q"}, "mode must be one of queue, pass_through"),
    ({"schedule": []}, "schedule must be an object"),
    ({"schedule": {"opens_at": "noon"}}, "schedule.opens_at must be a whole number or null"),
    ({"schedule": {"opens_at": -1}}, "schedule.opens_at must be from 0 to 253402300799"),
    ({"schedule": {"opens_at": 1.5}}, "schedule.opens_at must be a whole number or null"),
    ({"schedule": {"pre_queue_at": 5}}, "schedule.pre_queue_at needs schedule.opens_at"),
    ({"schedule": {"pre_queue_at": 6, "opens_at": 5}}, "schedule.pre_queue_at must not be after"),
    ({"schedule": {"opens_at": 5, "closes_at": 5}}, "schedule.closes_at must be after"),
    ({"turn": {"expires_after": True}}, "turn.expires_after must be a whole number"),
    ({"turn": {"expires_after": 86_401}}, "turn.expires_after must be from 0 to 86400"),
    ({"token": {"valid_for": 0}}, "token.valid_for must be from 1 to 86400"),
    ({"admission": {"no_show_after": 9}}, "admission.no_show_after must be from 10 to 3600"),
    ({"admission": {"min_per_minute": 601}}, "admission.min_per_minute must not exceed"),
    ({"admission": {"alarm": ""}}, "admission.alarm must not be empty"),
    ({"join": {"client_secret": "no"}}, "join.client_secret must be one of optional, required"),
    ({"control": {"paused_at": 5}}, "control.paused_at is read-only"),
    ({"control": {"x": 5}}, "control.x is not a member of an event"),
    ({"event_id": "b"}, "event_id must be the id in the path"),
    ({"version": 3}, "version is read-only"),
    ({"phase": "sunny"}, "phase is read-only"),
    ({"message": 5}, "message is read-only"),
    ({"lanes": [{"name": "standard"}]}, "lanes[0] needs name and share"),
]
NOT_BUILT = [
    {"opening": "draw"},
    {"lanes": [{"name": "standard", "share": 50}, {"name": "members", "share": 50}]},
    {"join": {"proof": "work"}},
    {"join": {"invitation": "signed"}},
    {"join": {"identity": "openid"}},
]


@pytest.mark.parametrize(("content", "text"), WRONG, ids=[text for _, text in WRONG])
def test_an_invalid_document_names_the_member_and_the_rule(content: Any, text: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        replace_document(content, "a", None)
    assert str(refused.value).startswith(text)


@pytest.mark.parametrize("content", NOT_BUILT, ids=[json.dumps(one) for one in NOT_BUILT])
def test_a_member_that_is_not_built_yet_is_refused_with_that_reason(content: Any) -> None:
    with pytest.raises(InvalidInput, match="not supported yet"):
        replace_document(content, "a", None)


def test_an_empty_document_has_every_default_value() -> None:
    document = replace_document({}, "a", None)
    assert document == defaults() == complete({})
    assert set(document) == set(EVENT_SCHEMA["properties"])
    assert without_defaults(document) == {}


def test_a_response_can_be_sent_back_as_received() -> None:
    stored = StoredEvent("a", 3, complete({"control": {"paused_at": 5}, "title": "One"}))
    response = {**stored.response(10), "message": "hello"}
    assert replace_document(response, "a", stored) == stored.document
    assert patch_document(response, stored) == stored.document


def test_a_replacement_keeps_the_control_times() -> None:
    stored = StoredEvent("a", 3, complete({"control": {"paused_at": 5}}))
    for content in ({}, {"control": {}}, {"control": {"paused_at": 5}}):
        assert replace_document(content, "a", stored)["control"]["paused_at"] == 5
    for control in ({"paused_at": None}, {"paused_at": 6}, {"closed_at": 1}):
        with pytest.raises(InvalidInput, match="read-only"):
            replace_document({"control": control}, "a", stored)
        with pytest.raises(InvalidInput, match="read-only"):
            patch_document({"control": control}, stored)


def test_null_in_a_patch_restores_the_default_value() -> None:
    stored = StoredEvent("a", 1, complete({"title": "One", "turn": {"expires_after": 60}}))
    document = patch_document({"title": None, "turn": {"expires_after": None}}, stored)
    assert (document["title"], document["turn"]["expires_after"]) == ("", 900)
    kept = patch_document({"token": {"valid_for": 60}}, stored)
    assert kept == {**stored.document, "token": {"valid_for": 60}}


@pytest.mark.parametrize(
    ("target", "patch", "result"),
    [  # examples of RFC 7396, appendix A
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": "foo"}, "bar", "bar"),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_a_merge_patch_is_that_of_the_rfc(target: Any, patch: Any, result: Any) -> None:
    before = copy.deepcopy(target)
    assert merge_patch(target, patch) == result
    assert target == before


@given(st.integers(1, 86_400), st.sampled_from(["manual", "rate"]))
def test_changed_members_are_those_that_differ(seconds: int, strategy: str) -> None:
    before = complete({})
    after = complete({"token": {"valid_for": seconds}, "admission": {"strategy": strategy}})
    old, new = changed_members(before, after)
    assert merge_patch(before, new) == after
    assert merge_patch(after, old) == before


@pytest.mark.parametrize("value", ["a", "A.b_c-9", "9" * 64])
def test_an_event_id_of_the_contract_is_taken(value: str) -> None:
    assert check_event_id(value) == value


@pytest.mark.parametrize("value", ["", ".a", "-a", "a b", "ä", "a" * 65, "a/b", "#registry", None])
def test_every_other_event_id_is_invalid(value: object) -> None:
    with pytest.raises(InvalidInput, match="event_id must be"):
        check_event_id(value)


def test_the_largest_registry_fits_into_an_item() -> None:
    """Ids of 64 characters, every member at its longest, MAX_PAST earlier states."""
    times = {"pre_queue_at": MAX_TIME, "opens_at": MAX_TIME, "closes_at": MAX_TIME}
    document = complete(
        {
            "mode": "pass_through",
            "schedule": {**times, "after": "pass_through"},
            "turn": {"expires_after": 86_400, "increment_on_expiry": True},
            "token": {"valid_for": 86_400},
        }
    )
    entry = None
    for second in range(9):
        control = dict.fromkeys(document["control"], 9_999_999_990 + second)
        document = {**document, "control": control}
        entry = entry_of(10**6 + second, document, entry, 9_999_999_999.999)
    assert entry
    assert entry.past
    size = (len(encode(entry)) + 64 + 3) * MAX_EVENTS
    assert size < 400_000, size


def test_the_settings_of_an_entry_are_those_of_the_document() -> None:
    document = complete(
        {
            "turn": {"expires_after": 60, "increment_on_expiry": True},
            "token": {"valid_for": 120},
            "join": {"client_secret": "required"},
        }
    )
    found = entry_of(1, document).settings("a", 5)
    assert (found.position_expiry_period, found.validity_period) == (60, 120)
    assert found.position_expiry_enabled
    assert found.increment_on_expiry
    assert found.client_secret_required
    never = entry_of(1, complete({"turn": {"expires_after": 0}})).settings("a", 5)
    assert not never.position_expiry_enabled
    document["admission"]["strategy"] = "rate"
    assert not entry_of(1, document).settings("a", 5).increment_on_expiry


def test_the_published_schema_is_that_of_the_code() -> None:
    published = json.loads((ROOT / "docs" / "event.schema.json").read_text(encoding="utf-8"))
    assert published == EVENT_SCHEMA, "write EVENT_SCHEMA into docs/event.schema.json"


def test_the_registry_encodes_every_value_of_the_schema() -> None:
    members = EVENT_SCHEMA["properties"]
    after = members["schedule"]["properties"]["after"]["enum"]
    strategies = members["admission"]["properties"]["strategy"]["enum"]
    assert (set(AFTER), set(STRATEGIES)) == (set(after), set(strategies))
