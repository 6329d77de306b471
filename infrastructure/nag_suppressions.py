# SPDX-License-Identifier: Apache-2.0
"""Accepted findings of cdk-nag (AwsSolutions), each with the reason.

A test fails for a finding that is not listed here, and for an entry without a finding.
"""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Suppression:
    """Findings of a rule at constructs: patterns for the whole rule id and the construct path."""

    rule: str
    where: str
    reason: str

    def covers(self, rule: str, path: str) -> bool:
        """Return whether a finding matches."""
        return bool(re.fullmatch(self.rule, rule) and re.fullmatch(self.where, path))


FUNCTION_ROLE = r".*/Role/(DefaultPolicy/)?Resource"
FILES_COPIER = r".*/Custom::CDKBucketDeployment[0-9A-F]+/.*"
DISTRIBUTION = r".*/Distribution/Resource"

SUPPRESSIONS = (
    Suppression(
        r"AwsSolutions-APIG4",
        r"(Core|OpenId|Gate)/.*/Default/.*/Resource|.*/OPTIONS/Resource",
        "Visitors have no identity: the edge's API key protects the public API and the entrance."
        " A preflight has no credentials. OpenID endpoints authenticate their clients themselves.",
    ),
    Suppression(
        r"AwsSolutions-COG4",
        r".*/Default/.*/Resource",
        "There is no user pool: visitors are anonymous, operators and stacks sign with IAM,"
        " the store accepts the room's own tokens.",
    ),
    Suppression(
        r"AwsSolutions-APIG3",
        r"(Core/(Public|Private)/Rest|Sample/Store|OpenId/Provider|Gate/Entrance/Rest)"
        r"/Api/DeploymentStage\.api/Resource",
        "The web ACL of the public API is in Protection, where the check does not always find it;"
        " the other APIs authorize few callers, by IAM or the room's tokens.",
    ),
    Suppression(
        r"AwsSolutions-CFR1",
        DISTRIBUTION,
        "Geographic restrictions are the site owner's choice.",
    ),
    Suppression(
        r"AwsSolutions-CFR2",
        DISTRIBUTION,
        "The web ACL is at the API behind CloudFront, in the stack's own region; cache hits and"
        " static files need none (decision 0041).",
    ),
    Suppression(
        r"AwsSolutions-CFR3",
        DISTRIBUTION,
        "CloudFront logs would contain query strings with request ids, which are credentials."
        " The access log of API Gateway is sufficient and does not contain them.",
    ),
    Suppression(
        r"AwsSolutions-CFR4",
        DISTRIBUTION,
        "The default CloudFront domain has a certificate with a fixed TLS policy; requests to the"
        " origin require TLS 1.2.",
    ),
    Suppression(
        r"AwsSolutions-IAM4\[Policy::.*/AmazonAPIGatewayPushToCloudWatchLogs\]",
        r"Core/ApiLogRole/Role/Resource",
        "The policy that AWS documents for this role: log groups of every API of the account.",
    ),
    Suppression(
        r"AwsSolutions-IAM5\[Resource::\*\]",
        FUNCTION_ROLE,
        "X-Ray, network interfaces, ListStreams and alarms accept no narrower resource;"
        " permissions.txt lists every statement.",
    ),
    Suppression(
        r"AwsSolutions-IAM5\[Resource::arn:.*:execute-api:.*/(GET|PUT|PATCH|DELETE|POST)/events/\*.*\]",
        r"Core/Operators/(.*Policy|Site|Gate)/Resource",
        "The path parameter of the event routes: these policies allow them for every"
        " event. docs/operations.md has policies for one event.",
    ),
    Suppression(
        r"AwsSolutions-(IAM4|IAM5|L1).*",
        FILES_COPIER,
        "CDK's own function that copies the pages into their bucket at a deployment.",
    ),
    Suppression(
        r"AwsSolutions-S1",
        r".*/Files/Resource",
        "The bucket contains public pages, and only CloudFront reads it.",
    ),
    Suppression(
        r"AwsSolutions-SMG4",
        r"Core/(SigningKeys|GateKeys)/Resource",
        "The rotate_keys worker rotates the keys; each is published before it signs.",
    ),
    Suppression(
        r"AwsSolutions-SMG4",
        r"Core/(Counters/Password|Public/(Gate)?Key)/Resource|OpenId/OpenIdClientSecret/Resource"
        r"|Gate/Site/OriginSecret/Resource",
        "Its user (ElastiCache, CloudFront, the OpenID client, the site) must change at the same"
        " time: docs/deploy.md describes the steps.",
    ),
    Suppression(
        r"AwsSolutions-SQS3",
        r"Core/Workers/EventDeadLetters/Resource|Inlet/ExitTopic/DeadLetters/Resource",
        "It is a dead-letter queue itself, with an alarm.",
    ),
)
