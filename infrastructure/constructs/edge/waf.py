# SPDX-License-Identifier: Apache-2.0
"""AWS WAF in front of the public API: rate limits per address, and counted known attacks.

It is attached to the API's stage, in the stack's own region, and evaluates every cache miss of
CloudFront. A request with the edge's API key counts for the address in the header that the edge
sets: an IPv4 address, or the /64 of an IPv6 address. Every other request counts for its source
address; the API rejects it because it has no key.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aws_cdk import Stack, aws_apigateway, aws_wafv2
from constructs import Construct

from infrastructure.blueprint.join_integration import PATH as JOIN
from infrastructure.constructs.edge.distribution import ADDRESS_HEADER
from infrastructure.constructs.names import shortened
from waiting_room.runtime.http_api import CORS, NO_STORE

WINDOW = 300  # s; the evaluation window of the rate limits
LONGEST_METRIC = 128  # characters of a metric name of AWS WAF
KEY_HEADER = "x-api-key"
MANAGED = ("AWSManagedRulesCommonRuleSet", "AWSManagedRulesKnownBadInputsRuleSet")
AROUND, JOINS, REQUESTS = "AroundTheEdge", "TooManyJoins", "TooManyRequests"
PREFLIGHTS = "TooManyPreflights"
BLOCKED = {
    JOINS: '{"error": "too many joins from this address; try again in a few minutes"}',
    REQUESTS: '{"error": "too many requests from this address; try again in a few minutes"}',
}


@dataclass(frozen=True, kw_only=True)
class RateLimits:
    """Joins, and requests of any kind, that one address may send within WINDOW seconds."""

    joins: int
    requests: int


class WebAcl(Construct):
    """``web_acl`` protects ``stage``; its metrics have the names of its rules.

    ``metric`` is the metric name of the ACL, which contains the name of the stack.

    An address above its limit gets 429. ``keys`` are the API keys that the edge may send now.
    AWS's managed rules only count.
    """

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        stage: aws_apigateway.Stage,
        keys: Sequence[str],
        rate_limits: RateLimits,
    ) -> None:
        super().__init__(scope, name)
        self.metric = _metric_name(Stack.of(self).stack_name)
        edge = _any([_header(key) for key in keys])
        rules = [
            _limit(AROUND, _busy(REQUESTS), rate_limits.requests, _not(edge)),
            _limit(JOINS, _busy(JOINS), rate_limits.joins, _all([edge, _is_join()]), BY_HEADER),
            _limit(
                REQUESTS,
                _busy(REQUESTS),
                rate_limits.requests,
                _all([edge, _not(_is_preflight())]),
                BY_HEADER,
            ),
            _limit(
                PREFLIGHTS,
                _granted(),
                rate_limits.requests,
                _all([edge, _is_preflight()]),
                BY_HEADER,
            ),
        ]
        rules += [_managed(group) for group in MANAGED]
        self.web_acl = aws_wafv2.CfnWebACL(
            self,
            "WebAcl",
            scope="REGIONAL",
            description="Waiting room: public API",
            default_action={"allow": {}},
            visibility_config=_metrics(self.metric),
            custom_response_bodies={
                name: {"content": said, "contentType": "APPLICATION_JSON"}
                for name, said in BLOCKED.items()
            },
            rules=[{**rule, "priority": priority} for priority, rule in enumerate(rules)],
        )
        aws_wafv2.CfnWebACLAssociation(
            self, "Association", resource_arn=stage.stage_arn, web_acl_arn=self.web_acl.attr_arn
        )


def _metric_name(stack: str) -> str:
    """Return the name of the web ACL in its metrics; two rooms of an account have two names."""
    return shortened(f"WaitingRoom-{stack}", LONGEST_METRIC)


BY_SOURCE: dict[str, Any] = {"aggregateKeyType": "IP"}
BY_HEADER: dict[str, Any] = {
    "aggregateKeyType": "CUSTOM_KEYS",
    "customKeys": [
        {
            "header": {
                "name": ADDRESS_HEADER,
                "textTransformations": [{"priority": 0, "type": "NONE"}],
            }
        }
    ],
}


def _busy(body: str) -> dict[str, Any]:
    """Return a 429 response with one of the bodies, readable by pages of any origin."""
    headers = {
        "Retry-After": str(WINDOW),
        "Cache-Control": NO_STORE,
        "Access-Control-Allow-Origin": CORS["Access-Control-Allow-Origin"],
        "Access-Control-Expose-Headers": CORS["Access-Control-Expose-Headers"],
    }
    return {"responseCode": 429, "customResponseBodyKey": body, "responseHeaders": _named(headers)}


def _granted() -> dict[str, Any]:
    """Return a successful preflight response.

    A page cannot read the status of a rejected preflight. So the preflight succeeds, and the
    request after it gets a 429 that the page can read.
    """
    return {"responseCode": 200, "responseHeaders": _named({**CORS, "Cache-Control": NO_STORE})}


def _named(headers: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, value in headers.items()]


def _limit(
    name: str,
    answer: dict[str, Any],
    limit: int,
    counted: dict[str, Any],
    by: dict[str, Any] = BY_SOURCE,
) -> dict[str, Any]:
    """Return a rate limit of requests that match ``counted``, by source address or by header.

    Above the limit AWS WAF returns ``answer`` and the API gets no request.
    """
    return _rule(
        name,
        action={"block": {"customResponse": answer}},
        statement={
            "rateBasedStatement": {
                "limit": limit,
                "evaluationWindowSec": WINDOW,
                **by,
                "scopeDownStatement": counted,
            }
        },
    )


def _is_join() -> dict[str, Any]:
    """Return a statement that matches a POST to a path of joins in any spelling; no preflight.

    ``/enter`` of the entrance takes joins of clients without scripts.
    """
    paths = [_match({"uriPath": {}}, "CONTAINS", path) for path in (JOIN, "/enter")]
    return _all([_match({"method": {}}, "EXACTLY", "POST"), _any(paths)])


def _is_preflight() -> dict[str, Any]:
    return _match({"method": {}}, "EXACTLY", "OPTIONS")


def _header(key: str) -> dict[str, Any]:
    # CDK passes the value of "singleHeader" on unchanged; CloudFormation requires a capital letter
    return _match({"singleHeader": {"Name": KEY_HEADER}}, "EXACTLY", key, "NONE")


def _match(
    field: dict[str, Any], how: str, text: str, transformation: str = "URL_DECODE"
) -> dict[str, Any]:
    return {
        "byteMatchStatement": {
            "fieldToMatch": field,
            "positionalConstraint": how,
            "searchString": text,
            "textTransformations": [{"priority": 0, "type": transformation}],
        }
    }


def _all(statements: list[dict[str, Any]]) -> dict[str, Any]:
    return {"andStatement": {"statements": statements}}


def _not(statement: dict[str, Any]) -> dict[str, Any]:
    return {"notStatement": {"statement": statement}}


def _any(statements: list[dict[str, Any]]) -> dict[str, Any]:
    """Return an "or" of statements; AWS WAF requires at least two in an "or"."""
    return statements[0] if len(statements) == 1 else {"orStatement": {"statements": statements}}


def _managed(group: str) -> dict[str, Any]:
    """Return a managed rule group in count mode; its metrics show what it would block."""
    return {
        "name": group,
        "overrideAction": {"count": {}},
        "statement": {"managedRuleGroupStatement": {"vendorName": "AWS", "name": group}},
        "visibilityConfig": _metrics(group),
    }


def _rule(name: str, *, action: dict[str, Any], statement: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": name,
        "action": action,
        "statement": statement,
        "visibilityConfig": _metrics(name),
    }


def _metrics(name: str) -> dict[str, Any]:
    return {
        "cloudWatchMetricsEnabled": True,
        "metricName": name,
        "sampledRequestsEnabled": False,  # samples contain headers, and so tokens
    }
