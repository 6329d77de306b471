# SPDX-License-Identifier: Apache-2.0
"""Resources that cost by the hour or month, independent of visitors.

``tests/infrastructure/test_capacity_topology.py`` compares the profiles with the stacks.
``PREDECESSOR`` is the published template of the AWS solution v1.1.15.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from infrastructure.blueprint.resources import REPORT

# Types without a cost while no visitor comes. Their requests and their data have a price.
FREE = frozenset(
    {
        "AWS::ApiGateway::Account", "AWS::ApiGateway::ApiKey", "AWS::ApiGateway::Authorizer",
        "AWS::ApiGateway::Deployment", "AWS::ApiGateway::GatewayResponse",
        "AWS::ApiGateway::Method", "AWS::ApiGateway::Model", "AWS::ApiGateway::RequestValidator",
        "AWS::ApiGateway::Resource", "AWS::ApiGateway::RestApi", "AWS::ApiGateway::Stage",
        "AWS::ApiGateway::UsagePlan", "AWS::ApiGateway::UsagePlanKey",
        "AWS::CDK::Metadata", "AWS::CloudFront::CachePolicy", "AWS::CloudFront::Distribution",
        "AWS::CloudFront::Function", "AWS::CloudFront::KeyValueStore",
        "AWS::CloudFront::OriginAccessControl", "AWS::CloudFront::OriginRequestPolicy",
        "AWS::CloudFront::ResponseHeadersPolicy", "AWS::CloudFront::VpcOrigin",
        "AWS::Cognito::IdentityPool", "AWS::Cognito::IdentityPoolRoleAttachment",
        "AWS::Cognito::ManagedLoginBranding",
        "AWS::Cognito::UserPool",  # the price is for users who sign in, of which 10,000 are free
        "AWS::Cognito::UserPoolClient", "AWS::Cognito::UserPoolDomain",
        "AWS::Cognito::UserPoolGroup",
        "AWS::DynamoDB::Table",  # on demand; backups to a point in time cost by the stored data
        "AWS::EC2::FlowLog", "AWS::EC2::RouteTable", "AWS::EC2::SecurityGroup",
        "AWS::EC2::SecurityGroupEgress", "AWS::EC2::SecurityGroupIngress", "AWS::EC2::Subnet",
        "AWS::EC2::SubnetRouteTableAssociation", "AWS::EC2::VPC", "AWS::ElastiCache::SubnetGroup",
        "AWS::Events::EventBus", "AWS::IAM::Group", "AWS::IAM::ManagedPolicy", "AWS::IAM::Policy",
        "AWS::IAM::OIDCProvider", "AWS::IAM::Role", "AWS::Lambda::Alias",
        "AWS::Lambda::EventSourceMapping",
        "AWS::Lambda::Function", "AWS::Lambda::LayerVersion", "AWS::Lambda::Permission",
        "AWS::Lambda::Version", "AWS::Logs::LogGroup",
        "AWS::Logs::MetricFilter",  # its metric has a price in hours with data only
        "AWS::Route53::RecordSetGroup",
        "AWS::S3::Bucket", "AWS::S3::BucketPolicy",
        "AWS::SNS::Subscription", "AWS::SNS::Topic", "AWS::SNS::TopicPolicy",
        "AWS::SQS::Queue",  # the polls of its event source mapping are counted
        "AWS::SQS::QueuePolicy", "AWS::WAFv2::WebACLAssociation",
        "Custom::CDKBucketDeployment", "Custom::S3AutoDeleteObjects", "Custom::Trigger",
    }
)  # fmt: skip
PRICED = frozenset(
    {
        "AWS::CloudWatch::Alarm", "AWS::CloudWatch::Dashboard", "AWS::EC2::NatGateway",
        "AWS::EC2::VPCEndpoint", "AWS::ElastiCache::ReplicationGroup", "AWS::Events::Rule",
        "AWS::KMS::Key", "AWS::SecretsManager::Secret", "AWS::WAFv2::WebACL",
    }
)  # fmt: skip
EVERY_MINUTE = "rate(1 minute)"


class UnknownCost(Exception):
    """A template has a type of resource whose cost the model does not know."""


@dataclass(frozen=True)
class Topology:
    """Counts of the resources with a fixed cost. ``endpoints`` are counted by zone.

    An alarm costs for each metric that it reads. X-Ray records each run of a traced function that
    runs once a minute. ``memory_each_minute`` is the sum of the memory of these functions in MB.
    The room's own metrics have no value in an idle month, so they cost nothing.
    """

    name: str
    nodes: dict[str, int]
    nat_gateways: int
    endpoints: int
    alarm_metrics: int
    dashboards: int
    secrets: int
    keys: int
    acls: int
    rules: int
    edge_functions: int  # executed for each request at the edge
    functions_each_minute: int
    memory_each_minute: int
    traced_each_minute: int = 0
    history: bool = True  # a write each minute for each event with work


STANDARD = Topology(
    "this room",
    nodes={"valkey cache.t4g.small": 2},
    nat_gateways=0,
    endpoints=2,  # Secrets Manager in two zones
    alarm_metrics=42,
    dashboards=1,
    secrets=5,  # one of them is the API key of a gate stack
    keys=0,
    acls=1,
    rules=6,
    edge_functions=1,
    functions_each_minute=4,
    memory_each_minute=1024 + 512 + 256 + 512,
)
CHEAP = replace(
    STANDARD,
    name="its cheap profile",
    nodes={"valkey cache.t4g.micro": 1},
    endpoints=1,
    secrets=4,
    alarm_metrics=13,
    dashboards=0,
)
SERVERLESS = replace(
    STANDARD,
    name="its serverless profile",
    nodes={},
    endpoints=0,
    secrets=4,
    alarm_metrics=12,
    dashboards=0,
    acls=0,
    rules=0,
)
PREDECESSOR = Topology(
    "AWS solution v1.1.15",
    nodes={"redis cache.r6g.large": 2},
    nat_gateways=1,
    endpoints=8,  # four services in two zones
    alarm_metrics=39,
    dashboards=0,
    secrets=3,
    keys=0,
    acls=0,
    rules=0,
    edge_functions=0,
    functions_each_minute=2,  # the sweep and the metrics
    memory_each_minute=1024,  # assumed
    history=False,
)


def of_template(name: str, template: Mapping[str, Any]) -> Topology:
    """Return the topology of a CloudFormation template."""
    resources = template["Resources"].values()
    unknown = {resource["Type"] for resource in resources} - FREE - PRICED
    unknown |= set(filter(None, map(_provisioned, resources)))
    if unknown:
        raise UnknownCost(
            f"the model has no price of {', '.join(sorted(unknown))} for an idle month: "
            f"add it to FREE, or count it, in {Path(__file__).name}"
        )
    kinds = Counter(resource["Type"] for resource in resources)
    nodes: Counter[str] = Counter()
    endpoints = rules = each_minute = memory = traced = alarm_metrics = 0
    for resource in resources:
        kind, values = resource["Type"], resource.get("Properties", {})
        if kind == "AWS::ElastiCache::ReplicationGroup":
            nodes[f"{values['Engine']} {values['CacheNodeType']}"] += values["NumCacheClusters"]
        elif kind == "AWS::EC2::VPCEndpoint" and values.get("VpcEndpointType") == "Interface":
            endpoints += len(values["SubnetIds"])
        elif kind == "AWS::WAFv2::WebACL":
            rules += len(values["Rules"])
        elif kind == "AWS::CloudWatch::Alarm":
            read = [one for one in values.get("Metrics", ()) if "MetricStat" in one]
            alarm_metrics += len(read) or 1
        elif kind == "AWS::Events::Rule" and values.get("ScheduleExpression") == EVERY_MINUTE:
            started = [_function(template, one["Arn"]) for one in values["Targets"]]
            each_minute += len(started)
            memory += sum(one["MemorySize"] for one in started)
            traced += sum(one["TracingConfig"]["Mode"] == "Active" for one in started)
    return Topology(
        name,
        nodes=dict(nodes),
        nat_gateways=kinds["AWS::EC2::NatGateway"],
        endpoints=endpoints,
        alarm_metrics=alarm_metrics,
        dashboards=kinds["AWS::CloudWatch::Dashboard"],
        secrets=kinds["AWS::SecretsManager::Secret"],
        keys=kinds["AWS::KMS::Key"],
        acls=kinds["AWS::WAFv2::WebACL"],
        rules=rules,
        edge_functions=kinds["AWS::CloudFront::Function"],
        functions_each_minute=each_minute,
        memory_each_minute=memory,
        traced_each_minute=traced,
        history=any(map(_sends_metrics, resources)),
    )


def _provisioned(resource: Mapping[str, Any]) -> str:
    """Return what a resource of a free type provisions, which costs by the hour; "" for nothing."""
    values = resource.get("Properties", {})
    for member in ("ProvisionedConcurrencyConfig", "ProvisionedPollerConfig"):
        if member in values:
            return f"{resource['Type']} with {member}"
    if resource["Type"] == "AWS::DynamoDB::Table" and values["BillingMode"] != "PAY_PER_REQUEST":
        return "AWS::DynamoDB::Table with provisioned capacity"
    return ""


def _sends_metrics(resource: Mapping[str, Any]) -> bool:
    return bool(resource.get("Properties", {}).get("Handler") == f"app.{REPORT.name}")


def _function(template: Mapping[str, Any], target: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the properties of the function that a schedule starts."""
    name = target["Fn::GetAtt"][0] if "Fn::GetAtt" in target else target["Ref"]
    found = template["Resources"][name]
    if found["Type"] == "AWS::Lambda::Alias":
        found = template["Resources"][found["Properties"]["FunctionName"]["Ref"]]
    properties: Mapping[str, Any] = found["Properties"]
    return properties
