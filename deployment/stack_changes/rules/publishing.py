# SPDX-License-Identifier: Apache-2.0
"""Changes that take effect only with a new deployment of an API or a new version of a function."""

from __future__ import annotations

from collections.abc import Iterator

from deployment.stack_changes.change_set import ChangeSet, Kind, references
from deployment.stack_changes.violation import Violation

DEPLOYMENT, STAGE = "AWS::ApiGateway::Deployment", "AWS::ApiGateway::Stage"
DEPLOYED = (
    "AWS::ApiGateway::Authorizer",
    "AWS::ApiGateway::GatewayResponse",
    "AWS::ApiGateway::Method",
    "AWS::ApiGateway::Model",
    "AWS::ApiGateway::RequestValidator",
    "AWS::ApiGateway::Resource",
)
FUNCTION, VERSION = "AWS::Lambda::Function", "AWS::Lambda::Version"
UNVERSIONED = {"ReservedConcurrentExecutions", "Tags", "RecursiveLoop"}
MAPPING = "AWS::Lambda::EventSourceMapping"
SUBSCRIPTION = "AWS::SNS::Subscription"


def stages_get_new_deployments(changes: ChangeSet) -> Iterator[Violation]:
    """A stage serves its deployment: another method needs a new deployment."""
    renewed = {
        api
        for one in changes.of_type(DEPLOYMENT)
        if one.begins
        for api in references(one.new["RestApiId"])
    }
    done = set()
    for change in changes.of_type(*DEPLOYED):
        for api in references((change.new or change.old)["RestApiId"]):
            if api not in renewed and api not in done and api in changes.after["Resources"]:
                done.add(api)
                yield Violation(
                    stack=changes.stack,
                    rule="stages_get_new_deployments",
                    resource=api,
                    message=f"{change.logical_id} is {change.kind}, but the stage keeps its "
                    "deployment and does not serve the change",
                )


def aliases_get_new_versions(changes: ChangeSet) -> Iterator[Violation]:
    """An alias serves a version: a changed function needs a new version."""
    resources = changes.after.get("Resources", {})
    versioned = {
        function: name
        for name, made in resources.items()
        if made["Type"] == VERSION
        for function in references(made["Properties"]["FunctionName"])
    }
    renewed = {one.logical_id for one in changes.of_type(VERSION) if one.begins}
    for change in changes.of_type(FUNCTION):
        version = versioned.get(change.logical_id)
        changed = change.properties - UNVERSIONED
        if change.kind is Kind.MODIFIED and version and version not in renewed and changed:
            yield Violation(
                stack=changes.stack,
                rule="aliases_get_new_versions",
                resource=change.logical_id,
                message=f"{', '.join(sorted(changed))} changes, but its alias keeps the "
                f"version {version}",
            )


def stream_readers_keep_their_checkpoint(changes: ChangeSet) -> Iterator[Violation]:
    """A new reader of a stream starts at its begin or at its end, not where the old one was."""
    old = [one for one in changes.of_type(MAPPING) if one.ends and "StartingPosition" in one.old]
    for change in changes.of_type(MAPPING):
        for other in old:
            if change.begins and change.new.get("EventSourceArn") == other.old["EventSourceArn"]:
                yield Violation(
                    stack=changes.stack,
                    rule="stream_readers_keep_their_checkpoint",
                    resource=change.logical_id,
                    message=f"it reads the stream from {change.new['StartingPosition']}, not from "
                    f"where {other.logical_id} was",
                )


def messages_are_not_doubled(changes: ChangeSet) -> Iterator[Violation]:
    """Two subscriptions of one function to a topic would both deliver during the update."""
    touched = changes.of_type(SUBSCRIPTION)
    for change in (one for one in touched if one.begins):
        for other in (one for one in touched if one.ends):
            same = all(
                change.new.get(part) == other.old.get(part) for part in ("TopicArn", "Protocol")
            )
            if same and change.new["Protocol"] == "lambda":
                yield Violation(
                    stack=changes.stack,
                    rule="messages_are_not_doubled",
                    resource=change.logical_id,
                    message=f"{other.logical_id} delivers the same messages during the update",
                )
