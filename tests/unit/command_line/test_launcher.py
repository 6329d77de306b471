# SPDX-License-Identifier: Apache-2.0
"""The console script: it runs from any folder, and through a symbolic link."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.support.servers import ROOT

LAUNCHER = ROOT / "source" / "apps" / "command_line" / "launcher.sh"


def test_the_launcher_runs_the_command_line_of_its_project(tmp_path: Path) -> None:
    project, elsewhere = tmp_path / "project", tmp_path / "elsewhere"
    script = project / ".venv" / "bin" / "waiting-room"
    script.parent.mkdir(parents=True)
    shutil.copy(LAUNCHER, script)
    script.chmod(0o755)
    python = script.parent / "python"
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    (project / "source").symlink_to(ROOT / "source")
    (elsewhere / "apps" / "command_line").mkdir(parents=True)  # must not be imported
    (elsewhere / "apps" / "command_line" / "__main__.py").write_text("raise SystemExit(99)")
    (elsewhere / "link").symlink_to(script)
    env = {**os.environ, "LOCAL_DIR": str(tmp_path)}
    done = subprocess.run(
        ["./link", "events", "list"], cwd=elsewhere, env=env, capture_output=True, text=True
    )
    assert done.returncode == 2
    assert done.stderr.startswith("Error: no room runs on this machine")
    assert done.stdout == ""
