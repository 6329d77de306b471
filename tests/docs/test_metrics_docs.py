# SPDX-License-Identifier: Apache-2.0
"""Each member of GET /status and GET /metrics is in docs/api.md and in the OpenAPI documents."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from tests.docs import markdown
from tests.support.servers import ROOT
from waiting_room.domain.events.registry import entry_of
from waiting_room.domain.events.schema import defaults
from waiting_room.domain.metrics import console_metrics, page_status
from waiting_room.domain.records import Counts

NOTHING = Counts(
    generation=1, queue=0, serving=0, holes=0, tokens=0, expired=0, active=0, completed=0,
    abandoned=0, admitted_recently=0, admitting_since=0,
)  # fmt: skip
ENTRY = entry_of(1, {**defaults(), "title": "Summer sale"})
MEMBERS = {
    "/status": page_status("Sample", NOTHING, ENTRY, 0.0),
    "/metrics": console_metrics("Sample", NOTHING, ENTRY, 0.0),
}
OPTIONAL = MEMBERS["/status"].keys() - page_status("Sample", NOTHING, None, 0.0).keys()
DOCUMENTS = {"/status": "docs/api/public.yaml", "/metrics": "docs/api/private.yaml"}


def documented() -> dict[str, set[str]]:
    """The members in the table of docs/api.md, by route."""
    page = (ROOT / "docs/api.md").read_text(encoding="utf-8")
    rows = markdown.rows(page, "Metrics")
    return {
        "/metrics": {name for row in rows for name in markdown.code(row[0])},
        "/status": {name for row in rows if row[1] == "yes" for name in markdown.code(row[0])},
    }


def schema_and_example(route: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The schema of a route's 200 and its first example."""
    document = yaml.safe_load((ROOT / DOCUMENTS[route]).read_text(encoding="utf-8"))
    content = document["paths"][route]["get"]["responses"]["200"]["content"]["application/json"]
    example = next(iter(content["examples"].values()))["value"]
    schema = content["schema"]
    if "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return schema, example


def compare(place: str, found: set[str], route: str) -> None:
    """Fail with the members to add to ``place``, or to remove from it."""
    missing, unknown = MEMBERS[route].keys() - found, found - MEMBERS[route].keys()
    problems = [f"add {name} of GET {route} to {place}" for name in sorted(missing)]
    problems += [f"remove {name} from {place}: GET {route} has no {name}" for name in unknown]
    if problems:
        pytest.fail("\n".join(problems), pytrace=False)


@pytest.mark.parametrize("route", MEMBERS)
def test_the_page_has_each_member(route: str) -> None:
    compare("the table 'Metrics' of docs/api.md", documented()[route], route)


@pytest.mark.parametrize("route", MEMBERS)
def test_the_openapi_document_has_each_member(route: str) -> None:
    schema, example = schema_and_example(route)
    compare(f"'properties' of the schema in {DOCUMENTS[route]}", set(schema["properties"]), route)
    required, shown = set(schema["required"]), set(example)
    assert {"page"} == OPTIONAL
    assert not required & OPTIONAL
    compare(f"'required' of the schema in {DOCUMENTS[route]}", required | OPTIONAL, route)
    compare(f"the example in {DOCUMENTS[route]}", shown | OPTIONAL, route)
