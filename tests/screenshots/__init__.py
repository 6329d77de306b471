# SPDX-License-Identifier: Apache-2.0
"""Every state of the two pages, to be looked at and to be checked.

A site's module has ``STATES``; ``python -m tests.screenshots [site]`` photographs them all, and the
accessibility tests visit the same ones.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

from playwright.sync_api import BrowserContext, Page


@dataclass(frozen=True)
class State:
    """One state of a page; ``open`` shows it in a context for as long as it is entered."""

    name: str
    open: Callable[[BrowserContext], AbstractContextManager[Page]]
    context: dict[str, Any] = field(default_factory=dict)  # options of the browser context
