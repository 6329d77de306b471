# SPDX-License-Identifier: Apache-2.0
"""Debian's Firefox, driven by puppeteer-core with WebDriver BiDi in a node process."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from infrastructure.assets import sites
from tests.support.servers import ROOT, in_ci

DRIVER = ROOT / "tests" / "firefox"
NODE = Path(sys.executable).with_name("node")


class Firefox:
    """One tab; a command that fails is an AssertionError with the text of the page."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def read(self) -> Any:
        """Return the result of the last command."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "Firefox or its driver has ended"
        found = json.loads(line)
        assert "error" not in found, found["error"]
        return found["result"]

    def __call__(self, command: str, **given: Any) -> Any:
        """Run a command of ``tests/firefox/driver.js`` and return its result."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"command": command, **given}) + "\n")
        self._process.stdin.flush()
        return self.read()

    def shows(self, selector: str, contains: str = "") -> str:
        """Wait until a visible element contains a text; return the text of the first one."""
        return str(self("text", selector=selector, contains=contains)).strip()


@contextmanager
def firefox(locale: str = "en-GB") -> Iterator[Firefox]:
    """A Firefox of its own; skips with a sentence where there is none, but not in CI."""
    path = shutil.which("firefox-esr") or shutil.which("firefox")
    if path is None:
        if in_ci():
            pytest.fail("the tests in Firefox need Debian's package firefox-esr")
        pytest.skip("there is no Firefox on this machine")
    sites.fetch_modules(DRIVER)
    with subprocess.Popen(
        [str(NODE), "driver.js", path, locale],
        cwd=DRIVER, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        tab = Firefox(process)
        try:
            assert "firefox" in str(tab.read()).lower()
            yield tab
        finally:
            assert process.stdin is not None
            process.stdin.close()
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
