# SPDX-License-Identifier: Apache-2.0
"""LICENSE is the verbatim text of the Apache License 2.0, and source files name it."""

from __future__ import annotations

import hashlib

from deployment.checks.secrets_scan import files
from tests.support.servers import ROOT

# SHA-256 of the text that the Apache Software Foundation publishes as LICENSE-2.0.txt
APACHE_2_0 = "cfc7749b96f63bd31c3c42b5c471bf756814053e847c10f3eb003417bc523d30"
LINE = "SPDX-License-Identifier: Apache-2.0"


def test_the_licence_is_the_verbatim_text() -> None:
    assert hashlib.sha256((ROOT / "LICENSE").read_bytes()).hexdigest() == APACHE_2_0


def test_each_source_file_names_the_licence_in_its_first_lines() -> None:
    sources = [one for one in files() if one.endswith((".py", ".lua", ".js", ".yml", ".toml"))]
    assert sources
    for path in sources:
        start = (ROOT / path).read_text(encoding="utf-8").splitlines()[:2]
        assert any(LINE in line for line in start), f"Add `{LINE}` to the first line of {path}"
