# SPDX-License-Identifier: Apache-2.0
"""CloudWatch gets metrics only in a minute in which a number changed."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from waiting_room.domain.metrics import gauges
from waiting_room.domain.records import Counts
from waiting_room.use_cases.events.minute_metrics import MinuteMetrics

NOTHING = Counts(
    generation=1, queue=0, serving=0, holes=0, tokens=0, expired=0, active=0, completed=0,
    abandoned=0, admitted_recently=0, admitting_since=0,
)  # fmt: skip
SERVED = replace(NOTHING, queue=9, serving=9, tokens=9, completed=9)  # nobody is left
COUNTS = st.builds(
    lambda queue, serving, active: replace(NOTHING, queue=queue, serving=serving, active=active),
    st.integers(0, 3), st.integers(0, 3), st.integers(0, 3),
)  # fmt: skip
MINUTES = st.lists(st.dictionaries(st.sampled_from("abc"), COUNTS), min_size=1, max_size=8)


def test_an_open_event_without_visitors_sends_nothing_even_in_its_first_minute() -> None:
    minute = MinuteMetrics(per_event=True)
    for _ in range(3):
        minute.add("sale", SERVED)
        assert minute.end(complete=True) == ({}, {})


def test_visitors_who_wait_in_the_first_minute_are_sent_once() -> None:
    minute, waiting = MinuteMetrics(per_event=True), replace(NOTHING, queue=5)
    minute.add("sale", waiting)
    assert minute.end(complete=True)[0]["Waiting"] == 5
    minute.add("sale", waiting)
    assert minute.end(complete=True) == ({}, {})


@given(MINUTES)
def test_a_minute_with_a_change_has_the_sums_of_all_events_and_the_changed_ones(
    minutes: list[dict[str, Counts]],
) -> None:
    minute, before = MinuteMetrics(per_event=True), {}
    for events in minutes:
        for event_id, counts in events.items():
            assert minute.add(event_id, counts) == gauges(counts)
        changed = {
            one: gauges(counts)
            for one, counts in events.items()
            if (gauges(counts) != before[one] if one in before else counts.waiting or counts.active)
        }
        sums = {
            name: sum(gauges(counts)[name] for counts in events.values())
            for name in gauges(NOTHING)
        }
        assert minute.end(complete=True) == (sums if changed else {}, changed)
        before = {one: gauges(counts) for one, counts in events.items()}


def test_a_minute_without_one_of_the_events_has_no_sums_and_forgets_none() -> None:
    minute, here = MinuteMetrics(per_event=True), replace(NOTHING, queue=5)
    for event_id in "ab":
        minute.add(event_id, here)
    minute.end(complete=True)
    minute.add("a", replace(here, queue=6))  # the job of "b" failed
    sums, changed = minute.end(complete=False)
    assert (sums, set(changed)) == ({}, {"a"})
    minute.add("a", replace(here, queue=6))
    minute.add("b", here)
    assert minute.end(complete=True) == ({}, {})


def test_without_the_option_there_are_sums_only() -> None:
    minute = MinuteMetrics(per_event=False)
    minute.add("a", replace(NOTHING, queue=5))
    sums, changed = minute.end(complete=True)
    assert sums["Waiting"] == 5
    assert changed == {}
