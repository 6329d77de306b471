# SPDX-License-Identifier: Apache-2.0
"""Browser, contexts and page of the tests that drive a real browser."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from tests.demos.events import Demo
from tests.support.browser import chromium
from tests.support.local_stack import RunningRoom


@pytest.fixture
def demo(running: RunningRoom) -> Iterator[Demo]:
    """Events in the running room, deleted after the test."""
    made = Demo(running)
    yield made
    made.remove_all()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One browser per module: its event loop occupies the thread."""
    with chromium() as started:
        yield started


@pytest.fixture
def visitor(browser: Browser) -> Iterator[BrowserContext]:
    """A visitor's browser profile, in English."""
    made = browser.new_context(locale="en-GB")
    yield made
    made.close()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A visitor's browser profile, in English and without animations."""
    made = browser.new_context(locale="en-GB", reduced_motion="reduce")
    yield made
    made.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """An empty page in a profile of its own."""
    made = browser.new_context()
    yield made.new_page()
    made.close()
