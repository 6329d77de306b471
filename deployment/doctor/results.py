# SPDX-License-Identifier: Apache-2.0
"""Results of the checks, and what a check reads."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Any, Protocol

from botocore.exceptions import BotoCoreError, ClientError

from deployment.doctor.needs import Needs
from infrastructure.parameters.core import CoreConfig
from infrastructure.parameters.restored import RestoredTable

EDGE_REGION = "us-east-1"  # of CloudFront's API and quotas

# Operation of an AWS API → IAM action. The checks call no other operation.
IAM_ACTIONS = {
    "GetCallerIdentity": "sts:GetCallerIdentity",
    "GetAccountSettings": "lambda:GetAccountSettings",
    "GetAccount": "apigateway:GET",
    "DescribeLimits": "dynamodb:DescribeLimits",
    "DescribeTable": "dynamodb:DescribeTable",
    "DescribeTimeToLive": "dynamodb:DescribeTimeToLive",
    "DescribeContinuousBackups": "dynamodb:DescribeContinuousBackups",
    "DescribeStacks": "cloudformation:DescribeStacks",
    "ListDistributions": "cloudfront:ListDistributions",
    "ListCachePolicies": "cloudfront:ListCachePolicies",
    "ListFunctions": "cloudfront:ListFunctions",
    "ListKeyValueStores": "cloudfront:ListKeyValueStores",
    "ListVpcOrigins": "cloudfront:ListVpcOrigins",
    "ListServiceQuotas": "servicequotas:ListServiceQuotas",
    "DescribeAvailabilityZones": "ec2:DescribeAvailabilityZones",
    "DescribeVpcEndpointServices": "ec2:DescribeVpcEndpointServices",
    "DescribeVpcs": "ec2:DescribeVpcs",
    "DescribeSubnets": "ec2:DescribeSubnets",
    "DescribeReservedCacheNodesOfferings": "elasticache:DescribeReservedCacheNodesOfferings",
    "DescribeCacheClusters": "elasticache:DescribeCacheClusters",
    "GetParameter": "ssm:GetParameter",
    "GetRole": "iam:GetRole",
}
DENIED = ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AuthorizationError")


class Level(StrEnum):
    """The result of a check, the most serious first."""

    MUST_FIX = "must fix"
    WARNING = "warning"
    NOT_CHECKED = "not checked"
    OK = "ok"


@dataclass(frozen=True)
class Result:
    """One sentence about the account, and what to do."""

    check: str
    level: Level
    sentence: str
    action: str = ""


class Account(Protocol):
    """The account: ``client`` returns a botocore client, of its region by default."""

    region: str

    def client(self, service: str, region: str = "") -> Any:
        """Return a client of a service."""
        ...


@dataclass(frozen=True)
class Deployment:
    """A deployment to check: parameters, the selected stacks, needs of an event, the account.

    ``restored`` are the tables of the parameter RestoredTables.
    """

    config: CoreConfig
    stacks: frozenset[str]
    needs: Needs
    account: Account
    restored: Mapping[str, RestoredTable] = field(default_factory=dict)

    def client(self, service: str, region: str = "") -> Any:
        """Return a client of a service in the account."""
        return self.account.client(service, region)

    @cached_property
    def exists(self) -> bool:
        """Whether the core stack exists; false if that cannot be read."""
        try:
            return bool(self.stack_status)
        except (ClientError, BotoCoreError):
            return False

    @cached_property
    def stack_status(self) -> str:
        """The status of the core stack; empty if it does not exist. Raises errors of botocore."""
        try:
            found = self.client("cloudformation").describe_stacks(StackName=self.config.stack_name)
        except ClientError as error:
            if "does not exist" in str(error):
                return ""
            raise
        return str(found["Stacks"][0]["StackStatus"])

    def quota(self, service: str, name: str, region: str = "") -> tuple[float, str] | None:
        """Return the value and the code of a quota of Service Quotas; None if it is not listed."""
        pages = self.client("service-quotas", region).get_paginator("list_service_quotas")
        for page in pages.paginate(ServiceCode=service):
            for one in page["Quotas"]:
                if one["QuotaName"].lower() == name.lower():
                    return float(one["Value"]), str(one["QuotaCode"])
        return None


@dataclass(frozen=True)
class Check:
    """A check: its name, what it is about, the operations of AWS that it calls, and its function.

    Every check may call DescribeStacks too, and works without it.
    """

    name: str
    about: str
    calls: tuple[str, ...]
    run: Callable[[Deployment], Iterator[Result]]


def run_check(check: Check, deployment: Deployment) -> list[Result]:
    """Return the results of a check. A failed call of AWS becomes a result *not checked*."""
    results: list[Result] = []
    try:
        for one in check.run(deployment):
            results.append(one)
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        if code in DENIED:
            action = IAM_ACTIONS[error.operation_name]
            sentence = f"This needs the IAM action {action}, which the credentials do not have."
        else:
            sentence = f"AWS returned an error: {error}."
        results.append(Result(check.name, Level.NOT_CHECKED, sentence))
    except BotoCoreError as error:
        results.append(Result(check.name, Level.NOT_CHECKED, f"AWS did not respond: {error}."))
    return results
