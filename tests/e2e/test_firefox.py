# SPDX-License-Identifier: Apache-2.0
"""A visitor's journey in Debian's Firefox: join, reload, wait, turn, session, closed event."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.pages.firefox import Firefox, firefox
from tests.support.pages.waiting_page import PAGE, Room, page

pytestmark = [pytest.mark.browser, pytest.mark.server]


@pytest.fixture(scope="module")
def tab() -> Iterator[Firefox]:
    with firefox("ar") as started:
        yield started


def room() -> Room:
    made = Room(status={"poll_after_seconds": 1})
    made.in_memory_room.room.workers.setup.run()
    made.fill(9)
    return made


def errors(tab: Firefox) -> list[str]:
    """Errors of the page; Firefox also counts the calls that a test lets fail."""
    return [one for one in tab("errors") if "CORS request did not succeed" not in one]


def test_a_visitor_joins_waits_enters_and_buys(tab: Firefox) -> None:
    with page(room()) as served:
        tab("viewport", width=360, height=740)
        tab("goto", url=served.url)
        tab.shows("#enter")
        assert tab("evaluate", script="document.documentElement.dir") == "rtl"
        tab("select", selector="#language", value="en")
        tab.shows("#enter", "Enter the waiting room")
        tab("click", selector="#enter")
        number = "[data-view=waiting] [data-value=number]"
        assert tab.shows(number, "10") == "10"
        tab("reload")
        assert tab.shows(number, "10") == "10"
        assert tab("evaluate", script="document.documentElement.scrollWidth <= innerWidth")
        served.room.fault = "down"
        tab.shows("#trouble-text", "Your place is safe.")
        served.room.fault = ""
        tab("click", selector="#retry")
        served.room.serve(10)
        tab.shows("[data-view=turn] h1", "It is your turn")
        assert "It is your turn" in tab("evaluate", script="document.title")
        tab("click", selector="#checkout")
        tab.shows("#session", "Time left")
        tab("reload")
        tab.shows("#session", "Time left")
        tab("click", selector="#purchase")
        tab.shows("[data-view=receipt] h1", "Thank you for your purchase")
        assert errors(tab) == []


def test_an_event_has_its_own_page_and_its_place_ends_with_a_reset(tab: Firefox) -> None:
    made = room()
    made.change(title="Summer sale", page=PAGE)
    with page(made) as served:
        tab("goto", url=served.url)
        tab("select", selector="#language", value="en")
        tab.shows("#name", "Nordlicht · Summer sale")
        tab.shows("#block h2", "Doors")
        tab("click", selector="#enter")
        tab.shows("[data-view=waiting] [data-value=number]", "10")
        made.act("close")
        tab.shows("#event-title", "Sold out")
        made.act("open")
        tab("reload")  # a closed event is polled rarely
        tab.shows("[data-view=waiting] [data-value=number]", "10")
        made.in_memory_room.room.control.reset("Sample")
        tab.shows("#over-title", "The line has been restarted")
        assert errors(tab) == []
