# SPDX-License-Identifier: Apache-2.0
"""Checks of Lambda, API Gateway, DynamoDB, CloudFront and the deployment's own preparation."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from botocore.exceptions import ClientError

from deployment.doctor.results import EDGE_REGION, Deployment, Level, Result
from infrastructure.parameters.core import CALLS_OF_A_POLLER, LEAST_WORKERS, UNRESERVED

CONCURRENCY_QUOTA = "L-B99A9384"  # Lambda: concurrent executions
API_RATE_QUOTA = "L-8A5B8E43"  # API Gateway: throttle rate
TABLE_WRITES = 4_000  # per second: a new on-demand table
# Stack → its distributions and cache policies, for the quotas of CloudFront.
CREATED = {"core": (1, 5), "sample": (2, 0), "openid": (1, 0), "gate": (1, 3)}
BOOTSTRAP = "/cdk-bootstrap/hnb659fds/version"
BOOTSTRAP_LEAST = 6  # of CDK 2's synthesizer
UNVERIFIED = "Your account must be verified before you can add new CloudFront resources"

MOST_POLLERS = 200  # the largest JoinPollers
# Status of a stack that cannot be updated → what is the case, and what to do.
STUCK = {
    "ROLLBACK_COMPLETE": (
        "The first deployment of the stack {name} failed, and it cannot be updated.",
        "Delete it: aws cloudformation delete-stack --stack-name {name}",
    ),
    "ROLLBACK_FAILED": (
        "The first deployment of the stack {name} failed, and not all of its resources were"
        " deleted.",
        "Turn off the deletion protection of its tables (DeletionProtection=true), or remove what"
        " else the events name. Then delete it: aws cloudformation delete-stack --stack-name"
        " {name}",
    ),
    "CREATE_FAILED": (
        "The first deployment of the stack {name} failed, and it was not rolled back.",
        "Delete it: aws cloudformation delete-stack --stack-name {name}",
    ),
    "DELETE_FAILED": (
        "The removal of the stack {name} failed.",
        "Remove the cause, which the events of the stack name. Then delete it again:"
        " aws cloudformation delete-stack --stack-name {name}",
    ),
    "UPDATE_FAILED": (
        "An update of the stack {name} failed, and it was not rolled back.",
        "Roll it back: aws cloudformation rollback-stack --stack-name {name}",
    ),
    "UPDATE_ROLLBACK_FAILED": (
        "The rollback of an update of the stack {name} failed.",
        "Remove the cause, which the events of the stack name. Then continue:"
        " aws cloudformation continue-update-rollback --stack-name {name}",
    ),
}


def stack(of: Deployment) -> Iterator[Result]:
    """Check that the core stack can be created or updated."""
    name, status = of.config.stack_name, of.stack_status
    if not status:
        yield Result("Stack", Level.OK, f"The stack {name} does not exist yet.")
    elif status in STUCK:
        sentence, action = (text.format(name=name) for text in STUCK[status])
        yield Result("Stack", Level.MUST_FIX, sentence, action)
    elif status.endswith("_FAILED") or status.endswith("_IN_PROGRESS"):
        yield Result(
            "Stack",
            Level.MUST_FIX,
            f"The stack {name} has the status {status}, in which it cannot be updated.",
            "Wait for the end of the operation."
            if status.endswith("_IN_PROGRESS")
            else "Remove the cause, which the events of the stack name.",
        )
    else:
        yield Result("Stack", Level.OK, f"The stack {name} exists and can be updated.")


def bootstrap(of: Deployment) -> Iterator[Result]:
    """Check that CDK is prepared in the account and region."""
    action = "Run make bootstrap with credentials of an administrator."
    try:
        found = of.client("ssm").get_parameter(Name=BOOTSTRAP)["Parameter"]["Value"]
    except ClientError as error:
        if error.response["Error"]["Code"] != "ParameterNotFound":
            raise
        yield Result(
            "CDK", Level.MUST_FIX, "CDK is not bootstrapped in this account and region.", action
        )
        return
    if not found.isdigit() or int(found) < BOOTSTRAP_LEAST:
        yield Result(
            "CDK",
            Level.MUST_FIX,
            f"CDK's bootstrap stack has version {found}; CDK needs {BOOTSTRAP_LEAST}.",
            action,
        )
    else:
        yield Result("CDK", Level.OK, f"CDK's bootstrap stack has version {found}.")


def concurrency(of: Deployment) -> Iterator[Result]:
    """Check Lambda's concurrency against the parameters and the needs."""
    name, config, needs = "Lambda concurrency", of.config, of.needs
    limit = of.client("lambda").get_account_settings()["AccountLimit"]
    total, free = int(limit["ConcurrentExecutions"]), int(limit["UnreservedConcurrentExecutions"])
    raise_it = f"Request Service Quotas lambda {CONCURRENCY_QUOTA} (Concurrent executions)"
    if total < config.account_concurrency:
        yield Result(
            name,
            Level.MUST_FIX,
            f"The account has {total}, and the parameter AccountConcurrency is "
            f"{config.account_concurrency}.",
            f"Deploy with AccountConcurrency={total}, or first: {raise_it}.",
        )
    reserved = config.reserved_concurrency
    before = reserved if of.exists else 0  # a deployed stack's own reservation
    if reserved and free + before - reserved < UNRESERVED:
        yield Result(
            name,
            Level.MUST_FIX,
            f"The parameters reserve {reserved} of the {free + before} concurrent executions that "
            f"other functions leave; Lambda requires that {UNRESERVED} stay unreserved.",
            "Lower WorkerReservedConcurrency or OperatorsReservedConcurrency, or first: "
            f"{raise_it}.",
        )
    if total < needs.concurrency:
        yield Result(
            name,
            Level.WARNING,
            f"The account has {total}; {needs.visitors:,} visitors need {needs.concurrency:,}.",
            f"{raise_it}: {needs.concurrency:,}. Then deploy with "
            f"AccountConcurrency={needs.concurrency}.",
        )
    elif total >= config.account_concurrency:
        yield Result(
            name, Level.OK, f"The account has {total:,}; the event needs {needs.concurrency:,}."
        )
    if config.join_workers < needs.join_workers:
        yield Result(
            "Join workers",
            Level.WARNING,
            f"At most {config.join_workers} join workers run at the same time; "
            f"{needs.visitors:,} visitors need {needs.join_workers}.",
            f"Deploy with AssignConcurrency={needs.join_workers}.{_pollers(of)}",
        )


def _pollers(of: Deployment) -> str:
    """Return the advice to use pollers, with a number that the parameters accept; "" for none."""
    config = of.config
    limits = [config.account_concurrency, config.worker_reserved_concurrency]
    accepted = min(limit for limit in limits if limit) // CALLS_OF_A_POLLER
    needed = max(LEAST_WORKERS, math.ceil(of.needs.join_workers / CALLS_OF_A_POLLER))
    pollers = min(needed, accepted, MOST_POLLERS)
    if pollers < LEAST_WORKERS:
        return ""
    return (
        f" If all visitors arrive within seconds, deploy with JoinPollers={pollers} instead of"
        " AssignConcurrency, an hour before the event."
    )


def api_gateway(of: Deployment) -> Iterator[Result]:
    """Check the throttle of API Gateway and its role for logs."""
    name, config, needs = "API Gateway throttle", of.config, of.needs
    account = of.client("apigateway").get_account()
    throttle = account.get("throttleSettings", {})
    rate, burst = int(throttle.get("rateLimit", 0)), int(throttle.get("burstLimit", 0))
    if rate < config.account_api_rate or burst < config.account_api_burst:
        yield Result(
            name,
            Level.WARNING,
            f"The account has {rate:,} requests/s and a burst of {burst:,}, less than "
            f"AccountApiRate={config.account_api_rate} and "
            f"AccountApiBurst={config.account_api_burst}: visitors can block operators.",
            f"Deploy with AccountApiRate={rate} and AccountApiBurst={burst}, and lower ApiRate "
            "and ApiBurst until the sum fits.",
        )
    if config.api_rate < needs.api_rate:
        total = needs.api_rate + config.account_api_rate - config.api_rate
        request = (
            f"Request Service Quotas apigateway {API_RATE_QUOTA} (Throttle rate): {total:,}. Then d"
            if rate < total
            else "D"
        )
        yield Result(
            name,
            Level.WARNING,
            f"ApiRate is {config.api_rate:,}; {needs.visitors:,} visitors need "
            f"{needs.api_rate:,} requests/s.",
            f"{request}eploy with AccountApiRate={total} and ApiRate={needs.api_rate}, and with "
            "half of each as AccountApiBurst and ApiBurst.",
        )
    elif rate >= config.account_api_rate and burst >= config.account_api_burst:
        yield Result(
            name, Level.OK, f"The account has {rate:,} requests/s and a burst of {burst:,}."
        )
    role = account.get("cloudwatchRoleArn", "")
    if not role and not config.create_api_log_role:
        yield Result(
            "API Gateway log role",
            Level.MUST_FIX,
            "The account has no CloudWatch role for API Gateway, so no API can write logs.",
            "Deploy with CreateApiLogRole=true.",
        )
    elif role and config.create_api_log_role and not of.exists:
        yield Result(
            "API Gateway log role",
            Level.WARNING,
            f"The account has the role {role}; the deployment would replace it.",
            "Deploy with CreateApiLogRole=false to keep it.",
        )
    else:
        yield Result(
            "API Gateway log role",
            Level.OK,
            "The account has a role." if role else "The deployment creates the role.",
        )


def dynamodb(of: Deployment) -> Iterator[Result]:
    """Check the write quota of a table, and whether the tables have to be pre-warmed."""
    name, needs = "DynamoDB writes", of.needs
    most = int(of.client("dynamodb").describe_limits()["TableMaxWriteCapacityUnits"])
    if needs.table_writes > most:
        yield Result(
            name,
            Level.WARNING,
            f"A table may have {most:,} writes/s; {needs.visitors:,} visitors need "
            f"{needs.table_writes:,}.",
            "Request Service Quotas dynamodb: table-level write throughput limit.",
        )
    elif needs.table_writes > TABLE_WRITES:
        yield Result(
            name,
            Level.WARNING,
            f"A new table accepts {TABLE_WRITES:,} writes/s at once; {needs.visitors:,} visitors "
            f"need {needs.table_writes:,}.",
            f"An hour before the event: make warm WRITES={needs.table_writes}.",
        )
    else:
        yield Result(name, Level.OK, f"A table may have {most:,} writes/s.")


def cloudfront(of: Deployment) -> Iterator[Result]:
    """Check that CloudFront accepts a distribution and the cache policies."""
    client = of.client("cloudfront", EDGE_REGION)
    pages = client.get_paginator("list_distributions").paginate()
    count = sum(len(page["DistributionList"].get("Items", [])) for page in pages)
    if count:
        yield Result("CloudFront account", Level.OK, f"The account has {count} distributions.")
    else:
        yield Result(
            "CloudFront account",
            Level.WARNING,
            "The account has no distribution. AWS may require that a new account is verified, "
            "and no read call shows this.",
            f'If the deployment fails with "{UNVERIFIED}", open a case with AWS Support '
            "(Account and billing), and deploy again when it is closed.",
        )
    if of.exists:
        return
    created = [CREATED[one] for one in of.stacks if one in CREATED]
    distributions, policies = (sum(numbers) for numbers in zip(*created, strict=True))
    quota = of.quota("cloudfront", "Web distributions per AWS account", EDGE_REGION)
    if quota and count + distributions > quota[0]:
        yield _too_many("distributions", count, distributions, quota)
    used = _cache_policies(client)
    allowed = of.quota("cloudfront", "Cache policies per AWS account", EDGE_REGION)
    if allowed and used + policies > allowed[0]:
        yield _too_many("cache policies", used, policies, allowed)
    else:
        yield Result("CloudFront cache policies", Level.OK, f"The account has {used} of its own.")


def _cache_policies(client: Any) -> int:
    """Return the number of cache policies of the account's own."""
    listed = client.list_cache_policies(Type="custom")["CachePolicyList"]
    count = int(listed["Quantity"])
    while marker := listed.get("NextMarker"):
        listed = client.list_cache_policies(Type="custom", Marker=marker)["CachePolicyList"]
        count += int(listed["Quantity"])
    return count


def _too_many(what: str, count: int, new: int, quota: tuple[float, str]) -> Result:
    return Result(
        f"CloudFront {what}",
        Level.MUST_FIX,
        f"The account has {count} {what} and the deployment adds {new}; the quota is "
        f"{quota[0]:.0f}.",
        f"Request Service Quotas cloudfront {quota[1]}: {count + new}, in the region "
        f"{EDGE_REGION}.",
    )
