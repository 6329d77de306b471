# SPDX-License-Identifier: Apache-2.0
"""A real browser for tests: the system's Chromium, driven by Playwright, and axe-core in it.

Debian's ``chromium-headless-shell`` is the same engine without windows, and is taken where it is
installed: its contexts cost much less processor time (decision 0174).
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from infrastructure.assets import sites
from tests.support.servers import ROOT, in_ci

ARGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update",
)  # fmt: skip
AXE = ROOT / "source" / "sites" / "node_modules" / "axe-core" / "axe.min.js"
SERIOUS = ("serious", "critical")
COLOUR_RULES = ("color-contrast", "link-in-text-block")  # what can differ between colour schemes


@contextmanager
def chromium(*args: str) -> Iterator[Browser]:
    """A browser with more arguments; skips with a sentence where there is none, but not in CI.

    While it is open its event loop occupies this thread: keep it to one module's tests.
    """
    path = shutil.which("chromium-headless-shell") or shutil.which("chromium")
    if path is None:
        if in_ci():
            pytest.fail("the browser tests need Debian's package chromium")
        pytest.skip("there is no chromium on this machine")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=[*ARGS, *args])
        try:
            yield browser
        finally:
            browser.close()


def accessibility(page: Page, *rules: str) -> list[str]:
    """Return the serious and critical axe-core violations of the page, one line each.

    ``rules`` are those of axe-core to run; without any, all of them.
    """
    if page.evaluate("typeof axe") == "undefined":
        # evaluated by the test, so the page's own policy does not stop it
        sites.install(ROOT)
        page.evaluate(AXE.read_text())
    found: list[dict[str, Any]] = page.evaluate(
        """rules => axe.run(document, {
          resultTypes: ["violations"], ...(rules.length ? {runOnly: rules} : {}),
        }).then(result => result.violations)""",
        list(rules),
    )
    return [
        f"{one['id']} ({one['impact']}): {node['target']} {node['failureSummary']}"
        for one in found
        if one["impact"] in SERIOUS
        for node in one["nodes"]
    ]


def cut_off(page: Page) -> list[str]:
    """Return the elements wider than the page, or ``page``."""
    found: list[str] = page.evaluate(
        """() => {
          const wide = document.documentElement.clientWidth;
          const named = (one) => one.id || one.outerHTML.slice(0, 80);
          const seen = [...document.querySelectorAll("main *, header *")].filter(
            (one) => one.getBoundingClientRect().width > 1 && !one.closest(".unseen"));
          const outside = seen.filter((one) => {
            const { left, right } = one.getBoundingClientRect();
            return left < -0.5 || right > wide + 0.5;
          });
          const full = seen.filter((one) => one.matches(".big, dd, button, p, h1")
            && getComputedStyle(one).display !== "inline" && one.scrollWidth > one.clientWidth + 1);
          const page = document.documentElement.scrollWidth > wide ? ["page"] : [];
          return [...page, ...new Set([...outside, ...full].map(named))];
        }"""
    )
    return found
