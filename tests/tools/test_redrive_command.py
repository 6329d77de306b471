# SPDX-License-Identifier: Apache-2.0
"""The command of the redrive: errors before the first request."""

from __future__ import annotations

from pathlib import Path

import pytest

from deployment import redrive


def test_a_stack_without_a_region_ends_with_one_clear_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("AWS_DEFAULT_REGION", "AWS_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "no-config"))
    assert redrive.main(["--stack", "WaitingRoom"]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.splitlines() == [
        "--stack: the AWS region is not set: set AWS_DEFAULT_REGION to the stack's region."
    ]
