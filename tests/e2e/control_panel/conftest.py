# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the control panel's tests: the panel over a room in memory, and its page."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from tests.support.pages.control_panel import PanelRoom, build, panel_room
from tests.support.pages.control_panel_page import opened, sign_in


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the built control panel."""
    return build(tmp_path_factory.mktemp("sites"))


@pytest.fixture(scope="module")
def addresses(built: Path) -> Iterator[PanelRoom]:
    """The control panel and both APIs, listening."""
    with panel_room(built) as made:
        yield made


@pytest.fixture
def room(addresses: PanelRoom) -> PanelRoom:
    """The same addresses with an empty room behind them."""
    addresses.begin(VALIDITY_PERIOD=600)
    return addresses


@pytest.fixture
def page(browser: Browser, room: PanelRoom) -> Iterator[Page]:
    """A page that shows the sign-in form."""
    with opened(browser, room.panel) as made:
        yield made


@pytest.fixture
def panel(page: Page) -> Page:
    """A page that is signed in."""
    sign_in(page)
    return page
