# SPDX-License-Identifier: Apache-2.0
"""The costs of an idle month that other pages repeat are those of docs/capacity.md."""

from __future__ import annotations

from tests.docs.markdown import rows
from tests.support.servers import ROOT

DOCS = ROOT / "docs"
PROFILES = ("standard", "cheap", "serverless")


def costs() -> dict[str, str]:
    """Return the total of each profile in us-east-1, the first columns of the table."""
    (total,) = (
        row
        for row in rows((DOCS / "capacity.md").read_text(), "Cost of an idle month, in US dollars")
        if row[0] == "**total**"
    )
    return dict(zip(PROFILES, (cell.strip("*") for cell in total[1:4]), strict=True))


def test_the_page_of_the_deployment_has_the_costs_of_the_model() -> None:
    page = (DOCS / "deploy.md").read_text()
    found = costs()
    (row,) = (one for one in rows(page, "Profiles") if "idle month" in one[0])
    assert list(row[1:]) == [f"${found[profile]}" for profile in PROFILES]
    text = " ".join(page.split())
    assert (
        f"An idle month in us-east-1 costs ${found['standard']} with the profile *standard*,"
        f" ${found['cheap']} with *cheap* and ${found['serverless']} with *serverless*"
    ) in text


def test_the_readme_has_the_costs_in_whole_dollars() -> None:
    text = " ".join((ROOT / "README.md").read_text().split())
    most, least = (round(float(costs()[profile])) for profile in ("standard", "serverless"))
    assert f"costs about ${most}, or about ${least} with `Profile=serverless`" in text
