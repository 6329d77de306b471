# SPDX-License-Identifier: Apache-2.0
"""Facts of CloudFormation resource types, from the provider schemas that cfn-lint contains."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

from cfnlint.schema import PROVIDER_SCHEMA_MANAGER

REGION = "us-east-1"  # has every type of the room
PREFIX = "/properties/"

# Types whose loss loses data, an address that others use, or a setting made by people.
STATEFUL = frozenset({
    "AWS::ApiGateway::RestApi",  # its id is in the invoke URL and in the issuer of tokens
    "AWS::CloudFront::Distribution",  # its domain name is what visitors open
    "AWS::CloudFront::KeyValueStore",  # without its content the gate is closed
    "AWS::Cognito::IdentityPool",
    "AWS::Cognito::UserPool",
    "AWS::DynamoDB::GlobalTable",
    "AWS::DynamoDB::Table",
    "AWS::Events::EventBus",  # others subscribe to it
    "AWS::IAM::Group",  # people are members of it
    "AWS::IAM::ManagedPolicy",  # people attach it
    "AWS::KMS::Key",
    "AWS::Logs::LogGroup",
    "AWS::S3::Bucket",
    "AWS::SNS::Topic",  # others subscribe and publish to it
    "AWS::SQS::Queue",
    "AWS::SecretsManager::Secret",
})  # fmt: skip
# Types that hold a copy of the tables, which the set-up rebuilds.
COPIES = frozenset({
    "AWS::ElastiCache::CacheCluster",
    "AWS::ElastiCache::ReplicationGroup",
    "AWS::ElastiCache::ServerlessCache",
})  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class ResourceType:
    """Property paths of a type, as tuples of names.

    A change of a ``create_only`` property replaces the resource; a change of a ``conditional`` one
    can. ``identity`` are the properties that identify a resource, without those that AWS assigns.
    """

    create_only: tuple[tuple[str, ...], ...]
    conditional: tuple[tuple[str, ...], ...]
    identity: tuple[tuple[str, ...], ...]
    deleted_first: bool


@cache
def resource_type(name: str) -> ResourceType:
    """Return the facts of a type. Raises cfn-lint's ResourceNotFoundError for an unknown type."""
    schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema(REGION, name).schema
    identity = [*schema.get("primaryIdentifier", ())]
    assigned = set(schema.get("readOnlyProperties", ()))
    return ResourceType(
        create_only=_paths(schema.get("createOnlyProperties", ())),
        conditional=_paths(schema.get("conditionalCreateOnlyProperties", ())),
        identity=() if assigned.intersection(identity) else _paths(identity),
        deleted_first=schema.get("replacementStrategy") == "delete_then_create",
    )


def value_at(properties: Any, path: tuple[str, ...]) -> Any:
    """Return the value at a path of properties; None if there is none."""
    for name in path:
        if not isinstance(properties, dict):
            return None
        properties = properties.get(name)
    return properties


def _paths(pointers: Any) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(one.removeprefix(PREFIX).split("/")) for one in pointers)
