# SPDX-License-Identifier: Apache-2.0
"""The table of behaviours on the page of the gate is that of the distribution."""

from __future__ import annotations

from infrastructure.blueprint.gate_paths import PAGE_PATH, ROOM_PATHS, RoomPath, Target
from tests.support.servers import ROOT

PAGE = ROOT / "docs" / "gate-edge.md"
ORIGINS = {Target.ENTRANCE: "entrance", Target.PUBLIC: "public API"}


def cache(path: RoomPath) -> str:
    """The cell of the cache."""
    if not path.longest:
        return "none"
    same = path.shortest == path.longest
    seconds = f"{path.longest}" if same else f"{path.shortest}–{path.longest}"
    key = ", ".join(f"`{name}`" for name in path.query)
    accept = " and class of `Accept`" if path.by_accept else ""
    return f"{seconds} s, by {key}{accept}: `{path.policy_output}`"


def row(path: RoomPath) -> str:
    """The row of a path of the entrance or the public API."""
    cookies = "none" if path.longest else "of the room"
    functions = "Room, Response" if path.by_accept else "Room"
    methods = "GET, HEAD, OPTIONS" if path.longest and not path.by_accept else "all"
    cells = [f"`{path.pattern}`", ORIGINS[path.target], methods, cache(path), cookies, functions]
    return f"| {' | '.join(cells)} |"


def test_the_page_has_the_behaviours_in_their_order() -> None:
    lines = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line[:2] == "| "]
    assert [line for line in lines if " Room" in line] == [row(path) for path in ROOM_PATHS]
    after = lines.index(row(ROOM_PATHS[-1]))
    assert lines[after + 1].startswith(f"| `{PAGE_PATH.pattern}` | waiting page |")
