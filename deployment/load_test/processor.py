# SPDX-License-Identifier: Apache-2.0
"""Processor time of the parts of the room of this machine: it says more than clocks on a busy one.

Read from ``/proc`` (Linux); nothing elsewhere.
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
    """Seconds of processor time that each child of ``parent`` has taken so far."""
    ticks = os.sysconf("SC_CLK_TCK")
    found: dict[str, float] = {}
    for folder in PROC.glob("[0-9]*"):
        try:
            stat = (folder / "stat").read_text().rpartition(")")[2].split()
            command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:  # it has just ended
            continue
        if int(stat[1]) != parent:
            continue
        for mark, name in PARTS.items():
            if mark in command:
                found[name] = (int(stat[11]) + int(stat[12])) / ticks
    return found
