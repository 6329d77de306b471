# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the console's tests: the panel over a room in memory, and its page."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from tests.support.pages.console_page import opened, sign_in
from tests.support.pages.console_room import ConsoleRoom, build, console_room


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the built console."""
    return build(tmp_path_factory.mktemp("sites"))


@pytest.fixture(scope="module")
def addresses(built: Path) -> Iterator[ConsoleRoom]:
    """The console and both APIs, listening."""
    with console_room(built) as made:
        yield made


@pytest.fixture
def room(addresses: ConsoleRoom) -> ConsoleRoom:
    """The same addresses with an empty room behind them."""
    addresses.begin(VALIDITY_PERIOD=600)
    return addresses


@pytest.fixture
def page(browser: Browser, room: ConsoleRoom) -> Iterator[Page]:
    """A page that shows the sign-in form."""
    with opened(browser, room.panel) as made:
        yield made


@pytest.fixture
def panel(page: Page) -> Page:
    """A page that is signed in."""
    sign_in(page)
    return page
