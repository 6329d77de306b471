# SPDX-License-Identifier: Apache-2.0
"""Accepted findings of cdk-nag (AwsSolutions), checkov and cfn-lint, each with the reason.

A test and ``make scan`` fail for a finding that is not listed here, and for an entry without a
finding.
"""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Suppression:
    """Findings of a rule: patterns for the whole rule id and for where it is found.

    The place is the construct path for cdk-nag, and ``Stack/LogicalId`` for the others.
    """

    rule: str
    where: str
    reason: str

    def covers(self, rule: str, path: str) -> bool:
        """Return whether a finding matches."""
        return bool(re.fullmatch(self.rule, rule) and re.fullmatch(self.where, path))


FUNCTION_ROLE = r".*/Role/(DefaultPolicy/)?Resource"
FILES_COPIER = r".*/Custom::CDKBucketDeployment[0-9A-F]+/.*"
DISTRIBUTION = r".*/Distribution/Resource"

CDK_NAG = (
    Suppression(
        r"AwsSolutions-APIG4",
        r"(Core|OpenId|Gate)/.*/Default/.*/Resource|.*/OPTIONS/Resource",
        "Visitors have no identity: the edge's API key protects the public API and the entrance."
        " A preflight has no credentials. OpenID endpoints authenticate their clients themselves.",
    ),
    Suppression(
        r"AwsSolutions-COG4",
        r".*/Default/.*/Resource",
        "No API accepts tokens of a user pool: visitors are anonymous, operators and stacks sign"
        " with IAM, the store accepts the room's own tokens.",
    ),
    Suppression(
        r"AwsSolutions-COG8",
        r"Sample/SignIn/Users",
        "Threat protection needs the plan Plus, which has a price for each operator. A second"
        " factor is required.",
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
        r"Core/Operators/(.*Policy|Site|Gate)/Resource|Sample/SignIn/.*Role/Resource",
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

FUNCTIONS = r".*/.*(Function|CDKBucketDeployment|CustomResourceProviderHandler)[0-9A-F]+"
KEYED = (
    "The data is encrypted with a key of AWS by default. A key of your own is the option"
    " CustomerManagedKey."
)
CHECKOV = (
    Suppression(
        r"CKV_AWS_111",
        r".*/.*Role(DefaultPolicy)?[0-9A-F]+",
        "Lambda's calls to network interfaces of EC2 accept no narrower resource. CDK's function"
        " that copies the pages invalidates distributions, whose ids are known at deployment.",
    ),
    Suppression(
        r"CKV_AWS_115",
        FUNCTIONS,
        "A new account has a concurrency of 10, of which nothing can be reserved."
        " WorkerReservedConcurrency and OperatorsReservedConcurrency reserve what matters.",
    ),
    Suppression(
        r"CKV_AWS_116",
        FUNCTIONS,
        "API Gateway, queues and streams invoke functions synchronously: queues and the stream of"
        " the tokens have dead-letter queues of their own. A schedule runs a worker again, and each"
        " worker has an alarm on its errors.",
    ),
    Suppression(
        r"CKV_AWS_117",
        FUNCTIONS,
        "Only functions that use the counters are inside the VPC (decision 0040).",
    ),
    Suppression(r"CKV_AWS_119", r"(Core|OpenId)/Tables.*", KEYED),
    Suppression(
        r"CKV_AWS_120",
        r".*/.*DeploymentStageapi[0-9A-F]+",
        "CloudFront caches the responses of visitors' routes. Responses of the other APIs belong to"
        " one caller.",
    ),
    Suppression(r"CKV_AWS_149", r".*", KEYED),
    Suppression(r"CKV_AWS_158", r".*", KEYED),
    Suppression(
        r"CKV_AWS_173",
        FUNCTIONS,
        "Settings contain no secret: they name secrets. Lambda encrypts them with a key of AWS.",
    ),
    Suppression(
        r"CKV_AWS_174",
        r"(Core|Sample|OpenId|Gate)/.*Distribution[0-9A-F]+",
        "The default domain of CloudFront has a fixed TLS policy. With a custom domain it is"
        " TLSv1.2_2021, which a test checks.",
    ),
    Suppression(
        r"CKV_AWS_18",
        r".*/.*Files[0-9A-F]+",
        "The bucket contains public pages, and only CloudFront reads it.",
    ),
    Suppression(
        r"CKV_AWS_192",
        r"Core/ProtectionWebAcl.*",
        "The room has no Java. The rule group that contains this rule counts and blocks nothing.",
    ),
    Suppression(
        r"CKV_AWS_21",
        r".*/.*Files[0-9A-F]+",
        "The content is built from the sources; a deployment writes it again.",
    ),
    Suppression(
        r"CKV_AWS_26",
        r"(Core/Operations|EdgeAlarms/)AlarmsTopic.*|Inlet/ExitTopic.*",
        "CloudWatch cannot publish to a topic with the key of AWS for SNS. Alarms and exit notices"
        " contain no secret and are delivered over TLS. CustomerManagedKey encrypts them.",
    ),
    Suppression(
        r"CKV_AWS_27",
        r"(Core|Inlet)/.*",
        "The queues are encrypted with the key of SQS. A key of your own is the option"
        " CustomerManagedKey.",
    ),
    Suppression(
        r"CKV_AWS_59",
        r"OpenId/ProviderApi.*|Core/PublicRestApiwellknownopenidconfiguration.*",
        "OpenID Connect and discovery are public by their standards; endpoints with secrets"
        " authenticate their clients themselves.",
    ),
    Suppression(
        r"CKV_AWS_68",
        r".*/.*Distribution[0-9A-F]+",
        "The web ACL is at the API behind CloudFront, in the stack's own region (decision 0041).",
    ),
    Suppression(
        r"CKV_AWS_73",
        r".*/.*DeploymentStageapi[0-9A-F]+",
        "Trace segments of a stage contain the address of the request, and so request ids. Traces"
        " begin at the functions.",
    ),
    Suppression(
        r"CKV_AWS_86",
        r".*/.*Distribution[0-9A-F]+",
        "CloudFront logs would contain query strings with request ids, which are credentials.",
    ),
)
CFN_LINT = (
    Suppression(
        r"W3005",
        r".*",
        "CDK writes dependencies that a reference implies already; they do no harm.",
    ),
)
