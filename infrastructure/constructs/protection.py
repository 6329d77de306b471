# SPDX-License-Identifier: Apache-2.0
"""AWS WAF in front of the public API: joins per address are limited, known attacks are counted.

It stands at the API's stage, in the stack's own region, and sees what CloudFront does not answer
from its cache. The caller's address is the one that the edge wrote, which no caller can choose.
"""

from __future__ import annotations

from typing import Any

from aws_cdk import aws_apigateway, aws_wafv2
from constructs import Construct

from infrastructure.constructs.edge import ADDRESS_HEADER
from infrastructure.enqueue import PATH as JOIN

WINDOW = 300  # seconds over which joins of an address are counted
MANAGED = ("AWSManagedRulesCommonRuleSet", "AWSManagedRulesKnownBadInputsRuleSet")
TOO_MANY = "TooManyJoins"
BLOCKED = '{"error": "too many joins from this address; try again in a few minutes"}'


class Protection(Construct):
    """``web_acl`` guards ``stage``; its metrics are named after its rules.

    An address that sends more than ``joins_per_address`` joins within WINDOW seconds gets 429.
    ``challenge`` lets WAF ask browsers that join for a proof; AWS's managed rules only count.
    """

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        stage: aws_apigateway.Stage,
        joins_per_address: int,
        challenge: bool,
    ) -> None:
        super().__init__(scope, name)
        rules = [_joins_per_address(joins_per_address)]
        if challenge:
            rules.append(_rule("ChallengeJoins", action={"challenge": {}}, statement=_is_join()))
        rules += [_managed(group) for group in MANAGED]
        self.web_acl = aws_wafv2.CfnWebACL(
            self,
            "WebAcl",
            scope="REGIONAL",
            description="Waiting room: public API",
            default_action={"allow": {}},
            visibility_config=_metrics("WaitingRoom"),
            custom_response_bodies={
                TOO_MANY: {"content": BLOCKED, "contentType": "APPLICATION_JSON"}
            },
            rules=[{**rule, "priority": place} for place, rule in enumerate(rules)],
        )
        aws_wafv2.CfnWebACLAssociation(
            self, "Association", resource_arn=stage.stage_arn, web_acl_arn=self.web_acl.attr_arn
        )


def _joins_per_address(limit: int) -> dict[str, Any]:
    return _rule(
        TOO_MANY,
        action={
            "block": {
                "customResponse": {
                    "responseCode": 429,
                    "customResponseBodyKey": TOO_MANY,
                    "responseHeaders": [
                        {"name": "Retry-After", "value": str(WINDOW)},
                        {"name": "Cache-Control", "value": "no-store"},
                        {"name": "Access-Control-Allow-Origin", "value": "*"},
                    ],
                }
            }
        },
        statement={
            "rateBasedStatement": {
                "limit": limit,
                "evaluationWindowSec": WINDOW,
                "aggregateKeyType": "FORWARDED_IP",
                "forwardedIpConfig": {"headerName": ADDRESS_HEADER, "fallbackBehavior": "MATCH"},
                "scopeDownStatement": _is_join(),
            }
        },
    )


def _is_join() -> dict[str, Any]:
    """A POST to the join's path, however the path is written; preflights are none."""
    statements = [_part("method", "EXACTLY", "POST"), _part("uriPath", "CONTAINS", JOIN)]
    return {"andStatement": {"statements": statements}}


def _part(part: str, how: str, text: str) -> dict[str, Any]:
    return {
        "byteMatchStatement": {
            "fieldToMatch": {part: {}},
            "positionalConstraint": how,
            "searchString": text,
            "textTransformations": [{"priority": 0, "type": "URL_DECODE"}],
        }
    }


def _managed(group: str) -> dict[str, Any]:
    """A rule group of AWS that counts what it would block: its metrics say what it would do."""
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
        "sampledRequestsEnabled": False,  # samples hold headers, and tokens with them
    }
