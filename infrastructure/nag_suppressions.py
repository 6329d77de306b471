# SPDX-License-Identifier: Apache-2.0
"""What cdk-nag (AwsSolutions) finds in the stacks and was looked at, each with the reason it stays.

A test fails when a finding is not here, and when something here is found no more.
"""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Reviewed:
    """Findings of a rule (a pattern for its whole id) at constructs (a pattern for the path)."""

    rule: str
    where: str
    reason: str

    def covers(self, rule: str, path: str) -> bool:
        """Whether a finding is one of these."""
        return bool(re.fullmatch(self.rule, rule) and re.fullmatch(self.where, path))


FUNCTION_ROLE = r".*/Role/DefaultPolicy/Resource"
FILES_COPIER = r".*/Custom::CDKBucketDeployment[0-9A-F]+/.*"
DISTRIBUTION = r".*/Distribution/Resource"

REVIEWED = (
    Reviewed(
        r"AwsSolutions-APIG4",
        r"(Core|OpenId)/.*/Default/.*/Resource|.*/OPTIONS/Resource",
        "Visitors have no identity: the edge's API key guards the public API, and a preflight"
        " carries no credentials. OpenID endpoints authenticate their clients themselves.",
    ),
    Reviewed(
        r"AwsSolutions-COG4",
        r".*/Default/.*/Resource",
        "No user pool takes part: visitors are anonymous, operators and helpers sign with IAM,"
        " the store takes the room's own tokens.",
    ),
    Reviewed(
        r"AwsSolutions-APIG3",
        r"(Core/(Public|Private)/Rest|Sample/Store|OpenId/Provider|AutomaticInlet/Health)"
        r"/Api/DeploymentStage\.api/Resource",
        "The public API has its web ACL in Protection, which the check does not always see; the"
        " others let few callers in, by IAM or the room's tokens.",
    ),
    Reviewed(
        r"AwsSolutions-CFR1",
        DISTRIBUTION,
        "Where visitors may come from is the site owner's choice.",
    ),
    Reviewed(
        r"AwsSolutions-CFR2",
        DISTRIBUTION,
        "The web ACL stands at the API behind the edge, in the stack's own region; what the edge"
        " answers from its cache, and static files, need none (decision 0041).",
    ),
    Reviewed(
        r"AwsSolutions-CFR3",
        DISTRIBUTION,
        "Edge logs would keep query strings, and with them the request ids that are visitors'"
        " claims. API Gateway's access log says enough, without them.",
    ),
    Reviewed(
        r"AwsSolutions-CFR4",
        DISTRIBUTION,
        "CloudFront's own domain comes with its own certificate, whose TLS policy cannot be chosen;"
        " towards the origin TLS 1.2 is required.",
    ),
    Reviewed(
        r"AwsSolutions-IAM4\[Policy::.*/AmazonAPIGatewayPushToCloudWatchLogs\]",
        r"Core/ApiLogRole/Role/Resource",
        "The one policy that AWS names for this role; log groups of any API of the account.",
    ),
    Reviewed(
        r"AwsSolutions-IAM5\[Resource::\*\]",
        FUNCTION_ROLE,
        "X-Ray, network interfaces, the list of streams and alarms know no narrower resource;"
        " permissions.txt shows every statement.",
    ),
    Reviewed(
        r"AwsSolutions-(IAM4|IAM5|L1).*",
        FILES_COPIER,
        "CDK's own function that copies the pages into their bucket at a deployment.",
    ),
    Reviewed(
        r"AwsSolutions-S1",
        r".*/Files/Resource",
        "The bucket holds public pages that CloudFront alone reads.",
    ),
    Reviewed(
        r"AwsSolutions-SMG4",
        r"Core/SigningKeys/Resource",
        "The room changes its keys itself; each is published before it signs.",
    ),
    Reviewed(
        r"AwsSolutions-SMG4",
        r"Core/(Counters/Password|Public/Key)/Resource|OpenId/OpenIdClientSecret/Resource",
        "Its other end (ElastiCache, CloudFront, the OpenID client) must change with it:"
        " docs/deploy.md says how.",
    ),
    Reviewed(
        r"AwsSolutions-SQS3",
        r"Core/Workers/EventDeadLetters/Resource|Inlet/ExitTopic/DeadLetters/Resource",
        "It is the end of the way for messages that were not delivered, with an alarm.",
    ),
)
