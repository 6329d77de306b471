# SPDX-License-Identifier: Apache-2.0
"""All checks of the account, and their table in docs/deploy.md."""

from __future__ import annotations

from deployment.doctor import edge_quotas, network, restored, services
from deployment.doctor.results import IAM_ACTIONS, Check

BOOTSTRAP = Check(
    "CDK", "CDK's bootstrap stack exists and is new enough", ("GetParameter",), services.bootstrap
)
CHECKS = (
    Check(
        "Stack",
        "the core stack can be created or updated",
        ("DescribeStacks",),
        services.stack,
    ),
    BOOTSTRAP,
    Check(
        "Lambda concurrency",
        "the account has the concurrency of the parameters, of the reservations and of the event",
        ("GetAccountSettings",),
        services.concurrency,
    ),
    Check(
        "API Gateway",
        "the throttle of the account; its CloudWatch role",
        ("GetAccount",),
        services.api_gateway,
    ),
    Check("DynamoDB", "the write quota of a table", ("DescribeLimits",), services.dynamodb),
    Check(
        "Restored tables",
        "the tables of the parameter RestoredTables are as the room needs them",
        ("DescribeTable", "DescribeTimeToLive", "DescribeContinuousBackups"),
        restored.tables,
    ),
    Check(
        "CloudFront",
        "numbers of distributions and of cache policies; a sign that the account is verified",
        ("ListDistributions", "ListCachePolicies", "ListServiceQuotas"),
        services.cloudfront,
    ),
    Check(
        "CloudFront edge",
        "numbers of functions, key-value stores and VPC origins of CloudFront",
        ("ListFunctions", "ListKeyValueStores", "ListVpcOrigins"),
        edge_quotas.edge_quotas,
    ),
    Check(
        "Zones",
        "the zones of the network have the interface endpoints and Lambda",
        ("DescribeAvailabilityZones", "DescribeVpcEndpointServices", "DescribeSubnets"),
        network.zones,
    ),
    Check(
        "VPC",
        "the number of VPCs",
        ("DescribeVpcs", "ListServiceQuotas"),
        network.vpc,
    ),
    Check(
        "ElastiCache",
        "the node type exists, the number of nodes, the service-linked role",
        (
            "DescribeReservedCacheNodesOfferings",
            "DescribeCacheClusters",
            "ListServiceQuotas",
            "GetRole",
        ),
        network.elasticache,
    ),
)


def table() -> str:
    """Return the table of the page: each check with its IAM actions."""
    rows = []
    for one in CHECKS:
        actions = ", ".join(f"`{IAM_ACTIONS[call]}`" for call in one.calls)
        rows.append(f"| {one.name} | {one.about} | {actions} |")
    return "\n".join(["| check | what it checks | IAM actions |", "|---|---|---|", *rows])
