# SPDX-License-Identifier: Apache-2.0
"""Plots have one style, and equal data gives equal files."""

from __future__ import annotations

from pathlib import Path

import pytest

from deployment import plot_style
from deployment.checks.secrets_scan import files
from tests.support.servers import ROOT


@pytest.mark.parametrize("suffix", ["png", "svg"])
def test_equal_data_gives_equal_files_without_a_date(tmp_path: Path, suffix: str) -> None:
    import matplotlib as mpl

    mpl.rcParams["svg.hashsalt"] = "plot style"
    saved = []
    for name in ("one", "two"):
        figure, axes = plot_style.subplots(2, 3, (6, 4))
        assert len(axes) == 6
        for axis in axes:
            axis.plot([0, 1, 2], [0, 1, 4], color=plot_style.GREEN)
            assert not axis.spines["top"].get_visible()
        saved.append(plot_style.save(figure, tmp_path / "new" / f"{name}.{suffix}").read_bytes())
    assert saved[0] == saved[1]
    assert b"Matplotlib" not in saved[0] or suffix == "svg"
    assert b"<dc:date>" not in saved[0]


def test_no_other_module_makes_figures() -> None:
    making = {
        path
        for path in files()
        if path.endswith(".py") and "pyplot" + ".subplots(" in (ROOT / path).read_text()
    }
    assert making == {"deployment/plot_style.py"}, "Use plot_style.subplots"
