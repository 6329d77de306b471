# SPDX-License-Identifier: Apache-2.0
"""Resources that exist at the same time during an update do not share a name.

CloudFormation creates new resources first and deletes old ones at the end of the update.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from deployment.stack_changes.change_set import ChangeSet, ResourceChange
from deployment.stack_changes.resource_types import resource_type, value_at
from deployment.stack_changes.violation import Violation

# Unique names that are no identity of their type: the account, or another resource, has one each.
NAMES: dict[str, tuple[tuple[str, ...], ...]] = {
    "AWS::ApiGateway::ApiKey": (("Name",),),
    "AWS::CloudFront::CachePolicy": (("CachePolicyConfig", "Name"),),
    "AWS::CloudFront::Function": (("Name",),),
    "AWS::CloudFront::OriginAccessControl": (("OriginAccessControlConfig", "Name"),),
    "AWS::CloudFront::OriginRequestPolicy": (("OriginRequestPolicyConfig", "Name"),),
    "AWS::CloudFront::ResponseHeadersPolicy": (("ResponseHeadersPolicyConfig", "Name"),),
    "AWS::EC2::VPCEndpoint": (("VpcId",), ("ServiceName",)),  # private names of the service
    "AWS::Events::Rule": (("Name",),),
    "AWS::IAM::ManagedPolicy": (("ManagedPolicyName",),),
    "AWS::Lambda::Alias": (("FunctionName",), ("Name",)),
    "AWS::Lambda::EventSourceMapping": (("EventSourceArn",), ("FunctionName",)),
    "AWS::SNS::Topic": (("TopicName",),),
    "AWS::SQS::Queue": (("QueueName",),),
    "AWS::SecretsManager::Secret": (("Name",),),
    "AWS::WAFv2::WebACL": (("Name",), ("Scope",)),
}
# Settings of another resource, of which there is one: to delete the old one deletes the new one.
SETTINGS: dict[str, tuple[str, ...]] = {
    "AWS::ApiGateway::Account": (),
    "AWS::S3::BucketPolicy": ("Bucket",),
    "AWS::SNS::TopicPolicy": ("Topics",),
    "AWS::SQS::QueuePolicy": ("Queues",),
    "AWS::WAFv2::WebACLAssociation": ("ResourceArn",),
}
RULES_OF_GROUPS = ("AWS::EC2::SecurityGroupEgress", "AWS::EC2::SecurityGroupIngress")


def no_two_with_one_name(changes: ChangeSet) -> Iterator[Violation]:
    """A new resource does not have the name of an old one that still exists."""
    old = {_named(one, one.old): one for one in changes.changes if one.ends}
    for change in changes.changes:
        name = _named(change, change.new) if change.begins else None
        if name is not None and name in old:
            yield Violation(
                stack=changes.stack,
                rule="no_two_with_one_name",
                resource=change.logical_id,
                message=f"{_begins(change)} while {old[name].logical_id} still has the same name: "
                f"{name[1]}",
            )


def settings_of_a_resource_stay(changes: ChangeSet) -> Iterator[Violation]:
    """A setting is updated in place: the deletion of an old one removes it from the resource."""
    for kind, part in SETTINGS.items():
        touched = changes.of_type(kind)
        for change in (one for one in touched if one.begins):
            target = value_at(change.new, part)
            for other in touched:
                if other.ends and value_at(other.old, part) == target and not _kept(other):
                    yield Violation(
                        stack=changes.stack,
                        rule="settings_of_a_resource_stay",
                        resource=change.logical_id,
                        message=f"{_begins(change)}, then the deletion of {other.logical_id} "
                        "removes the setting",
                    )


def no_two_rules_alike(changes: ChangeSet) -> Iterator[Violation]:
    """EC2 rejects a rule that a security group already has."""
    old = {json.dumps(one.old, sort_keys=True): one.logical_id
           for one in changes.of_type(*RULES_OF_GROUPS) if one.ends}  # fmt: skip
    for change in changes.of_type(*RULES_OF_GROUPS):
        key = json.dumps(change.new, sort_keys=True)
        if change.begins and key in old and change.logical_id not in changes.replaced:
            yield Violation(
                stack=changes.stack,
                rule="no_two_rules_alike",
                resource=change.logical_id,
                message=f"it is added while {old[key]} is the same rule",
            )


def _named(change: ResourceChange, properties: dict[str, Any]) -> tuple[str, str] | None:
    """Return type and unique name of a resource; None if AWS makes the name."""
    facts = resource_type(change.type)
    paths = NAMES.get(change.type) or facts.identity
    values = [value_at(properties, path) for path in paths]
    if not paths or None in values or facts.deleted_first or change.type in SETTINGS:
        return None
    text = ", ".join(
        one if isinstance(one, str) else json.dumps(one, sort_keys=True) for one in values
    )
    return change.type, text


def _begins(change: ResourceChange) -> str:
    return "it is replaced" if change.before else "it is added"


def _kept(change: ResourceChange) -> bool:
    policy = "UpdateReplacePolicy" if change.after else "DeletionPolicy"
    return change.before.get(policy) == "Retain"
