# SPDX-License-Identifier: Apache-2.0
"""Files of events."""

from __future__ import annotations

from typing import Any

import pytest

from apps.command_line.event_files import FileError, parse_files

NOON = 1_803_898_800  # 2027-03-01T12:00:00+01:00


def parse(text: str) -> dict[str, Any]:
    return parse_files([("events.yaml", text)])


@pytest.mark.parametrize(
    "text",
    [
        "Sale: {title: A}\nWinter: {}",
        "- {event_id: Sale, title: A}\n- event_id: Winter",
        '{"Sale": {"title": "A"}, "Winter": {}}',
        '[{"event_id": "Sale", "title": "A"}, {"event_id": "Winter"}]',
        '{"events": [{"event_id": "Sale", "title": "A"}, {"event_id": "Winter"}]}',
    ],
)
def test_a_file_is_a_list_or_a_mapping_in_yaml_or_json(text: str) -> None:
    assert parse(text) == {"Sale": {"title": "A"}, "Winter": {}}


def test_several_files_are_one_list() -> None:
    assert list(parse_files([("a", "Sale: {}"), ("b", "Winter: {}")])) == ["Sale", "Winter"]


def test_the_output_of_show_is_a_file() -> None:
    text = "event_id: Sale\nversion: 4\nphase: paused\nmessage: Hello\ntitle: A\n"
    assert parse(text + "control: {paused_at: 5}\n") == {"Sale": {"title": "A"}}


@pytest.mark.parametrize(
    "time",
    ["2027-03-01T12:00:00+01:00", '"2027-03-01T11:00:00Z"', "2027-03-01 11:00:00Z", str(NOON)],
)
def test_times_of_the_schedule_are_epoch_seconds_or_iso_8601(time: str) -> None:
    assert parse(f"Sale: {{schedule: {{opens_at: {time}}}}}") == {
        "Sale": {"schedule": {"opens_at": NOON}}
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Sale: {title: [}", "events.yaml: invalid YAML or JSON in line 1"),
        ("\x00", "events.yaml: invalid YAML or JSON"),
        ("Sale: {}\nSale: {}", "in line 2: Sale is given twice"),
        ("Sale: {title: a, title: b}", "title is given twice"),
        ("- {event_id: Sale}\n- {event_id: Sale}", "events.yaml: Sale is given twice"),
        ("", "events.yaml must be a list of events"),
        ("hello", "events.yaml must be a list of events"),
        ("- title: A", "each event of the list needs an event_id"),
        ("- Sale", "each event of the list needs an event_id"),
        ("Sale: 5", "events.yaml: Sale must be a mapping of members"),
        ("Sale:", "events.yaml: Sale must be a mapping of members"),
        ("my event: {}", "'my event' is not an event id"),
        ("2027: {}", "2027 is not an event id"),
        ("Sale: {event_id: Winter}", "Sale: event_id must be Sale"),
        ("Sale: {title: 2027-03-01}", "events.yaml: Sale: title is not a text"),
        ("Sale: {turn: {expires_after: .nan}}", "Sale: turn.expires_after is not a text"),
        ("Sale: {lanes: [{name: 2027-03-01}]}", "Sale: lanes[0].name is not a text"),
        ("Sale: {5: 6}", "Sale: the name 5 must be in quotation marks"),
        (
            "Sale: {schedule: {opens_at: 2027-03-01 12:00:00}}",
            "schedule.opens_at needs a time zone",
        ),
        ("Sale: {schedule: {opens_at: 2027-03-01}}", "schedule.opens_at needs a time of day"),
        ("Sale: {schedule: {opens_at: noon}}", "schedule.opens_at must be epoch seconds or"),
        (
            "Sale: {schedule: {opens_at: 2027-03-01T12:00:00.5Z}}",
            "schedule.opens_at must be a whole second",
        ),
        ("? [1, 2]\n: {}", "in line 1: found unhashable key"),
        ("a: &a [*a]", "events.yaml: a must be a mapping"),
        ("a: &a {b: *a}", "is nested too deeply"),
    ],
)
def test_an_invalid_file_is_named_with_the_member(text: str, message: str) -> None:
    with pytest.raises(FileError) as error:
        parse(text)
    assert message in str(error.value)
