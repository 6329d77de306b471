# SPDX-License-Identifier: Apache-2.0
"""Cost of a million requests, entries and renewals at the gate of a site.

``EDGE`` is what the gate stack runs at the edge;
``tests/infrastructure/test_capacity_topology.py`` compares it with the synthesized stack.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from deployment.capacity.cost import MILLION, TRACED
from deployment.capacity.operations import Operation, Operations
from deployment.capacity.prices import Prices
from deployment.capacity.quotas import Assumptions
from deployment.capacity.simulation import API_MEMORY
from deployment.capacity.usage import ROW_BYTES, STREAM_BATCH
from infrastructure.blueprint.resources import PUBLISH
from waiting_room.domain.gate.rules import OWN_PATHS

REQUEST, RESPONSE = "viewer-request", "viewer-response"
ENTRIES, RENEWALS = "entries after waiting, the gate's part", "renewals"  # rows
OUTSIDE_READS, PROTECTED_READS = 1, 2  # reads of the store: the rules of a host; and the event
WITHOUT_OWN_RULES = 1  # further reads for a host without rules of its own


@dataclass(frozen=True)
class GateEdge:
    """Functions that each request of a kind runs at the edge.

    The response function does not run when the request function itself responds: AWS documents this
    for Lambda@Edge, and the model assumes it for these functions.
    ``acl``: AWS WAF counts the requests that reach the entrance.
    """

    site_request: int
    site_response: int
    enter: int
    session: int
    acl: bool


EDGE = GateEdge(site_request=1, site_response=1, enter=2, session=1, acl=True)


def of_gate_template(template: Mapping[str, Any]) -> GateEdge:
    """Return what a synthesized gate stack runs at the edge."""
    resources = template["Resources"].values()
    (distribution,) = (
        one["Properties"]["DistributionConfig"]
        for one in resources
        if one["Type"] == "AWS::CloudFront::Distribution"
    )
    paths = {one["PathPattern"]: one for one in distribution["CacheBehaviors"]}

    def count(behavior: Mapping[str, Any], *events: str) -> int:
        functions = behavior.get("FunctionAssociations", [])
        return sum(one["EventType"] in events for one in functions)

    return GateEdge(
        site_request=count(distribution["DefaultCacheBehavior"], REQUEST),
        site_response=count(distribution["DefaultCacheBehavior"], RESPONSE),
        enter=count(paths[f"{OWN_PATHS}/enter"], REQUEST, RESPONSE),
        session=count(paths[f"{OWN_PATHS}/session"], REQUEST, RESPONSE),
        acl=any(one["Type"] == "AWS::WAFv2::WebACLAssociation" for one in resources),
    )


@dataclass(frozen=True)
class Passage:
    """Work for one request, entry or renewal; ``outcome``: the stream of outcomes has a record.

    ``tokens`` are issued tokens, each with a bus event, and with rows of a position and a token.
    """

    name: str
    edge_requests: int
    functions: int
    reads: int
    operation: Operation | None = None
    outcome: bool = False
    tokens: int = 0

    @property
    def api_requests(self) -> int:
        """Requests that reach the entrance."""
        return int(self.operation is not None)


def passages(operations: Operations, edge: GateEdge = EDGE) -> list[Passage]:
    """Return the rows of the table."""
    redirect, site = edge.site_request, edge.site_request + edge.site_response
    entry = redirect + edge.enter + edge.session
    return [
        Passage("requests outside every rule", 1, site, OUTSIDE_READS),
        Passage("protected requests with a session", 1, site, PROTECTED_READS),
        Passage("protected requests of scripts without a session", 1, redirect, PROTECTED_READS),
        Passage(
            "entries, straight through", 3, entry, PROTECTED_READS, operations["go"], True, 1
        ),
        Passage(
            ENTRIES,
            3, entry, PROTECTED_READS, operations["begin_session"], True,
        ),
        Passage(
            RENEWALS, 2, redirect + edge.session, PROTECTED_READS, operations["renew"], True
        ),
        Passage("calls of `enter` that reach the origin", 0, 0, 0, operations["enter"]),
    ]  # fmt: skip


def dollars_per_million(
    one: Passage,
    operations: Operations,
    prices: Prices,
    assumed: Assumptions,
    edge: GateEdge = EDGE,
) -> float:
    """Return the cost of a million of ``one`` in US dollars, without data transfer and the site."""
    at_edge = (
        one.edge_requests * prices["cloudfront_million_requests"]
        + one.functions * prices["cloudfront_function_million"]
        + one.reads * prices["cloudfront_store_million_reads"]
    )
    called = [(one.operation, API_MEMORY, 1.0)] if one.operation else []
    if one.outcome:
        called.append((operations["publish_five"], PUBLISH.memory, 1 / STREAM_BATCH))
    room = one.api_requests * prices["api_million_requests"]
    room += edge.acl * one.api_requests * prices["waf_million_requests"]
    for operation, memory, times in called:
        seconds = operation.duration_ms(memory, assumed) / 1000 * memory / 1024
        room += times * (
            prices["lambda_million_requests"]
            + seconds * MILLION * prices["lambda_gb_second"]
            + operation.write_units * prices["dynamodb_million_writes"]
            + operation.read_units * prices["dynamodb_million_reads"]
            + assumed.log_bytes * MILLION / 1e9 * prices["logs_gb"]
            + TRACED * prices["trace_million"]
        )
    room += one.tokens * prices["eventbridge_million_events"]
    stored = one.tokens * 2 * ROW_BYTES * MILLION / 1e9 * prices["dynamodb_gb_month"]
    return at_edge + room + stored
