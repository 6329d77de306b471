# SPDX-License-Identifier: Apache-2.0
"""Processor time of the processes of the local room; it depends less on load than elapsed time.

Read from ``/proc`` (Linux); empty on other systems.
"""

from __future__ import annotations

import os
from pathlib import Path

PROC = Path("/proc")
PARTS = {
    "deployment.local.moto.server": "AWS emulator",
    "deployment.local.gateway.server": "gateway and edge",
    "deployment.local.workers.runner": "workers",
    "valkey": "Valkey",
}


def seconds_by_part(parent: int) -> dict[str, float]:
    """Return the seconds of processor time of each child of ``parent``."""
    ticks = os.sysconf("SC_CLK_TCK")
    found: dict[str, float] = {}
    for folder in PROC.glob("[0-9]*"):
        try:
            stat = (folder / "stat").read_text().rpartition(")")[2].split()
            command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:  # the process ended meanwhile
            continue
        if int(stat[1]) != parent:
            continue
        for mark, name in PARTS.items():
            if mark in command:
                found[name] = (int(stat[11]) + int(stat[12])) / ticks
    return found
